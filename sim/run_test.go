package sim_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/results/check"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/broker/membroker"
	"flowbench/sim/edge"
	"flowbench/sim/edge/httpedge"
	"flowbench/sim/edge/wsedge"
	"flowbench/sim/store"
	"flowbench/sim/store/memstore"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plan makes the plan of a scenario on the brokers of this test.
func plan(t *testing.T, text string) *scenarios.Plan {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c := scenarios.Catalog{
		Edges:  []scenarios.Edge{{Name: "rest"}, {Name: "ws", Sockets: true}},
		Stores: []scenarios.Store{{Name: "mem"}},
	}
	for _, f := range flows.All() {
		c.Flows = append(c.Flows, f.Spec())
	}
	for _, d := range testDrivers() {
		b := scenarios.Broker{Name: d.Name, Traits: func(p map[string]string) flows.Traits { return d.Traits(p) }}
		for _, p := range d.Params {
			b.Params = append(
				b.Params,
				scenarios.Param{Name: p.Name, Default: p.Default, Values: p.Values, Min: p.Min, Max: p.Max},
			)
		}
		c.Brokers = append(c.Brokers, b)
	}
	p, err := s.Plan(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testDrivers are the broker in this process, and one that cannot be reached.
func testDrivers() []broker.Driver {
	mem := membroker.Driver()
	absent := mem
	absent.Name, absent.Server = "absent", "absent"
	absent.Open = func(context.Context, broker.Config) (broker.Session, error) {
		return nil, flows.Fail(flows.Refused, errors.New("dial absent://127.0.0.1: connection refused"))
	}
	return []broker.Driver{mem, absent}
}

func engine(t *testing.T) *sim.Engine {
	return &sim.Engine{
		RunID: "test", Flows: flows.All(), Drivers: testDrivers(), Stores: []store.Driver{memstore.New()},
		Edges:   []edge.Driver{httpedge.Driver(), wsedge.Driver()},
		Dial:    wire.Loopback(),
		Sources: &sim.Sources{Default: map[string]string{"absent": "absent://127.0.0.1"}},
		Log:     slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// runPlan runs a plan and reads back what was written. Every cell keeps its
// history, and what the run recorded must be what the history says.
func runPlan(ctx context.Context, t *testing.T, e *sim.Engine, p *scenarios.Plan) (*results.Run, error) {
	t.Helper()
	r := &results.Run{Schema: results.RunSchema, ID: "test", Versions: map[string]string{}}
	for i := range p.Cells {
		p.Cells[i].History = true
		r.CellIDs = append(r.CellIDs, p.Cells[i].ID)
	}
	dir := filepath.Join(t.TempDir(), "run")
	w, err := results.Create(dir, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	runErr := e.Run(ctx, p, w)
	back, err := results.ReadRoot(w.Root())
	if err != nil {
		t.Fatal(err)
	}
	findings, err := check.Run(dir)
	if err != nil && len(back.Cells) > 0 && back.Cells[0].Sweep == nil { // sweeps keep none
		t.Error(err)
	}
	for _, f := range findings {
		if len(f.Differences) > 0 {
			t.Errorf("%s is not what its history says: %s", f.Cell, strings.Join(f.Differences, "; "))
		}
	}
	return back, runErr
}

const everyFlow = `
name: test
flows:
  - async-no-reply
  - async-poll
  - async-events
  - async-reply-to
  - proxy-sync
  - proxy-async
  - direct
  - hybrid-sync
  - hybrid-async
  - fan-out
  - websocket
brokers: [mem]
load: {arrivals: poisson, rate_per_s: 200, clients: 3, subscribers: 2, keys: 20}
warmup: 200ms
duration: 800ms
service: {instances: 2, workers: 4, time: {distribution: constant, mean: 200us}}
polling: {interval: 2ms}
`

// TestEveryFlowAccountsForEveryOperation runs all flows and holds each to what
// it has: its stages, its costs, and an account without a blemish.
func TestEveryFlowAccountsForEveryOperation(t *testing.T) {
	p := plan(t, everyFlow)
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string]map[string]string{
		"async-no-reply-mem": {"command": "accepted applied", "query": "accepted answered"},
		"async-poll-mem":     {"command": "accepted applied answered", "query": "accepted answered"},
		"async-events-mem":   {"command": "accepted applied answered", "query": "accepted answered"},
		"async-reply-to-mem": {"command": "accepted applied answered", "query": "accepted answered"},
		"hybrid-sync-mem":    {"command": "applied answered", "query": "answered"},
		"hybrid-async-mem":   {"command": "accepted applied answered", "query": "answered"},
		"proxy-sync-mem":     {"command": "applied answered", "query": "answered"},
		"proxy-async-mem":    {"command": "accepted applied answered", "query": "answered"},
		"direct":             {"command": "applied answered", "query": "answered"},
		"fan-out-mem":        {"command": "accepted applied", "query": "accepted answered"},
		"websocket-mem":      {"command": "accepted applied answered", "query": "answered"},
	}
	if len(run.Cells) != len(stages) {
		t.Fatalf("%d cells; want %d", len(run.Cells), len(stages))
	}
	for _, c := range run.Cells {
		t.Run(c.ID, func(t *testing.T) {
			if c.Counts.Due+c.WarmupOps.Due != 200 || c.Counts.OK != c.Counts.Due {
				t.Errorf("counts are %+v after %+v; want 200 operations, all ok", c.Counts, c.WarmupOps)
			}
			a := c.Accounting
			n := a.Attempted
			want := results.Accounting{Attempted: n, Acknowledged: n, Applied: n, OK: n}
			if strings.Contains(stages[c.ID]["command"], "accepted") {
				// Competing consumers promise no order among commands whose clients were told
				// before the work was done. Where clients wait for the work, none may be reordered.
				want.Reordered = a.Reordered
			}
			if a != want || a.Attempted == 0 {
				t.Errorf("account is %+v; want every command acknowledged and applied once", a)
			}
			if !c.Finished || !c.Drained {
				t.Errorf("finished %v, drained %v; want both", c.Finished, c.Drained)
			}
			for kind, want := range stages[c.ID] {
				if got := stagesOf(c, kind); got != want {
					t.Errorf("%s has the stages %q; want %q", kind, got, want)
				}
			}
			usesBroker, usesHTTP := c.Broker != "", !strings.HasPrefix(c.Flow, "async-") && c.Flow != "fan-out"
			if (c.Cost.BrokerMsgs != nil) != usesBroker || (c.Cost.HTTPRequests != nil) != usesHTTP {
				t.Errorf("costs are %+v; want those of the parts that the flow uses", c.Cost)
			}
			if c.Served[0] == 0 || c.Served[1] == 0 {
				t.Errorf("instances served %v; want both to have had work", c.Served)
			}
		})
	}
}

func stagesOf(c *results.Cell, kind string) string {
	var s string
	for _, st := range results.Stages() {
		if h := c.Latency[kind][st.String()]; h != nil {
			s += " " + st.String()
		}
	}
	return s[min(1, len(s)):]
}

func TestWhatTheServiceRefusesHasFailedAndWasNotApplied(t *testing.T) {
	p := plan(t, everyFlow)
	for i := range p.Cells {
		p.Cells[i].Service.ErrorRate = 0.2
	}
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		if n := c.Classes["rejected"]; n == 0 || n != c.Counts.Failed || c.Counts.OK+n != c.Counts.Due {
			t.Errorf("%s: classes %v, counts %+v; want some rejected and the others ok", c.ID, c.Classes, c.Counts)
		}
		if a := c.Accounting; a.Phantom+a.Lost+a.Unexpected != 0 || a.Applied >= a.Attempted {
			t.Errorf("%s: account is %+v; want refused commands neither applied nor lost", c.ID, a)
		}
	}
}

// TestReadsAfterWrites lets one client write and read one key of a slow service:
// after "accepted" it must now and then see the state before its command, and
// after the result never.
func TestReadsAfterWrites(t *testing.T) {
	p := plan(t, `
name: test
flows: [async-no-reply, proxy-async, direct]
brokers: [mem]
load: {arrivals: poisson, rate_per_s: 200, clients: 1, keys: 1}
warmup: 0s
duration: 1s
service: {instances: 1, workers: 50, time: {distribution: exponential, mean: 20ms}}
polling: {interval: 5ms}
`)
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		a, b := c.Stale.Accepted, c.Stale.Answered
		if c.Flow == "direct" {
			if a.Commands+a.Reads != 0 || b.Commands == 0 {
				t.Errorf("direct: %+v; want nothing accepted and all answered", c.Stale)
			}
		} else if a.Early == 0 || a.Early > a.Commands || a.Stale == 0 || a.Stale > a.Reads || a.Lag.N() != a.Early {
			t.Errorf("%s: after accepted %+v; want early commands and stale reads", c.Flow, a)
		}
		if b.Early+b.Stale != 0 {
			t.Errorf("%s: after answered %+v; want nothing stale", c.Flow, b)
		}
		if c.Flow != "async-no-reply" && b.Reads == 0 {
			t.Errorf("%s: no read was looked at after an answer", c.Flow)
		}
	}
}

func TestMoreThanMayBeInFlightIsDroppedAndSpoilsTheCell(t *testing.T) {
	p := plan(t, `
name: test
flows: [async-reply-to]
brokers: [mem]
load: {arrivals: constant, rate_per_s: 500, max_in_flight: 5, clients: 2}
warmup: 0s
duration: 500ms
service: {instances: 1, workers: 1, time: {distribution: constant, mean: 40ms}}
`)
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	c := run.Cells[0]
	if c.Counts.Dropped == 0 || !c.Counts.Closes() || c.Counts.Due != 250 {
		t.Errorf("counts are %+v; want 250 due, some of them dropped, and a closing sum", c.Counts)
	}
	if c.Valid {
		t.Error("the cell is valid although operations were dropped")
	}
}

func TestClosedUsersWaitForTheirAnswers(t *testing.T) {
	p := plan(t, `
name: test
flows: [async-reply-to, direct]
brokers: [mem]
load: {arrivals: closed, users: 4, think_time: 1ms, clients: 2}
warmup: 100ms
duration: 400ms
service: {instances: 1, workers: 8, time: {distribution: constant, mean: 1ms}}
`)
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		// Four users can do at most one operation each in two milliseconds.
		if limit := int64(4 * 400 / 2); c.Counts.OK == 0 || c.Counts.OK > limit || !c.Counts.Closes() {
			t.Errorf("%s: counts are %+v; want some ok and at most %d", c.ID, c.Counts, limit)
		}
		if a := c.Accounting; a.Lost+a.Duplicated+a.Unexpected != 0 {
			t.Errorf("%s: account is %+v; want it clean", c.ID, a)
		}
	}
}

func TestAnInterruptedRunCanBeReadAndLeavesNothingRunning(t *testing.T) {
	e := engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.Progress = func(p sim.Progress) {
		if p.Phase == sim.Measured {
			cancel()
		}
	}
	run, err := runPlan(ctx, t, e, plan(t, everyFlow))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v; want the context's error", err)
	}
	if len(run.Cells) != 1 || run.Cells[0].Finished || run.Cells[0].Valid || run.Sound() {
		t.Fatalf("%d cells, sound %v; want one unfinished cell", len(run.Cells), run.Sound())
	}
	if c := run.Cells[0]; !c.Counts.Closes() || c.Counts.Due+c.WarmupOps.Due == 0 {
		t.Errorf("counts are %+v; want those of the operations that were due until then", c.Counts)
	}
}

func TestABrokerThatIsNotThereIsFoundBeforeTheRun(t *testing.T) {
	p := plan(t, "name: test\nflows: [proxy-sync]\nbrokers: [mem, absent]\n")
	err := engine(t).Check(t.Context(), p)
	var env *sim.EnvironmentError
	if !errors.As(err, &env) {
		t.Fatalf("got %v; want an environment error", err)
	}
}

// TestTheSameSeedMeansTheSameWork runs a plan twice and compares what was asked
// for, which must not depend on how long anything took.
func TestTheSameSeedMeansTheSameWork(t *testing.T) {
	work := func(seed int) string {
		p := plan(t, everyFlow+fmt.Sprintf("seed: %d\n", seed))
		var s string
		for i := range uint64(100) {
			kind, key := p.Cells[0].Operation(i)
			s += fmt.Sprint(kind, key, " ")
		}
		schedule := p.Cells[0].Load.Schedule(p.Cells[0].Seed)
		for at, ok := schedule.Next(); ok; at, ok = schedule.Next() {
			s += at.Round(time.Nanosecond).String()
		}
		return s
	}
	if once, again := work(1), work(1); once != again {
		t.Error("one seed gave two kinds of work")
	}
	if work(1) == work(2) {
		t.Error("two seeds gave the same work")
	}
}
