package link_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
	"flowbench/sim/link"
)

// TestDriversLiveThroughWhatALinkDoes connects every driver whose broker is
// there through a link, and hurts it. What drivers promise about outages is in
// brokertest; here it is that each impairment means to a real client library
// what its documentation says.
func TestDriversLiveThroughWhatALinkDoes(t *testing.T) {
	for name, address := range map[string]string{
		"nats":      brokerURL("FLOWBENCH_TEST_NATS_URL", "nats://127.0.0.1:4222"),
		"jetstream": brokerURL("FLOWBENCH_TEST_NATS_URL", "nats://127.0.0.1:4222"),
		"rabbitmq":  brokerURL("FLOWBENCH_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/"),
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal("the address of the broker is not a URL")
			}
			c, err := net.DialTimeout("tcp", u.Host, patience)
			if err != nil {
				t.Skipf("there is no broker: %v", err)
			}
			_ = c.Close() // it was only to see
			throughTrouble(t, name, address, open(t, u.Host, link.Config{Name: name}))
		})
	}
}

func brokerURL(variable, otherwise string) string {
	if u := os.Getenv(variable); u != "" {
		return u
	}
	return otherwise
}

// throughTrouble sends a message in every state of the link.
func throughTrouble(t *testing.T, name, address string, l *link.Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	events := make(chan broker.Event, 100)
	conn := connect(t, ctx, name, address, l, events)
	sub, err := conn.Subscribe(ctx, "trouble", "g")
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	if err := conn.Ready(ctx); err != nil {
		t.Fatalf("ready: %v", err)
	}
	id := uint64(0)
	passes := func(state string) time.Duration {
		t.Helper()
		id++
		began := time.Now()
		if err := conn.Publish(ctx, flows.Message{Subject: "trouble", ID: id}); err != nil {
			t.Fatalf("publish %s: %v", state, err)
		}
		arrives(t, ctx, sub, id, state)
		return time.Since(began)
	}
	passes("over a healthy link")

	const delay = 20 * time.Millisecond
	slow := arm(t, l, link.BothWays, link.Latency{Delay: delay})
	if took := passes("over a slow link"); took < 2*delay {
		t.Errorf("a message took %v; want at least %v", took, 2*delay)
	}
	must(t, slow.Heal())

	stall := arm(t, l, link.BothWays, link.Stall{})
	published := make(chan error, 1)
	id++
	go func() { published <- conn.Publish(ctx, flows.Message{Subject: "trouble", ID: id}) }()
	await(t, "the message is held", func() bool { return stall.Effect().Bytes > 0 })
	must(t, stall.Heal())
	must(t, <-published)
	arrives(t, ctx, sub, id, "after a stall")

	refuse, reset := arm(t, l, link.BothWays, link.Refuse{}), arm(t, l, link.BothWays, link.Reset{})
	happens(t, ctx, events, broker.Disconnected)
	await(t, "the client was refused", func() bool { return l.Stats().Refused > 0 })
	must(t, reset.Heal())
	must(t, refuse.Heal())
	happens(t, ctx, events, broker.Reconnected)
	if err := conn.Ready(ctx); err != nil {
		t.Fatalf("ready after the outage: %v", err)
	}
	passes("after the outage")
	for _, a := range []*link.Armed{slow, stall, refuse, reset} {
		if a.Effect().None() {
			t.Errorf("%v had no effect", a.Impairment())
		}
	}
}

// connect opens a session and a connection of a driver through a link.
func connect(
	t *testing.T, ctx context.Context, name, address string, l *link.Link, events chan<- broker.Event,
) flows.Conn {
	t.Helper()
	all := drivers.All()
	d := all[slices.IndexFunc(all, func(d broker.Driver) bool { return d.Name == name })]
	var dialer net.Dialer
	s, err := d.Open(ctx, broker.Config{
		Addresses: []string{address}, Prefix: "fblink-" + strings.ToLower(rand.Text()[:12]), Params: d.Defaults(),
		Dial: l.Dialer(dialer.DialContext), Meter: &broker.Meter{}, Log: slog.New(slog.DiscardHandler),
		Notify: func(e broker.Event) {
			select {
			case events <- e:
			default: // far more than the test waits for
			}
		},
	})
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, s.Close(ctx))
	})
	conn, err := s.Connect(ctx, "client")
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { must(t, conn.Close()) })
	return conn
}

// arrives waits for a message. Older ones may come again: the reset may have taken
// their acknowledgements with it.
func arrives(t *testing.T, ctx context.Context, sub flows.Subscription, id uint64, state string) {
	t.Helper()
	for {
		m, err := sub.Receive(ctx)
		if err != nil || m.ID > id {
			t.Fatalf("%s: received message %d, %v; want %d", state, m.ID, err, id)
		}
		if err := m.Ack(ctx); err != nil {
			t.Fatalf("%s: acknowledge: %v", state, err)
		}
		if m.ID == id {
			return
		}
	}
}

// happens waits for an event of the connection under test.
func happens(t *testing.T, ctx context.Context, events <-chan broker.Event, kind broker.EventKind) {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.Kind == kind && e.Conn == "client" {
				return
			}
		case <-ctx.Done():
			t.Fatalf("waited in vain for %q", kind)
		}
	}
}
