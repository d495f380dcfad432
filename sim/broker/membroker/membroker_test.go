package membroker_test

import (
	"context"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/broker/membroker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheBrokerInThisProcessConforms(t *testing.T) {
	brokertest.Test(t, brokertest.Bench{Driver: membroker.Driver()})
}

func open(t *testing.T, queue string) flows.Conn {
	t.Helper()
	s, err := membroker.Driver().Open(t.Context(), broker.Config{
		Prefix: "t", Params: broker.Params{"queue": queue}, Meter: &broker.Meter{}, Notify: func(broker.Event) {},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("open: %v", err)
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

func TestAFullQueueRefusesAndAnAcknowledgementMakesRoom(t *testing.T) {
	c := open(t, "2")
	s, err := c.Subscribe(t.Context(), "s", "g")
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	put := func(id uint64) error { return c.Publish(t.Context(), flows.Message{Subject: "s", ID: id}) }
	for id := uint64(1); id <= 2; id++ {
		if err := put(id); err != nil {
			t.Fatalf("publish message %d: %v", id, err)
		}
	}
	refused := func(when string) {
		t.Helper()
		if o, class := flows.OutcomeOf(put(3)); o != flows.Failed || class != flows.Overloaded {
			t.Errorf("publish %s: got %v, %q; want failed, overloaded", when, o, class)
		}
	}
	refused("to a full queue")
	m, err := s.Receive(t.Context())
	if err != nil || m.ID != 1 {
		t.Fatalf("received message %d, %v; want message 1", m.ID, err)
	}
	refused("while a message is held unacknowledged")
	if err := m.Ack(t.Context()); err != nil {
		t.Fatalf("acknowledge: %v", err)
	}
	if err := m.Ack(t.Context()); err == nil {
		t.Error("a second acknowledgement returned nil; want an error")
	}
	if err := put(4); err != nil {
		t.Errorf("publish after an acknowledgement: %v", err)
	}
}

func BenchmarkRequestReply(b *testing.B) {
	s, err := membroker.Driver().Open(b.Context(), broker.Config{
		Prefix: "b", Params: membroker.Driver().Defaults(), Meter: &broker.Meter{}, Notify: func(broker.Event) {},
	})
	if err != nil {
		b.Fatal(err)
	}
	c, err := s.Connect(b.Context(), "one")
	if err != nil {
		b.Fatal(err)
	}
	requests, err := c.Subscribe(b.Context(), "r", "g")
	if err != nil {
		b.Fatal(err)
	}
	address, answers, err := c.Inbox(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := requests.Receive(ctx)
			if err != nil {
				return
			}
			_ = c.Publish(ctx, flows.Message{Subject: m.ReplyTo, Correlation: m.ID})
			_ = m.Ack(ctx)
		}
	}()
	b.ReportAllocs()
	for id := uint64(1); b.Loop(); id++ {
		if err := c.Publish(ctx, flows.Message{Subject: "r", ID: id, ReplyTo: address}); err != nil {
			b.Fatal(err)
		}
		if _, err := answers.Receive(ctx); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-done
}
