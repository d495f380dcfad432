package results

import (
	"slices"
	"time"
)

// Live is how a cell is doing: counts since its beginning, and the latency of
// answered operations, or of accepted ones that expect no answer, since the
// last look.
type Live struct {
	Counts, Warmup Counts
	Latency        *Hist // nil where nothing has ended
	SendLag        *Hist // of the operations that ended since the last look; nil where none has

	// Account has what has been decided of the cell's commands. What is lost is only
	// known when it ends.
	Account Accounting
	Active  []string // faults that are in force, by their names in events
}

// Live returns how the cell is doing, for progress displays. What it returns
// belongs to the caller.
func (r *CellRecorder) Live() Live {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.live
	l.Counts, l.Warmup, l.Account = r.cell.Counts, r.cell.WarmupOps, r.account.sums
	l.Active = slices.Clone(r.active)
	r.live = Live{}
	return l
}

func (l *Live) note(o Outcome) {
	last := max(o.Answered, o.Accepted)
	if last == 0 {
		return // handed over; nobody says when it arrived
	}
	if l.Latency == nil {
		l.Latency = NewCoarseHist()
	}
	l.Latency.Record(last - o.Due)
}

func (l *Live) lag(d time.Duration) {
	if l.SendLag == nil {
		l.SendLag = NewCoarseHist()
	}
	l.SendLag.Record(d)
}

// The kinds of events that tell of faults, whose names are those of the faults.
const (
	FaultBegins = "fault begins"
	FaultEnds   = "fault ends"
)

// Active are the faults that are in force, in the order in which they began. Two
// of the same name are there twice.
type Active []string

// take takes in an event.
func (a *Active) take(e Event) {
	switch e.Kind {
	case FaultBegins:
		*a = append(*a, e.Name)
	case FaultEnds:
		if i := slices.Index(*a, e.Name); i >= 0 {
			*a = slices.Delete(*a, i, i+1)
		}
	}
}
