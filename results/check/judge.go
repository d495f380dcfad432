package check

import (
	"cmp"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"flowbench/results"
)

// A Judgement is what a history says of its cell.
type Judgement struct {
	Cell       string
	Promise    string // of the flow and its service together
	Drained    bool
	Incomplete string // why the history does not tell all, or empty

	Accounting results.Accounting
	Counts     results.Counts // operations due in the measured time
	Warmup     results.Counts
	Windows    map[string]*results.Window // without latencies; nil without faults

	Verdict string // kept, broken or unknown
	Broken  []string
}

// An operation is everything that was ever seen of one.
type operation struct {
	outcome      *results.Outcome
	applications []results.Applied
	refusedFirst bool // the service said no before it had applied it
	refused      bool
	repeated     int64
	redelivered  int64
	strays       int64
	heard        bool // by somebody who wants to hear of commands
}

// A judge holds a whole history.
type judge struct {
	history    *results.History
	operations map[uint64]*operation
	corrupt    []results.Applied
	notices    []results.HistoryNotice
	dropped    []results.Outcome
	j          *Judgement
}

// Judge reads a history and judges it.
func Judge(r io.Reader) (*Judgement, error) {
	g := &judge{operations: make(map[uint64]*operation)}
	history, err := results.ReadHistory(r, g.gather)
	if err != nil {
		return nil, err
	}
	g.history = history
	g.j = &Judgement{Cell: history.Cell, Promise: results.PromiseOf(history.Promise, history.Idempotent)}
	g.j.Incomplete = incomplete(history)
	issued := uint64(math.MaxUint64) // of a history without an end it is not known what was issued
	if end := history.End; end != nil {
		issued, g.j.Drained = end.Issued, end.Drained && !end.Cut
		if len(end.Faults) > 0 {
			g.j.Windows = make(map[string]*results.Window)
		}
	}
	g.hear(issued)
	for id, op := range g.operations {
		g.operation(op, id > 0 && id <= issued)
	}
	for _, o := range g.dropped {
		g.due(&o)
	}
	g.j.Accounting.Unexpected += int64(len(g.corrupt))
	g.order(issued)
	g.j.Verdict, g.j.Broken = results.JudgePromise(g.j.Promise, g.j.Accounting, g.j.Drained)
	return g.j, nil
}

// incomplete returns why a history does not tell all, or nothing.
func incomplete(h *results.History) string {
	switch {
	case h.Torn && h.End == nil:
		return "the history ends in the middle of a line: the run was killed"
	case h.Torn:
		return "the end of the history cannot be read"
	case h.End == nil:
		return "the history has no end: the run was killed"
	case h.End.Cut:
		return "the history was cut, because it was too long"
	}
	return ""
}

// gather adds one event to what is known of its operation.
func (g *judge) gather(e results.HistoryEvent) {
	switch {
	case e.Outcome != nil && e.Outcome.Status == results.Dropped: // it was due, and nothing else
		g.dropped = append(g.dropped, *e.Outcome)
	case e.Outcome != nil:
		g.of(e.Outcome.Op).outcome = e.Outcome
	case e.Stray != nil:
		g.of(*e.Stray).strays++
	case e.Heard != nil:
		g.notices = append(g.notices, *e.Heard)
	case e.Redelivered != nil:
		g.of(*e.Redelivered).redelivered++
	case e.Applied.Corrupt:
		g.corrupt = append(g.corrupt, *e.Applied)
	case e.Applied.Repeated:
		g.of(e.Applied.Op).repeated++
	case e.Applied.Refused:
		op := g.of(e.Applied.Op)
		op.refused = true
		op.refusedFirst = op.refusedFirst || len(op.applications) == 0
	default:
		op := g.of(e.Applied.Op)
		op.applications = append(op.applications, *e.Applied)
	}
}

func (g *judge) of(id uint64) *operation {
	op := g.operations[id]
	if op == nil {
		op = &operation{}
		g.operations[id] = op
	}
	return op
}

// operation counts what one operation is. exists says that a client may have
// started it.
func (g *judge) operation(op *operation, exists bool) {
	var a results.Accounting // of this one alone
	a.Repeated, a.Redelivered = op.repeated, op.redelivered
	if !exists {
		a.Unexpected = op.strays + int64(len(op.applications))
		g.add(nil, a)
		return
	}
	a.LateAnswers = op.strays
	if n := int64(len(op.applications)); n > 0 {
		a.Applied, a.Extra, a.Duplicated = 1, n-1, one(n > 1)
	}
	if op.outcome != nil {
		g.due(op.outcome)
		g.outcome(op, &a)
	}
	a.StoredTwice = one(g.history.Broker != "" && a.Extra+op.repeated > op.redelivered)
	g.add(op.outcome, a)
	done := op.outcome != nil && op.outcome.Kind == results.Command && len(op.applications) > 0
	g.j.Accounting.Unexpected += one(op.heard && !done) // news of what never happened
}

// hear adds to each operation that somebody heard of it. Nobody can have heard of
// what was not issued, and nobody but the subscribers should hear anything.
func (g *judge) hear(issued uint64) {
	for _, n := range g.notices {
		if n.Op == 0 || n.Op > issued || n.Subscriber < 0 || n.Subscriber >= g.history.Subscribers {
			g.j.Accounting.Unexpected++
			continue
		}
		g.of(n.Op).heard = true
	}
}

// outcome adds to a what follows from the outcome of an operation.
func (g *judge) outcome(op *operation, a *results.Accounting) {
	o := op.outcome
	timedOut := o.Class == "timeout"
	a.Unexpected += one(o.Class == "corrupt")
	a.ReplyDuplicated = one(op.strays > 0 && o.Answered > 0)
	if o.Kind != results.Command {
		return
	}
	applied, told := len(op.applications) > 0, o.Accepted > 0 || o.Answered > 0
	a.Attempted, a.Acknowledged = 1, one(told)
	switch {
	case applied && o.Status == results.OK:
		a.OK = 1
	case applied && o.Status == results.Unknown:
		a.UnknownApplied = 1
	case applied:
		a.Phantom = 1
	case o.Status == results.Failed:
		a.Failed = 1
	case op.refused:
		a.Refused = 1
	case told:
		a.Lost = 1
	case o.Status == results.Unknown:
		a.UnknownNever = 1
	default:
		a.Vanished = 1
	}
	a.TimedOut = one(timedOut)
	a.RepliedLate = one(timedOut && op.strays > 0 && o.Answered == 0)
	if !applied || op.refusedFirst {
		return
	}
	first := op.applications[0].At
	a.TimedOutApplied = one(timedOut && first > o.Ended)
	if end := g.history.End; end != nil {
		for _, f := range end.Faults {
			heal := g.history.Origin + f.Heal
			if !f.Absent && f.Heal >= f.Begin && o.Started < heal && first > heal {
				a.Recovered = 1
			}
		}
	}
}

// add adds what one operation is to the cell, and to the window that it was due
// in.
func (g *judge) add(o *results.Outcome, a results.Accounting) {
	plus(&g.j.Accounting, a)
	if o == nil || g.j.Windows == nil {
		return
	}
	plus(&g.window(o.Due).Accounting, a)
}

// due counts an operation by when it was due and how it ended.
func (g *judge) due(o *results.Outcome) {
	if o.Due-g.history.Origin >= g.history.Warmup {
		count(&g.j.Counts, o.Status)
	} else {
		count(&g.j.Warmup, o.Status)
	}
	if g.j.Windows != nil {
		count(&g.window(o.Due).Counts, o.Status)
	}
}

func (g *judge) window(due time.Duration) *results.Window {
	name := results.WindowAt(due-g.history.Origin, g.history.Warmup, g.history.End.Faults)
	if g.j.Windows[name] == nil {
		g.j.Windows[name] = &results.Window{}
	}
	return g.j.Windows[name]
}

// order finds commands that were applied after one of the same key that began
// only when they had been acknowledged. Only first applications count, and only
// those of commands that were not refused before.
func (g *judge) order(issued uint64) {
	type applied struct {
		version uint64
		outcome *results.Outcome
	}
	keys := make(map[uint32][]applied)
	for id, op := range g.operations {
		if id == 0 || id > issued || op.outcome == nil || op.outcome.Kind != results.Command ||
			len(op.applications) == 0 || op.refusedFirst {
			continue
		}
		first := op.applications[0]
		keys[first.Key] = append(keys[first.Key], applied{first.Version, op.outcome})
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		list := keys[key]
		slices.SortFunc(list, func(a, b applied) int { return cmp.Compare(a.version, b.version) })
		var latestStart time.Duration
		for _, a := range list {
			acknowledged := a.outcome.Accepted
			if acknowledged == 0 {
				acknowledged = a.outcome.Answered
			}
			if acknowledged > 0 && acknowledged < latestStart {
				g.reordered(a.outcome)
			}
			latestStart = max(latestStart, a.outcome.Started)
		}
	}
}

func (g *judge) reordered(o *results.Outcome) {
	g.j.Accounting.Reordered++
	if g.j.Windows != nil {
		g.window(o.Due).Accounting.Reordered++
	}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func count(c *results.Counts, s results.Status) {
	c.Due++
	switch s {
	case results.OK:
		c.OK++
	case results.Failed:
		c.Failed++
	case results.Unknown:
		c.Unknown++
	case results.Dropped:
		c.Dropped++
	}
}
