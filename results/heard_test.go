package results

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// listened returns a recorder of a cell in which some want to hear of each
// command.
func listened(subscribers int, issued uint64) (*Cell, *CellRecorder) {
	cell := newCell(4)
	cell.Heard = &Heard{Subscribers: subscribers}
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &bytes.Buffer{}})
	r.Issue(issued)
	return cell, r
}

// measuredAt is when the commands of these tests are due: in the measured time.
const measuredAt = 2 * time.Second

// apply records a command that is due at measuredAt, and applied two
// milliseconds later.
func apply(r *CellRecorder, op uint64) {
	r.Outcome(at(op, measuredAt))
	r.Applied(Applied{Op: op, Version: op, At: origin + measuredAt + 2*time.Millisecond})
}

// hear records that a subscriber has heard of a command so long after it was due.
func hear(r *CellRecorder, op uint64, subscriber int, after time.Duration) {
	r.Heard(op, subscriber, origin+measuredAt+after)
}

func TestTheFirstTheMedianAndTheLastToHearAreTimed(t *testing.T) {
	cell, r := listened(4, 1)
	// In no order, and some before it is known that the command was applied.
	hear(r, 1, 2, 9*time.Millisecond)
	hear(r, 1, 0, 3*time.Millisecond)
	r.Collect(origin)
	apply(r, 1)
	hear(r, 1, 3, 7*time.Millisecond)
	hear(r, 1, 1, 5*time.Millisecond)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	h := cell.Heard
	for stage, want := range map[string]time.Duration{
		"first": 3 * time.Millisecond, "median": 5 * time.Millisecond, "last": 9 * time.Millisecond,
	} {
		for from, times := range map[time.Duration]HeardTimes{0: h.FromDue, 2 * time.Millisecond: h.FromApplied} {
			got := times.Of(stage)
			if got == nil || got.N() != 1 || got.Max().Round(100*time.Microsecond) != want-from {
				t.Errorf("the %s, from %v after due, has %v; want one time of %v", stage, from, got, want-from)
			}
		}
	}
	if h.Commands != 1 || h.ByAll != 1 || h.BySome+h.ByNone+h.Missing+h.Repeated+h.Unresolved != 0 {
		t.Errorf("got %+v; want one command that all have heard of", h)
	}
}

func TestWhatWasNotHeardIsCountedAsMissing(t *testing.T) {
	cell, r := listened(3, 3)
	for op := uint64(1); op <= 3; op++ {
		apply(r, op)
	}
	hear(r, 1, 0, 3*time.Millisecond)
	for s := range 3 {
		hear(r, 2, s, 4*time.Millisecond)
	}
	r.Collect(origin)
	if commands, notices := r.Unheard(); commands != 2 || notices != 4 {
		t.Errorf("%d commands wait for notices after %d; want 2 after 4", commands, notices)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	h := cell.Heard
	if h.Commands != 3 || h.ByAll != 1 || h.BySome != 1 || h.ByNone != 1 || h.Missing != 2+3 {
		t.Errorf("got %+v; want one heard by all, one by some and one by nobody, and five notices missing", h)
	}
	first, median, last := h.FromDue.First, h.FromDue.Median, h.FromDue.Last
	if first.N() != 2 || median.N() != 1 || last.N() != 1 {
		t.Errorf("%d, %d and %d times of the first, the median and the last; want 2, 1 and 1",
			first.N(), median.N(), last.N())
	}
	if cell.Judge(); len(cell.Warnings) != 1 {
		t.Errorf("warnings are %q; want one of missing notices", cell.Warnings)
	}
}

func TestWhatIsHeardAgainIsCountedAndChangesNoTime(t *testing.T) {
	cell, r := listened(2, 1)
	apply(r, 1)
	hear(r, 1, 0, 3*time.Millisecond)
	hear(r, 1, 0, 4*time.Millisecond) // before all have heard
	hear(r, 1, 1, 5*time.Millisecond)
	hear(r, 1, 1, 6*time.Millisecond) // and after
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	h := cell.Heard
	if h.ByAll != 1 || h.Missing != 0 || h.Repeated != 2 {
		t.Errorf("got %+v; want one command heard by all and two notices repeated", h)
	}
	if last := h.FromDue.Last; last.N() != 1 || last.Max() > 5500*time.Microsecond {
		t.Errorf("the last is %v; want one time of 5ms", last.Max())
	}
}

func TestNewsOfWhatNobodySentOrAppliedIsUnexpected(t *testing.T) {
	cell, r := listened(2, 2)
	apply(r, 1)
	for s := range 2 {
		hear(r, 1, s, 3*time.Millisecond)
	}
	hear(r, 2, 0, 3*time.Millisecond) // never applied
	hear(r, 3, 0, 3*time.Millisecond) // never issued
	hear(r, 0, 0, 3*time.Millisecond) // no operation
	hear(r, 1, 2, 3*time.Millisecond) // there is no such subscriber
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got := cell.Accounting.Unexpected; got != 4 {
		t.Errorf("%d are unexpected; want 4", got)
	}
	if h := cell.Heard; h.Commands != 1 || h.Missing != 0 || h.Repeated != 0 {
		t.Errorf("got %+v; want one command, heard by all", h)
	}
}

func TestCommandsOfTheWarmUpAndThoseThatAreNotOkCountAndAreNotTimed(t *testing.T) {
	cell, r := listened(1, 2)
	r.Outcome(at(1, 0))
	r.Applied(Applied{Op: 1, Version: 1, At: origin + time.Millisecond})
	unknown := at(2, measuredAt)
	unknown.Status, unknown.Class, unknown.Answered = Unknown, "timeout", 0
	r.Outcome(unknown)
	r.Applied(Applied{Op: 2, Version: 2, At: origin + measuredAt + time.Millisecond})
	r.Heard(1, 0, origin+2*time.Millisecond)
	hear(r, 2, 0, 2*time.Millisecond)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if h := cell.Heard; h.Commands != 2 || h.ByAll != 2 || h.FromDue.First.N() != 0 {
		t.Errorf("got %+v with %d times; want two commands and no time", h, h.FromDue.First.N())
	}
}

func TestWhereNobodyWantsToHearThereIsNoSuchSection(t *testing.T) {
	cell := newCell(1)
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &bytes.Buffer{}})
	r.Issue(1)
	apply(r, 1)
	hear(r, 1, 0, time.Millisecond)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if cell.Heard != nil || cell.summary().Heard != nil || cell.Accounting.Unexpected != 0 {
		t.Errorf("got %+v; want nothing about subscribers", cell.Heard)
	}
}

func TestTheAudienceHoldsNoMoreThanItsBound(t *testing.T) {
	cell, r := listened(2, 100)
	r.audience.most = 10
	for op := uint64(1); op <= 100; op++ {
		apply(r, op)
		r.Collect(origin)
		if n := len(r.audience.pending); n > 10 {
			t.Fatalf("%d commands are held; want at most 10", n)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if cell.Heard.Unresolved != 90 {
		t.Errorf("%d are unresolved; want 90", cell.Heard.Unresolved)
	}
	if cell.Judge(); cell.Valid {
		t.Error("the cell is valid although notices were given up on")
	}
}

func TestManySubscribersRecordAtOnce(t *testing.T) {
	const subscribers, commands = 300, 700 // more lanes than there may be, more notices than one takes
	cell, r := listened(subscribers, commands)
	var wg sync.WaitGroup
	wg.Go(func() {
		for op := uint64(1); op <= commands; op++ {
			apply(r, op)
		}
	})
	for s := range subscribers {
		wg.Go(func() {
			for op := uint64(1); op <= commands; op++ {
				hear(r, op, s, 3*time.Millisecond)
			}
		})
	}
	wg.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if h := cell.Heard; h.ByAll != commands || h.Missing+h.Repeated+h.Unresolved != 0 {
		t.Errorf("got %+v; want all %d commands heard by all", h, commands)
	}
}

// TestEveryNoticeIsAccountedFor lets notices come in any order, some never and
// some twice, and compares the account with a count by hand.
func TestEveryNoticeIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subscribers := rapid.IntRange(1, 70).Draw(t, "subscribers")
		commands := rapid.IntRange(1, 8).Draw(t, "commands")
		cell, r := listened(subscribers, uint64(commands))
		type who struct {
			op uint64
			s  int
		}
		var all []who
		distinct := make(map[who]bool)
		for range rapid.IntRange(0, 2*subscribers*commands).Draw(t, "notices") {
			n := who{uint64(rapid.IntRange(1, commands).Draw(t, "op")), rapid.IntRange(0, subscribers-1).Draw(t, "s")}
			all, distinct[n] = append(all, n), true
		}
		known := rapid.IntRange(0, len(all)).Draw(t, "notices before the commands")
		for _, n := range all[:known] {
			hear(r, n.op, n.s, 3*time.Millisecond)
		}
		r.Collect(origin)
		for op := 1; op <= commands; op++ {
			apply(r, uint64(op))
		}
		for _, n := range all[known:] {
			hear(r, n.op, n.s, 3*time.Millisecond)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		h := cell.Heard
		missing := int64(subscribers*commands - len(distinct))
		if h.Missing != missing || h.Repeated != int64(len(all)-len(distinct)) {
			t.Fatalf("%d missing and %d repeated; want %d and %d", h.Missing, h.Repeated, missing,
				len(all)-len(distinct))
		}
		if h.ByAll+h.BySome+h.ByNone != h.Commands || h.Commands != int64(commands) {
			t.Fatalf("got %+v; want the sum to be all %d commands", h, commands)
		}
	})
}
