package results

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestWindowAt(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	fault := func(begin, healed time.Duration, recovered time.Duration) Fault {
		f := Fault{Begin: begin, Begun: begin, Heal: healed - ms, Healed: healed}
		if recovered > 0 {
			f.Recovery = &Recovery{Recover: Moment{recovered, true}}
		}
		return f
	}
	absent := fault(2*s, 3*s, s)
	absent.Absent = true
	unhealed := fault(2*s, 0, 0)
	for _, tt := range []struct {
		name   string
		due    time.Duration
		faults []Fault
		want   string
	}{
		{"before the end of the warm-up", s - 1, nil, WarmUpWindow},
		{"the warm-up ends before the measured time begins", s, nil, SteadyWindow},
		{"before a fault", 2*s - 1, []Fault{fault(2*s, 3*s, s)}, SteadyWindow},
		{"in the bin in which a fault begins", 2 * s, []Fault{fault(2*s+49*ms, 3*s, s)}, FaultWindow},
		{"in the bin before that", 2 * s, []Fault{fault(2*s+50*ms, 3*s, s)}, SteadyWindow},
		{"in the bin in which it ends", 3*s + 49*ms, []Fault{fault(2*s, 3*s+ms, s)}, FaultWindow},
		{"in the bin after that", 3*s + 50*ms, []Fault{fault(2*s, 3*s+ms, s)}, RecoveryWindow},
		{"before all was well", 4*s - 50*ms - 1, []Fault{fault(2*s, 3*s+ms, s)}, RecoveryWindow},
		{"once all was well", 4 * s, []Fault{fault(2*s, 3*s+ms, s)}, SteadyWindow},
		{"where all was never well", 9 * s, []Fault{fault(2*s, 3*s, 0)}, RecoveryWindow},
		{"in a second fault, before all was well after the first", 5 * s,
			[]Fault{fault(2*s, 3*s, 0), fault(4*s, 6*s, 0)}, FaultWindow},
		{"a fault that was not there", 2500 * ms, []Fault{absent}, SteadyWindow},
		{"nor has an end", 3500 * ms, []Fault{absent}, SteadyWindow},
		{"a fault that nobody undid", 9 * s, []Fault{unhealed}, FaultWindow},
	} {
		if got := WindowAt(tt.due, s, tt.faults); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
	}
}

// TestWindowsTogetherAreTheCell spreads operations over a cell with a fault: the
// windows must add up to what the cell counts, and hold the latencies of their
// own.
func TestWindowsTogetherAreTheCell(t *testing.T) {
	cell := newCell(4)
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Faults: true, Seconds: &bytes.Buffer{}})
	const n = 400 // every 10 ms; those due from 2 s to 3 s take 100 ms
	r.Issue(n)
	for i := range uint64(n) {
		due := time.Duration(i) * 10 * time.Millisecond
		o := at(i+1, due)
		o.Ended = o.Answered
		if due >= 2*time.Second && due < 3*time.Second {
			o.Answered += 99 * time.Millisecond
		}
		if i%7 == 0 {
			o.Status, o.Answered = Failed, 0
		}
		r.Outcome(o)
	}
	cell.Faults = []Fault{{Begin: 2 * time.Second, Heal: 3*time.Second - 1, Healed: 3*time.Second - 1}}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	var measured Counts
	for _, name := range []string{SteadyWindow, FaultWindow, RecoveryWindow} {
		w := cell.Windows[name]
		if w == nil || w.For != time.Second || w.Accounting.Attempted != w.Counts.Due {
			t.Fatalf("window %s is %+v; want one second", name, w)
		}
		want := map[bool]time.Duration{false: time.Millisecond, true: 100 * time.Millisecond}[name == FaultWindow]
		h := w.Latency["answered"]
		if p50 := h.Quantile(0.5); h.N() != w.Counts.OK || p50 < want*98/100 || p50 > want*102/100 {
			t.Errorf("window %s has %d latencies with a median of %v; want %d of %v",
				name, h.N(), p50, w.Counts.OK, want)
		}
		measured.plus(w.Counts)
	}
	if measured != cell.Counts || cell.Windows[WarmUpWindow].Counts != cell.WarmupOps {
		t.Errorf("the windows hold %+v, the cell %+v", measured, cell.Counts)
	}
}

func TestCellsWithoutFaultsHaveNoWindows(t *testing.T) {
	cell := newCell(1)
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &bytes.Buffer{}})
	r.Issue(1)
	r.Outcome(at(1, 0))
	if err := r.Close(); err != nil || cell.Windows != nil {
		t.Errorf("windows are %v (%v); want none", cell.Windows, err)
	}
}

// TestJudgeFaults holds what is said of a cell with faults against cells in which
// only that is so.
func TestJudgeFaults(t *testing.T) {
	window := func(due, bad int64) *Window { return &Window{Counts: Counts{Due: due, OK: due - bad, Unknown: bad}} }
	for _, tt := range []struct {
		name     string
		fault    Fault
		windows  map[string]*Window
		why      string
		warnings string
	}{
		{"a fault that did something", Fault{What: "cut", On: "broker", Effect: "3 connections cut"}, nil, "", ""},
		{"a fault without effect", Fault{What: "cut", On: "broker"}, nil, "fault cut on broker had no effect", ""},
		{"a fault that the flow has no place for", Fault{What: "cut", On: "broker", Absent: true}, nil, "",
			"fault cut is absent: the flow has no broker that it could befall"},
		{"operations that ended badly", Fault{Effect: "x"}, map[string]*Window{
			SteadyWindow: window(500, 0), FaultWindow: window(300, 20), RecoveryWindow: window(200, 5),
		}, "", "did not end ok: 20 of 300 operations due while a fault was on, " +
			"5 of 200 operations due in the recovery; the latencies are of those that did"},
	} {
		c := newCell(1)
		c.Finished, c.Drained, c.Faults, c.Windows = true, true, []Fault{tt.fault}, tt.windows
		c.Counts = Counts{Due: 1000, OK: 1000}
		if tt.windows != nil {
			c.Counts = Counts{Due: 1000, OK: 975, Unknown: 25}
		}
		c.Judge()
		if why := strings.Join(c.Why, "; "); why != tt.why || c.Valid != (why == "") {
			t.Errorf("%s: valid %v, why %q; want %q", tt.name, c.Valid, why, tt.why)
		}
		if got := strings.Join(c.Warnings, "; "); got != tt.warnings {
			t.Errorf("%s: warnings %q; want %q", tt.name, got, tt.warnings)
		}
	}
}

func TestJudgePromise(t *testing.T) {
	lost := Accounting{Attempted: 9, Acknowledged: 9, Applied: 8, Lost: 1}
	twice := Accounting{Attempted: 9, Acknowledged: 9, Applied: 9, Duplicated: 1}
	for _, tt := range []struct {
		name       string
		promise    string
		idempotent bool
		account    Accounting
		undrained  bool
		want       string
	}{
		{"what is lost breaks at least once", AtLeastOnce, false, lost, false, PromiseBroken},
		{"but not at most once", AtMostOnce, false, lost, false, PromiseKept},
		{"and effectively once", AtLeastOnce, true, lost, false, PromiseBroken},
		{"unless it may only be late", AtLeastOnce, true, lost, true, PromiseUnknown},
		{"what is duplicated breaks at most once", AtMostOnce, false, twice, false, PromiseBroken},
		{"but not at least once", AtLeastOnce, false, twice, false, PromiseKept},
		{"and effectively once as well", AtLeastOnce, true, twice, false, PromiseBroken},
		{"drained or not", AtMostOnce, false, twice, true, PromiseBroken},
		{"phantoms break anything", AtMostOnce, false, Accounting{Attempted: 1, Phantom: 1}, true, PromiseBroken},
		{"and so does the unexpected", AtLeastOnce, false, Accounting{Attempted: 1, Unexpected: 1}, true,
			PromiseBroken},
		{"of nothing, nothing can be told", AtLeastOnce, false, Accounting{}, false, PromiseUnknown},
		{"nor where the account gave up", AtLeastOnce, false, Accounting{Attempted: 1, Unresolved: 1}, false,
			PromiseUnknown},
	} {
		got, broken := JudgePromise(PromiseOf(tt.promise, tt.idempotent), tt.account, !tt.undrained)
		if got != tt.want || (len(broken) > 0) != (got == PromiseBroken) {
			t.Errorf("%s: %s, %q; want %s", tt.name, got, broken, tt.want)
		}
	}
}
