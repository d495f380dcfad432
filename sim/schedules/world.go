package schedules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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

const (
	keys    = 8
	payload = 32
)

// A world is what a plan runs in.
type world struct {
	plan    Plan
	kernel  *des.Kernel
	session broker.Session
	service *crashing
	server  flows.Server
	clients []flows.Client
	log     transcript
	ops     []record // by id; the first is nobody's
	strays  int
	told    map[flows.CarryingEvent]int
	rumours []string // news that is none
	places  places   // as they come to be

	stop   context.CancelFunc
	served func(context.Context) error
	fail   error // of the server
}

func newWorld(p Plan) *world {
	w := &world{plan: p, kernel: des.New(), log: transcript{sum: fnvOffset}, ops: make([]record, p.Ops+1),
		told: make(map[flows.CarryingEvent]int)}
	w.service = &crashing{
		kernel: w.kernel, stream: des.Stream(p.Seed, "after effects"), under: make(map[*call]struct{}),
		Service: service.New(w.kernel, service.Config{
			Service: scenarios.Service{
				Instances: p.Settings.Instances, Workers: p.Settings.Workers, ErrorRate: p.Refusals,
				Time: scenarios.ServiceTime{Distribution: scenarios.Exponential, Mean: scenarios.Duration(p.Work)},
			},
			Keys: keys, PayloadBytes: payload, Seed: p.Seed, Applied: w.applied,
		}),
	}
	return w
}

// applied is told by the service of what it does.
func (w *world) applied(a results.Applied) {
	w.log.note(w.kernel, "applied", a.Op, " refused=", a.Refused, " by instance ", a.Instance)
	if a.Repeated {
		return // it was recognized, and nothing was done
	}
	if a.Op == 0 || a.Op >= uint64(len(w.ops)) {
		w.ops[0].applied = append(w.ops[0].applied, a.At)
		return
	}
	o := &w.ops[a.Op]
	o.corrupt = o.corrupt || a.Corrupt
	if a.Refused {
		o.refused++
	} else {
		o.applied = append(o.applied, a.At)
	}
}

// heard is told of news of a command that reached somebody. There can be none of
// what the service has not dealt with.
func (w *world) heard(op uint64, subscriber int) {
	w.log.note(w.kernel, "heard", op, " by subscriber ", subscriber)
	if op == 0 || op >= uint64(len(w.ops)) || len(w.ops[op].applied)+w.ops[op].refused == 0 ||
		subscriber < 0 || subscriber >= w.plan.Settings.Subscribers {
		rumour := fmt.Sprintf("at %v subscriber %d heard of operation %d", w.kernel.Now(), subscriber, op)
		w.rumours = append(w.rumours, rumour)
	}
}

// open starts the server and the clients.
func (w *world) open(ctx context.Context) error {
	p, k := w.plan, w.kernel
	onBroker, onEdge := w.schedule()
	env := flows.Env{
		Runtime: k, Service: w.service, Settings: p.Settings, Log: slog.New(slog.DiscardHandler),
		Stray: func(op uint64) {
			w.strays++
			w.log.note(k, "stray", op)
		},
		Heard: w.heard,
	}
	session, err := modelbroker.Driver(k, p.Seed, onBroker...).Open(ctx, broker.Config{
		Prefix: "t", Params: p.Params, Meter: &broker.Meter{}, Notify: w.notify, Log: env.Log,
	})
	if err != nil {
		return err
	}
	w.session = session
	env.Broker = session
	env.Edge = &surveyor{modeledge.New(k, modeledge.Config{
		Link: des.Exponential(200 * time.Microsecond), Seed: p.Seed, Faults: onEdge,
	}), w}
	flow, stored, err := w.carried()
	if err != nil {
		return err
	}
	env.Store = stored
	if w.server, err = flow.Listen(ctx, env); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	life, stop := k.WithCancel(ctx)
	w.stop = stop
	w.served = k.Go(life, func(ctx context.Context) { w.fail = w.server.Serve(ctx) })
	for id := range p.Clients {
		c, err := flow.Dial(life, env, id)
		if err != nil {
			return fmt.Errorf("dial client %d: %w", id, err)
		}
		w.clients = append(w.clients, c)
	}
	return nil
}

// notify notes what happens to connections, and which there are.
func (w *world) notify(e broker.Event) {
	if e.Kind == broker.Connected {
		w.places.conns = append(w.places.conns, e.Conn)
	}
	w.log.note(w.kernel, string(e.Kind), e.Conn)
}

// schedule sorts the faults by who brings them about.
func (w *world) schedule() (onBroker []modelbroker.Fault, onEdge []modeledge.Fault) {
	for _, f := range w.plan.Faults {
		switch f := f.(type) {
		case modelbroker.Fault:
			f.At += opening
			onBroker = append(onBroker, f)
		case modeledge.Fault:
			f.At += opening
			onEdge = append(onEdge, f)
		case Crash:
			f.At += opening
			// Whoever the crash wakes runs after all that is due at this instant, so by
			// then the connections are gone, and nothing can be told to anybody.
			w.kernel.AfterFunc(f.At-w.kernel.Now(), func() { w.service.crash(f) })
			cut := modelbroker.Fault{
				Kind: modelbroker.Cut, At: f.At, For: f.For, Conn: fmt.Sprintf("service-%d", f.Instance),
			}
			if f.Late {
				cut.At, cut.For = f.At+f.For, ms
				onBroker = append(onBroker, cut)
				continue
			}
			onBroker = append(onBroker, cut)
			onEdge = append(onEdge, modeledge.Fault{
				Kind: modeledge.Cut, At: f.At, For: f.For, Part: "service", Backend: f.Instance + 1,
			})
		}
	}
	return onBroker, onEdge
}

// opening is how long the flow has to open before operations arrive and faults
// begin.
const opening = 100 * ms

// load has the operations arrive, and returns when all have ended.
func (w *world) load(ctx context.Context) {
	k, p := w.kernel, w.plan
	_ = k.Sleep(ctx, opening-k.Now())
	arrivals, gap := des.Stream(p.Seed, "arrivals"), des.Exponential(p.Gap)
	kinds := des.Stream(p.Seed, "kinds")
	underWay := 0
	var waits []func(context.Context) error
	for id := uint64(1); id <= uint64(p.Ops); id++ {
		_ = k.Sleep(ctx, gap(arrivals))
		op := flows.NewOp(k, id, flows.Command, service.KeyName(int(id%keys)), service.NewPayload(id, payload))
		if kinds.IntN(3) == 0 {
			op = flows.NewOp(k, id, flows.Query, op.Key, nil)
		}
		op.Urgent = kinds.IntN(4) == 0
		w.ops[id].op = op
		if underWay >= p.UnderWay {
			w.ops[id].dropped = true
			continue
		}
		underWay++
		waits = append(waits, k.Go(ctx, func(ctx context.Context) {
			w.do(ctx, op)
			underWay--
		}))
	}
	for _, wait := range waits {
		_ = wait(ctx)
	}
}

// do performs an operation as the engine does.
func (w *world) do(ctx context.Context, op *flows.Op) {
	ctx, cancel := w.kernel.WithTimeout(ctx, w.plan.Settings.Timeout)
	defer cancel()
	o := &w.ops[op.ID]
	w.log.note(w.kernel, "started", op.Kind, " ", op.ID)
	op.Reach(flows.Started)
	err := w.clients[op.ID%uint64(len(w.clients))].Do(ctx, op)
	o.returned++
	o.err, o.ended = err, w.kernel.Now()
	outcome, class := flows.OutcomeOf(err)
	w.log.note(w.kernel, "ended", op.Kind, " ", op.ID, " ", outcome, " ", class, " accepted ", op.At(flows.Accepted),
		" answered ", op.At(flows.Answered))
}

// drainTime is enough for connections to come back and for all that is owed: the
// longest pause between two attempts is a second.
const drainTime = 10 * time.Second

// close waits for what is owed, and then closes everything.
func (w *world) close(ctx context.Context, drained func(context.Context)) error {
	healed := opening + faultsBegin + faultsLast
	if w.stop == nil {
		return nil
	}
	_ = w.kernel.Sleep(ctx, max(0, healed-w.kernel.Now())+drainTime)
	drained(ctx)
	var errs []error
	for _, c := range w.clients {
		errs = append(errs, c.Close())
	}
	w.stop()
	errs = append(errs, w.served(ctx), w.fail, w.session.Close(ctx))
	return errors.Join(errs...)
}

// survey opens the flow without faults to see where they could strike.
func (p Plan) survey() (places, error) {
	p.Faults = nil
	w := newWorld(p)
	var err error
	kerr := w.kernel.Run(context.Background(), func(ctx context.Context) {
		if err = w.open(ctx); err == nil {
			err = w.close(ctx, func(context.Context) {})
		}
	})
	return w.places, errors.Join(err, kerr)
}

// A surveyor is an edge that takes down where faults could strike it.
type surveyor struct {
	flows.Edge
	world *world
}

// Listen implements [flows.Edge].
func (s *surveyor) Listen(ctx context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	for i := range backends {
		s.world.places.spots = append(s.world.places.spots, modeledge.Fault{Part: name, Backend: i + 1})
	}
	return s.Edge.Listen(ctx, name, backends...)
}

// Dial implements [flows.Edge].
func (s *surveyor) Dial(ctx context.Context, name string, id int) (flows.Caller, error) {
	s.world.places.spots = append(s.world.places.spots, modeledge.Fault{Part: name, Client: id})
	return s.Edge.Dial(ctx, name, id)
}

// A transcript is everything that happens in a run, in order: as a digest, and in
// words if somebody wants to read them.
type transcript struct {
	sum   uint64
	words *strings.Builder // nil unless somebody does
}

// The constants of FNV-1a with 64 bits (Fowler, Noll, Vo 1991).
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (t *transcript) note(k *des.Kernel, what string, details ...any) {
	line := fmt.Sprintln(k.Now(), what, fmt.Sprint(details...))
	for _, b := range []byte(line) {
		t.sum = (t.sum ^ uint64(b)) * fnvPrime
	}
	if t.words != nil {
		t.words.WriteString(line)
	}
}
