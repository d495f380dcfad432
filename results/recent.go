package results

import (
	"slices"
	"time"
)

// maxRecent is how many of the latest commands are remembered for when a fault
// was undone: that takes time itself, and is told of only when it is over.
const maxRecent = 1 << 18

// recent tells which commands were under way when a fault began to be undone,
// though they are known before that is. Its methods may be called on nil.
type recent struct {
	heals  []time.Duration
	latest []taken // a ring
	next   int
}

// A taken is the time from a command's start to its first application, and the
// bin in which it was due.
type taken struct {
	started, applied time.Duration
	bin              uint32
}

func (t taken) spans(at time.Duration) bool { return t.started < at && t.applied > at }

// took reports whether a fault was undone while a command was under way, as far
// as that is known, and else remembers the command.
func (r *recent) took(t taken) bool {
	switch {
	case r == nil:
		return false
	case slices.ContainsFunc(r.heals, t.spans):
		return true
	case len(r.latest) < maxRecent:
		r.latest = append(r.latest, t)
	default:
		r.latest[r.next] = t
		r.next = (r.next + 1) % maxRecent
	}
	return false
}

// healed takes when a fault began to be undone, and returns the bins of the
// commands that had been under way then and have not been told of before. To be
// told of the same fault again changes nothing.
func (r *recent) healed(at time.Duration) []uint32 {
	if r == nil || slices.Contains(r.heals, at) {
		return nil
	}
	r.heals = append(r.heals, at)
	var bins []uint32
	for i, t := range r.latest {
		if t.spans(at) {
			bins = append(bins, t.bin)
			r.latest[i] = taken{}
		}
	}
	return bins
}
