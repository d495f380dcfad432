package des_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
	"flowbench/sim/edge/modeledge"
	"flowbench/sim/service"
)

// A stage is a flow in virtual time with everything that it touches, as the
// engine puts it together on the wall clock.
type stage struct {
	kernel  *des.Kernel
	seed    uint64
	flow    flows.Flow
	params  broker.Params // of the broker, besides its defaults
	clients []flows.Client
	applied map[uint64]int
	corrupt int
	stray   int
	heard   map[news]int // by subscribers
	ledger  []results.Applied
	edge    flows.Edge
	close   func(ctx context.Context) error
}

// news is a command that a subscriber hears of.
type news struct {
	op         uint64
	subscriber int
}

const (
	clients     = 4
	subscribers = 3 // who want to hear of each command

	keys     = 16
	payload  = 64
	patience = 30 * time.Second // of a client; nothing here should come near it
)

// env returns what the flow touches. The delays are drawn.
func (s *stage) env(ctx context.Context) (flows.Env, broker.Session, error) {
	d := modelbroker.Driver(s.kernel, s.seed)
	params := d.Defaults()
	params["link"] = "exponential"
	params["dedup_ms"] = "60000" // so that two messages with one id would be noticed
	maps.Copy(params, s.params)
	session, err := d.Open(ctx, broker.Config{
		Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {},
		Log: slog.New(slog.DiscardHandler),
	})
	env := flows.Env{
		Runtime: s.kernel, Broker: session,
		Edge: modeledge.New(s.kernel, modeledge.Config{
			Link: des.Exponential(200 * time.Microsecond), Seed: s.seed, LeastPending: s.seed%2 == 1,
		}),
		Service: service.New(s.kernel, service.Config{
			Service: scenarios.Service{
				Instances: 3, Workers: 4,
				Time: scenarios.ServiceTime{Distribution: scenarios.Exponential, Mean: scenarios.Duration(ms)},
			},
			Keys: keys, PayloadBytes: payload, Seed: s.seed,
			Applied: func(a results.Applied) {
				s.applied[a.Op]++
				s.ledger = append(s.ledger, a)
				if a.Corrupt {
					s.corrupt++
				}
			},
		}),
		Settings: flows.Settings{
			Instances: 3, Workers: 4, Timeout: patience,
			Polling:   flows.Polling{Interval: 2 * ms, Backoff: 1.5, Max: 20 * ms},
			FrontEnds: 1 + int(s.seed%3),
			Clients:   clients, Subscribers: subscribers,
		},
		Log:   slog.New(slog.DiscardHandler),
		Stray: func(uint64) { s.stray++ },
		Heard: func(op uint64, subscriber int) { s.heard[news{op, subscriber}]++ },
	}
	for i := range keys {
		env.Settings.Keys = append(env.Settings.Keys, service.KeyName(i))
	}
	return env, session, err
}

// open starts the server and the clients.
func (s *stage) open(ctx context.Context) error {
	s.applied, s.heard = make(map[uint64]int), make(map[news]int)
	env, session, err := s.env(ctx)
	if err != nil {
		return err
	}
	s.edge = env.Edge
	server, err := s.flow.Listen(ctx, env)
	if err != nil {
		return err
	}
	life, stop := s.kernel.WithCancel(ctx)
	var fail error
	served := s.kernel.Go(life, func(ctx context.Context) { fail = server.Serve(ctx) })
	for id := range clients {
		c, err := s.flow.Dial(life, env, id)
		if err != nil {
			stop()
			return err
		}
		s.clients = append(s.clients, c)
	}
	s.close = func(ctx context.Context) error {
		for _, c := range s.clients {
			if err := c.Close(); err != nil {
				return err
			}
		}
		stop()
		if err := served(ctx); err != nil {
			return err
		}
		if fail != nil {
			return fail
		}
		return session.Close(ctx)
	}
	return nil
}

// operation returns operation number id: every third is a query, every fifth is
// urgent.
func (s *stage) operation(id uint64) *flows.Op {
	key := service.KeyName(int(id % keys))
	op := flows.NewOp(s.kernel, id, flows.Command, key, service.NewPayload(id, payload))
	if id%3 == 0 {
		op = flows.NewOp(s.kernel, id, flows.Query, key, nil)
	}
	op.Urgent = id%5 == 0
	return op
}

// do performs an operation and says what is wrong with its answer, if anything.
func (s *stage) do(ctx context.Context, op *flows.Op) error {
	ctx, cancel := s.kernel.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.clients[op.ID%uint64(len(s.clients))].Do(ctx, op); err != nil {
		return err
	}
	of, intact := service.CheckPayload(op.Answer)
	switch {
	case op.At(flows.Answered) == 0 && op.At(flows.Accepted) > 0:
		return nil // the flow brings no answer; that the command is applied is checked in the end
	case !intact:
		return fmt.Errorf("the answer %x is not a payload", op.Answer)
	case op.Kind == flows.Command && of != op.ID:
		return fmt.Errorf("the answer is that of command %d", of)
	case op.Kind == flows.Query && of != 0 && of%keys != op.ID%keys:
		return fmt.Errorf("the answer is from the key of command %d", of)
	case op.At(flows.Answered) <= op.At(flows.Started):
		return fmt.Errorf("answered at %v, started at %v", op.At(flows.Answered), op.At(flows.Started))
	}
	return nil
}

// load has n operations arrive at random, and returns when all have ended.
func (s *stage) load(ctx context.Context, n uint64, ended func(*flows.Op, error)) {
	arrivals, gap := des.Stream(s.seed, "arrivals"), des.Exponential(500*time.Microsecond)
	var waits []func(context.Context) error
	for id := uint64(1); id <= n; id++ {
		_ = s.kernel.Sleep(ctx, gap(arrivals))
		waits = append(waits, s.kernel.Go(ctx, func(ctx context.Context) {
			op := s.operation(id)
			op.Reach(flows.Started)
			ended(op, s.do(ctx, op))
		}))
	}
	for _, wait := range waits {
		_ = wait(ctx)
	}
}

// TestFlowsRunInVirtualTime runs every flow as it is: each command is applied
// exactly once, each answer is the right one, and nothing waits for ever. The
// seeds differ in how many front ends there are and in how a balancer picks.
func TestFlowsRunInVirtualTime(t *testing.T) {
	const n = 500
	for _, flow := range flows.All() {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", flow.Spec().Name, seed), func(t *testing.T) {
				traces := [2]string{}
				for i := range traces {
					s := &stage{kernel: des.New(), seed: seed, flow: flow}
					if seed == 2 { // with priorities of the broker's own, for flows that rely on them
						s.params = broker.Params{"order": "urgent-first"}
					}
					traces[i] = s.check(t, n)
				}
				if traces[0] != traces[1] {
					t.Error("two runs with the same seed differ")
				}
			})
		}
	}
}

// TestUrgentOperationsOvertakeABacklog has a thousand operations come at once,
// far more than the service works on at a time. Where the flow and the broker do
// nothing about it, urgent ones wait like all others.
func TestUrgentOperationsOvertakeABacklog(t *testing.T) {
	for _, tt := range []struct {
		what     string
		flow     flows.Flow
		params   broker.Params
		overtake bool
	}{
		{"a subject for each priority", flows.Priority{}, nil, true},
		{"at most once", flows.Priority{}, broker.Params{"delivery": "at-most-once", "confirm": "none"}, true},
		{"the broker's queue", flows.Priority{}, broker.Params{"order": "urgent-first", "prefetch": "4"}, true},
		{"the broker's queue, and all of it in the prefetch", flows.Priority{},
			broker.Params{"order": "urgent-first", "prefetch": "1000"}, false},
		{"none", flows.Async{Reply: flows.ReplyTo}, broker.Params{"order": "urgent-first", "prefetch": "4"}, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s := &stage{kernel: des.New(), seed: 1, flow: tt.flow, params: tt.params}
			urgent, normal := s.burst(t, 1000)
			if ratio := float64(normal) / float64(urgent); tt.overtake && ratio < 3 || !tt.overtake && ratio > 1.5 {
				t.Errorf("urgent operations took %v in the mean, normal ones %v; want overtaking: %v",
					urgent, normal, tt.overtake)
			}
		})
	}
}

// burst has n operations come at once and returns how long they took in the mean.
func (s *stage) burst(t *testing.T, n uint64) (urgent, normal time.Duration) {
	t.Helper()
	err := s.kernel.Run(t.Context(), func(ctx context.Context) {
		if err := s.open(ctx); err != nil {
			t.Fatal(err)
		}
		var waits []func(context.Context) error
		for id := uint64(1); id <= n; id++ {
			op := s.operation(id)
			waits = append(waits, s.kernel.Go(ctx, func(ctx context.Context) {
				op.Reach(flows.Started)
				if err := s.do(ctx, op); err != nil {
					t.Errorf("operation %d: %v", op.ID, err)
				}
				took := op.At(flows.Answered) - op.At(flows.Started)
				if op.Urgent {
					urgent += took / time.Duration(n/5)
				} else {
					normal += took / time.Duration(n-n/5)
				}
			}))
		}
		for _, wait := range waits {
			_ = wait(ctx)
		}
		if err := s.close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	return urgent, normal
}

// check runs n operations and returns when each of them was answered.
func (s *stage) check(t *testing.T, n uint64) string {
	t.Helper()
	answered := make([]time.Duration, n+1)
	err := s.kernel.Run(t.Context(), func(ctx context.Context) {
		if err := s.open(ctx); err != nil {
			t.Fatal(err)
		}
		s.load(ctx, n, func(op *flows.Op, err error) {
			answered[op.ID] = op.At(flows.Answered)
			if err != nil {
				t.Errorf("operation %d: %v", op.ID, err)
			}
		})
		_ = s.kernel.Sleep(ctx, patience) // what was accepted and not waited for is applied by then
		if err := s.close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	for id := uint64(1); id <= n; id++ {
		if want := min(id%3, 1); uint64(s.applied[id]) != want {
			t.Errorf("operation %d was applied %d times; want %d", id, s.applied[id], want)
		}
	}
	s.checkHeard(t, n)
	if s.corrupt != 0 || s.stray != 0 {
		t.Errorf("%d applications are corrupt, %d answers stray", s.corrupt, s.stray)
	}
	return fmt.Sprint(answered, s.kernel.Now())
}

// checkHeard holds a flow that tells others than the client to telling each of
// them of each command once, and any other flow to telling nobody.
func (s *stage) checkHeard(t *testing.T, n uint64) {
	t.Helper()
	want := 0
	for id := uint64(1); id <= n && s.flow.Spec().Tells != flows.Nobody; id++ {
		for subscriber := range subscribers {
			if id%3 == 0 {
				break // a query
			}
			want++
			if got := s.heard[news{id, subscriber}]; got != 1 {
				t.Errorf("subscriber %d heard of command %d %d times; want once", subscriber, id, got)
			}
		}
	}
	if len(s.heard) != want {
		t.Errorf("%d notices came; want %d", len(s.heard), want)
	}
}

// BenchmarkProxySync is the speed of the longest path: client, edge, front end,
// broker, service and all the way back.
func BenchmarkProxySync(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as flowbench simulate does
	// Seed 3 has one front end; nothing is deduplicated.
	s := &stage{
		kernel: des.New(), seed: 3, flow: flows.Proxy{Mode: flows.ProxySync}, params: broker.Params{"dedup_ms": "0"},
	}
	b.ReportAllocs()
	err := s.kernel.Run(b.Context(), func(ctx context.Context) {
		if err := s.open(ctx); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		s.load(ctx, uint64(b.N), func(_ *flows.Op, err error) {
			if err != nil {
				b.Error(err)
			}
		})
		b.StopTimer()
		if err := s.close(ctx); err != nil {
			b.Error(err)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
