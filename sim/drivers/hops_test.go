package drivers_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/report/words"
	"flowbench/results"
)

// outcomes are what a history says of operations: when they ended for their clients,
// and when they were applied first.
type outcomes struct {
	of      map[uint64]results.Outcome
	applied map[uint64]time.Duration
}

func historyOf(t *testing.T, root *os.Root, cell string) outcomes {
	t.Helper()
	f, err := results.OpenHistory(root, cell)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := outcomes{make(map[uint64]results.Outcome), make(map[uint64]time.Duration)}
	_, err = results.ReadHistory(f, func(e results.HistoryEvent) {
		switch {
		case e.Outcome != nil:
			o.of[e.Outcome.Op] = *e.Outcome
		case e.Applied != nil && !e.Applied.Refused && o.applied[e.Applied.Op] == 0:
			o.applied[e.Applied.Op] = e.Applied.At
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// recordsOf reads the hops of a cell that are kept one by one.
func recordsOf(t *testing.T, root *os.Root, cell string) []results.HopRecord {
	t.Helper()
	f, err := results.OpenHops(root, cell)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []results.HopRecord
	for r, err := range f.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestHopsAddUpToTheLatency holds the hops of every flow on every kind of broker and
// edge to what clients and the service saw, operation by operation.
func TestHopsAddUpToTheLatency(t *testing.T) {
	dir := simulate(t, everyFlow(7)+"history: on\npolling: {interval: 2ms}\n")
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range run.Cells {
		told := historyOf(t, root, c.ID)
		records := recordsOf(t, root, c.ID)
		if len(records) == 0 || c.Hops.Sampled != c.Counts.Due || c.Hops.OneIn != 1 || c.Hops.Partial != 0 {
			t.Errorf("%s: %d records, hops %+v; want all of %d operations", c.ID, len(records), c.Hops, c.Counts.Due)
		}
		for _, r := range records {
			o := told.of[r.Op]
			want := map[string]time.Duration{
				"answered": o.Answered - o.Due, "applied": told.applied[r.Op] - o.Due,
				"accepted": o.Accepted - o.Due, "": o.Ended - o.Due,
			}[r.Ends]
			if r.Took != want || r.Status != o.Status {
				t.Errorf("%s, operation %d: took %v until %q, %v; want %v, %v", c.ID, r.Op, r.Took, r.Ends, r.Status,
					want, o.Status)
			}
			at := time.Duration(0)
			for _, l := range r.Legs {
				if l.Kind == results.HopUntraced || l.Kind == results.HopUnanswered && r.Status == results.OK {
					t.Errorf("%s, operation %d: %+v", c.ID, r.Op, l)
				}
				if l.Beside {
					continue
				}
				if l.At != at {
					t.Fatalf("%s, operation %d: a gap from %v to %v before %s", c.ID, r.Op, at, l.At, words.Hop(l.Hop))
				}
				at += l.For
			}
		}
		sumsMatch(t, c)
	}
}

// sumsMatch holds what is summed up of a cell to its latencies.
func sumsMatch(t *testing.T, c *results.Cell) {
	t.Helper()
	for _, k := range results.Kinds() {
		way := c.HopsOf(k)
		if way == nil {
			t.Errorf("%s: no hops of a %v", c.ID, k)
			continue
		}
		stage := results.AnsweredStage
		if way.Ends == "applied" {
			stage = results.AppliedStage
		}
		if h := c.LatencyOf(k, stage); h == nil || h.N() != way.Total.N() {
			t.Errorf("%s: hops of %d of a %v, until %s; want as many as in the latency", c.ID, way.Total.N(), k,
				way.Ends)
		}
		var sum time.Duration
		for _, h := range way.Hops {
			if !h.Beside {
				sum += h.Sum
			}
		}
		if sum != way.Sum {
			t.Errorf("%s: the hops of all of a %v are %v; want %v", c.ID, k, sum, way.Sum)
		}
	}
}

// TestWaysOfFlows says in which order operations pass which hops.
func TestWaysOfFlows(t *testing.T) {
	const (
		broker = "client → broker → service, service: wait for a worker, service: work, "
		front  = "client → front-end, front-end → broker → service, service: wait for a worker, service: work, " +
			"service → broker → front-end, front-end → client"
		direct = "client → service, service: wait for a worker, service: work, service → client"
		poll   = "client → front-end (poll), front-end → broker → service (poll), " +
			"service: wait for a worker (poll), service: work (poll), service → broker → front-end (poll), " +
			"front-end → client (poll)"
	)
	want := map[string]string{
		"direct/":                  direct,
		"proxy-sync/nats":          front,
		"proxy-sync/jetstream":     front,
		"proxy-async/nats":         "client → front-end, front-end → client, client: pause before it asks, " + poll,
		"async-reply-to/jetstream": broker + "service → broker → client",
		"async-events/nats":        broker + "service → broker → client",
		"async-no-reply/nats":      strings.TrimSuffix(broker, ", "),
		"fan-out/jetstream":        strings.TrimSuffix(broker, ", "),
		"websocket/nats":           front,
		"priority/rabbitmq":        broker + "service → broker → client",
		"hybrid-sync/nats":         front,
		"async-poll/jetstream": "client → broker: confirmed, client: pause before it asks, " +
			"client → broker → service (poll), service: wait for a worker (poll), service: work (poll), " +
			"service → broker → client (poll)",
		"proxy-async/jetstream": "client → front-end, front-end → broker: confirmed, front-end → client, " +
			"client: pause before it asks, " + poll,
	}
	run, err := results.Read(simulate(t, everyFlow(7)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		way, expected := c.HopsOf(results.Command), want[c.Flow+"/"+c.Broker]
		if expected == "" || way == nil {
			continue
		}
		var got []string
		for _, h := range way.Hops {
			if !h.Beside && h.Kind != results.HopLag && h.Kind != results.HopInside {
				got = append(got, words.Hop(h.Hop))
			}
		}
		if s := strings.Join(got, ", "); s != expected {
			t.Errorf("%s: commands go %s; want %s", c.ID, s, expected)
		}
	}
	for name := range want {
		flow, on, _ := strings.Cut(name, "/")
		if !slices.ContainsFunc(run.Cells, func(c *results.Cell) bool { return c.Flow == flow && c.Broker == on }) {
			t.Errorf("there is no cell of %s; the flows are %d", name, len(flows.All()))
		}
	}
}
