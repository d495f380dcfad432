package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/fault"
	"flowbench/sim/link"
	"flowbench/sim/service"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

// linkedPlaces returns the places that are to have links, because a fault of the
// cell does something to them. The links between the nodes of a broker are not
// among them: they are there for as long as its cluster is.
func linkedPlaces(all []scenarios.Fault) []fault.Place {
	var places []fault.Place
	for _, f := range all {
		kind, err := fault.Find(f.What)
		if err == nil && kind.Links(harmParams(f)) && !parts(f) {
			places = append(places, spotOf(f).place)
		}
	}
	return places
}

// harmParams returns the parameters of a fault without its direction.
func harmParams(f scenarios.Fault) map[string]string {
	params := allParams(f)
	delete(params, fault.DirectionParam)
	return params
}

// allParams returns the parameters of a fault with its commands among them.
func allParams(f scenarios.Fault) map[string]string {
	params := maps.Clone(f.Params)
	for name, words := range f.Commands {
		if params == nil {
			params = make(map[string]string)
		}
		params[name] = fault.WordsText(words)
	}
	return params
}

// ProcessesOf returns the servers whose processes a plan cannot do without, with
// the number of nodes that it wants: those that a fault acts on, three if it acts
// on the one that leads or parts one from the others, and those that are asked for
// copies on several nodes.
func ProcessesOf(p *scenarios.Plan, all []broker.Driver) map[string]int {
	nodes := make(map[string]int)
	for _, c := range p.Cells {
		i := slices.IndexFunc(all, func(d broker.Driver) bool { return d.Name == c.Broker })
		if i < 0 || all[i].Source == "" {
			continue
		}
		server, n := all[i].Server, 0
		for _, f := range c.Faults {
			kind, err := fault.Find(f.What)
			switch {
			case parts(f):
				n = 3
			case err != nil || !kind.Acts(harmParams(f)):
			case kind.Leads(harmParams(f)):
				n = 3
			default:
				n = max(n, 1)
			}
		}
		if copies := broker.Params(c.BrokerParams)["replicas"]; copies != "" && copies != "1" {
			n = 3
		}
		if n > 0 {
			nodes[server] = max(nodes[server], n)
		}
	}
	return nodes
}

// checkProcesses says what is missing for the faults of a cell that do something to
// the processes of its broker.
func (e *Engine) checkProcesses(d *broker.Driver, c scenarios.Cell) error {
	for _, f := range c.Faults {
		kind, err := fault.Find(f.What)
		if err != nil || !kind.Acts(harmParams(f)) {
			continue
		}
		if _, ours := e.Sources.Cluster(d, c.BrokerParams); !ours {
			return fmt.Errorf("fault %s acts on the processes of broker %s, which were not started for this run; "+
				"start them with --broker-source %s=%s", f.What, d.Name, d.Server, sourceHint(d, 1))
		}
	}
	return nil
}

// sourceHint says how to start so many nodes of a broker.
func sourceHint(d *broker.Driver, nodes int) string { return fmt.Sprintf("%s:%d", d.Source, nodes) }

// checkModelled says which faults of a plan models do not have.
func checkModelled(p *scenarios.Plan) error {
	for _, c := range p.Cells {
		for _, f := range c.Faults {
			kind, err := fault.Find(f.What)
			if err == nil && (kind.Links(harmParams(f)) || kind.Acts(harmParams(f)) || kind.Runs()) {
				return fmt.Errorf("fault %s on %s is one of connections or processes, which a simulation does not "+
					"have; run the scenario, or take the fault out (--set faults=[])", f.What, f.On)
			}
		}
	}
	return nil
}

// spotOf returns what a fault is about.
func spotOf(f scenarios.Fault) spot {
	name, index := f.Target()
	return spot{fault.Place(name), index}
}

// entries returns the schedule of a cell's faults. Times in it count from when the
// load began, those of scenarios from when it is measured.
func entries(c scenarios.Cell) []fault.Entry {
	var all []fault.Entry
	for _, f := range c.Faults {
		// What would go on after the load is healed when it ends: whatever recovers
		// then does so without anybody to see it.
		until := min(f.At+f.For, c.Load.Duration)
		all = append(all, fault.Entry{
			At: time.Duration(c.Load.Warmup + f.At), For: time.Duration(until - f.At),
			On: f.On, What: f.What, Direction: fault.ParseDirection(f.Params[fault.DirectionParam]),
			Params: harmParams(f),
		})
	}
	return all
}

// faults works off the faults of the cell while it is loaded, and tells the
// result what became of them.
func (d *driver) faults(ctx context.Context) (err error) {
	if len(d.cell.Faults) == 0 {
		return nil
	}
	schedule, err := fault.Plan(entries(d.cell), func(string) bool { return true })
	if err != nil {
		return fmt.Errorf("plan faults: %w", err)
	}
	targets := make(map[string][]fault.Target)
	for _, f := range d.cell.Faults {
		targets[f.On] = []fault.Target{d.target(spotOf(f))}
	}
	reports, err := schedule.Run(ctx, d.runtime, d.origin, targets, d.tell)
	d.result.Faults = nil
	for i, r := range reports {
		d.result.Faults = append(d.result.Faults, results.Fault{
			What: r.What, On: r.On, Params: allParams(d.cell.Faults[i]),
			Begin: r.Begin.Before, Begun: r.Begin.After, Heal: r.End.Before, Healed: r.End.After,
			Absent: r.Effect.None() && d.absent(spotOf(d.cell.Faults[i])), Effect: r.Effect.String(),
		})
	}
	return err
}

// tell records what a schedule has done.
func (d *driver) tell(r fault.Report) {
	ev := results.Event{Kind: results.FaultBegins, Name: r.What + " on " + r.On, At: r.Begin.Before}
	if r.Ended {
		ev.Kind, ev.At, ev.Text = results.FaultEnds, r.End.Before, r.Effect.String()
		if s := spotOf(scenarios.Fault{On: r.On}); !r.Effect.None() || !d.absent(s) {
			d.recorder.FaultHealed(r.End.Before) // nothing recovers from what was not there
		}
	}
	d.recorder.Event(ev)
}

// target returns what there is at a spot to be harmed. Connections need not be
// there yet: those that are made later are harmed as well.
func (w *world) target(s spot) fault.Target {
	t := &spotTarget{world: w, spot: s}
	switch s.place {
	case fault.ServiceInstance:
		for i := range w.cell.Service.Instances {
			if s.index < 0 || s.index == i {
				t.instances = append(t.instances, i)
			}
		}
	case fault.Broker, fault.BrokerNode:
		t.cluster = w.cluster()
	}
	return t
}

// absent reports whether the world of the cell has had nothing at a spot that a
// fault could befall.
func (w *world) absent(s spot) bool {
	switch {
	case s.place == fault.ServiceInstance:
		return false
	case s.place == fault.Store: // it may be there and have no connections
		return w.stored == nil || w.paths != nil && !w.paths.has(s)
	case s.place == fault.BrokerNode, s.place == fault.Broker && w.session == nil:
		return w.session == nil
	case w.paths == nil:
		return s.place != fault.Broker
	default:
		return !w.paths.has(s)
	}
}

// A spotTarget is a part of a world: its links, the instances of the service that
// it is, and the processes of the broker.
type spotTarget struct {
	world     *world
	spot      spot
	instances []int
	cluster   Cluster
}

// Arm implements [fault.Target].
func (t *spotTarget) Arm(d link.Direction, h fault.Harm) (fault.Armed, error) {
	switch h := h.(type) {
	case link.Impairment:
		if t.spot.place == fault.BrokerNode {
			t.world.unsettle()
			return t.part(d, h)
		}
		if t.world.paths == nil {
			return nil, fmt.Errorf("%v: %s has no links", h, t.spot.place)
		}
		return t.world.paths.arm(t.spot, d, h)
	case fault.Trouble:
		if t.spot.place == fault.Store {
			return t.troubleStore(h), nil
		}
		if len(t.instances) == 0 {
			return nothingArmed{}, nil // a front end crashes by its connections alone
		}
		return t.afflict(h), nil
	case fault.Act:
		return t.act(h)
	case fault.Command:
		return t.command(h)
	default:
		return nil, fmt.Errorf("nobody knows how %v is done to %s", h, t.spot.place)
	}
}

// nothingArmed is a harm for which there is nothing.
type nothingArmed struct{}

func (nothingArmed) Heal() error          { return nil }
func (nothingArmed) Effect() fault.Effect { return fault.Effect{} }

// afflict puts a trouble on the instances.
func (t *spotTarget) afflict(h fault.Trouble) fault.Armed {
	a := &afflicted{}
	for _, i := range t.instances {
		trouble := &service.Trouble{
			Down: h.Down, CrashAfterEffect: h.CrashAfterEffect, Slow: h.Slow, Pause: h.Pause, ErrorShare: h.ErrorShare,
			ErrorEvery: h.ErrorEvery, ErrorFirst: h.ErrorFirst,
		}
		if h.CrashAfterEffect {
			trouble.Crashed = func() { a.cut(t.world.paths, spot{fault.ServiceInstance, i}) }
		}
		a.troubles = append(a.troubles, trouble)
		a.heals = append(a.heals, t.world.service.Afflict(i, trouble))
	}
	return a
}

// troubleStore puts a trouble on the store.
func (t *spotTarget) troubleStore(h fault.Trouble) fault.Armed {
	if t.world.stored == nil {
		return nothingArmed{} // payloads do not travel by reference
	}
	trouble := &store.Trouble{
		Slow: h.Slow, ErrorShare: h.ErrorShare, ErrorEvery: h.ErrorEvery, ErrorFirst: h.ErrorFirst,
	}
	return troubledStore{trouble, t.world.stored.Afflict(trouble)}
}

// troubledStore is a trouble in force on the store.
type troubledStore struct {
	trouble *store.Trouble
	heal    func()
}

// Heal implements [fault.Armed].
func (s troubledStore) Heal() error {
	s.heal()
	return nil
}

// Effect implements [fault.Armed].
func (s troubledStore) Effect() fault.Effect { return fault.Effect{Requests: s.trouble.Touched()} }

// afflicted are troubles in force.
type afflicted struct {
	troubles []*service.Trouble
	heals    []func()

	mu     sync.Mutex
	healed bool
	errs   []error
	links  []*armedPath
	cuts   sync.WaitGroup
}

// cut cuts the connections of an instance that has crashed by itself. It does not
// wait: the one that crashes is on its way.
func (a *afflicted) cut(p *paths, s spot) {
	if p == nil {
		return
	}
	a.cuts.Go(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.healed {
			return
		}
		for _, i := range []link.Impairment{link.Refuse{}, link.Reset{}} {
			armed, err := p.arm(s, link.BothWays, i)
			a.links, a.errs = append(a.links, armed), append(a.errs, err)
		}
	})
}

// Heal implements [fault.Armed].
func (a *afflicted) Heal() error {
	a.mu.Lock()
	a.healed = true
	errs := append([]error(nil), a.errs...)
	for _, armed := range a.links {
		errs = append(errs, armed.Heal())
	}
	a.mu.Unlock()
	for _, heal := range a.heals {
		heal()
	}
	a.cuts.Wait()
	return errors.Join(errs...)
}

// Effect implements [fault.Armed].
func (a *afflicted) Effect() fault.Effect {
	a.mu.Lock()
	defer a.mu.Unlock()
	var e fault.Effect
	for _, t := range a.troubles {
		e.Requests += t.Touched()
	}
	for _, armed := range a.links {
		e = e.Plus(armed.Effect())
	}
	return e
}

// cluster returns the processes of the cell's broker, if they were started here.
func (w *world) cluster() Cluster {
	if w.session == nil || w.simulated {
		return nil
	}
	d, err := w.driverOf(w.cell.Broker)
	if err != nil || d == nil {
		return nil
	}
	c, _ := w.engine.Sources.Cluster(d, w.cell.BrokerParams)
	return c
}

// restartTime is how long processes may take to serve again.
const restartTime = 60 * time.Second

// act does something to the broker's processes.
func (t *spotTarget) act(h fault.Act) (fault.Armed, error) {
	switch {
	case t.world.session == nil:
		return nothingArmed{}, nil // the flow has no broker
	case t.cluster == nil:
		return nil, fmt.Errorf("%v: broker %s was not started here", h, t.world.cell.Broker)
	}
	ctx, cancel := context.WithTimeout(context.Background(), restartTime)
	defer cancel()
	nodes := t.cluster.Nodes()
	if h.Leader {
		leader, err := t.world.leader(ctx, t.cluster)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", h, err)
		}
		nodes = nodes[leader : leader+1]
	}
	t.world.unsettle()
	a := &acted{}
	for _, n := range nodes {
		var err error
		switch h.Name {
		case fault.Freeze:
			err = n.Pause()
		case fault.Kill:
			err = n.Kill()
		default:
			err = n.Halt(ctx)
		}
		if err != nil {
			return a, fmt.Errorf("%v: %w", h, err)
		}
		a.stopped++
		a.undo = append(a.undo, func(ctx context.Context) error {
			if h.Name == fault.Freeze {
				return n.Resume()
			}
			return n.Restart(ctx)
		})
	}
	return a, nil
}

// acted is what was done to processes.
type acted struct {
	stopped int64
	undo    []func(context.Context) error
}

// Heal implements [fault.Armed]. Nodes of a cluster come up beside each other,
// since one alone may wait for the others.
func (a *acted) Heal() error {
	ctx, cancel := context.WithTimeout(context.Background(), restartTime)
	defer cancel()
	errs := make([]error, len(a.undo))
	var all sync.WaitGroup
	for i, undo := range a.undo {
		all.Go(func() { errs[i] = undo(ctx) })
	}
	all.Wait()
	var left []func(context.Context) error
	for i, err := range errs {
		if err != nil {
			left = append(left, a.undo[i])
		}
	}
	a.undo = left
	return errors.Join(errs...)
}

// Effect implements [fault.Armed].
func (a *acted) Effect() fault.Effect { return fault.Effect{Processes: a.stopped} }

// queueName returns the name that the broker has for the queue of requests.
func (w *world) queueName() string {
	q, ok := w.session.(broker.Queues)
	if !ok {
		return ""
	}
	for _, name := range q.Queues() {
		if strings.Contains(name, "requests") {
			return name
		}
	}
	return ""
}

// brokerRoute returns what the connections to the broker go through.
func (w *world) brokerRoute() wire.Route {
	if w.paths == nil {
		return nil
	}
	return w.paths.toBroker
}

// edgeRoute returns what the connections over the edge go through.
func (w *world) edgeRoute() wire.Route {
	if w.paths == nil {
		return nil
	}
	return w.paths.toEdge(w.part())
}

// part returns the name of what web clients of the flow call.
func (w *world) part() (name string, alone bool) {
	spec := w.flow.Spec()
	if spec.Uses.Has(flows.UsesBroker) && !hasAxis(spec, "path", "direct") {
		return flows.FrontEndPart, w.cell.FrontEnds.Count == 1
	}
	return "service", w.cell.Service.Instances == 1
}

func hasAxis(s flows.Spec, key, value string) bool {
	for _, a := range s.Axes {
		if a.Key == key && strings.EqualFold(a.Value, value) {
			return true
		}
	}
	return false
}
