package words

import (
	"time"

	"flowbench/results"
)

// Fault returns the name of f: "outage on broker".
func Fault(f results.Fault) string {
	if f.On == "" {
		return Clean(f.What)
	}
	return Clean(f.What) + " on " + Clean(f.On)
}

// FaultTime returns a time in a cell with faults, or a length of time between
// two of them. They are stamped in nanoseconds around acts that were planned for
// round times, and known no better than their bins, so from a second on it is
// rounded to 10 ms, and below to one.
func FaultTime(d time.Duration) string {
	if d >= time.Second {
		return Span(d.Round(10 * time.Millisecond))
	}
	return Span(d.Round(time.Millisecond))
}

// Well says when all was well again after a fault: "well after 750 ms", "well at
// once" where it was within the resolution, or "not well within 4.20 s".
func Well(r *results.Recovery) string {
	switch {
	case r == nil:
		return "too little to tell"
	case !r.Recover.Seen:
		return "not well within " + FaultTime(r.Within)
	case r.Recover.After < results.TailWidth:
		return "well at once"
	}
	return "well after " + FaultTime(r.Recover.After)
}

// FaultOutcome says what came of a fault in a few words: "absent" where the flow
// has no such part, "no effect" where it met nothing, and else what [Well] says.
func FaultOutcome(f results.Fault) string {
	switch {
	case f.Absent:
		return "absent"
	case f.Effect == "":
		return "no effect"
	}
	return Well(f.Recovery)
}

// Noticed reports whether clients noticed a fault. An operation that was slow only
// when all was well again, and none had failed, was slow for a reason of its own.
func Noticed(f results.Fault) bool {
	r := f.Recovery
	if r == nil || !r.Detect.Seen {
		return false
	}
	well := f.Heal + r.Recover.After + results.TailWidth
	return r.Bad > 0 || !r.Recover.Seen || f.Begin+r.Detect.After <= well
}
