package drivers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
	"flowbench/sim/edge"
	"flowbench/sim/edge/httpedge"
	"flowbench/sim/embedded"
	"flowbench/sim/service"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == embedded.Verb {
		os.Exit(embedded.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

const (
	rounds    = 7
	roundTime = time.Second
)

// BenchmarkReplyToOverNATS compares async-reply-to over core NATS, one operation
// in flight, with a hand-written request loop of the client library on the same
// server, in turns. Goal: a median ratio of p50 of at most 1.15.
func BenchmarkReplyToOverNATS(b *testing.B) {
	server, err := embedded.Start(b.Context(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer stop(b, server)
	flow := dialFlow(b, flows.Async{Reply: flows.ReplyTo}, flows.Env{Broker: openNATS(b, server.URL())})
	raw := dialRaw(b, server.URL())
	for range b.N {
		var ratios, ours []float64
		for range rounds {
			f, r := p50us(b, flow), p50us(b, raw)
			ratios, ours = append(ratios, f/r), append(ours, f)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(median(ours), "p50-us")
		b.ReportMetric(median(ratios), "ratio-to-raw")
	}
}

// p50us performs operations one after the other for a round and returns the
// median of their latencies.
func p50us(b *testing.B, do func() error) float64 {
	b.Helper()
	var latencies []time.Duration
	for end := time.Now().Add(roundTime); time.Now().Before(end); {
		before := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		latencies = append(latencies, time.Since(before))
	}
	slices.Sort(latencies)
	return float64(latencies[len(latencies)/2].Nanoseconds()) / 1e3
}

const (
	timeout      = 2 * time.Second
	payloadBytes = 256
)

// dialFlow brings up a flow with a service that takes no time, and returns a
// function that performs one command as the engine does.
func dialFlow(b *testing.B, flow flows.Flow, env flows.Env) func() error {
	b.Helper()
	return dialSized(b, flow, env, payloadBytes)
}

// dialSized is dialFlow for commands of a size.
func dialSized(b *testing.B, flow flows.Flow, env flows.Env, size int) func() error {
	b.Helper()
	rt := sim.NewWall()
	env.Runtime, env.Stray, env.Log = rt, func(uint64) {}, slog.New(slog.DiscardHandler)
	env.Settings = flows.Settings{Instances: 1, Workers: 1, Timeout: timeout}
	env.Service = service.New(rt, service.Config{
		Service: scenarios.Service{Instances: 1, Workers: 1}, Keys: 1, PayloadBytes: size,
		Applied: func(results.Applied) {},
	})
	ctx, cancel := context.WithCancel(b.Context())
	s, err := flow.Listen(ctx, env)
	if err != nil {
		b.Fatal(err)
	}
	served := rt.Go(ctx, func(ctx context.Context) {
		if err := s.Serve(ctx); err != nil {
			b.Error(err)
		}
	})
	client, err := flow.Dial(ctx, env, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := client.Close(); err != nil {
			b.Error(err)
		}
		cancel()
		_ = served(context.Background())
		rt.Close()
	})
	var id uint64
	return func() error {
		id++
		op := flows.NewOp(rt, id, flows.Command, service.KeyName(0), service.NewPayload(id, size))
		ctx, cancel := rt.WithTimeout(ctx, timeout)
		defer cancel()
		return client.Do(ctx, op)
	}
}

// dialRaw brings up a responder and returns a function that performs one
// request, both as the client library's own examples have it.
func dialRaw(b *testing.B, url string) func() error {
	b.Helper()
	responder, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(responder.Close)
	if _, err := responder.QueueSubscribe("raw", "services", func(m *nats.Msg) {
		if err := m.Respond(m.Data[:service.MinPayload]); err != nil {
			b.Error(err)
		}
	}); err != nil {
		b.Fatal(err)
	}
	if err := responder.Flush(); err != nil {
		b.Fatal(err)
	}
	requester, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(requester.Close)
	body := make([]byte, payloadBytes)
	return func() error {
		ctx, cancel := context.WithTimeout(b.Context(), timeout)
		defer cancel()
		_, err := requester.RequestWithContext(ctx, "raw", body)
		return err
	}
}

func openNATS(b *testing.B, url string) broker.Session {
	b.Helper()
	for _, d := range drivers.All() {
		if d.Name != "nats" {
			continue
		}
		params := broker.Params{}
		for _, p := range d.Params {
			params[p.Name] = p.Default
		}
		s, err := d.Open(b.Context(), broker.Config{
			Addresses: []string{url}, Prefix: "bench", Params: params, Dial: wire.Loopback(), Meter: &broker.Meter{},
			Notify: func(broker.Event) {}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Fatal("there is no driver for nats")
	return nil
}

func stop(b *testing.B, s *embedded.Server) {
	b.Helper()
	if err := s.Stop(context.Background()); err != nil {
		b.Error(err)
	}
}

const closedUsers = 32

// BenchmarkDirectClosed compares the direct flow under 32 users that do not
// think, through the whole engine, with 32 loops of a plain HTTP client against
// the same kind of server. Goal: a median ratio of operations per second of at
// least 0.95.
func BenchmarkDirectClosed(b *testing.B) {
	for range b.N {
		var ratios, ours []float64
		for range rounds {
			f, r := engineRate(b), plainRate(b)
			ratios, ours = append(ratios, f/r), append(ours, f)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(median(ours), "op/s")
		b.ReportMetric(median(ratios), "ratio-to-plain")
	}
}

// engineRate runs one closed cell and returns the operations per second.
func engineRate(b *testing.B) float64 {
	b.Helper()
	seconds := scenarios.Duration(time.Second)
	p := &scenarios.Plan{Scenario: "bench", Cells: []scenarios.Cell{{
		ID: "direct", Flow: "direct", Edge: "rest", Payload: "inline",
		Load: scenarios.Load{
			Arrivals: scenarios.Closed, Users: closedUsers, Clients: closedUsers, ConnectionsPerClient: 1,
			PayloadBytes: payloadBytes, Keys: 1, MaxInFlight: closedUsers, Timeout: 2 * seconds, Warmup: seconds / 2,
			Duration: 2 * seconds, Drain: 5 * seconds,
		},
		Service: scenarios.Service{Instances: 1, Workers: closedUsers},
	}}}
	return runCell(b, p).AchievedPerS()
}

// runCell runs a plan of one cell without a broker.
func runCell(b *testing.B, p *scenarios.Plan) *results.Cell {
	b.Helper()
	r := &results.Run{
		Schema: results.RunSchema, ID: "bench", CellIDs: []string{p.Cells[0].ID}, Versions: map[string]string{},
	}
	w, err := results.Create(filepath.Join(b.TempDir(), "run"), r, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	e := &sim.Engine{
		RunID: "bench", Flows: flows.All(), Edges: drivers.Edges(), Sources: &sim.Sources{},
		Dial: wire.Loopback(),
		Log:  slog.New(slog.DiscardHandler),
	}
	if err := e.Run(b.Context(), p, w); err != nil {
		b.Fatal(err)
	}
	back, err := results.ReadRoot(w.Root())
	if err != nil {
		b.Fatal(err)
	}
	if c := back.Cells[0].Counts; c.OK != c.Due {
		b.Fatalf("counts are %+v; want all ok", c)
	}
	return back.Cells[0]
}

// plainRate runs loops of net/http's client against the edge of a direct flow
// and returns the requests per second.
func plainRate(b *testing.B) float64 {
	b.Helper()
	rest := httpedge.New(edge.Config{
		Timeout: timeout, MaxBody: 1 << 20, Dial: wire.Loopback(), Meter: &edge.Meter{},
		Log: slog.New(slog.DiscardHandler),
	})
	rt := sim.NewWall()
	ctx, cancel := context.WithCancel(b.Context())
	svc := service.New(rt, service.Config{
		Service: scenarios.Service{Instances: 1, Workers: closedUsers}, Keys: 1, PayloadBytes: payloadBytes,
		Applied: func(results.Applied) {},
	})
	s, err := flows.Direct{}.Listen(ctx, flows.Env{
		Runtime: rt, Edge: rest, Service: svc,
		Settings: flows.Settings{Instances: 1, Workers: closedUsers, Timeout: timeout},
	})
	if err != nil {
		b.Fatal(err)
	}
	served := rt.Go(ctx, func(ctx context.Context) {
		if err := s.Serve(ctx); err != nil {
			b.Error(err)
		}
	})
	defer rt.Close()
	defer func() { _ = served(context.Background()) }()
	defer cancel()
	address, err := rest.Address("service")
	if err != nil {
		b.Fatal(err)
	}
	return plainLoops(b, "http://"+address+"/queries/k0")
}

func plainLoops(b *testing.B, url string) float64 {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: closedUsers, MaxConnsPerHost: closedUsers}}
	defer client.CloseIdleConnections()
	var counted atomic.Int64
	var wg sync.WaitGroup
	from := time.Now().Add(500 * time.Millisecond)
	end := from.Add(2 * time.Second)
	for range closedUsers {
		wg.Go(func() {
			for {
				before := time.Now()
				if before.After(end) {
					return
				}
				if err := get(b.Context(), client, url); err != nil {
					b.Error(err)
					return
				}
				if before.After(from) {
					counted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return float64(counted.Load()) / end.Sub(from).Seconds()
}

func get(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("X-Request-Id", "0000000000000001")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// BenchmarkStallTruth runs the scenario stall of the library and holds p95 and
// p99 against arithmetic: 100 and 180 ms. Goal: within 6 % of both.
func BenchmarkStallTruth(b *testing.B) {
	entry, err := scenarios.Find("stall")
	if err != nil {
		b.Fatal(err)
	}
	s, err := scenarios.Parse("stall.yaml", entry.Text)
	if err != nil {
		b.Fatal(err)
	}
	p, err := s.Plan(scenarios.Catalog{
		Flows: []flows.Spec{flows.Direct{}.Spec()}, Edges: []scenarios.Edge{{Name: "rest"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		h := runCell(b, p).LatencyOf(results.Query, results.AnsweredStage)
		for _, q := range []struct {
			name  string
			p     float64
			truth time.Duration
		}{{"p95", 0.95, 100 * time.Millisecond}, {"p99", 0.99, 180 * time.Millisecond}} {
			got := h.Quantile(q.p)
			b.ReportMetric(float64(got)/float64(time.Millisecond), q.name+"-ms")
			b.ReportMetric(float64(got)/float64(q.truth), q.name+"-ratio-to-truth")
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
