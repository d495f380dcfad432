package check_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/results"
	"flowbench/results/check"
)

const (
	origin = 5 * time.Second
	warmup = time.Second
	ms     = time.Millisecond
)

// The steps of a story besides outcomes and applications.
type (
	stray       uint64
	redelivered uint64
	heard       struct {
		op         uint64
		subscriber int
	}
	heal    time.Duration // since the load began
	collect struct{}
)

// A story is what happens in a cell.
type story struct {
	promise    string
	idempotent bool
	undrained  bool
	brokerless bool
	issued     uint64
	faults     []results.Fault
	steps      []any
}

// tell plays a story to a recorder, and has its history judged again.
func tell(t failer, s story) (*results.Cell, *check.Judgement) {
	t.Helper()
	cell := &results.Cell{
		ID: "cell", Promise: s.promise, Idempotent: s.idempotent,
		Load: results.Load{
			Arrivals: "poisson", Clients: 4, Timeout: time.Second, Warmup: warmup, Measured: 4 * time.Second,
		},
	}
	if !s.brokerless {
		cell.Broker = "nats"
	}
	cell.Heard = &results.Heard{Subscribers: 2}
	var history, seconds bytes.Buffer
	r := results.NewCellRecorder(results.CellConfig{
		Cell: cell, Origin: origin, Faults: len(s.faults) > 0, Seconds: &seconds, History: &history,
	})
	r.Issue(s.issued)
	for _, step := range s.steps {
		switch step := step.(type) {
		case results.Outcome:
			r.Outcome(step)
		case results.Applied:
			r.Applied(step)
		case stray:
			r.Stray(uint64(step))
		case redelivered:
			r.Redelivered(uint64(step), 0)
		case heard:
			r.Heard(step.op, step.subscriber, origin)
		case heal:
			r.FaultHealed(time.Duration(step))
		case collect:
			r.Collect(origin)
		}
	}
	cell.Drained, cell.Faults = !s.undrained, s.faults
	if err := r.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	cell.Finished = true
	cell.Judge()
	j, err := check.Judge(&history)
	if err != nil {
		t.Fatalf("judge: %v", err)
	}
	return cell, j
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// agree demands that the recorder and the judge say the same.
func agree(t failer, c *results.Cell, j *check.Judgement) {
	t.Helper()
	if diff := cmp.Diff(c.Accounting, j.Accounting); diff != "" {
		t.Fatalf("the account is not what its history says (-recorded +judged):\n%s", diff)
	}
	if c.Counts != j.Counts || c.WarmupOps != j.Warmup {
		t.Fatalf("recorded %+v and %+v, judged %+v and %+v", c.Counts, c.WarmupOps, j.Counts, j.Warmup)
	}
	for _, name := range results.WindowNames() {
		recorded, judged := c.Windows[name], j.Windows[name]
		if recorded == nil {
			recorded = &results.Window{}
		}
		if judged == nil {
			judged = &results.Window{}
		}
		if diff := cmp.Diff(recorded.Counts, judged.Counts); diff != "" {
			t.Fatalf("window %s is not what the history says (-recorded +judged):\n%s", name, diff)
		}
		if diff := cmp.Diff(recorded.Accounting, judged.Accounting); diff != "" {
			t.Fatalf("window %s is not what the history says (-recorded +judged):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(c.Broken, j.Broken); diff != "" || c.Verdict != j.Verdict {
		t.Fatalf("recorded %s, judged %s:\n%s", c.Verdict, j.Verdict, diff)
	}
	if !c.Accounting.Closes() {
		t.Fatalf("the account does not close: %+v", c.Accounting)
	}
}

// command returns a command that was due, accepted and answered.
func command(op uint64, due time.Duration) results.Outcome {
	at := origin + due
	return results.Outcome{
		Op: op, Client: int(op % 4), Key: uint32(op % 3), Due: at, Started: at + ms,
		Accepted: at + 2*ms, Answered: at + 4*ms, Ended: at + 4*ms,
	}
}

// applied returns the application of o as the given version of its key.
func applied(o results.Outcome, version uint64) results.Applied {
	return results.Applied{Op: o.Op, Key: o.Key, Version: version, At: o.Started + 2*ms}
}

const commands = 30

// clean is a story in which all is well: commands 100 ms apart, from the
// beginning of the warm-up on, with a fault from 2 s to 2.5 s that none of them
// took notice of.
func clean() *story {
	s := &story{promise: results.AtLeastOnce, issued: commands, faults: []results.Fault{{
		What: "stall", On: "broker", Begin: 2 * time.Second, Begun: 2 * time.Second,
		Heal: 2500 * ms, Healed: 2500 * ms, Effect: "3 connections cut",
	}}}
	versions := make(map[uint32]uint64)
	for op := uint64(1); op <= commands; op++ {
		o := command(op, time.Duration(op-1)*100*ms)
		versions[o.Key]++
		s.steps = append(s.steps, applied(o, versions[o.Key]), o)
		if op == 26 {
			s.steps = append(s.steps, heal(2500*ms))
		}
	}
	return s
}

// outcome returns the outcome of an operation in the story, to change it.
func (s *story) outcome(op uint64, change func(*results.Outcome)) {
	for i, step := range s.steps {
		if o, is := step.(results.Outcome); is && o.Op == op {
			change(&o)
			s.steps[i] = o
		}
	}
}

// application changes the application of an operation, or takes it out.
func (s *story) application(op uint64, change func(*results.Applied) (keep bool)) {
	var steps []any
	for _, step := range s.steps {
		if a, is := step.(results.Applied); is && a.Op == op {
			if !change(&a) {
				continue
			}
			step = a
		}
		steps = append(steps, step)
	}
	s.steps = steps
}

func never(*results.Applied) bool { return false }

func (s *story) add(steps ...any) { s.steps = append(s.steps, steps...) }

// A mutation is one thing that goes wrong in a clean story, and all that an
// account must then say differently.
type mutation struct {
	name   string
	change func(s *story)
	want   map[string]int64
	broken string // what is said of the promise; nothing if it is kept
}

func mutations() []mutation {
	timeout := func(o *results.Outcome) {
		o.Status, o.Class, o.Accepted, o.Answered, o.Ended = results.Unknown, "timeout", 0, 0, o.Due+20*ms
	}
	failed := func(o *results.Outcome) {
		o.Status, o.Class, o.Accepted, o.Answered = results.Failed, "refused", 0, 0
	}
	return []mutation{
		{"nothing", func(*story) {}, nil, ""},
		{"an acknowledged command is lost", func(s *story) { s.application(7, never) },
			map[string]int64{"lost": 1, "ok": -1, "applied": -1}, "at least once: 1 of 30 commands that were ack"},
		{"one that nobody confirmed vanishes", func(s *story) {
			s.application(7, never)
			s.outcome(7, func(o *results.Outcome) { o.Accepted, o.Answered = 0, 0 })
		}, map[string]int64{"vanished": 1, "ok": -1, "applied": -1, "acknowledged": -1}, ""},
		{"a failed command is applied", func(s *story) {
			s.outcome(7, failed)
		}, map[string]int64{"phantom": 1, "ok": -1, "acknowledged": -1}, "any flow: 1 of 30 commands are phantoms"},
		{"a failed command is not applied", func(s *story) {
			s.application(7, never)
			s.outcome(7, failed)
		}, map[string]int64{"failed": 1, "ok": -1, "acknowledged": -1, "applied": -1}, ""},
		{"the service refuses what its client let go of", func(s *story) {
			s.application(7, func(a *results.Applied) bool { a.Refused = true; return true })
		}, map[string]int64{"refused": 1, "ok": -1, "applied": -1}, ""},
		{"what was refused is applied after all", func(s *story) {
			s.application(7, func(a *results.Applied) bool { a.Refused = true; return true })
			s.add(collect{}, results.Applied{Op: 7, Key: 1, Version: 99, At: origin + 4*time.Second})
		}, nil, ""},
		{"a command is applied twice", func(s *story) {
			s.add(results.Applied{Op: 7, Key: 1, Version: 99, At: origin + 4*time.Second})
		}, map[string]int64{"duplicated": 1, "extra": 1, "stored_twice": 1}, ""},
		{"a command is delivered again and applied twice", func(s *story) {
			s.add(redelivered(7), results.Applied{Op: 7, Key: 1, Version: 99, At: origin + 4*time.Second})
		}, map[string]int64{"duplicated": 1, "extra": 1, "redelivered": 1}, ""},
		{"a command is applied twice where there is no broker", func(s *story) {
			s.brokerless = true
			s.add(results.Applied{Op: 7, Key: 1, Version: 99, At: origin + 4*time.Second})
		}, map[string]int64{"duplicated": 1, "extra": 1}, ""},
		{"a command comes twice, and is done once", func(s *story) { s.add(results.Applied{Op: 7, Repeated: true}) },
			map[string]int64{"repeated": 1, "stored_twice": 1}, ""},
		{"a command is delivered again, and done once", func(s *story) {
			s.add(results.Applied{Op: 7, Repeated: true}, redelivered(7))
		}, map[string]int64{"repeated": 1, "redelivered": 1}, ""},
		{"a request is delivered again", func(s *story) { s.add(redelivered(7)) },
			map[string]int64{"redelivered": 1}, ""},
		{"a command that was not attempted is applied", func(s *story) {
			s.add(results.Applied{Op: 99, Key: 1, Version: 99, At: origin})
		}, map[string]int64{"unexpected": 1}, "any flow: unexpected 1 times"},
		{"a command is applied with other bytes", func(s *story) {
			s.add(results.Applied{Op: 7, Key: 1, Version: 99, At: origin, Corrupt: true})
		}, map[string]int64{"unexpected": 1}, "any flow: unexpected 1 times"},
		{"an answer comes that nobody asked for", func(s *story) { s.add(stray(99)) },
			map[string]int64{"unexpected": 1}, "any flow: unexpected 1 times"},
		{"somebody hears of a command", func(s *story) { s.add(heard{7, 1}, heard{7, 1}, heard{7, 0}) }, nil, ""},
		{"somebody hears of what was not attempted", func(s *story) { s.add(heard{99, 1}) },
			map[string]int64{"unexpected": 1}, "any flow: unexpected 1 times"},
		{"somebody hears who does not want to", func(s *story) { s.add(heard{7, 2}) },
			map[string]int64{"unexpected": 1}, "any flow: unexpected 1 times"},
		{"both hear of a command that was never applied", func(s *story) {
			s.application(7, never)
			s.outcome(7, failed)
			s.add(heard{7, 0}, heard{7, 1})
		}, map[string]int64{"unexpected": 1, "failed": 1, "ok": -1, "acknowledged": -1, "applied": -1},
			"any flow: unexpected 1 times"},
		{"a client is answered twice", func(s *story) { s.add(stray(7)) },
			map[string]int64{"reply_duplicated": 1, "late_answers": 1}, ""},
		{"a client is answered three times", func(s *story) {
			s.steps = slices.Concat([]any{stray(7), stray(7)}, s.steps)
		}, map[string]int64{"reply_duplicated": 1, "late_answers": 2}, ""},
		{"a command is applied after one that began later", func(s *story) {
			s.application(4, func(a *results.Applied) bool { a.Version = 3; return true })
			s.application(7, func(a *results.Applied) bool { a.Version = 2; return true })
		}, map[string]int64{"reordered": 1}, ""},
		{"a command times out, and had been applied", func(s *story) { s.outcome(7, timeout) },
			map[string]int64{"timed_out": 1, "unknown_applied": 1, "ok": -1, "acknowledged": -1}, ""},
		{"a command times out, and is applied later", func(s *story) {
			s.outcome(7, timeout)
			s.application(7, func(a *results.Applied) bool { a.At += 50 * ms; return true })
		}, map[string]int64{
			"timed_out": 1, "timed_out_applied": 1, "unknown_applied": 1, "ok": -1, "acknowledged": -1,
		}, ""},
		{"a command times out, and is answered later", func(s *story) { s.outcome(7, timeout); s.add(stray(7)) },
			map[string]int64{
				"timed_out": 1, "replied_late": 1, "late_answers": 1, "unknown_applied": 1,
				"ok": -1, "acknowledged": -1,
			}, ""},
		{"a command times out, and is never applied", func(s *story) { s.outcome(8, timeout); s.application(8, never) },
			map[string]int64{"timed_out": 1, "unknown_never": 1, "ok": -1, "acknowledged": -1, "applied": -1}, ""},
		{"a command is applied only when the fault is over", func(s *story) {
			s.application(25, func(a *results.Applied) bool { a.At = origin + 2501*ms; return false })
			s.add(results.Applied{Op: 25, Key: 1, Version: 9, At: origin + 2501*ms})
		}, map[string]int64{"recovered": 1}, ""},
	}
}

// TestEveryMutationIsFoundByBoth seeds one thing that goes wrong into a clean
// story: the recorder's account and the judge's must both differ from those of
// the clean one in exactly what follows from it.
func TestEveryMutationIsFoundByBoth(t *testing.T) {
	before, _ := tell(t, *clean())
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			s := clean()
			m.change(s)
			c, j := tell(t, *s)
			agree(t, c, j)
			got := difference(t, before.Accounting, c.Accounting)
			if diff := cmp.Diff(m.want, got); diff != "" && len(m.want)+len(got) > 0 {
				t.Errorf("the account changes otherwise (-want +got):\n%s", diff)
			}
			said := strings.Join(c.Broken, "; ")
			if !strings.HasPrefix(said, m.broken) || (said == "") != (m.broken == "") {
				t.Errorf("broken is %q; want %q", said, m.broken)
			}
		})
	}
}

// difference returns by how much the classes of an account differ.
func difference(t *testing.T, before, after results.Accounting) map[string]int64 {
	t.Helper()
	a, b := make(map[string]int64), make(map[string]int64)
	for v, m := range map[*results.Accounting]map[string]int64{&before: a, &after: b} {
		text, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(b, func(k string, _ int64) bool { return a[k] == b[k] })
	for k := range b {
		b[k] -= a[k]
	}
	return b
}

// TestWindowsHoldWhatWasDueInThem puts one loss into each window.
func TestWindowsHoldWhatWasDueInThem(t *testing.T) {
	for op, name := range map[uint64]string{
		3: results.WarmUpWindow, 15: results.SteadyWindow, 22: results.FaultWindow, 28: results.RecoveryWindow,
	} {
		s := clean()
		s.application(op, never)
		c, j := tell(t, *s)
		agree(t, c, j)
		for in, w := range c.Windows {
			if want := map[bool]int64{true: 1}[in == name]; w.Accounting.Lost != want {
				t.Errorf("window %s has lost %d where command %d is; want %d", in, w.Accounting.Lost, op, want)
			}
		}
		if h := c.Windows[name].Latency["answered"]; h == nil || h.Quantile(0.5).Round(100*time.Microsecond) != 4*ms {
			t.Errorf("window %s has latencies %v; want about 4ms", name, h)
		}
	}
}

// TestAnUnprovenDrainLeavesTheVerdictOpen takes away what tells a loss from a
// delay. What happened twice stays twice.
func TestAnUnprovenDrainLeavesTheVerdictOpen(t *testing.T) {
	for _, tt := range []struct {
		what    string
		change  func(s *story)
		verdict string
	}{
		{"nothing", func(*story) {}, results.PromiseUnknown},
		{"a loss", func(s *story) { s.application(7, never) }, results.PromiseUnknown},
		{"a phantom", func(s *story) {
			s.outcome(7, func(o *results.Outcome) { o.Status = results.Failed })
		}, results.PromiseBroken},
	} {
		s := clean()
		tt.change(s)
		s.undrained = true
		c, j := tell(t, *s)
		agree(t, c, j)
		if j.Verdict != tt.verdict {
			t.Errorf("with %s the verdict is %s; want %s", tt.what, j.Verdict, tt.verdict)
		}
	}
}

// TestCleanHistoriesAreClean plays a thousand random stories in which everything
// happens that may: both checkers must find every promise kept.
func TestCleanHistoriesAreClean(t *testing.T) {
	const each = 10 // stories of each of rapid's hundred checks
	rapid.Check(t, func(t *rapid.T) {
		for range each {
			c, j := tell(t, randomClean(t))
			agree(t, c, j)
			a := c.Accounting
			if c.Verdict != results.PromiseKept || a.Lost+a.Phantom+a.Unexpected+a.Reordered > 0 {
				t.Fatalf("%s: %s %q, %+v", c.Promise, c.Verdict, c.Broken, a)
			}
		}
	})
}

func randomClean(t *rapid.T) story {
	n := uint64(rapid.IntRange(1, 25).Draw(t, "operations"))
	s := story{
		promise: rapid.SampledFrom([]string{results.AtMostOnce, results.AtLeastOnce}).Draw(t, "promise"),
		issued:  n, idempotent: rapid.Bool().Draw(t, "idempotent"), faults: clean().faults,
	}
	again := s.promise == results.AtLeastOnce // and only there may the broker deliver twice
	versions, last := make(map[uint32]uint64), make(map[uint32]time.Duration)
	var due time.Duration
	for op := uint64(1); op <= n; op++ {
		due += time.Duration(rapid.IntRange(0, 300).Draw(t, "gap")) * ms
		o := command(op, due)
		fate := rapid.SampledFrom([]string{
			"ok", "ok", "timeout", "unknown", "refused", "handed over", "dropped", "query",
		}).Draw(t, "fate")
		at := max(last[o.Key]+ms, o.Started+time.Duration(rapid.IntRange(0, 2000).Draw(t, "work"))*ms)
		happens := true
		switch fate {
		case "timeout":
			o.Status, o.Class, o.Accepted, o.Answered = results.Unknown, "timeout", 0, 0
			happens = rapid.Bool().Draw(t, "happens")
		case "unknown":
			o.Status, o.Class, o.Accepted, o.Answered = results.Unknown, "disconnected", 0, 0
			happens = rapid.Bool().Draw(t, "happens")
		case "refused":
			o.Status, o.Class, o.Accepted, o.Answered = results.Failed, "rejected", 0, 0
			s.add(results.Applied{Op: op, At: at, Refused: true})
			happens = false
		case "handed over":
			o.Accepted, o.Answered = 0, 0
			happens = rapid.Bool().Draw(t, "happens")
		case "dropped":
			o = results.Outcome{Op: op, Due: o.Due, Status: results.Dropped}
			happens = false
		case "query":
			o.Kind, happens = results.Query, false
		}
		s.add(o)
		if happens {
			versions[o.Key]++
			last[o.Key] = at
			s.add(results.Applied{Op: op, Key: o.Key, Version: versions[o.Key], At: at})
		}
		if happens && again && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			s.add(redelivered(op))
			if s.idempotent {
				s.add(results.Applied{Op: op, At: at + ms, Repeated: true})
			} else {
				versions[o.Key]++
				s.add(results.Applied{Op: op, Key: o.Key, Version: versions[o.Key], At: at + ms})
			}
		}
		if fate != "dropped" && rapid.IntRange(0, 5).Draw(t, "stray") == 0 {
			s.add(stray(op))
		}
	}
	if n := len(s.steps); n > 0 && fateless(s) {
		o := command(s.issued+1, due)
		s.issued++
		versions[o.Key]++
		s.add(applied(o, versions[o.Key]), o)
	}
	s.shuffle(t)
	return s
}

// fateless reports whether a story has no command, without which no promise can
// be kept.
func fateless(s story) bool {
	return !slices.ContainsFunc(s.steps, func(step any) bool {
		o, is := step.(results.Outcome)
		return is && o.Kind == results.Command && o.Status != results.Dropped
	})
}

// shuffle has the recorder hear of things in another order than they happened
// in, and collect at any time. The first application of a command stays before
// its second, as the service tells of them. When a fault was undone is told at any
// time, or only at the end.
func (s *story) shuffle(t *rapid.T) {
	for _, f := range s.faults {
		if !f.Absent && rapid.Bool().Draw(t, "told") {
			s.add(heal(f.Heal))
		}
	}
	shuffled := rapid.Permutation(s.steps).Draw(t, "order")
	own := make(map[uint64][]results.Applied)
	for _, step := range s.steps {
		if a, is := step.(results.Applied); is {
			own[a.Op] = append(own[a.Op], a)
		}
	}
	var steps []any
	for _, step := range shuffled {
		if a, is := step.(results.Applied); is {
			step, own[a.Op] = own[a.Op][0], own[a.Op][1:]
		}
		steps = append(steps, step)
		if rapid.IntRange(0, 3).Draw(t, "collect") == 0 {
			steps = append(steps, collect{})
		}
	}
	s.steps = steps
}

// TestBothAgreeOnAnything plays random stories in which nothing need make sense.
func TestBothAgreeOnAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			c, j := tell(t, randomDirty(t))
			agree(t, c, j)
		}
	})
}

func randomDirty(t *rapid.T) story {
	n := uint64(rapid.IntRange(1, 12).Draw(t, "operations"))
	s := story{
		promise: rapid.SampledFrom([]string{results.AtMostOnce, results.AtLeastOnce}).Draw(t, "promise"),
		issued:  n, idempotent: rapid.Bool().Draw(t, "idempotent"), undrained: rapid.Bool().Draw(t, "undrained"),
	}
	if rapid.Bool().Draw(t, "fault") {
		s.faults = clean().faults
		s.faults[0].Absent = rapid.IntRange(0, 4).Draw(t, "absent") == 0
		if rapid.Bool().Draw(t, "second") {
			second := s.faults[0]
			second.Begin, second.Heal, second.Healed = 2200*ms, 2700*ms, 2800*ms
			s.faults = append(s.faults, second)
		}
	}
	versions := make(map[uint32]uint64)
	for range rapid.IntRange(0, 30).Draw(t, "steps") {
		op := uint64(rapid.IntRange(0, int(n)+1).Draw(t, "op"))
		at := origin + time.Duration(rapid.IntRange(1, 3500).Draw(t, "at"))*ms
		key := uint32(rapid.IntRange(0, 2).Draw(t, "key"))
		switch rapid.IntRange(0, 6).Draw(t, "step") {
		case 4:
			s.add(heard{op, rapid.IntRange(-1, 2).Draw(t, "subscriber")})
		case 0:
			s.add(stray(op))
		case 1:
			s.add(redelivered(op))
		case 2:
			s.add(results.Applied{Op: op, At: at, Refused: true})
		case 3:
			s.add(results.Applied{Op: op, At: at, Repeated: true})
		default:
			versions[key] += uint64(rapid.IntRange(1, 2).Draw(t, "version")) // some are never told of
			corrupt := rapid.IntRange(0, 9).Draw(t, "corrupt") == 0
			s.add(results.Applied{Op: op, Key: key, Version: versions[key], At: at, Corrupt: corrupt})
		}
	}
	for op := uint64(1); op <= n; op++ {
		if rapid.IntRange(0, 9).Draw(t, "mute") == 0 {
			continue // its client never reports
		}
		o := command(op, time.Duration(rapid.IntRange(0, 3000).Draw(t, "due"))*ms)
		o.Kind = rapid.SampledFrom([]results.Kind{results.Command, results.Command, results.Query}).Draw(t, "kind")
		o.Status = rapid.SampledFrom([]results.Status{results.OK, results.Failed, results.Unknown}).Draw(t, "status")
		o.Class = rapid.SampledFrom([]string{"", "timeout", "corrupt", `od"d`}).Draw(t, "class")
		if rapid.Bool().Draw(t, "untold") {
			o.Accepted = 0
		}
		if rapid.Bool().Draw(t, "unanswered") {
			o.Answered = 0
		}
		s.add(o)
	}
	s.shuffle(t)
	return s
}

func ExampleJudge() {
	j, err := check.Judge(strings.NewReader(`{"schema":"flowbench.history/1","cell":"a","promise":"at least once"}
["outcome",1,0,"command",0,"ok","",0,5,10,null,10,0]
["outcome",2,0,"command",0,"ok","",0,5,10,null,10,0]
["applied",2,0,1,12,0]
{"end":{"issued":2,"drained":true}}
`))
	if err != nil {
		panic(err)
	}
	fmt.Println(j.Verdict, j.Broken)
	// Output: broken [at least once: 1 of 2 commands that were acknowledged are lost]
}

// FuzzJudge judges arbitrary text.
func FuzzJudge(f *testing.F) {
	f.Add(`{"schema":"flowbench.history/1","warmup_ns":1}
["outcome",1,0,"command",0,"ok","",0,5,10,null,10,0]
["applied",2,0,1,12,0]
["redelivered",0]
{"end":{"issued":2,"drained":true,"faults":[{"heal_ns":5}]}}
`)
	f.Fuzz(func(t *testing.T, text string) {
		j, err := check.Judge(strings.NewReader(text))
		if err == nil && !j.Accounting.Closes() && j.Accounting.Attempted > 0 {
			t.Errorf("the account does not close: %+v", j.Accounting)
		}
	})
}
