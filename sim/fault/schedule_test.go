package fault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/sim/fault"
	"flowbench/sim/link"
)

// A world is a clock that moves when somebody sleeps on it, and what happened.
type world struct {
	now       time.Duration
	act       time.Duration // how long arming and healing take
	abortAt   time.Duration // when sleeping fails; 0 for never
	log       []string
	standing  map[string]int // how often each impairment is armed on each target
	armFails  int            // the how-manieth arming fails, counting from 1
	healFails int            // how many healings fail from now on
	armings   int
}

var errAborted = errors.New("aborted")

func (w *world) Now() time.Duration { return w.now }

func (w *world) Sleep(_ context.Context, d time.Duration) error {
	w.now += max(0, d)
	if w.abortAt > 0 && w.now >= w.abortAt {
		return errAborted
	}
	return nil
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%v ", w.now)+fmt.Sprintf(format, args...))
}

// A part is a target that only remembers.
type part struct {
	world *world
	name  string
}

func (p part) Arm(d link.Direction, i fault.Harm) (fault.Armed, error) {
	w := p.world
	w.armings++
	if w.armings == w.armFails {
		return nil, errors.New("cannot be armed")
	}
	w.note("%s: %v %v", p.name, i, d)
	w.now += w.act
	a := &standing{part: p, key: fmt.Sprint(p.name, i)}
	w.standing[a.key]++
	return a, nil
}

type standing struct {
	part   part
	key    string
	healed bool
}

func (s *standing) Heal() error {
	w := s.part.world
	w.now += w.act
	if s.healed {
		return nil
	}
	if w.healFails > 0 {
		w.healFails--
		return errors.New("cannot be healed")
	}
	s.healed = true
	w.standing[s.key]--
	w.note("%s healed", s.key)
	return nil
}

func (s *standing) Effect() fault.Effect {
	return fault.Effect{Effect: link.Effect{Bytes: int64(len(s.part.name)) - 1}}
}

func newWorld(names ...string) (*world, map[string][]fault.Target) {
	w := &world{standing: make(map[string]int)}
	targets := make(map[string][]fault.Target)
	for _, n := range names {
		targets[n] = []fault.Target{part{w, n}}
	}
	return w, targets
}

func plan(t testing.TB, entries []fault.Entry) *fault.Schedule {
	t.Helper()
	s, err := fault.Plan(entries, func(string) bool { return true })
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return s
}

func TestAScheduleRunsInOrderAndStampsBeforeAndAfter(t *testing.T) {
	w, targets := newWorld("broker", "b")
	w.now, w.act = 100*time.Second, time.Second
	const s = time.Second
	sched := plan(t, []fault.Entry{
		{At: 20 * s, For: 20 * s, On: "b", What: "outage"},
		{At: 10 * s, For: 20 * s, On: "broker", What: "stall", Direction: link.ToTarget},
		{At: 50 * s, On: "broker", What: "reset"},
	})
	if got := sched.End(); got != 50*s {
		t.Errorf("the schedule ends at %v; want 50s", got)
	}
	told := 0
	reports, err := sched.Run(t.Context(), w, 100*s, targets, func(fault.Report) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	wantLog := []string{
		"1m50s broker: stall to target", "2m0s b: refuse both ways", "2m1s b: reset both ways",
		"2m11s brokerstall healed", "2m21s breset healed", "2m22s brefuse healed",
		"2m30s broker: reset both ways", "2m32s brokerreset healed",
	}
	if d := cmp.Diff(wantLog, w.log); d != "" {
		t.Errorf("what happened differs:\n%s", d)
	}
	wantSpans := [][2]fault.Span{
		{{20 * s, 22 * s}, {40 * s, 42 * s}}, {{10 * s, 11 * s}, {30 * s, 31 * s}},
		{{50 * s, 51 * s}, {51 * s, 52 * s}},
	}
	for i, r := range reports {
		if got := [2]fault.Span{r.Begin, r.End}; got != wantSpans[i] || !r.Begun || !r.Ended {
			t.Errorf("report %d is %+v; want the spans %v", i, r, wantSpans[i])
		}
	}
	if !reports[0].NoEffect() || reports[1].NoEffect() {
		t.Errorf("effects are %+v and %+v; want none, and one", reports[0].Effect, reports[1].Effect)
	}
	if told != 6 {
		t.Errorf("told of %d acts; want 6", told)
	}
}

func TestFaultsThatFollowEachOtherDoNotOverlap(t *testing.T) {
	w, targets := newWorld("broker")
	sched := plan(t, []fault.Entry{
		{At: 2, For: 1, On: "broker", What: "drop"}, {At: 1, For: 1, On: "broker", What: "stall"},
	})
	if _, err := sched.Run(t.Context(), w, 0, targets, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1ns broker: stall both ways", "2ns brokerstall healed", "2ns broker: drop both ways", "3ns brokerdrop healed",
	}
	if d := cmp.Diff(want, w.log); d != "" {
		t.Errorf("what happened differs:\n%s", d)
	}
}

func TestABadEntryIsFoundBeforeAnythingBegins(t *testing.T) {
	for want, e := range map[string]fault.Entry{
		"begins at -1ns":     {At: -1, On: "broker", What: "stall"},
		"lasts for -1ns":     {For: -1, On: "broker", What: "stall"},
		`nothing is named`:   {On: "elsewhere", What: "stall"},
		`no fault is named`:  {On: "broker", What: "flood"},
		"has no direction":   {On: "broker", What: "outage", Direction: link.ToTarget},
		"has no parameter":   {On: "broker", What: "stall", Params: map[string]string{"x": "1"}},
		"fault 2: nothing i": {On: "nowhere", What: "stall"},
	} {
		entries := []fault.Entry{{On: "broker", What: "stall"}, e}
		s, err := fault.Plan(entries, func(n string) bool { return n == "broker" })
		if err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v; want an error that says %q", e, err, want)
		}
	}
}

func TestAFaultThatCannotBeHealedAtOnceIsTriedAgain(t *testing.T) {
	w, targets := newWorld("broker")
	w.healFails = 2
	sched := plan(t, []fault.Entry{{At: 1, For: 1, On: "broker", What: "stall"}})
	reports, err := sched.Run(t.Context(), w, 0, targets, nil)
	if err == nil || !strings.Contains(err.Error(), "end fault 1 (stall on broker): cannot be healed") {
		t.Errorf("got %v; want an error that says what could not be healed", err)
	}
	if w.standing["brokerstall"] != 0 {
		t.Error("it was not healed in the end")
	}
	if reports[0].NoEffect() {
		t.Error("its effect was forgotten")
	}
}

// A halfway is a target on which everything fails when half of it is done.
type halfway struct{ healed int }

func (h *halfway) Arm(link.Direction, fault.Harm) (fault.Armed, error) {
	return h, errors.New("only half of it")
}

func (h *halfway) Heal() error {
	h.healed++
	return nil
}

func (h *halfway) Effect() fault.Effect { return fault.Effect{Commands: 1} }

func TestWhatWasDoneInPartIsHealed(t *testing.T) {
	s, err := fault.Plan([]fault.Entry{{For: time.Second, On: "a", What: "kill"}}, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	w, _ := newWorld("a")
	h := &halfway{}
	reports, err := s.Run(t.Context(), w, 0, map[string][]fault.Target{"a": {h}}, nil)
	if err == nil || !strings.Contains(err.Error(), "only half of it") {
		t.Errorf("got %v; want what went wrong", err)
	}
	if h.healed != 1 || reports[0].Effect.String() != "1 command run" {
		t.Errorf("it was healed %d times and did %q; want once, and 1 command run", h.healed, reports[0].Effect)
	}
}

// TestEverythingIsHealedWhateverHappens runs random schedules that are aborted
// at a random moment, or in which something cannot be armed.
func TestEverythingIsHealedWhateverHappens(t *testing.T) {
	names := []string{"a", "bb", "ccc"}
	var faults []string
	for _, f := range fault.All() {
		if len(example(f)) == 0 {
			faults = append(faults, f.Name)
		}
	}
	entry := rapid.Custom(func(t *rapid.T) fault.Entry {
		return fault.Entry{
			At:  time.Duration(rapid.IntRange(0, 20).Draw(t, "at")),
			For: time.Duration(rapid.IntRange(0, 10).Draw(t, "for")),
			On:  rapid.SampledFrom(names).Draw(t, "on"), What: rapid.SampledFrom(faults).Draw(t, "what"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		w, targets := newWorld(names...)
		w.abortAt = time.Duration(rapid.IntRange(0, 40).Draw(rt, "abort at"))
		w.armFails = rapid.IntRange(0, 20).Draw(rt, "failing arming")
		w.healFails = rapid.IntRange(0, 2).Draw(rt, "failing healings")
		entries := rapid.SliceOfN(entry, 0, 8).Draw(rt, "entries")
		s, err := fault.Plan(entries, func(n string) bool { return slices.Contains(names, n) })
		if err != nil {
			rt.Fatal(err)
		}
		reports, err := s.Run(t.Context(), w, 0, targets, nil)
		for key, n := range w.standing {
			if n != 0 {
				rt.Errorf("%s is armed %d times at the end; want 0", key, n)
			}
		}
		for i, r := range reports {
			if r.Begun != r.Ended {
				rt.Errorf("fault %d has begun: %v, ended: %v", i, r.Begun, r.Ended)
			}
			if r.Begun && !slices.IsSorted([]time.Duration{
				entries[i].At, r.Begin.Before, r.Begin.After, r.End.Before, r.End.After,
			}) {
				rt.Errorf("the times of fault %d are out of order: %+v", i, r)
			}
			if err == nil && (!r.Begun || r.End.Before != entries[i].At+entries[i].For) {
				rt.Errorf("fault %d: %+v; want it to end %v after its begin", i, r, entries[i].For)
			}
		}
	})
}
