package brokertest

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
)

func outages() []testCase {
	return []testCase{
		{name: "a broker that does not answer is an error in time", remote: true, dials: true, run: openDown},
		{name: "a refused broker is named without credentials", remote: true, dials: true, run: secretKept},
		{name: "a publish that is cut is unknown", needs: flows.Confirms, remote: true, run: cutPublish},
		{name: "a publish without a connection is not ok", remote: true, run: publishDown},
		{name: "a connection comes back by itself", remote: true, run: comesBack},
		{
			name:   "what was not acknowledged before a cut comes again",
			needs:  flows.Redelivers,
			remote: true,
			run:    cutConsumer,
		},
		{name: "a receive waits through an outage", remote: true, run: receiveThrough},
		{name: "a connection closes while the broker is away", remote: true, run: closeDown},
	}
}

func openDown(t *testing.T, ctx context.Context, r *rig) {
	r.swallow(t)
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	s, err := r.bench.Driver.Open(ctx, r.config())
	if err == nil {
		_ = s.Close(ctx) // it should not be there at all
		t.Fatal("opened a session on a broker that does not answer")
	}
	if took := time.Since(begin); took > promptly {
		t.Errorf("open took %v; want about 300ms", took)
	}
	r.down(t)
}

// secretKept plants a password and looks for it in what people get to see.
func secretKept(t *testing.T, ctx context.Context, r *rig) {
	const secret = "hunter2-planted"
	cfg := r.config()
	cfg.Addresses = nil
	for _, a := range r.bench.Addresses {
		u, err := url.Parse(a)
		if err != nil {
			t.Fatalf("parse address of the bench: %v", err)
		}
		u.User = url.UserPassword("somebody", secret)
		cfg.Addresses = append(cfg.Addresses, u.String())
	}
	r.down(t)
	_, err := r.bench.Driver.Open(ctx, cfg)
	wantError(t, "open while connections are refused", err, flows.Failed, flows.Refused)
	u, _ := url.Parse(r.bench.Addresses[0]) // parsed above
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), u.Host) {
		t.Errorf("the error is %v; want it to name %s and no credentials", err, u.Host)
	}
	cfg.Addresses = []string{"amqp://somebody:" + secret + "%zz@127.0.0.1:1"}
	if _, err := r.bench.Driver.Open(ctx, cfg); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error of a malformed address is %v; want one without credentials", err)
	}
	if s := r.events.String(); strings.Contains(s, secret) {
		t.Errorf("credentials are in the events: %s", s)
	}
}

func cutPublish(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	subscribe(t, ctx, r.connect(t, ctx, "consumer"), "cut", "g")
	publish(t, ctx, pub, flows.Message{Subject: "cut", ID: 1})
	r.swallow(t)
	const size = 64 << 10
	var err error
	published := r.fork(ctx, func(ctx context.Context) {
		err = pub.Publish(ctx, flows.Message{Subject: "cut", ID: 2, Body: make([]byte, size)})
	})
	if !r.await(ctx, func() bool { return r.network.Swallowed() >= size }) {
		t.Fatal("the message was never written")
	}
	begin := r.bench.Runtime.Now()
	r.down(t)
	published()
	wantError(t, "publish that was cut", err, flows.Undecided, flows.Disconnected)
	if !errors.Is(err, flows.ErrUnknown) {
		t.Errorf("the error is %v; want one that is ErrUnknown", err)
	}
	if took := r.bench.Runtime.Now() - begin; took > promptly {
		t.Errorf("the outcome was told %v after the cut; want it at once", took)
	}
}

func publishDown(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	subscribe(t, ctx, pub, "down", "g")
	r.down(t)
	r.awaitEvents(t, ctx, broker.Disconnected, 1, "publisher")
	ctx, cancel := r.bench.Runtime.WithTimeout(ctx, time.Second)
	defer cancel()
	begin := r.bench.Runtime.Now()
	err := pub.Publish(ctx, flows.Message{Subject: "down", ID: 1})
	wantError(t, "publish without a connection", err, flows.Failed, flows.Unreachable)
	if took := r.bench.Runtime.Now() - begin; took > promptly {
		t.Errorf("publish took %v; want at most its context's second", took)
	}
}

func comesBack(t *testing.T, ctx context.Context, r *rig) {
	service, client := r.connect(t, ctx, "service"), r.connect(t, ctx, "client")
	requests := subscribe(t, ctx, service, "requests", "g")
	events := subscribe(t, ctx, client, "events", "")
	address, answers := inbox(t, ctx, client)
	for outage := range 2 {
		r.down(t)
		r.awaitEvents(t, ctx, broker.Disconnected, outage+1, "service", "client")
		r.up(t)
		r.awaitEvents(t, ctx, broker.Reconnected, outage+1, "service", "client")
		for _, c := range []flows.Conn{service, client} {
			if err := c.Ready(ctx); err != nil {
				t.Fatalf("ready after outage %d: %v", outage, err)
			}
		}
		id := uint64(outage + 1)
		publish(t, ctx, client, flows.Message{Subject: "requests", ID: id, Op: id, ReplyTo: address})
		m := receive(t, ctx, requests)
		publish(t, ctx, service, flows.Message{Subject: m.ReplyTo, Correlation: m.ID, Op: m.Op})
		if m := receive(t, ctx, answers); m.Correlation != id || m.Err != nil {
			t.Errorf("received the answer to %d, error %v; want %d", m.Correlation, m.Err, id)
		}
		publish(t, ctx, service, flows.Message{Subject: "events", ID: id + 100})
		if m := receive(t, ctx, events); m.ID != id+100 {
			t.Errorf("received event %d; want %d", m.ID, id+100)
		}
	}
}

func cutConsumer(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "held", "g")
	publish(t, ctx, c, flows.Message{Subject: "held", ID: 1})
	publish(t, ctx, c, flows.Message{Subject: "held", ID: 2})
	for id := uint64(1); id <= 2; id++ {
		if m := take(t, ctx, s); m.ID != id {
			t.Fatalf("received message %d; want %d", m.ID, id)
		}
	}
	r.down(t)
	r.awaitEvents(t, ctx, broker.Disconnected, 1, "one")
	r.up(t)
	again := map[uint64]bool{}
	for len(again) < 2 {
		if m := receive(t, ctx, s); m.Redelivered {
			again[m.ID] = true
		}
	}
	fence(t, ctx, c, s, "held")
}

func receiveThrough(t *testing.T, ctx context.Context, r *rig) {
	c, pub := r.connect(t, ctx, "one"), r.connect(t, ctx, "publisher")
	s := subscribe(t, ctx, c, "through", "g")
	var got flows.Message
	var err error
	received := r.fork(ctx, func(ctx context.Context) { got, err = s.Receive(ctx) })
	r.down(t)
	r.awaitEvents(t, ctx, broker.Disconnected, 1, "one", "publisher")
	r.up(t)
	r.awaitEvents(t, ctx, broker.Reconnected, 1, "one", "publisher")
	if err := c.Ready(ctx); err != nil {
		t.Fatalf("ready: %v", err)
	}
	publish(t, ctx, pub, flows.Message{Subject: "through", ID: 5})
	received()
	if err != nil || got.ID != 5 {
		t.Errorf("a receive that waited through an outage got message %d, error %v; want message 5", got.ID, err)
	}
}

func closeDown(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "gone", "g")
	r.down(t)
	r.awaitEvents(t, ctx, broker.Disconnected, 1, "one")
	begin := r.bench.Runtime.Now()
	r.disconnect(t, c)
	if took := r.bench.Runtime.Now() - begin; took > promptly {
		t.Errorf("close took %v without a broker; want it to be quick", took)
	}
	if _, err := s.Receive(ctx); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("receive after close returned %v; want closed", err)
	}
}
