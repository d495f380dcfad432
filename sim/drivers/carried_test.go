package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/results/check"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/drivers"
	"flowbench/sim/wire"
)

// A haul is a scenario in which large payloads travel, over real sockets.
type haul struct {
	name  string
	text  string
	judge func(t *testing.T, c *results.Cell)
}

const (
	natsAddress   = "127.0.0.1:4222"
	rabbitAddress = "127.0.0.1:5672"
)

// there reports whether a server is there. With CI=true all must be.
func there(t *testing.T, address string) bool {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = conn.Close()
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Logf("nothing is at %s: %v", address, err)
	return false
}

// brokersThere returns the brokers that carry payloads here.
func brokersThere(t *testing.T) (names []string) {
	if there(t, natsAddress) {
		names = append(names, "nats", "jetstream")
	}
	if there(t, rabbitAddress) {
		names = append(names, "rabbitmq")
	}
	return append(names, "mem")
}

// storeNames returns the names of all stores.
func storeNames() (names []string) {
	for _, d := range drivers.Stores() {
		names = append(names, d.Name)
	}
	return names
}

// TestLargePayloadsOverEveryBrokerStoreAndMode has payloads of 300 KiB travel in
// every mode, by reference over every store. Nothing goes wrong, so all must be
// well, and everything that was stored is fetched once and deleted.
func TestLargePayloadsOverEveryBrokerStoreAndMode(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	var hauls []haul
	for _, flow := range []string{
		"direct", "async-reply-to", "async-no-reply", "proxy-sync", "proxy-async", "hybrid-sync",
	} {
		for _, broker := range brokersThere(t) {
			if flow == "direct" {
				broker = ""
			}
			name := strings.TrimSuffix(flow+"/"+broker, "/")
			if slices.ContainsFunc(hauls, func(h haul) bool { return h.name == name }) {
				continue
			}
			text := fmt.Sprintf("name: haul\nflows: [%s]\n", flow)
			if broker != "" {
				text += fmt.Sprintf("brokers: [%s]\n", broker)
			}
			text += fmt.Sprintf("load: {rate_per_s: 20, clients: 2, keys: 10, command_share: 0.5, timeout: 10s}\n"+
				"history: on\npayloads: {bytes: [300KiB], modes: [inline, reference, stream], stores: [%s]}\n"+
				"warmup: 0s\nduration: 500ms\ndrain: 20s\n", strings.Join(storeNames(), ", "))
			hauls = append(hauls, haul{name, text, func(t *testing.T, c *results.Cell) { judgeCalm(t, flow, c) }})
		}
	}
	runHauls(t, hauls)
}

// judgeCalm says what must hold where nothing goes wrong.
func judgeCalm(t *testing.T, flow string, c *results.Cell) {
	t.Helper()
	a, p := c.Accounting, c.Payloads
	if c.Counts.OK == 0 || c.Counts.OK != c.Counts.Due {
		t.Errorf("%s: counts are %+v (%v); want all ok", c.ID, c.Counts, c.Why)
	}
	if a.Duplicated > 0 || a.Refused > 0 || a.OK != a.Attempted {
		t.Errorf("%s: account is %+v; want each command applied once", c.ID, a)
	}
	n := func(e flows.CarryingEvent) int64 { return p.Events[string(e)].N }
	for _, e := range []flows.CarryingEvent{flows.Orphaned, flows.Dangled, flows.Foreign, flows.Abandoned} {
		if n(e) > 0 {
			t.Errorf("%s: %d payloads are %s", c.ID, n(e), e)
		}
	}
	stored, fetched, deleted, sent := n(flows.Stored), n(flows.Fetched), n(flows.Deleted), n(flows.Sent)
	switch flows.Mode(p.Mode) {
	case flows.Inline:
		if len(p.Events) > 0 {
			t.Errorf("%s: events are %v; want none", c.ID, p.Events)
		}
	case flows.Stream:
		// Over an edge alone the chunks are the edge's own, and nobody counts them.
		if (sent > 0) == (flow == "direct") || stored > 0 {
			t.Errorf("%s: events are %v; want chunks", c.ID, p.Events)
		}
	case flows.Reference:
		if s := c.Settings["store"]; !strings.HasPrefix(s, "of the run's own; ") {
			t.Errorf("%s: the settings name the store as %q, which is another each time", c.ID, s)
		}
		// Where a command brings no answer, its payload is left to expire.
		if stored == 0 || stored != fetched || stored != deleted && flow != "async-no-reply" || sent > 0 {
			t.Errorf("%s: events are %v; want all that was stored fetched and deleted", c.ID, p.Events)
		}
	}
}

// TestLargePayloadsThroughFaults breaks stores, and the links that streams go over.
func TestLargePayloadsThroughFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	if !there(t, natsAddress) {
		t.Skip("no NATS with JetStream")
	}
	var hauls []haul
	add := func(flow, payloads, fault string, judge func(*testing.T, *results.Cell)) {
		text := fmt.Sprintf("name: haul\nflows: [%s]\n"+
			"load: {rate_per_s: 20, clients: 2, keys: 10, command_share: 0.5, timeout: 5s}\n"+
			"payloads: {bytes: [300KiB], %s, stall: 100ms, abandon: 1s}\nwarmup: 0s\nduration: 2s\ndrain: 20s\n"+
			"history: on\nfaults: [{%s, at: 300ms, for: 400ms}]\n", flow, payloads, fault)
		if flow != "direct" {
			text += "brokers: [{name: jetstream, ack_wait_ms: 1500}]\n"
		}
		hauls = append(hauls, haul{flow + "/" + payloads + "/" + fault, text, func(t *testing.T, c *results.Cell) {
			smoke{}.judge(t, c)
			if n := c.Payloads.Events[string(flows.Foreign)].N; n > 0 {
				t.Errorf("%d addresses were foreign", n)
			}
			judge(t, c)
		}})
	}
	for _, flow := range []string{"direct", "async-reply-to", "async-no-reply", "proxy-sync"} {
		for _, s := range drivers.Stores() {
			by := "modes: [reference], stores: [" + s.Name + "]"
			if s.Wired {
				add(flow, by, "what: outage, on: store", someFailed(
					flows.Refused, flows.Unreachable, flows.Disconnected, flows.Timeout, flows.Rejected))
			}
			if s.Name == "mem" || s.Name == "http" {
				add(flow, by, "what: errors, on: store, share: 100", someFailed(flows.Rejected))
				add(flow, by, "what: slow, on: store, by: 20ms", failures())
			}
		}
		for _, on := range []string{"service-broker", "client-broker"} {
			if flow == "direct" || flow == "proxy-sync" && on == "client-broker" {
				continue // there are no such links
			}
			add(flow, "modes: [stream]", "what: reset, on: "+on, failures(
				flows.Refused, flows.Unreachable, flows.Disconnected, flows.Timeout, flows.Rejected,
				flows.NoResponders))
		}
	}
	runHauls(t, hauls)
}

// failures says that nothing ends otherwise than ok or with one of the classes.
func failures(may ...flows.Class) func(*testing.T, *results.Cell) {
	return func(t *testing.T, c *results.Cell) {
		t.Helper()
		for class, n := range c.Classes {
			if !slices.Contains(may, flows.Class(class)) {
				t.Errorf("%d operations ended as %s; want none but %v", n, class, may)
			}
		}
	}
}

// someFailed says that some operations have failed for certain, since their payloads
// could not be stored, and that nothing ended otherwise than ok or with one of the
// classes.
func someFailed(may ...flows.Class) func(*testing.T, *results.Cell) {
	return func(t *testing.T, c *results.Cell) {
		t.Helper()
		failures(may...)(t, c)
		if a := c.Accounting; a.Failed == 0 || c.Counts.Failed == 0 || a.OK == 0 {
			t.Errorf("counts are %+v, the account is %+v; want some that have failed", c.Counts, a)
		}
	}
}

// runHauls runs all hauls, several at once, and judges every cell of theirs.
func runHauls(t *testing.T, hauls []haul) {
	t.Helper()
	var all sync.WaitGroup
	room := make(chan struct{}, 5)
	for _, h := range hauls {
		dir, temp, done := t.TempDir(), t.TempDir(), make(chan error, 1)
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			done <- h.run(t.Context(), dir, temp)
		})
		t.Run(h.name, func(t *testing.T) {
			t.Parallel() // it is judged when all have begun
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			r, err := results.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Cells {
				if !c.Counts.Closes() || c.Accounting.Unexpected > 0 || c.Payloads.Corrupt > 0 || !c.Drained {
					t.Errorf("%s: counts %+v, account %+v, %d corrupt, drained %v (%v)", c.ID, c.Counts, c.Accounting,
						c.Payloads.Corrupt, c.Drained, c.Why)
				}
				h.judge(t, c)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("%v is left of stores, %v", left, err)
			}
		})
	}
	all.Wait()
}

// run runs the cells of a haul.
func (h haul) run(ctx context.Context, dir, temp string) error {
	parsed, err := scenarios.Parse("haul.yaml", []byte(h.text))
	if err != nil {
		return err
	}
	p, err := parsed.Plan(everything())
	if err != nil {
		return err
	}
	run := &results.Run{Schema: results.RunSchema, Versions: map[string]string{}, Finished: true}
	for _, c := range p.Cells {
		run.CellIDs = append(run.CellIDs, c.ID)
	}
	w, err := results.Create(dir, run, nil)
	if err != nil {
		return err
	}
	e := sim.Engine{
		RunID: fmt.Sprintf("haul%x", time.Now().UnixNano()), Flows: flows.All(), Drivers: drivers.All(),
		Edges: drivers.Edges(), Stores: drivers.Stores(), TempDir: temp,
		Sources: &sim.Sources{Addresses: map[string][]string{
			"nats": {"nats://" + natsAddress}, "rabbitmq": {"amqp://guest:guest@" + rabbitAddress + "/"},
		}},
		Dial: wire.Loopback(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if err := errors.Join(e.Run(ctx, p, w), w.Close()); err != nil {
		return err
	}
	findings, err := check.Run(dir)
	for _, f := range findings {
		if len(f.Differences) > 0 {
			err = errors.Join(err, fmt.Errorf("the history says something else than the account: %v", f.Differences))
		}
	}
	return err
}
