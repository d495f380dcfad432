package drivers_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/results/check"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/drivers"
	"flowbench/sim/fault"
	"flowbench/sim/wire"
)

// A smoke is one fault on one place of a cell that lasts a second.
type smoke struct{ what, on, params string }

// smokes returns every fault that needs no processes of its own, at a place where
// flows of the given kind have something for it to befall.
func smokes(spec flows.Spec) []smoke {
	near, far := "client-broker", "service-broker"
	if spec.Uses.Has(flows.UsesEdge) {
		near = "client-edge"
	}
	if !spec.Uses.Has(flows.UsesBroker) {
		far = "balancer-backend"
	}
	params := map[string]string{
		"latency": ", delay: 20ms", "bandwidth": ", rate: 100000", "slice": ", size: 100, pause: 1ms",
		"limit": ", size: 2000", "slow-close": ", delay: 50ms", "slow": ", by: 10ms", "error-every": ", n: 2",
		"error-first": ", n: 3",
	}
	var all []smoke
	for _, f := range fault.All() {
		if slices.Contains(f.On, fault.Place(far)) {
			all = append(all, smoke{f.Name, far, params[f.Name]})
			if f.Name == "outage" || f.Name == "reset" || f.Name == "partition" {
				all = append(all, smoke{f.Name, near, params[f.Name]})
			}
		} else if slices.Contains(f.On, fault.ServiceInstance) {
			all = append(all, smoke{f.Name, "service", params[f.Name]})
		}
	}
	return all
}

// TestEveryFlowThroughEveryFault runs each flow through each fault over real
// sockets and counts: what is asserted holds however slow the machine is.
func TestEveryFlowThroughEveryFault(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	const nats = "127.0.0.1:4222"
	if conn, err := net.DialTimeout("tcp", nats, time.Second); err == nil {
		_ = conn.Close()
	} else if os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else {
		t.Skip("no NATS with JetStream at " + nats)
	}
	// Cells mostly wait, so more of them run at once than there are processors.
	type outcome struct {
		cell *results.Cell
		err  error
	}
	var all sync.WaitGroup
	room := make(chan struct{}, 8)
	for _, f := range flows.All() {
		spec := f.Spec()
		for _, s := range smokes(spec) {
			dir, done := t.TempDir(), make(chan outcome, 1)
			all.Go(func() {
				room <- struct{}{}
				defer func() { <-room }()
				c, err := s.run(t.Context(), dir, spec.Name, "nats://"+nats)
				done <- outcome{c, err}
			})
			t.Run(spec.Name+"/"+s.what+" on "+s.on, func(t *testing.T) {
				t.Parallel() // it is judged when all have ended
				o := <-done
				// Some cells end operations well only in the 300 ms before the fault, and a
				// busy machine can stand still for longer. Alone they get the time; a flow
				// that is broken ends none then either.
				for range 3 {
					if o.err == nil && o.cell.Counts.OK == 0 {
						t.Logf("counts are %+v; it runs again", o.cell.Counts)
						o.cell, o.err = s.run(t.Context(), t.TempDir(), spec.Name, "nats://"+nats)
					}
				}
				if o.err != nil {
					t.Fatal(o.err)
				}
				s.judge(t, o.cell)
			})
		}
	}
	all.Wait()
}

// run runs the cell of a smoke and returns what happened.
func (s smoke) run(ctx context.Context, dir, flow, url string) (*results.Cell, error) {
	text := fmt.Sprintf("name: smoke\nflows: [%s]\nbrokers: [{name: jetstream, ack_wait_ms: 1000}]\n"+
		"load: {rate_per_s: 100, clients: 4, subscribers: 2, keys: 10, urgent_share: 0.2, timeout: 1s}\n"+
		"warmup: 200ms\nduration: 1s\ndrain: 20s\nhistory: on\n"+
		"faults: [{what: %s, on: %s, at: 300ms, for: 400ms%s}]\n", flow, s.what, s.on, s.params)
	parsed, err := scenarios.Parse("smoke.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	catalog := everything()
	catalog.Faults, catalog.Targets = drivers.Faults()
	p, err := parsed.Plan(catalog)
	if err != nil {
		return nil, err
	}
	w, err := results.Create(dir, &results.Run{
		Schema: results.RunSchema, Versions: map[string]string{}, CellIDs: []string{p.Cells[0].ID}, Finished: true,
	}, nil)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	e := sim.Engine{
		RunID: fmt.Sprintf("smoke%x", time.Now().UnixNano()), Flows: flows.All(), Drivers: drivers.All(),
		Edges: drivers.Edges(), Sources: &sim.Sources{Addresses: map[string][]string{"nats": {url}}},
		Dial: wire.Loopback(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if err := e.Run(ctx, p, w); err != nil {
		return nil, err
	}
	r, err := results.Read(dir)
	if err != nil {
		return nil, err
	}
	if len(r.Cells) != 1 {
		return nil, fmt.Errorf("there are %d cells; want one", len(r.Cells))
	}
	findings, err := check.Run(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		if len(f.Differences) > 0 {
			return nil, fmt.Errorf("the history says something else than the account: %v", f.Differences)
		}
	}
	return r.Cells[0], nil
}

// judge says what must hold whatever the flow and the fault are.
func (s smoke) judge(t *testing.T, c *results.Cell) {
	t.Helper()
	a := c.Accounting
	if !c.Counts.Closes() || c.Counts.OK == 0 {
		t.Errorf("counts are %+v; want them to close, and some ok", c.Counts)
	}
	if a.Unexpected > 0 || a.Phantom > 0 {
		t.Errorf("account is %+v; want nothing unexpected, and nothing applied that was told to have failed", a)
	}
	if c.Promise == flows.AtLeastOnce.String() && a.Lost > 0 && c.Drained {
		t.Errorf("%d acknowledged commands were lost; the flow promises each at least once", a.Lost)
	}
	if !c.Drained {
		t.Errorf("it was not drained: %v", c.Why)
	}
	if len(c.Faults) != 1 || c.Faults[0].Absent || c.Faults[0].Healed < c.Faults[0].Begun {
		t.Errorf("faults are %+v; want one that was brought about and healed", c.Faults)
	}
}
