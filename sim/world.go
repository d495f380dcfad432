package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/edge"
	"flowbench/sim/edge/balance"
	"flowbench/sim/hops"
	"flowbench/sim/service"
	"flowbench/sim/store"
)

// A world is what one cell runs in.
type world struct {
	realm
	engine  *Engine
	cell    scenarios.Cell
	flow    flows.Flow
	session broker.Session   // nil for flows without a broker
	edge    *watchedEdge     // nil for flows without an edge
	stored  *store.Afflicted // nil unless payloads travel by reference
	service *service.Service
	paths   *paths // nil without faults of links
	clients []flows.Client
	hops    *hops.Recorder

	began    time.Time           // the load; zero in virtual time
	followed []results.HopRecord // of the operations that are written down one by one
	history  io.Writer           // nil unless the cell keeps one
	stop     context.CancelFunc  // ends the server and whatever lives as long
	served   func(context.Context) error
	fail     error // of the server, once served has returned

	brokerMeter broker.Meter
	edgeMeter   edge.Meter
	storeMeter  store.Meter
	storeDir    string // of the store alone; empty without one

	recorder atomic.Pointer[results.CellRecorder] // nil before the load

	mu     sync.Mutex
	origin time.Duration
	early  []results.Event // what happened before the load, on the runtime's clock

	leading leading
}

// openTime is how long the parts of a world may take to get ready.
const openTime = 10 * time.Second

// open builds the world of a cell and starts its server and clients. What it
// cannot have is an [EnvironmentError].
func (e *Engine) open(ctx context.Context, r realm, c scenarios.Cell) (*world, error) {
	w := &world{engine: e, cell: c, realm: r, stop: func() {}}
	for _, f := range e.Flows {
		if f.Spec().Name == c.Flow {
			w.flow = f
		}
	}
	if w.flow == nil {
		return nil, errors.Join(fmt.Errorf("open cell: no flow is named %q", c.Flow), w.close(ctx))
	}
	w.hops = hops.New(hops.Config{
		Runtime: w.runtime, Seed: c.SeedFor("trace/" + e.RunID + "/" + c.ID), Sample: c.SeedFor("hops"),
		Expected: int(c.Load.RatePerS * time.Duration(c.Load.Duration).Seconds()),
	})
	w.flow = flows.Carried(w.hops.Around(w.flow), w.carriage())
	// What lives as long as the world must not end with the run's context: closing
	// has an order.
	life, stop := w.runtime.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	setup, cancel := w.runtime.WithTimeout(ctx, openTime)
	defer cancel()
	if err := w.start(setup, life); err != nil {
		return nil, &EnvironmentError{errors.Join(err, w.close(ctx))}
	}
	return w, nil
}

// start brings up the parts in order. ctx bounds the starting, life is how long
// they last.
func (w *world) start(ctx, life context.Context) error {
	if places := linkedPlaces(w.cell.Faults); len(places) > 0 && !w.simulated {
		w.paths = newPaths(context.WithoutCancel(life), w.cell.SeedFor("links"), w.engine.Log, places...)
	}
	env, err := w.environment(ctx)
	if err != nil {
		return err
	}
	server, err := w.flow.Listen(ctx, env)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	w.served = w.runtime.Go(life, func(ctx context.Context) { w.fail = server.Serve(ctx) })
	for id := range w.cell.Load.Clients {
		client, err := w.flow.Dial(context.WithoutCancel(ctx), env, id)
		if err != nil {
			return fmt.Errorf("dial client %d: %w", id, err)
		}
		w.clients = append(w.clients, client)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("dial client %d: %w", id, err)
		}
	}
	return nil
}

// environment makes the world as the flow sees it.
func (w *world) environment(ctx context.Context) (flows.Env, error) {
	c, spec := w.cell, w.flow.Spec()
	w.service = service.New(w.runtime, service.Config{
		Service: c.Service, Keys: c.Keys(), PayloadBytes: c.Load.PayloadBytes, Seed: c.SeedFor("service"),
		Arrivals: c.PayloadTimes,
		Applied:  func(a results.Applied) { w.recorder.Load().Applied(a) },
		Begun:    w.hops.Begun,
	})
	env := flows.Env{
		Runtime: w.runtime,
		Service: w.service,
		Settings: flows.Settings{
			Instances: c.Service.Instances, Workers: c.Service.Workers, Timeout: time.Duration(c.Patience()),
			Polling: flows.Polling{
				Interval: time.Duration(c.Polling.Interval), Max: time.Duration(c.Polling.Max),
				Backoff: c.Polling.Backoff,
			},
			FrontEnds: c.FrontEnds.Count, Subscribers: c.Load.Subscribers, Clients: c.Load.Clients,
		},
		Log:   w.engine.Log.With("cell", c.ID),
		Stray: func(op uint64) { w.recorder.Load().Stray(op) },

		Redelivered: func(op uint64) { w.recorder.Load().Redelivered(op, w.runtime.Now()) },
		Heard:       func(op uint64, subscriber int) { w.recorder.Load().Heard(op, subscriber, w.runtime.Now()) },
	}
	if spec.Tells == flows.Watchers && c.Load.Subscribers > 0 {
		for i := range c.Load.Keys {
			env.Settings.Keys = append(env.Settings.Keys, service.KeyName(i))
		}
	}
	var err error
	if env.Store, err = w.openStore(ctx); err != nil {
		return env, err
	}
	if spec.Uses.Has(flows.UsesEdge) {
		open, err := w.edgeOf(c.Edge)
		if err != nil {
			return env, err
		}
		w.edge = &watchedEdge{Edge: open(edge.Config{
			Timeout: time.Duration(c.Patience()), MaxBody: int64(c.LargestPayload()) + bodyHeadroom,
			Socket: spec.Uses.Has(flows.UsesSocket), LeastPending: c.FrontEnds.Balancer == scenarios.LeastPending,
			ConnectionsPerClient: c.Load.ConnectionsPerClient, Dial: w.engine.Dial, Meter: &w.edgeMeter, Log: env.Log,
			Health: balance.Defaults(), Notify: w.balanced, Route: w.edgeRoute(),
		})}
		env.Edge = w.edge
	}
	if !spec.Uses.Has(flows.UsesBroker) {
		return env, nil
	}
	driver, err := w.driverOf(c.Broker)
	if err != nil {
		return env, err
	}
	w.session, err = w.engine.openSession(ctx, driver, c, &w.brokerMeter, w.brokerRoute(), w.notify)
	env.Broker = w.session
	return env, err
}

// bodyHeadroom is how much larger than its payload a body may be.
const bodyHeadroom = 64 << 10

// driverOf returns the driver of a name, and nil for no name.
func (r realm) driverOf(name string) (*broker.Driver, error) {
	if name == "" {
		return nil, nil
	}
	for i := range r.drivers {
		if r.drivers[i].Name == name {
			return &r.drivers[i], nil
		}
	}
	return nil, fmt.Errorf("open cell: no broker is named %q", name)
}

// edgeOf returns what opens the edge of a name.
func (r realm) edgeOf(name string) (func(edge.Config) flows.Edge, error) {
	for _, d := range r.edges {
		if d.Name == name {
			return d.Open, nil
		}
	}
	return nil, fmt.Errorf("open cell: no edge is named %q", name)
}

// openSession opens a session of a cell on its broker.
func (e *Engine) openSession(
	ctx context.Context, d *broker.Driver, c scenarios.Cell, m *broker.Meter, route broker.Route,
	notify func(broker.Event),
) (broker.Session, error) {
	addresses, err := e.Sources.Of(ctx, d, c.BrokerParams)
	if err != nil {
		return nil, err
	}
	s, err := d.Open(ctx, broker.Config{
		Addresses: addresses, Prefix: "fb-" + e.RunID + "-" + c.ID, Params: broker.Params(c.BrokerParams),
		Dial: e.Dial, Route: route, Meter: m, Notify: notify, Log: e.Log.With("cell", c.ID),
	})
	if err != nil {
		return nil, fmt.Errorf("open broker %s: %w", d.Name, err)
	}
	return s, nil
}

// notify records what happened to a connection of a driver.
func (w *world) notify(ev broker.Event) {
	w.event(results.Event{Kind: string(ev.Kind), Name: ev.Conn, Text: ev.Detail})
}

// event records an event that happens now.
func (w *world) event(ev results.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rec := w.recorder.Load()
	if rec == nil {
		ev.At = w.runtime.Now()
		w.early = append(w.early, ev)
		return
	}
	ev.At = w.runtime.Now() - w.origin
	rec.Event(ev)
}

// begin fixes the moment at which the load begins and makes the recorder known.
func (w *world) begin(rec *results.CellRecorder, origin time.Duration) {
	w.service.Begin(origin)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.origin = origin
	for _, ev := range w.early {
		ev.At -= origin
		rec.Event(ev)
	}
	w.early = nil
	w.recorder.Store(rec)
}

// closeTime is how long each of the three steps of closing a world may take: the
// server, the broker session, and what is left of its activities. All of them
// together stay below what somebody who pressed Ctrl-C waits for.
const closeTime = 1500 * time.Millisecond

// close ends clients, then the server, then the broker session, whatever became
// of ctx, and returns what could not be closed.
func (w *world) close(ctx context.Context) error {
	step := func() (context.Context, context.CancelFunc) {
		return w.runtime.WithTimeout(context.WithoutCancel(ctx), closeTime)
	}
	var errs []error
	for i, c := range w.clients {
		if err := c.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close client %d: %w", i, err))
		}
	}
	w.stop()
	if w.served != nil {
		ctx, cancel := step()
		if err := w.served(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close server: %w", err))
		} else if w.fail != nil {
			errs = append(errs, fmt.Errorf("serve: %w", w.fail))
		}
		cancel()
	}
	if w.session != nil {
		ctx, cancel := step()
		if err := w.session.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close broker session: %w", err))
		}
		cancel()
	}
	if w.stored != nil || w.storeDir != "" {
		ctx, cancel := step()
		errs = append(errs, w.closeStore(ctx))
		cancel()
	}
	errs = append(errs, w.join(step))
	if w.paths != nil {
		errs = append(errs, w.paths.close())
	}
	return errors.Join(errs...)
}

// join waits for the activities of the world to end.
func (w *world) join(step func() (context.Context, context.CancelFunc)) error {
	ctx, cancel := step()
	defer cancel()
	if err := w.runtime.Join(ctx); err != nil {
		return errors.New("close world: some of its activities do not end")
	}
	return nil
}

// describe returns the result of a cell with everything that is known before
// its load.
func (w *world) describe() *results.Cell {
	c, spec := w.cell, w.flow.Spec()
	r := &results.Cell{
		ID: c.ID, Of: c.Of, Repeat: c.Repeat,
		Flow: c.Flow, Broker: c.Broker, Edge: c.Edge, Payload: c.Payload, Store: c.Store,
		Summary: spec.Summary, Promise: spec.Promise.String(), Idempotent: c.Service.Idempotent,
		Load: results.Load{
			Arrivals: string(c.Load.Arrivals), RatePerS: c.Load.RatePerS, Users: c.Load.Users,
			ThinkTime: time.Duration(c.Load.ThinkTime), Clients: c.Load.Clients, CommandShare: c.Load.CommandShare,
			PayloadBytes: c.Load.PayloadBytes, MaxInFlight: c.Load.MaxInFlight, Timeout: time.Duration(c.Load.Timeout),
			Warmup: time.Duration(c.Load.Warmup), Measured: time.Duration(c.Load.Duration),
		},
		Settings: w.settings(),
		Urgency:  w.urgency(),
		Bulk:     w.bulkOf(),
		Served:   make([]int64, c.Service.Instances),
	}
	describeShape(r, c.Load)
	if n := c.Load.Subscribers; spec.Tells != flows.Nobody && n > 0 {
		r.Heard = &results.Heard{Subscribers: n}
	}
	w.describePayloads(r)
	if w.session == nil {
		return r
	}
	if !w.session.Traits().Has(flows.Redelivers) {
		r.Promise = flows.AtMostOnce.String() // a flow promises no more than its broker does
	}
	b, err := json.Marshal(w.session.Guarantees())
	if err == nil {
		err = json.Unmarshal(b, &r.Guarantees)
	}
	if err != nil {
		w.engine.Log.Error("guarantees not readable", "error", err) // strings always are
	}
	return r
}

// settings lists what the cell ran with, for people.
func (w *world) settings() map[string]string {
	c := w.cell
	s := map[string]string{
		"service":  fmt.Sprintf("%d instances × %d workers", c.Service.Instances, c.Service.Workers),
		"time":     timeText(c.Service.Time),
		"timeout":  c.Load.Timeout.String(),
		"keys":     fmt.Sprint(c.Load.Keys),
		"payload":  fmt.Sprintf("%d bytes, %s", c.Load.PayloadBytes, c.Payload),
		"clients":  fmt.Sprint(c.Load.Clients),
		"inflight": fmt.Sprintf("at most %d", c.Load.MaxInFlight),
	}
	if n := c.Load.Subscribers; n > 0 && w.flow.Spec().Tells != flows.Nobody {
		s["subscribers"] = fmt.Sprint(n)
	}
	if c.Service.ErrorRate > 0 {
		s["refused"] = fmt.Sprintf("%.3g %% of the requests", 100*c.Service.ErrorRate)
	}
	if b := c.Bulk; b != nil {
		s["bulk"] = fmt.Sprintf("%d bytes in every %d. operation, one at a time, timeout %v", b.Bytes, b.Every,
			b.Timeout)
	}
	if st := c.Service.Stall; st != nil {
		s["stall"] = fmt.Sprintf("%v every %v", st.For, st.Every)
	}
	w.describeFronts(s)
	for _, a := range w.flow.Spec().Axes {
		if a.Value == "poll" {
			s["polling"] = fmt.Sprintf("first after %v, then %.3g times longer, at most %v",
				c.Polling.Interval, c.Polling.Backoff, c.Polling.Max)
		}
	}
	var params []string
	for k, v := range c.BrokerParams {
		params = append(params, k+"="+v)
	}
	if len(params) > 0 {
		s["broker"] = strings.Join(sorted(params), ", ")
	}
	if d, err := w.driverOf(c.Broker); err == nil && d != nil {
		if started, ok := w.engine.Sources.Cluster(d, c.BrokerParams); ok {
			s["nodes"] = strings.Join(append([]string{
				fmt.Sprintf("%d, started for the run", len(started.Nodes())),
			}, started.Settings()...), ", ")
		}
	}
	return s
}

func timeText(t scenarios.ServiceTime) string {
	switch t.Distribution {
	case scenarios.Lognormal:
		return fmt.Sprintf("lognormal, mean %v, sigma %.3g", t.Mean, t.Sigma)
	case scenarios.Bimodal:
		return fmt.Sprintf("bimodal, %v, and %v for %.3g %%", t.Mean, t.SlowMean, 100*t.SlowShare)
	default:
		return fmt.Sprintf("%s, mean %v", t.Distribution, t.Mean)
	}
}
