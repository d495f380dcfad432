package flows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows"
	"flowbench/sim/des"
)

// eitherWay is a kernel whose promises may be cancelled at the very moment at
// which they are kept, as on the wall clock.
type eitherWay struct{ *des.Kernel }

func (e eitherWay) Promise() flows.Promise { return eitherPromise{e.Kernel.Promise()} }

type eitherPromise struct{ flows.Promise }

func (p eitherPromise) Wait(ctx context.Context) (flows.Message, error) {
	m, err := p.Promise.Wait(ctx)
	if ctx.Err() != nil {
		return flows.Message{}, ctx.Err()
	}
	return m, err
}

// A broker of requests yields those that have arrived and counts who took them.
type source struct {
	arrived *des.Queue[flows.Message]
	taken   int
}

func (s *source) Receive(ctx context.Context) (flows.Message, error) {
	m, err := s.arrived.Get(ctx)
	if err == nil {
		s.taken++
	}
	return m, err
}

func (s *source) Close() error {
	s.arrived.Close()
	return nil
}

// An office is a gate with workers behind it and requests before it.
type office struct {
	*rapid.T
	kernel  *des.Kernel
	urgent  *source
	normal  *source
	gate    flows.Gate
	workers int
	since   map[uint64]time.Duration // when urgent requests arrived that nobody has begun
	begun   map[uint64]int
	done    int // of the normal ones
}

func openOffice(t *rapid.T, workers int) *office {
	k := des.New()
	o := &office{
		T: t, kernel: k, workers: workers, begun: make(map[uint64]int), since: make(map[uint64]time.Duration),
		urgent: &source{arrived: des.NewQueue[flows.Message](k, "of urgent requests")},
		normal: &source{arrived: des.NewQueue[flows.Message](k, "of normal requests")},
	}
	o.gate = flows.NewGate(eitherWay{k}, workers, o.urgent, o.normal)
	return o
}

// arrive puts request number id at the broker.
func (o *office) arrive(id uint64, urgent bool) {
	if !urgent {
		o.normal.arrived.Put(flows.Message{ID: id})
		return
	}
	o.since[id] = o.kernel.Now()
	o.urgent.arrived.Put(flows.Message{ID: id, Urgent: true})
}

// work is a worker that loses patience every now and then and asks again.
func (o *office) work(ctx context.Context, patience, each time.Duration) {
	for {
		short, stop := o.kernel.WithTimeout(ctx, patience)
		m, err := o.gate.Receive(short)
		stop()
		switch {
		case errors.Is(err, flows.ErrClosed) || ctx.Err() != nil && err != nil:
			return
		case err != nil:
			continue
		}
		o.begin(m)
		_ = o.kernel.Sleep(context.WithoutCancel(ctx), each) // what has been begun is done
		if !m.Urgent {
			o.done++
		}
	}
}

// begin checks what holds whenever a worker begins a request.
func (o *office) begin(m flows.Message) {
	o.begun[m.ID]++
	if under := o.normal.taken - o.done; under > o.workers {
		o.Errorf("%d normal requests are off the broker; there are %d workers", under, o.workers)
	}
	if m.Urgent {
		delete(o.since, m.ID)
		return
	}
	for id, since := range o.since {
		if since < o.kernel.Now() {
			o.Errorf("normal request %d is begun at %v; urgent request %d waits since %v", m.ID, o.kernel.Now(), id,
				since)
		}
	}
}

// TestTheGateLetsUrgentRequestsOvertake draws requests, how long they take and
// when all ends: there are never more normal requests off the broker than
// workers, none is begun while an urgent one waits, and each is begun once or is
// still to be had.
func TestTheGateLetsUrgentRequestsOvertake(t *testing.T) {
	const ms = time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		o := openOffice(t, rapid.IntRange(1, 4).Draw(t, "workers"))
		n := rapid.IntRange(0, 40).Draw(t, "requests")
		gap := rapid.SampledFrom([]time.Duration{0, 0, 0, ms, 2 * ms, 5 * ms})
		span := rapid.SampledFrom([]time.Duration{0, 5 * ms, 20 * ms, time.Second}).Draw(t, "span")
		err := o.kernel.Run(context.Background(), func(ctx context.Context) {
			life, stop := o.kernel.WithCancel(ctx)
			waits := []func(context.Context) error{o.kernel.Go(life, o.gate.Run)}
			for range o.workers {
				patience := time.Duration(rapid.IntRange(1, 9).Draw(t, "patience")) * ms
				each := time.Duration(rapid.IntRange(1, 5).Draw(t, "each")) * ms
				waits = append(waits, o.kernel.Go(life, func(ctx context.Context) { o.work(ctx, patience, each) }))
			}
			for id := range uint64(n) {
				_ = o.kernel.Sleep(ctx, gap.Draw(t, "gap")) // nothing cancels it
				o.arrive(id, rapid.Bool().Draw(t, "urgent"))
			}
			_ = o.kernel.Sleep(ctx, span)
			if rapid.Bool().Draw(t, "closed first") {
				_ = o.gate.Close() // always nil
			}
			stop()
			for _, wait := range waits {
				_ = wait(ctx)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for id, times := range o.begun {
			if times != 1 {
				t.Errorf("request %d was begun %d times; want once", id, times)
			}
		}
		left := o.urgent.arrived.Len() + o.normal.arrived.Len() + o.gate.Held()
		if len(o.begun)+left != n {
			t.Errorf("of %d requests, %d were begun and %d are left", n, len(o.begun), left)
		}
		if span == time.Second && left > 0 {
			t.Errorf("%d requests were never begun", left)
		}
	})
}
