package jetstreambroker_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/broker/jetstreambroker"
	"flowbench/sim/embedded"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == embedded.Verb {
		os.Exit(embedded.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Options{Dir: t.TempDir(), JetStream: true})
	if err != nil {
		t.Fatalf("start broker: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop broker: %v", err)
		}
	})
	return s
}

// bench returns the suite's bench on a server. The wait for acknowledgements is
// short, since JetStream redelivers nothing sooner after a cut.
func bench(address, storage string) brokertest.Bench {
	return brokertest.Bench{
		Driver: jetstreambroker.Driver(), Addresses: []string{address},
		Params:    broker.Params{"storage": storage, "ack_wait_ms": "1500", "prefetch": "10"},
		Leftovers: func(t *testing.T, prefix string) []string { return streams(t, address, prefix) },
	}
}

func TestAClusterWithThreeCopiesConforms(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := embedded.StartCluster(ctx, embedded.ClusterOptions{
		Nodes: 3, Server: embedded.Options{Dir: t.TempDir(), JetStream: true},
	})
	if err != nil {
		t.Fatalf("start cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close cluster: %v", err)
		}
	})
	b := bench(c.Addresses()[0], "file")
	b.Addresses, b.Params["replicas"] = c.Addresses(), "3"
	// An acknowledgement counts when it is on the disks of two nodes, and a disk that others
	// use as well may take more than a second for that.
	b.Params["ack_wait_ms"] = "4000"
	brokertest.Test(t, b)
}

func TestCopiesNeedACluster(t *testing.T) {
	s := start(t)
	params := jetstreambroker.Driver().Defaults()
	params["replicas"] = "3"
	var d net.Dialer
	_, err := jetstreambroker.Driver().Open(t.Context(), broker.Config{
		Addresses: []string{s.URL()}, Prefix: "copies", Params: params, Dial: d.DialContext,
		Meter: &broker.Meter{}, Notify: func(broker.Event) {}, Log: slog.New(slog.DiscardHandler),
	})
	if o, c := flows.OutcomeOf(err); o != flows.Failed || c != flows.Rejected ||
		!strings.Contains(err.Error(), "in no cluster") {
		t.Errorf("open with three copies on a single server returned %v; want a refusal that says why", err)
	}
}

func streams(t *testing.T, address, prefix string) (found []string) {
	t.Helper()
	nc, err := nats.Connect(address)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatalf("open jetstream: %v", err)
	}
	names := js.StreamNames(t.Context())
	for name := range names.Name() {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	if names.Err() != nil {
		t.Fatalf("list streams: %v", names.Err())
	}
	return found
}

func TestTheEmbeddedBrokerConforms(t *testing.T) {
	s := start(t)
	for _, storage := range []string{"file", "memory"} {
		t.Run(storage, func(t *testing.T) { brokertest.Test(t, bench(s.URL(), storage)) })
	}
}

func TestAnExternalBrokerConforms(t *testing.T) {
	address := os.Getenv("FLOWBENCH_TEST_NATS_URL")
	if address == "" {
		address = "nats://127.0.0.1:4222"
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("FLOWBENCH_TEST_NATS_URL is not a URL")
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no NATS server: %v", err)
		}
		t.Skipf("no NATS server: %v", err)
	}
	_ = c.Close() // it was only to see
	brokertest.Test(t, bench(address, "file"))
}

// TestARestartedBrokerServesAsBefore covers what cutting connections cannot: a broker
// that kept its streams in memory forgets them, one with files does not.
func TestARestartedBrokerServesAsBefore(t *testing.T) {
	for _, storage := range []string{"file", "memory"} {
		t.Run(storage, func(t *testing.T) { restart(t, storage) })
	}
}

func restart(t *testing.T, storage string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	server := start(t)
	var mu sync.Mutex
	reconnected := make(map[string]chan struct{})
	for _, name := range []string{"publisher", "consumer"} {
		reconnected[name] = make(chan struct{})
	}
	params := jetstreambroker.Driver().Defaults()
	params["storage"] = storage
	var d net.Dialer
	s, err := jetstreambroker.Driver().Open(ctx, broker.Config{
		Addresses: []string{server.URL()}, Prefix: "restart", Params: params, Dial: d.DialContext,
		Meter: &broker.Meter{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Notify: func(e broker.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == broker.Reconnected && reconnected[e.Conn] != nil {
				close(reconnected[e.Conn])
				delete(reconnected, e.Conn)
			}
		},
	})
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	waits := []chan struct{}{reconnected["publisher"], reconnected["consumer"]}
	publisher, consumer := connect(t, ctx, s, "publisher"), connect(t, ctx, s, "consumer")
	sub, err := consumer.Subscribe(ctx, "s", "g")
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	if err := publisher.Publish(ctx, flows.Message{Subject: "s", ID: 1}); err != nil {
		t.Fatalf("publish: %v", err)
	}
	m, err := sub.Receive(ctx)
	if err != nil || m.ID != 1 {
		t.Fatalf("received %d, %v; want 1", m.ID, err)
	}
	if err := server.Kill(); err != nil {
		t.Fatalf("kill: %v", err)
	}
	if err := server.Restart(ctx); err != nil {
		t.Fatalf("restart: %v", err)
	}
	for _, w := range waits {
		select {
		case <-w:
		case <-ctx.Done():
			t.Fatal("not reconnected after the broker's restart")
		}
	}
	if err := m.Ack(ctx); (err != nil) != (storage == "memory") {
		t.Errorf("acknowledging a message from before the restart returned %v with storage %s", err, storage)
	}
	for id := uint64(2); id < 5; id++ {
		if err := publisher.Publish(ctx, flows.Message{Subject: "s", ID: id}); err != nil {
			t.Fatalf("publish message %d after the restart: %v", id, err)
		}
		wantNext(t, ctx, sub, id)
	}
	if err := errors.Join(publisher.Close(), consumer.Close(), s.Close(ctx)); err != nil {
		t.Errorf("close: %v", err)
	}
}

// wantNext receives until message id is there. Message 1 may come again before
// it: a broker that was killed may have forgotten that it was delivered.
func wantNext(t *testing.T, ctx context.Context, sub flows.Subscription, id uint64) {
	t.Helper()
	for {
		m, err := sub.Receive(ctx)
		if err != nil || m.ID != id && m.ID != 1 {
			t.Fatalf("received %d, %v; want %d", m.ID, err, id)
		}
		if err := m.Ack(ctx); err != nil {
			t.Fatalf("acknowledge: %v", err)
		}
		if m.ID == id {
			return
		}
	}
}

func connect(t *testing.T, ctx context.Context, s broker.Session, name string) flows.Conn {
	t.Helper()
	c, err := s.Connect(ctx, name)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return c
}
