package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
)

func cancelled(t *testing.T, ctx context.Context, r *rig) {
	s := subscribe(t, ctx, r.connect(t, ctx, "one"), "silent", "g")
	const wait = 20 * time.Millisecond
	begin := r.bench.Runtime.Now() // before the deadline is fixed, or the wait seems too short
	limited, stop := r.bench.Runtime.WithTimeout(ctx, wait)
	defer stop()
	_, err := s.Receive(limited)
	took := r.bench.Runtime.Now() - begin
	if !errors.Is(err, context.DeadlineExceeded) || took < wait || took > promptly {
		t.Errorf("receive returned %v after %v; want deadline exceeded after %v", err, took, wait)
	}
	ended, end := r.bench.Runtime.WithTimeout(ctx, patience)
	end()
	if _, err := s.Receive(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("receive with a cancelled context returned %v; want context canceled", err)
	}
}

// nothingSwallowed has receivers give up all the time while messages arrive.
func nothingSwallowed(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	s := subscribe(t, ctx, r.connect(t, ctx, "consumer"), "impatient", "g")
	const n = 200
	published := r.fork(ctx, func(ctx context.Context) {
		for id := uint64(1); id <= n; id++ {
			if err := pub.Publish(ctx, flows.Message{Subject: "impatient", ID: id}); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	})
	limited, cancel := r.bench.Runtime.WithTimeout(ctx, patience)
	defer cancel()
	var seen tally
	for got := 0; got < n && limited.Err() == nil; {
		short, stop := r.bench.Runtime.WithTimeout(limited, 50*time.Microsecond)
		m, err := s.Receive(short)
		stop()
		switch {
		case err == nil:
			got = seen.add(m.ID)
			if aerr := m.Ack(ctx); aerr != nil {
				t.Errorf("acknowledge: %v", aerr)
			}
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatalf("receive: %v", err)
		}
	}
	published()
	seen.wantEachOnce(t, n)
}

func fieldsSurvive(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "fields", "g")
	for _, want := range []flows.Message{
		{ID: 1},
		{ID: 2, Op: 2, Kind: flows.Query, Key: "customer-17"},
		{ID: 1<<63 + 3, Op: 3, Kind: flows.StatusOf},
		{Correlation: 4, Op: 4, Kind: flows.Event, Status: flows.Denied},
		{ID: 1<<64 - 1, Op: 1<<64 - 2, Key: "a b=c;d", Body: []byte{0, 1, 2, 255}},
		{ID: 5, Op: 6, Correlation: 7, Kind: flows.Query, Status: flows.Pending, Body: []byte("body")},
		{Op: 8, Correlation: 9, Status: flows.Denied, Body: []byte("no id")},
		{ID: 12, Op: 12, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Body: []byte("traced")},
	} {
		want.Subject = "fields"
		publish(t, ctx, c, want)
		wantFields(t, receive(t, ctx, s), want)
	}
	address, answers := inbox(t, ctx, c)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	request := flows.Message{Subject: "fields", ID: 10, Op: 11, Key: "k", Kind: flows.Query, Trace: trace}
	asked := request
	asked.ReplyTo = address
	publish(t, ctx, c, asked)
	m := receive(t, ctx, s)
	wantFields(t, m, request)
	if m.ReplyTo == "" {
		t.Fatal("the request has no return address")
	}
	want := flows.Message{
		Correlation: 10, Op: 11, Kind: flows.Query, Status: flows.Denied, Trace: trace, Body: []byte("no"),
	}
	answer := want
	answer.Subject = m.ReplyTo
	publish(t, ctx, c, answer)
	got := receive(t, ctx, answers)
	got.Subject = ""
	wantFields(t, got, want)
}

func wantFields(t *testing.T, got, want flows.Message) {
	t.Helper()
	show := func(m flows.Message) string {
		return fmt.Sprintf("subject %q id %d correlation %d op %d kind %v key %q status %v trace %q body %q error %v",
			m.Subject, m.ID, m.Correlation, m.Op, m.Kind, m.Key, m.Status, m.Trace, m.Body, m.Err)
	}
	if g, w := show(got), show(want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func bodiesSurvive(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "bodies", "g")
	address, answers := inbox(t, ctx, c)
	// send has a body make its way, as a request or as an answer.
	send := func(m flows.Message, size int, sub flows.Subscription) flows.Message {
		m.Body = make([]byte, size)
		for j := range m.Body {
			m.Body[j] = byte(j * 7)
		}
		want := bytes.Clone(m.Body)
		publish(t, ctx, c, m)
		clear(m.Body) // the publisher may use its memory again
		got := receive(t, ctx, sub)
		if !bytes.Equal(got.Body, want) {
			t.Errorf("a body of %d bytes to %s came as %d bytes, or as others", size, m.Subject, len(got.Body))
		}
		return got
	}
	for i, size := range []int{0, 1, 4096, 100 << 10} {
		id := uint64(i) + 1
		asked := send(flows.Message{Subject: "bodies", ID: id, ReplyTo: address}, size, s)
		send(flows.Message{Subject: asked.ReplyTo, Correlation: id}, size, answers)
	}
}

func toNobody(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	err := c.Publish(ctx, flows.Message{Subject: "nobody", ID: 1})
	wantError(t, "publish to nobody", err, flows.Failed, flows.NoResponders)
	s := subscribe(t, ctx, c, "somebody", "g")
	publish(t, ctx, c, flows.Message{Subject: "somebody", ID: 2})
	if m := receive(t, ctx, s); m.ID != 2 {
		t.Errorf("after a publish to nobody, message %d was received; want 2", m.ID)
	}
}

// requestToNobody accepts the news from the publish or at the inbox: brokers
// without confirms can only tell it there.
func requestToNobody(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	address, answers := inbox(t, ctx, c)
	err := c.Publish(ctx, flows.Message{Subject: "nobody", ID: 77, Op: 77, ReplyTo: address})
	if err == nil && !r.session.Traits().Has(flows.Confirms) {
		m := take(t, ctx, answers)
		if m.Correlation != 77 {
			t.Errorf("the news belongs to request %d; want 77", m.Correlation)
		}
		err = m.Err
	}
	wantError(t, "request to nobody", err, flows.Failed, flows.NoResponders)
}

func answerToNobody(t *testing.T, ctx context.Context, r *rig) {
	service, client := r.connect(t, ctx, "service"), r.connect(t, ctx, "client")
	requests := subscribe(t, ctx, service, "requests", "g")
	address, _ := inbox(t, ctx, client)
	publish(t, ctx, client, flows.Message{Subject: "requests", ID: 1, ReplyTo: address})
	m := receive(t, ctx, requests)
	r.disconnect(t, client)
	publish(t, ctx, service, flows.Message{Subject: m.ReplyTo, Correlation: 1})
	publish(t, ctx, service, flows.Message{Subject: "requests", ID: 2})
	if m := receive(t, ctx, requests); m.ID != 2 {
		t.Errorf("received message %d; want 2", m.ID)
	}
}

func closeBarrier(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	leaver, stayer := r.connect(t, ctx, "leaver"), r.connect(t, ctx, "stayer")
	leaving := subscribe(t, ctx, leaver, "barrier", "g")
	staying := subscribe(t, ctx, stayer, "barrier", "g")
	var ended error
	returned := r.fork(ctx, func(ctx context.Context) { _, ended = leaving.Receive(ctx) })
	r.disconnect(t, leaver)
	const n = 50
	for id := uint64(1); id <= n; id++ {
		publish(t, ctx, pub, flows.Message{Subject: "barrier", ID: id})
	}
	var seen tally
	for range n {
		seen.add(receive(t, ctx, staying).ID)
	}
	seen.wantEachOnce(t, n)
	if returned(); !errors.Is(ended, flows.ErrClosed) {
		t.Errorf("a receive that waited returned %v when its connection closed; want closed", ended)
	}
	if _, err := leaving.Receive(ctx); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("receive after close returned %v; want closed", err)
	}
}

func closeSubscription(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	leaving := subscribe(t, ctx, c, "left", "g")
	staying := subscribe(t, ctx, c, "left", "g")
	if err := leaving.Close(); err != nil {
		t.Fatalf("close subscription: %v", err)
	}
	if _, err := leaving.Receive(ctx); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("receive after close returned %v; want closed", err)
	}
	for id := uint64(1); id <= 20; id++ {
		publish(t, ctx, c, flows.Message{Subject: "left", ID: id})
		if m := receive(t, ctx, staying); m.ID != id {
			t.Errorf("received message %d; want %d", m.ID, id)
		}
	}
}

func closedSaysSo(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	subscribe(t, ctx, c, "said", "g")
	r.disconnect(t, c)
	if err := c.Publish(ctx, flows.Message{Subject: "said", ID: 1}); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("publish after close returned %v; want closed", err)
	}
	if _, err := c.Subscribe(ctx, "said", "g"); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("subscribe after close returned %v; want closed", err)
	}
	if _, _, err := c.Inbox(ctx); !errors.Is(err, flows.ErrClosed) {
		t.Errorf("inbox after close returned %v; want closed", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("a second close returned %v; want nil", err)
	}
}

func nothingLeft(t *testing.T, ctx context.Context, r *rig) {
	if r.bench.Leftovers == nil {
		t.Skip("the bench cannot list what is left at the broker")
	}
	c := r.connect(t, ctx, "one")
	subscribe(t, ctx, c, "left", "g")
	subscribe(t, ctx, c, "left", "")
	inbox(t, ctx, c)
	publish(t, ctx, c, flows.Message{Subject: "left", ID: 1})
	if r.session.Traits().Has(flows.Buffers) && len(r.bench.Leftovers(t, r.prefix)) == 0 {
		t.Error("the bench finds nothing at the broker while the session is open; it would miss leftovers")
	}
	if q, ok := r.session.(broker.Queues); ok {
		there := r.bench.Leftovers(t, r.prefix)
		if named := q.Queues(); len(named) == 0 || !slices.IsSorted(named) ||
			slices.ContainsFunc(named, func(name string) bool { return !slices.Contains(there, name) }) {
			t.Errorf("the session names %q, and %q is at the broker; want some of it, sorted", named, there)
		}
	}
	r.close(t, ctx)
	if left := r.bench.Leftovers(t, r.prefix); len(left) > 0 {
		t.Errorf("left at the broker: %q; want nothing", left)
	}
	again, err := r.bench.Driver.Open(ctx, r.config())
	if err != nil {
		t.Fatalf("open a session again: %v", err)
	}
	r.session = again
}
