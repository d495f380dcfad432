package drivers_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"runtime"
	"testing"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
)

// everything is a catalog of all that there is.
func everything() scenarios.Catalog {
	var c scenarios.Catalog
	c.Faults, c.Targets = drivers.Faults()
	for _, e := range drivers.Edges() {
		c.Edges = append(c.Edges, scenarios.Edge{Name: e.Name, Sockets: e.Sockets})
	}
	for _, s := range drivers.Stores() {
		c.Stores = append(c.Stores, scenarios.Store{Name: s.Name, Wired: s.Wired})
	}
	for _, f := range flows.All() {
		c.Flows = append(c.Flows, f.Spec())
	}
	for _, d := range drivers.All() {
		b := scenarios.Broker{Name: d.Name, Traits: func(p map[string]string) flows.Traits {
			return d.Traits(broker.Params(p))
		}}
		for _, p := range d.Params {
			b.Params = append(b.Params, scenarios.Param{
				Name: p.Name, Default: p.Default, Values: p.Values, Min: p.Min, Max: p.Max,
			})
		}
		c.Brokers = append(c.Brokers, b)
	}
	return c
}

// simulate runs a scenario in virtual time and returns where its results are.
func simulate(t *testing.T, text string) string {
	t.Helper()
	s, err := scenarios.Parse("simulated.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(everything())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := &results.Run{Schema: results.RunSchema, Versions: map[string]string{}, Simulated: true, Finished: true}
	for _, c := range p.Cells {
		run.CellIDs = append(run.CellIDs, c.ID)
	}
	w, err := results.Create(dir, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	e := sim.Engine{
		RunID: "simulated", Flows: flows.All(), Models: drivers.Models, Sources: &sim.Sources{},
		Log: slog.New(slog.DiscardHandler),
	}
	if err := e.Run(t.Context(), p, w); err != nil {
		t.Fatal(err)
	}
	return dir
}

// digest returns a hash of all files below dir.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path.Join(dir, name))
		fmt.Fprintln(h, name, len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// everyFlow is a scenario with every flow and every kind of broker, shorter where tests
// are to be short.
func everyFlow(seed int) string {
	duration := "2s"
	if testing.Short() {
		duration = "400ms"
	}
	text := fmt.Sprintf("name: every-flow\nseed: %d\nbrokers: [nats, jetstream, rabbitmq]\nedges: [rest, ws]\n"+
		"load: {rate_per_s: 200, subscribers: 3, urgent_share: 0.1, keys: 20}\n"+
		"service: {error_rate: 0.02}\nwarmup: 500ms\nduration: %s\nflows:\n", seed, duration)
	for _, f := range flows.All() {
		text += "  - " + f.Spec().Name + "\n"
	}
	return text
}

func TestOneSeedGivesTheSameResultsToTheLastByte(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var digests []string
	for _, processors := range []int{1, 2, 2} {
		runtime.GOMAXPROCS(processors)
		digests = append(digests, digest(t, simulate(t, everyFlow(7))))
	}
	if digests[0] != digests[1] || digests[1] != digests[2] {
		t.Errorf("one seed gave different results: on one processor %s, on two %s and %s",
			digests[0], digests[1], digests[2])
	}
	if other := digest(t, simulate(t, everyFlow(8))); other == digests[0] {
		t.Error("another seed gave the same results")
	}
}

func TestEveryFlowKeepsItsPromiseInVirtualTime(t *testing.T) {
	r, err := results.Read(simulate(t, everyFlow(7)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Cells {
		a := c.Accounting
		if !c.Valid || !c.Counts.Closes() || c.Counts.OK == 0 || c.Counts.Unknown > 0 {
			t.Errorf("%s: valid %v (%v), counts %+v; want a valid cell without unknown outcomes",
				c.ID, c.Valid, c.Why, c.Counts)
		}
		if a.Lost > 0 || a.Duplicated > 0 || a.Unexpected > 0 || a.Phantom > 0 {
			t.Errorf("%s: account %+v; want exactly once", c.ID, a)
		}
		if c.Cost.CPUus != nil || c.Canary.N() > 0 {
			t.Errorf("%s: it tells of a machine, and there was none", c.ID)
		}
	}
}
