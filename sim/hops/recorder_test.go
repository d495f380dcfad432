package hops

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/results"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// still is a runtime whose clock shows what it is set to.
type still struct {
	flows.Runtime
	now time.Duration
}

func (s still) Now() time.Duration { return s.now }

// follow has a recorder follow operations 1 to n, which end at once.
func follow(r *Recorder, n uint64) {
	for op := uint64(1); op <= n; op++ {
		r.Begin(op, int(op%4))
		r.End(results.Outcome{Op: op, Status: results.OK, Due: 1, Started: 2, Answered: 3, Ended: 3})
	}
}

func TestTheSampleIsBoundedAndDoesNotDependOnTheOrder(t *testing.T) {
	const n = 50_000
	forth := New(Config{Runtime: still{}, Sample: 3})
	follow(forth, n)
	back := New(Config{Runtime: still{}, Sample: 3})
	for op := uint64(n); op > 0; op-- {
		back.Begin(op, 0)
		back.End(results.Outcome{Op: op, Status: results.OK, Due: 1, Started: 2, Answered: 3, Ended: 3})
	}
	a, b := forth.Records(0), back.Records(0)
	if a.Sampled > maxOperations || a.Sampled < maxOperations/3 || a.OneIn != 16 || len(a.Kept) != maxKept {
		t.Errorf("followed %d of %d, one in %d, %d kept; want some %d, and %d kept", a.Sampled, n, a.OneIn, len(a.Kept),
			n/16, maxKept)
	}
	if a.Sampled != b.Sampled {
		t.Fatalf("%d are followed in one order and %d in the other", a.Sampled, b.Sampled)
	}
	for i := range a.Kept {
		if a.Kept[i].Op != b.Kept[i].Op {
			t.Fatalf("operation %d is kept in one order, and %d in the other", a.Kept[i].Op, b.Kept[i].Op)
		}
	}
	expected := New(Config{Runtime: still{}, Sample: 3, Expected: n})
	follow(expected, n)
	if c := expected.Records(0); c.Sampled != a.Sampled {
		t.Errorf("%d are followed where their number was expected; want %d", c.Sampled, a.Sampled)
	}
}

func TestAnOperationWithMoreStampsThanAreKeptIsLeftOut(t *testing.T) {
	r := New(Config{Runtime: still{}})
	follow(r, 2)
	for range maxStamps + 1 {
		r.add(r.find(1), stamp{point: called})
	}
	if got := r.Records(0); got.Partial != 1 || got.Sampled != 1 || got.Kept[0].Op != 2 {
		t.Errorf("got %+v; want operation 2, and 1 left out", got.Hops)
	}
}

func TestTracesFollowFromTheSeedAndTheOperation(t *testing.T) {
	one, same, other := New(Config{Seed: 1}), New(Config{Seed: 1}), New(Config{Seed: 2})
	form := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$`)
	seen := make(map[string]bool)
	for op := uint64(1); op <= 1000; op++ {
		h := one.traceparent(op, op%2 == 0)
		if !form.MatchString(h) || strings.HasSuffix(h, "1") != (op%2 == 0) ||
			strings.Contains(h, strings.Repeat("0", 16)) {
			t.Fatalf("the traceparent of operation %d is %q", op, h)
		}
		if h != same.traceparent(op, op%2 == 0) || h == other.traceparent(op, op%2 == 0) {
			t.Fatalf("the traceparent of operation %d does not follow from the seed", op)
		}
		if seen[h[:35]] {
			t.Fatalf("two operations have the trace %s", h)
		}
		seen[h[:35]] = true
	}
}

// TestManyFollowAtOnce is for the race detector.
func TestManyFollowAtOnce(t *testing.T) {
	r := New(Config{Runtime: still{}})
	var all sync.WaitGroup
	for part := range uint64(8) {
		all.Go(func() {
			for op := part; op < 20_000; op += 8 {
				r.Begin(op+1, int(part))
				for range 4 {
					if rec := r.find(op/2 + 1); rec != nil {
						r.add(rec, stamp{point: begun})
					}
				}
				r.Begun(1, flows.Request{ID: op + 1})
				r.End(results.Outcome{Op: op + 1, Answered: 1})
			}
		})
	}
	all.Wait()
	if n := r.Records(0).Sampled; n == 0 || n > maxOperations {
		t.Errorf("%d operations are followed; want some, and no more than %d", n, maxOperations)
	}
}

// BenchmarkStamp says what a port costs an operation that is followed, one that is
// not, and each message, in times of reading the clock: every stage of an operation
// does that anyway.
func BenchmarkStamp(b *testing.B) {
	start := time.Now()
	clock := func() time.Duration { return time.Since(start) }
	all, few := New(Config{Runtime: ticking{now: clock}}), New(Config{Expected: 1 << 40})
	follow(all, 1000)
	for _, bb := range []struct {
		name string
		do   func(i uint64)
	}{
		{"followed", func(i uint64) {
			rec := all.find(i%1000 + 1)
			if len(rec.stamps) == maxStamps {
				rec.stamps = rec.stamps[:0]
			}
			all.add(rec, stamp{point: begun})
		}},
		{"not-followed", func(i uint64) { _ = few.find(i) }},
		{"traceparent", func(i uint64) { _ = all.traceparent(i, false) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				bb.do(i)
				i++
			}
			took := b.Elapsed()
			before := time.Now()
			for range b.N {
				_ = clock()
			}
			b.ReportMetric(float64(took)/float64(max(1, time.Since(before))), "x-clock")
		})
	}
}

type ticking struct {
	flows.Runtime
	now func() time.Duration
}

func (t ticking) Now() time.Duration { return t.now() }
