package natsbroker_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/broker/natsbroker"
	"flowbench/sim/broker/natswire"
	"flowbench/sim/embedded"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == embedded.Verb {
		os.Exit(embedded.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

func start(t testing.TB) string {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("start broker: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop broker: %v", err)
		}
	})
	return s.URL()
}

func TestCoreNATSConforms(t *testing.T) {
	brokertest.Test(t, brokertest.Bench{Driver: natsbroker.Driver(), Addresses: []string{start(t)}})
}

func config(url string, notify func(broker.Event)) broker.Config {
	var d net.Dialer
	return broker.Config{
		Addresses: []string{url}, Prefix: "t", Dial: d.DialContext, Meter: &broker.Meter{}, Notify: notify,
		Log: slog.New(slog.DiscardHandler),
	}
}

func connect(t testing.TB, cfg broker.Config) flows.Conn {
	t.Helper()
	s, err := natsbroker.Driver().Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	c, err := s.Connect(t.Context(), "one")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func TestAConsumerThatDoesNotReceiveIsToldWhatWasDropped(t *testing.T) {
	var mu sync.Mutex
	var dropped []string
	first := make(chan struct{})
	cfg := config(start(t), func(e broker.Event) {
		if e.Kind != broker.Dropped {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if dropped = append(dropped, e.Detail); len(dropped) == 1 {
			close(first)
		}
	})
	c := connect(t, cfg)
	if _, err := c.Subscribe(t.Context(), "s", ""); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	for id := range uint64(natswire.PendingMax + 10) {
		if err := c.Publish(t.Context(), flows.Message{Subject: "s", ID: id + 1}); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case <-first:
	case <-ctx.Done():
		t.Fatal("nobody was told of dropped messages")
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.HasSuffix(dropped[0], "messages of s") {
		t.Errorf("the event says %q; want how many messages of s", dropped[0])
	}
}

// BenchmarkRequestReply compares one request in flight over the driver with a
// loop written by hand on the client library, in turns so that both see the
// same machine.
func BenchmarkRequestReply(b *testing.B) {
	url := start(b)
	driven, stopDriven := drivenLoop(b, url)
	defer stopDriven()
	raw, stopRaw := rawLoop(b, url)
	defer stopRaw()
	const turn = 200
	var viaDriver, byHand []time.Duration
	for b.Loop() {
		for range turn {
			byHand = append(byHand, timed(raw))
		}
		for range turn {
			viaDriver = append(viaDriver, timed(driven))
		}
	}
	d, h := median(viaDriver), median(byHand)
	b.ReportMetric(float64(d.Nanoseconds()), "driver-p50-ns")
	b.ReportMetric(float64(h.Nanoseconds()), "raw-p50-ns")
	b.ReportMetric(float64(d)/float64(h), "ratio-to-raw")
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func drivenLoop(b *testing.B, url string) (request func(), stop func()) {
	cfg := config(url, func(broker.Event) {})
	service, client := connect(b, cfg), connect(b, cfg)
	requests, err := service.Subscribe(b.Context(), "r", "g")
	if err != nil {
		b.Fatal(err)
	}
	address, answers, err := client.Inbox(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []flows.Conn{service, client} {
		if err := c.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			m, err := requests.Receive(ctx)
			if err != nil {
				return
			}
			answer := flows.Message{Subject: m.ReplyTo, Correlation: m.ID, Op: m.Op, Kind: m.Kind, Body: m.Body}
			_ = service.Publish(ctx, answer) // a lost answer stalls the benchmark
		}
	})
	body, id := make([]byte, 128), uint64(0)
	return func() {
			id++
			m := flows.Message{Subject: "r", ID: id, Op: id, ReplyTo: address, Body: body}
			if err := client.Publish(ctx, m); err != nil {
				b.Fatal(err)
			}
			if m, err := answers.Receive(ctx); err != nil || m.Correlation != id {
				b.Fatal(m, err)
			}
		}, func() {
			cancel()
			serving.Wait()
		}
}

func rawLoop(b *testing.B, url string) (request func(), stop func()) {
	service, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	client, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := service.Subscribe("raw", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		b.Fatal(err)
	}
	if err := service.Flush(); err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 128)
	return func() {
			if _, err := client.Request("raw", body, time.Second); err != nil {
				b.Fatal(err)
			}
		}, func() {
			client.Close()
			service.Close()
		}
}

func TestHowAnOutageIsNoticedIsAsTheParametersSay(t *testing.T) {
	cfg := config(start(t), func(broker.Event) {})
	for _, c := range []struct {
		params           broker.Params
		ping, first, top time.Duration
		out              int
	}{
		{natsbroker.Driver().Defaults(), time.Second, 50 * time.Millisecond, time.Second, 2},
		{broker.Params{
			"ping_interval_ms": "250", "max_pings_out": "5", "reconnect_min_ms": "10", "reconnect_max_ms": "70",
		}, 250 * time.Millisecond, 10 * time.Millisecond, 70 * time.Millisecond, 5},
	} {
		cfg.Params = c.params
		conn, err := natswire.Connect(t.Context(), cfg, natswire.NewSpace("t"), "one", nil)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		o := conn.NC.Opts
		first, top := o.CustomReconnectDelayCB(1), o.CustomReconnectDelayCB(30)
		if o.PingInterval != c.ping || o.MaxPingsOut != c.out || first != c.first || top != c.top {
			t.Errorf("pings every %v, %d out, reconnects after %v to %v; want %v, %d, %v to %v",
				o.PingInterval, o.MaxPingsOut, first, top, c.ping, c.out, c.first, c.top)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}
