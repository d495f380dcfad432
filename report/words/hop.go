package words

import "flowbench/results"

// Hop returns a hop in words: from where to where, or what happens within a part.
// Names are of a run, so that they are cleaned.
func Hop(h results.Hop) string {
	from, to := Clean(h.From), Clean(h.To)
	s := from + " → " + to
	switch h.Kind {
	case results.HopLag:
		s = "send lag"
	case results.HopInside:
		s = from + ": its own work"
	case results.HopPause:
		s = from + ": pause before it asks"
	case results.HopRequest, results.HopAnswer:
		s = from + " → broker → " + to
	case results.HopConfirm:
		s = from + " → broker: confirmed"
	case results.HopWait:
		s = to + ": wait for a worker"
	case results.HopWork:
		s = to + ": work"
	case results.HopUnanswered:
		s = from + ": no answer"
	case results.HopUntraced:
		s += ", untraced"
	}
	if h.Poll {
		s += " (poll)"
	}
	return s
}
