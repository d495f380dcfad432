package modelbroker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheModelConforms(t *testing.T) {
	for i, p := range []broker.Params{
		{},
		{"link": "exponential", "dedup_ms": "60000", "prefetch": "8"},
		{"order": "urgent-first", "link": "exponential"},
		{"delivery": "at-most-once"},
		{"delivery": "at-most-once", "confirm": "none", "link": "exponential"},
		{"confirm": "none", "service": "constant", "ack_wait_ms": "60000"},
		{"link_us": "0", "service_us": "0", "link": "constant", "service": "constant"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			k := des.New()
			brokertest.Test(t, brokertest.Bench{
				Driver: modelbroker.Driver(k, uint64(i)), Params: p, Runtime: k,
				Network: func(s broker.Session) brokertest.Network { return modelbroker.NetworkOf(s) },
				Run: func(t *testing.T, body func(context.Context)) {
					if err := k.Run(t.Context(), body); err != nil {
						t.Error(err)
					}
				},
			})
		})
	}
}

// in runs body with a connection to a broker with the given parameters.
func in(t *testing.T, p broker.Params, body func(ctx context.Context, k *des.Kernel, c flows.Conn)) {
	t.Helper()
	k := des.New()
	d := modelbroker.Driver(k, 1)
	params := d.Defaults()
	for name, value := range p {
		params[name] = value
	}
	err := k.Run(t.Context(), func(ctx context.Context) {
		s, err := d.Open(ctx, broker.Config{
			Prefix: "t", Params: params, Meter: &broker.Meter{}, Notify: func(broker.Event) {},
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Connect(ctx, "one")
		if err != nil {
			t.Fatal(err)
		}
		body(ctx, k, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDelaysAreWhatWasAskedFor(t *testing.T) {
	p := broker.Params{"link_us": "100", "service_us": "10", "service": "constant"}
	in(t, p, func(ctx context.Context, k *des.Kernel, c flows.Conn) {
		sub, err := c.Subscribe(ctx, "s", "g")
		if err != nil {
			t.Fatal(err)
		}
		begin := k.Now()
		for id := range uint64(3) {
			k.Go(ctx, func(ctx context.Context) {
				if err := c.Publish(ctx, flows.Message{Subject: "s", ID: id}); err != nil {
					t.Error(err)
				}
				if took := k.Now() - begin; took != time.Duration(210+10*id)*time.Microsecond {
					t.Errorf("message %d was confirmed after %v", id, took)
				}
			})
		}
		for id := range time.Duration(3) {
			if _, err := sub.Receive(ctx); err != nil {
				t.Fatal(err)
			}
			if took := k.Now() - begin; took != (210+10*id)*time.Microsecond {
				t.Errorf("message %d was received after %v", id, took)
			}
		}
	})
}

func TestAFullQueueRefusesAndAnAcknowledgementMakesRoom(t *testing.T) {
	in(t, broker.Params{"queue": "2"}, func(ctx context.Context, k *des.Kernel, c flows.Conn) {
		sub, err := c.Subscribe(ctx, "s", "g")
		if err != nil {
			t.Fatal(err)
		}
		put := func(id uint64) error { return c.Publish(ctx, flows.Message{Subject: "s", ID: id}) }
		if err := errors.Join(put(1), put(2)); err != nil {
			t.Fatal(err)
		}
		if o, class := flows.OutcomeOf(put(3)); o != flows.Failed || class != flows.Overloaded {
			t.Errorf("publish to a full queue: got %v, %q; want failed, overloaded", o, class)
		}
		m, err := sub.Receive(ctx)
		if err != nil || m.ID != 1 || m.Ack(ctx) != nil || m.Ack(ctx) == nil {
			t.Errorf("received %d, %v; want 1, acknowledged once", m.ID, err)
		}
		if err := put(4); err != nil {
			t.Errorf("publish after an acknowledgement: %v", err)
		}
	})
}

func TestWhatIsNotAcknowledgedInTimeComesAgain(t *testing.T) {
	p := broker.Params{"ack_wait_ms": "50", "link_us": "0", "service_us": "0"}
	in(t, p, func(ctx context.Context, k *des.Kernel, c flows.Conn) {
		sub, err := c.Subscribe(ctx, "s", "g")
		if err == nil {
			err = c.Publish(ctx, flows.Message{Subject: "s", ID: 1})
		}
		if err != nil {
			t.Fatal(err)
		}
		begin := k.Now()
		first, err := sub.Receive(ctx)
		again, err2 := sub.Receive(ctx)
		if err != nil || err2 != nil || first.Redelivered || !again.Redelivered || again.ID != 1 ||
			k.Now()-begin != 50*time.Millisecond {
			t.Errorf("message %d came again after %v: %v, %v", again.ID, k.Now()-begin, err, err2)
		}
		if first.Ack(ctx) == nil {
			t.Error("an acknowledgement after the ack wait was taken")
		}
		if err := again.Ack(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestMessageIdsAreRememberedForAWhile(t *testing.T) {
	p := broker.Params{"dedup_ms": "10", "link_us": "0", "service_us": "0"}
	in(t, p, func(ctx context.Context, k *des.Kernel, c flows.Conn) {
		sub, err := c.Subscribe(ctx, "s", "g")
		if err != nil {
			t.Fatal(err)
		}
		for range 25 { // one each millisecond: the first, the eleventh and the twenty-first are stored
			if err := c.Publish(ctx, flows.Message{Subject: "s", ID: 1}); err != nil {
				t.Error(err)
			}
			_ = k.Sleep(ctx, time.Millisecond)
		}
		got := 0
		for {
			short, cancel := k.WithTimeout(ctx, time.Millisecond)
			_, err := sub.Receive(short)
			cancel()
			if err != nil {
				break
			}
			got++
		}
		if got != 3 {
			t.Errorf("the message was stored %d times; want 3", got)
		}
	})
}

func TestWhatASubscriberHeldComesBackInOrder(t *testing.T) {
	in(t, broker.Params{"prefetch": "3"}, func(ctx context.Context, _ *des.Kernel, c flows.Conn) {
		leaving, err := c.Subscribe(ctx, "s", "g")
		for id := uint64(1); id <= 5 && err == nil; id++ {
			err = c.Publish(ctx, flows.Message{Subject: "s", ID: id})
		}
		if err == nil {
			err = leaving.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		heir, err := c.Subscribe(ctx, "s", "g")
		if err != nil {
			t.Fatal(err)
		}
		for id := uint64(1); id <= 5; id++ {
			if m, err := heir.Receive(ctx); err != nil || m.ID != id || m.Ack(ctx) != nil {
				t.Errorf("received message %d, %v; want %d", m.ID, err, id)
			}
		}
	})
}
