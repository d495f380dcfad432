package results

import (
	"slices"
	"time"
)

// Heard says how those who want to hear of each command heard of it.
//
// A command that was applied is expected to be heard by every subscriber, once.
// Counts are over the whole cell, the warm-up included; times are of commands
// that were due in the measured time and ended ok.
type Heard struct {
	Subscribers int   `json:"subscribers"` // who want to hear of each command
	Commands    int64 `json:"commands"`    // that were applied, and so should have been heard by all
	ByAll       int64 `json:"by_all"`      // of these, heard by every subscriber by the end of the drain
	BySome      int64 `json:"by_some"`     // heard by some and not by others
	ByNone      int64 `json:"by_none"`     // heard by nobody
	Missing     int64 `json:"missing"`     // notices that had not come by the end of the drain
	Repeated    int64 `json:"repeated"`    // notices that a subscriber had had before

	// Unresolved counts the commands and early notices that the account had to give
	// up on, because more were under way at once than it can hold. It is 0 in a
	// sound run.
	Unresolved int64 `json:"unresolved"`

	FromDue     HeardTimes `json:"from_due"`     // since the command was due
	FromApplied HeardTimes `json:"from_applied"` // since it was applied: how far others lag behind the state
}

// HeardTimes say how long it took until some of the subscribers had heard of a
// command. A command that fewer have heard of is not in the histogram.
type HeardTimes struct {
	First  *Hist `json:"first"`  // one of them
	Median *Hist `json:"median"` // half of them, rounded up
	Last   *Hist `json:"last"`   // all of them
}

// HeardStages names the fields of [HeardTimes] in the order in which reports
// show them.
func HeardStages() []string { return []string{"first", "median", "last"} }

// Of returns the histogram that [HeardStages] names, or nil where it is empty.
func (t HeardTimes) Of(stage string) *Hist {
	h := map[string]*Hist{"first": t.First, "median": t.Median, "last": t.Last}[stage]
	if h == nil || h.N() == 0 {
		return nil
	}
	return h
}

func newHeardTimes() HeardTimes { return HeardTimes{NewHist(), NewHist(), NewHist()} }

// A notice is one subscriber's hearing of one command.
type notice struct {
	op         uint64
	subscriber int
	at         time.Duration
}

// heardBudget bounds the times that are held at once for commands that not
// everybody has heard of: 64 MiB of them.
const heardBudget = 1 << 23

// An audience keeps who has heard of which command. It is not safe for
// concurrent use, but for its lanes.
type audience struct {
	heard    *Heard
	lanes    []lane[notice] // by subscriber
	pending  map[uint64]*hearing
	complete memory // commands that all have heard of
	most     int    // of pending
	notices  int64  // taken so far
	owed     int    // applied commands in pending
	spare    []*hearing
}

// A hearing is one command that is on its way to its subscribers.
type hearing struct {
	times    []time.Duration // when somebody heard of it, in any order
	who      []uint64        // a set of subscribers
	joined   bool            // it was applied, and its outcome is known
	measured bool            // its times count
	due      time.Duration
	applied  time.Duration
}

func newAudience(h *Heard) *audience {
	h.FromDue, h.FromApplied = newHeardTimes(), newHeardTimes()
	return &audience{
		heard: h, lanes: newLanes[notice](h.Subscribers), pending: make(map[uint64]*hearing),
		complete: newMemory(remembered), most: min(heardBudget/h.Subscribers, maxUndecided),
	}
}

// of returns the entry of a command, or nil where there is no room for one.
func (a *audience) of(op uint64) *hearing {
	h := a.pending[op]
	if h != nil {
		return h
	}
	if len(a.pending) >= a.most {
		a.heard.Unresolved++
		return nil
	}
	if n := len(a.spare); n > 0 {
		h, a.spare = a.spare[n-1], a.spare[:n-1]
	} else {
		h = &hearing{who: make([]uint64, (a.heard.Subscribers+63)/64)}
	}
	a.pending[op] = h
	return h
}

// hear takes a notice of an operation that was issued.
func (a *audience) hear(n notice) {
	a.notices++
	if a.complete.forgotten(n.op) || a.complete.get(n.op) != 0 {
		a.heard.Repeated++
		return
	}
	h := a.of(n.op)
	if h == nil {
		return
	}
	word, bit := n.subscriber/64, uint64(1)<<(n.subscriber%64)
	if h.who[word]&bit != 0 {
		a.heard.Repeated++
		return
	}
	h.who[word] |= bit
	h.times = append(h.times, n.at)
	a.settle(n.op, h)
}

// join takes a command that was applied and whose outcome is known.
func (a *audience) join(o Outcome, applied Applied, measured bool) {
	a.heard.Commands++
	h := a.of(o.Op)
	if h == nil {
		return
	}
	a.owed++
	h.joined, h.measured, h.due, h.applied = true, measured && o.Status == OK, o.Due, applied.At
	a.settle(o.Op, h)
}

// settle ends the entry of a command that all have heard of.
func (a *audience) settle(op uint64, h *hearing) {
	if !h.joined || len(h.times) < a.heard.Subscribers {
		return
	}
	a.heard.ByAll++
	a.owed--
	a.record(h)
	delete(a.pending, op)
	a.complete.set(op, markSettled)
	times, who := h.times[:0], h.who
	clear(who)
	*h = hearing{times: times, who: who}
	a.spare = append(a.spare, h)
}

// record takes the times of a command into the histograms.
func (a *audience) record(h *hearing) {
	if !h.measured {
		return
	}
	slices.Sort(h.times)
	n := a.heard.Subscribers
	for _, stage := range []struct {
		due, applied *Hist
		nth          int
	}{
		{a.heard.FromDue.First, a.heard.FromApplied.First, 1},
		{a.heard.FromDue.Median, a.heard.FromApplied.Median, (n + 1) / 2},
		{a.heard.FromDue.Last, a.heard.FromApplied.Last, n},
	} {
		if stage.nth <= len(h.times) {
			at := h.times[stage.nth-1]
			stage.due.Record(at - h.due)
			stage.applied.Record(at - h.applied)
		}
	}
}

// close gives the account of commands that not everybody has heard of, and
// returns how many were heard of and never applied. Nothing may be added
// afterwards.
func (a *audience) close() (unexpected int64) {
	for _, h := range a.pending {
		if !h.joined {
			unexpected++
			continue
		}
		a.heard.Missing += int64(a.heard.Subscribers - len(h.times))
		if len(h.times) == 0 {
			a.heard.ByNone++
		} else {
			a.heard.BySome++
		}
		a.record(h)
	}
	return unexpected
}

// Heard notes that a subscriber, counting from 0, has heard of a command at the
// given time. It may be called by any number of goroutines, and is ignored in a
// cell in which nobody wants to hear.
func (r *CellRecorder) Heard(op uint64, subscriber int, at time.Duration) {
	if r.audience == nil {
		return
	}
	n := notice{op, subscriber, at}
	for l := &r.audience.lanes[uint(subscriber)%uint(len(r.audience.lanes))]; !l.add(&n); {
		r.Collect(at)
	}
}

// Unheard returns how many commands have been applied and not been heard of by
// everybody who wants to, and how many notices there were, as far as has been
// collected.
func (r *CellRecorder) Unheard() (commands int, notices int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.audience == nil {
		return 0, 0
	}
	return r.audience.owed, r.audience.notices
}

// gatherHeard empties the lanes of subscribers.
func (r *CellRecorder) gatherHeard() {
	if r.audience == nil {
		return
	}
	for i := range r.audience.lanes {
		for _, n := range r.audience.lanes[i].take() {
			r.history.heard(n.op, n.subscriber)
			if n.op == 0 || n.op > r.issued.Load() || n.subscriber < 0 || n.subscriber >= r.cell.Heard.Subscribers {
				r.account.sums.Unexpected++
				continue
			}
			r.audience.hear(n)
		}
	}
}

// closeHeard completes what is known of subscribers.
func (r *CellRecorder) closeHeard() {
	if r.audience == nil {
		return
	}
	unexpected := r.audience.close()
	if r.account.sums.Unresolved == 0 { // or it may be the account that has forgotten what was applied
		r.account.sums.Unexpected += unexpected
	}
}

// judgeHeard says what qualifies the figures about subscribers.
func (c *Cell) judgeHeard() {
	h := c.Heard
	if h == nil {
		return
	}
	if h.Unresolved > 0 {
		c.why("the account gave up on %d notices or commands: subscribers lag too far behind", h.Unresolved)
	}
	if h.Missing > 0 {
		c.warn("%d notices of %d commands never came: the times are of those that did", h.Missing, h.BySome+h.ByNone)
	}
	if h.Repeated > 0 {
		c.warn("%d notices came again to subscribers who had had them", h.Repeated)
	}
}

// A SummaryHeard is a [Heard] in figures.
type SummaryHeard struct {
	Subscribers   int                       `json:"subscribers"`
	Commands      int64                     `json:"commands"`
	ByAll         int64                     `json:"by_all"`
	BySome        int64                     `json:"by_some"`
	ByNone        int64                     `json:"by_none"`
	Missing       int64                     `json:"missing"`
	Repeated      int64                     `json:"repeated"`
	Unresolved    int64                     `json:"unresolved"`
	FromDueUS     map[string]SummaryLatency `json:"from_due_us"`
	FromAppliedUS map[string]SummaryLatency `json:"from_applied_us"`
}

func (h *Heard) summary() *SummaryHeard {
	if h == nil {
		return nil
	}
	return &SummaryHeard{
		Subscribers: h.Subscribers, Commands: h.Commands, ByAll: h.ByAll, BySome: h.BySome, ByNone: h.ByNone,
		Missing: h.Missing, Repeated: h.Repeated, Unresolved: h.Unresolved,
		FromDueUS: h.FromDue.summary(), FromAppliedUS: h.FromApplied.summary(),
	}
}

func (t HeardTimes) summary() map[string]SummaryLatency {
	out := make(map[string]SummaryLatency)
	for _, stage := range HeardStages() {
		if h := t.Of(stage); h != nil {
			out[stage] = *summarize(h)
		}
	}
	return out
}
