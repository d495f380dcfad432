package service

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble is a runtime in the virtual time of testing/synctest.
type bubble struct{ start time.Time }

func (b bubble) Now() time.Duration { return time.Since(b.start) }

func (b bubble) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b bubble) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (b bubble) Go(ctx context.Context, f func(context.Context)) func(context.Context) error {
	go f(ctx)
	return func(context.Context) error { return nil }
}

func (b bubble) Promise() flows.Promise { return make(promise, 1) }

type promise chan struct{}

func (p promise) Keep(flows.Message, error) { p <- struct{}{} }

func (p promise) Wait(ctx context.Context) (flows.Message, error) {
	select {
	case <-p:
		return flows.Message{}, nil
	case <-ctx.Done():
		return flows.Message{}, ctx.Err()
	}
}

// ledger keeps what was applied.
type ledger struct {
	mu  sync.Mutex
	all []results.Applied
}

func (l *ledger) add(a results.Applied) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, a)
}

func newService(l *ledger, s scenarios.Service) *Service {
	return New(bubble{time.Now()}, Config{Service: s, Keys: 4, PayloadBytes: 32, Seed: 1, Applied: l.add})
}

func command(op uint64, key string) flows.Request {
	return flows.Request{Kind: flows.Command, ID: op, Key: key, Body: NewPayload(op, 32)}
}

func TestACommandChangesWhatAQueryReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 2, Workers: 1})
		ctx := t.Context()
		query := flows.Request{Kind: flows.Query, ID: 9, Key: "k2"}
		before, err := s.Handle(ctx, 0, query)
		if op, ok := CheckPayload(before.Body); err != nil || !ok || op != 0 {
			t.Errorf("before any command a query reads %d, %v, %v; want the initial value", op, ok, err)
		}
		status := flows.Request{Kind: flows.StatusOf, ID: 7}
		if r, err := s.Handle(ctx, 0, status); err != nil || r.Status != flows.Pending {
			t.Errorf("the status of an unknown command is %v, %v; want pending", r.Status, err)
		}
		r, err := s.Handle(ctx, 1, command(7, "k2"))
		if op, ok := CheckPayload(r.Body); err != nil || r.Status != flows.Done || op != 7 || !ok {
			t.Errorf("the command answers %v, %v; want its receipt", r, err)
		}
		if r, err := s.Handle(ctx, 0, query); err != nil || !bytes.Equal(r.Body, NewPayload(7, 32)) {
			t.Errorf("after the command, the other instance reads %x, %v; want its payload", r.Body, err)
		}
		if r, err := s.Handle(ctx, 0, status); err != nil || r.Status != flows.Done {
			t.Errorf("the status of the command is %v, %v; want done", r.Status, err)
		}
		if v, ok := s.Version(2, 7); !ok || v != 1 {
			t.Errorf("the command made version %d, %v; want the first", v, ok)
		}
		if v, ok := s.Version(2, 8); ok {
			t.Errorf("a command that never came made version %d", v)
		}
		if len(l.all) != 1 || l.all[0].Op != 7 || l.all[0].Key != 2 || l.all[0].Version != 1 ||
			l.all[0].Instance != 1 ||
			l.all[0].Corrupt {
			t.Errorf("the ledger says %+v; want one application", l.all)
		}
	})
}

func TestTheLedgerKnowsPayloadsThatAreNotWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 1})
		damaged := command(1, "k0")
		damaged.Body[9]++
		for _, r := range []flows.Request{
			damaged, {Kind: flows.Command, ID: 2, Key: "k0", Body: NewPayload(3, 32)}, command(4, "elsewhere"),
		} {
			if _, err := s.Handle(t.Context(), 0, r); err != nil {
				t.Fatal(err)
			}
		}
		for _, a := range l.all {
			if !a.Corrupt {
				t.Errorf("%+v passes as what was sent", a)
			}
		}
	})
}

// TestWorkersBoundWhatIsDoneAtOnce checks the queueing: ten requests of a
// millisecond for two workers take five milliseconds, in order.
func TestWorkersBoundWhatIsDoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 2, Time: scenarios.ServiceTime{
			Distribution: scenarios.ConstantTime, Mean: scenarios.Duration(time.Millisecond),
		}})
		start := time.Now()
		var wg sync.WaitGroup
		for op := uint64(1); op <= 10; op++ {
			wg.Go(func() {
				if _, err := s.Handle(t.Context(), 0, command(op, "k0")); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // so that they queue in order
		}
		if got := s.Busy(); got != 10 {
			t.Errorf("%d requests are there; want 10", got)
		}
		wg.Wait()
		if took := time.Since(start); took != 5*time.Millisecond {
			t.Errorf("took %v; want 5ms", took)
		}
		for i, a := range l.all {
			if want := uint64(i/2*2 + 1); a.Op != want && a.Op != want+1 {
				t.Errorf("application %d is of command %d; want them in order, two at a time", i, a.Op)
			}
		}
	})
}

func TestARequestThatGivesUpFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 1, Time: scenarios.ServiceTime{
			Distribution: scenarios.ConstantTime, Mean: scenarios.Duration(10 * time.Millisecond),
		}})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = s.Handle(t.Context(), 0, command(1, "k0")) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.Handle(ctx, 0, command(2, "k0")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a worker ended with %v; want the deadline", err)
		}
		if _, err := s.Handle(t.Context(), 0, command(3, "k0")); err != nil {
			t.Errorf("the next request ended with %v", err)
		}
		wg.Wait()
		if len(l.all) != 2 {
			t.Errorf("applied %+v; want the two that waited", l.all)
		}
	})
}

func TestAStallHoldsAllWorkUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 8, Stall: &scenarios.Stall{
			Every: scenarios.Duration(2 * time.Second), For: scenarios.Duration(200 * time.Millisecond),
		}})
		rt := s.runtime
		s.Begin(rt.Now())
		start := time.Now()
		for _, tt := range []struct{ at, until time.Duration }{
			{50 * time.Millisecond, 200 * time.Millisecond}, {time.Second, time.Second},
			{2100 * time.Millisecond, 2200 * time.Millisecond}, {2200 * time.Millisecond, 2200 * time.Millisecond},
		} {
			time.Sleep(time.Until(start.Add(tt.at)))
			if _, err := s.Handle(t.Context(), 0, command(1, "k0")); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != tt.until {
				t.Errorf("what came at %v was done at %v; want %v", tt.at, got, tt.until)
			}
		}
	})
}

// TestServiceTimesHaveTheMeanThatWasAskedFor draws from each distribution. The
// tolerance is five standard errors of the mean.
func TestServiceTimesHaveTheMeanThatWasAskedFor(t *testing.T) {
	const n = 200_000
	mean := float64(time.Millisecond)
	ms := scenarios.Duration(time.Millisecond)
	for _, tt := range []struct {
		time scenarios.ServiceTime
		want float64
		sd   float64
	}{
		{scenarios.ServiceTime{Distribution: scenarios.ConstantTime, Mean: ms}, mean, 0},
		{scenarios.ServiceTime{Distribution: scenarios.Exponential, Mean: ms}, mean, mean},
		{scenarios.ServiceTime{Distribution: scenarios.Lognormal, Mean: ms, Sigma: 0.5}, mean,
			mean * math.Sqrt(math.Exp(0.25)-1)},
		{scenarios.ServiceTime{Distribution: scenarios.Bimodal, Mean: ms, SlowShare: 0.1, SlowMean: 11 * ms},
			2 * mean, 3 * mean},
	} {
		var sum float64
		for op := range uint64(n) {
			sum += float64(sample(tt.time, rand.New(rand.NewPCG(1, op))))
		}
		if got := sum / n; math.Abs(got-tt.want) > 5*tt.sd/math.Sqrt(n)+1 {
			t.Errorf("%s: mean is %v; want %v", tt.time.Distribution, time.Duration(got), time.Duration(tt.want))
		}
	}
}

func TestPayloadsAreRecognizedAndDamageIsNoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.Uint64().Draw(t, "op")
		b := NewPayload(op, rapid.IntRange(0, 300).Draw(t, "size"))
		if got, ok := CheckPayload(b); !ok || got != op {
			t.Fatalf("payload of %d is recognized as %d, %v", op, got, ok)
		}
		bit := rapid.IntRange(0, 8*len(b)-1).Draw(t, "bit")
		b[bit/8] ^= 1 << (bit % 8)
		if _, ok := CheckPayload(b); ok {
			t.Fatalf("a payload of %d bytes passes with bit %d flipped", len(b), bit)
		}
		if _, ok := CheckPayload(b[:rapid.IntRange(0, MinPayload-1).Draw(t, "cut")]); ok {
			t.Fatal("a payload cut short passes")
		}
	})
}

func TestOldOutcomesAreForgotten(t *testing.T) {
	o := newOutcomes(2)
	o.set(1, flows.Done)
	o.set(1, flows.Done) // again: it must not take a second place
	o.set(2, flows.Denied)
	if _, ok := o.get(1); !ok {
		t.Error("1 was forgotten while there was room")
	}
	o.set(3, flows.Done)
	if _, ok := o.get(1); ok {
		t.Error("1 is still known")
	}
	if s, ok := o.get(2); !ok || s != flows.Denied {
		t.Errorf("2 is %v, %v; want denied", s, ok)
	}
}

func TestAServiceKnowsHowLongItsWorkersHadRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{
			Instances: 1, Workers: 2,
			Time: scenarios.ServiceTime{Distribution: scenarios.ConstantTime, Mean: scenarios.Duration(time.Second)},
		})
		var all sync.WaitGroup
		for op := range uint64(5) { // on two workers: 2 s, 2 s and 1 s
			all.Go(func() { _, _ = s.Handle(t.Context(), 0, command(op+1, "k1")) })
		}
		time.Sleep(1500 * time.Millisecond)
		if got := s.Worked(); got != 3*time.Second {
			t.Errorf("after 1.5 s two workers had requests for %s; want 3s", got)
		}
		all.Wait()
		time.Sleep(time.Minute)
		if got := s.Worked(); got != 5*time.Second {
			t.Errorf("for five requests of 1 s workers had requests for %s; want 5s", got)
		}
	})
}
