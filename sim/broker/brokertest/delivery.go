package brokertest

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"flowbench/flows"
)

func described(t *testing.T, ctx context.Context, r *rig) {
	if v := r.session.Version(); strings.TrimSpace(v) == "" {
		t.Error("the version is empty")
	}
	g := reflect.ValueOf(r.session.Guarantees())
	for i := range g.NumField() {
		if g.Field(i).String() == "" {
			t.Errorf("guarantee %s is empty; want a phrase, or none", g.Type().Field(i).Name)
		}
	}
	if got, want := r.session.Traits(), r.bench.Driver.Traits(r.bench.params()); got != want {
		t.Errorf("the session's traits are %v; want those of its driver, %v", got, want)
	}
	r.connect(t, ctx, "told")
}

func ordered(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "order", "g")
	const n = 200
	for id := uint64(1); id <= n; id++ {
		publish(t, ctx, c, flows.Message{Subject: "order", ID: id})
	}
	for id := uint64(1); id <= n; id++ {
		if m := receive(t, ctx, s); m.ID != id {
			t.Fatalf("received message %d; want %d", m.ID, id)
		}
	}
}

// groupShares has each member keep its first message until all have one.
func groupShares(t *testing.T, ctx context.Context, r *rig) {
	const members, n = 3, 300
	pub := r.connect(t, ctx, "publisher")
	var subs []flows.Subscription
	for i := range members {
		subs = append(subs, subscribe(t, ctx, r.connect(t, ctx, fmt.Sprintf("member-%d", i)), "shared", "g"))
	}
	receiving, cancel := r.bench.Runtime.WithTimeout(ctx, patience)
	defer cancel()
	var (
		have  atomic.Int32
		first = r.bench.Runtime.Promise() // kept when all have one
		waits []func()
		seen  tally
	)
	for i, s := range subs {
		waits = append(waits, r.fork(receiving, func(ctx context.Context) {
			m, err := s.Receive(ctx)
			if have.Add(1) == members {
				first.Keep(flows.Message{}, nil)
			}
			if err != nil {
				t.Errorf("member %d received no message at all: %v", i, err)
				return
			}
			_, _ = first.Wait(ctx) // if it does not come, what follows says so
			for ; err == nil; m, err = s.Receive(ctx) {
				if aerr := m.Ack(ctx); aerr != nil {
					t.Errorf("acknowledge: %v", aerr)
				}
				if seen.add(m.ID) == n {
					cancel()
				}
			}
		}))
	}
	// Members are at it before there is anything, or what was handed to them while a slow
	// cluster takes the rest would come again.
	for id := uint64(1); id <= n; id++ {
		publish(t, ctx, pub, flows.Message{Subject: "shared", ID: id})
	}
	for _, wait := range waits {
		wait()
	}
	seen.wantEachOnce(t, n)
}

// A tally counts how often each message was seen.
type tally struct {
	mu    sync.Mutex
	times map[uint64]int
	total int
}

// add counts a message and returns how many were counted in all.
func (s *tally) add(id uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = make(map[uint64]int)
	}
	s.times[id]++
	s.total++
	return s.total
}

func (s *tally) wantEachOnce(t *testing.T, n uint64) {
	t.Helper()
	for id := uint64(1); id <= n; id++ {
		if s.times[id] != 1 {
			t.Errorf("message %d was received %d times; want once", id, s.times[id])
		}
	}
}

func groupsApart(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	a := subscribe(t, ctx, c, "apart", "a")
	b := subscribe(t, ctx, c, "apart", "b")
	publish(t, ctx, c, flows.Message{Subject: "apart", ID: 1})
	publish(t, ctx, c, flows.Message{Subject: "apart", ID: 2})
	for _, s := range []flows.Subscription{a, b} {
		for id := uint64(1); id <= 2; id++ {
			if m := receive(t, ctx, s); m.ID != id {
				t.Errorf("received message %d; want %d", m.ID, id)
			}
		}
	}
}

func everybody(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	var subs []flows.Subscription
	for i := range 3 {
		subs = append(subs, subscribe(t, ctx, r.connect(t, ctx, fmt.Sprintf("listener-%d", i)), "events", ""))
	}
	const n = 20
	for id := uint64(1); id <= n; id++ {
		publish(t, ctx, pub, flows.Message{Subject: "events", ID: id, Body: []byte{byte(id)}})
	}
	for i, s := range subs {
		var seen tally
		for range n {
			seen.add(receive(t, ctx, s).ID)
		}
		seen.wantEachOnce(t, n)
		if t.Failed() {
			t.Fatalf("listener %d did not receive every message once", i)
		}
	}
}

func privateInbox(t *testing.T, ctx context.Context, r *rig) {
	service := r.connect(t, ctx, "service")
	requests := subscribe(t, ctx, service, "requests", "g")
	type client struct {
		conn    flows.Conn
		address string
		sub     flows.Subscription
	}
	var clients [2]client
	for i := range clients {
		clients[i].conn = r.connect(t, ctx, fmt.Sprintf("client-%d", i))
		clients[i].address, clients[i].sub = inbox(t, ctx, clients[i].conn)
	}
	for round := range uint64(5) {
		for i, c := range clients {
			id := round*10 + uint64(i) + 1
			publish(t, ctx, c.conn, flows.Message{
				Subject: "requests", ID: id, Op: id, ReplyTo: c.address, Body: []byte("ping")})
		}
		for range clients {
			m := receive(t, ctx, requests)
			publish(t, ctx, service, flows.Message{
				Subject: m.ReplyTo, Correlation: m.ID, Op: m.Op, Body: fmt.Appendf(nil, "pong %d", m.ID)})
		}
		for i, c := range clients {
			id := round*10 + uint64(i) + 1
			m := receive(t, ctx, c.sub)
			if m.Correlation != id || m.Op != id || string(m.Body) != fmt.Sprintf("pong %d", id) || m.Err != nil {
				t.Fatalf("client %d received correlation %d, operation %d, body %q, error %v; want the answer to %d",
					i, m.Correlation, m.Op, m.Body, m.Err, id)
			}
		}
	}
}

func severalInboxes(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	requests := subscribe(t, ctx, c, "requests", "g")
	a, first := inbox(t, ctx, c)
	b, second := inbox(t, ctx, c)
	publish(t, ctx, c, flows.Message{Subject: "requests", ID: 1, ReplyTo: a})
	publish(t, ctx, c, flows.Message{Subject: "requests", ID: 2, ReplyTo: b})
	for range 2 {
		m := receive(t, ctx, requests)
		publish(t, ctx, c, flows.Message{Subject: m.ReplyTo, Correlation: m.ID})
	}
	if m := receive(t, ctx, first); m.Correlation != 1 {
		t.Errorf("the first inbox received the answer to %d; want 1", m.Correlation)
	}
	if m := receive(t, ctx, second); m.Correlation != 2 {
		t.Errorf("the second inbox received the answer to %d; want 2", m.Correlation)
	}
}

func redelivered(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	doomed := r.connect(t, ctx, "doomed")
	s := subscribe(t, ctx, doomed, "again", "g")
	for id := uint64(1); id <= 6; id++ {
		publish(t, ctx, pub, flows.Message{Subject: "again", ID: id})
	}
	for id := uint64(1); id <= 4; id++ {
		m := take(t, ctx, s)
		if m.ID != id || m.Redelivered {
			t.Fatalf("received message %d, redelivered %v; want %d for the first time", m.ID, m.Redelivered, id)
		}
		if id%2 == 1 {
			if err := m.Ack(ctx); err != nil {
				t.Fatalf("acknowledge message %d: %v", id, err)
			}
		}
	}
	r.disconnect(t, doomed)
	heir := subscribe(t, ctx, r.connect(t, ctx, "heir"), "again", "g")
	again := map[uint64]bool{}
	for range 4 {
		m := receive(t, ctx, heir)
		if _, twice := again[m.ID]; twice || m.ID == 1 || m.ID == 3 {
			t.Errorf("message %d came, redelivered %v; want 2, 4, 5 and 6 once each", m.ID, m.Redelivered)
		}
		again[m.ID] = m.Redelivered
	}
	for _, id := range []uint64{2, 4} {
		if flag, ok := again[id]; !ok || !flag {
			t.Errorf("message %d came again: %v, marked as redelivered: %v; want both", id, ok, flag)
		}
	}
	for _, id := range []uint64{5, 6} {
		if _, ok := again[id]; !ok {
			t.Errorf("message %d, which nobody had received, did not come", id)
		}
	}
	fence(t, ctx, pub, heir, "again")
}

func repeated(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "repeated", "g")
	for range 3 {
		publish(t, ctx, c, flows.Message{Subject: "repeated", ID: 7})
	}
	if m := receive(t, ctx, s); m.ID != 7 {
		t.Fatalf("received message %d; want 7", m.ID)
	}
	fence(t, ctx, c, s, "repeated")
}

func buffered(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	first := r.connect(t, ctx, "first")
	subscribe(t, ctx, first, "waiting", "g")
	r.disconnect(t, first)
	for id := uint64(1); id <= 3; id++ {
		publish(t, ctx, pub, flows.Message{Subject: "waiting", ID: id})
	}
	s := subscribe(t, ctx, r.connect(t, ctx, "second"), "waiting", "g")
	for id := uint64(1); id <= 3; id++ {
		if m := receive(t, ctx, s); m.ID != id {
			t.Errorf("received message %d; want %d", m.ID, id)
		}
	}
}

// urgentOvertakes makes a backlog first and subscribes then, with a prefetch of
// one: what a subscriber holds already cannot be overtaken by anything.
func urgentOvertakes(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	first := r.connect(t, ctx, "first")
	subscribe(t, ctx, first, "urgent", "g")
	r.disconnect(t, first)
	for id := uint64(1); id <= 6; id++ {
		publish(t, ctx, pub, flows.Message{Subject: "urgent", ID: id, Urgent: id%3 == 0})
	}
	s := subscribe(t, ctx, r.connect(t, ctx, "second"), "urgent", "g")
	want := func(m flows.Message, id uint64) {
		if m.ID != id {
			t.Errorf("received message %d; want %d", m.ID, id)
		}
	}
	for _, id := range []uint64{3, 6, 1} {
		want(receive(t, ctx, s), id)
	}
	held := take(t, ctx, s)
	want(held, 2)
	publish(t, ctx, pub, flows.Message{Subject: "urgent", ID: 7})
	publish(t, ctx, pub, flows.Message{Subject: "urgent", ID: 8, Urgent: true})
	if err := held.Ack(ctx); err != nil {
		t.Fatalf("acknowledge: %v", err)
	}
	for _, id := range []uint64{8, 4, 5, 7} {
		want(receive(t, ctx, s), id)
	}
}

func backlog(t *testing.T, ctx context.Context, r *rig) {
	if _, ok, err := r.session.Backlog(ctx); !ok || err != nil {
		if err != nil {
			t.Fatalf("backlog: %v", err)
		}
		t.Skip("the broker cannot tell its backlog")
	}
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "backlog", "g")
	const n = 5
	for id := uint64(1); id <= n; id++ {
		publish(t, ctx, c, flows.Message{Subject: "backlog", ID: id})
	}
	var held []flows.Message
	for range n {
		held = append(held, take(t, ctx, s))
	}
	wantBacklog(t, ctx, r, n)
	for _, m := range held {
		if err := m.Ack(ctx); err != nil {
			t.Fatalf("acknowledge: %v", err)
		}
	}
	wantBacklog(t, ctx, r, 0)
}

// wantBacklog asks for the backlog until it is n: brokers count a little later
// than they deliver.
func wantBacklog(t *testing.T, ctx context.Context, r *rig, n int64) {
	t.Helper()
	ctx, cancel := r.bench.Runtime.WithTimeout(ctx, patience)
	defer cancel()
	for got := int64(-1); got != n; {
		var ok bool
		var err error
		if got, ok, err = r.session.Backlog(ctx); err != nil || !ok {
			t.Fatalf("backlog is %d, told %v, error %v; want %d", got, ok, err, n)
		}
	}
}

func ready(t *testing.T, ctx context.Context, r *rig) {
	pub := r.connect(t, ctx, "publisher")
	for i := range 10 {
		subject := fmt.Sprintf("ready-%d", i)
		s := subscribe(t, ctx, r.connect(t, ctx, subject), subject, "")
		publish(t, ctx, pub, flows.Message{Subject: subject, ID: 1})
		if m := receive(t, ctx, s); m.ID != 1 {
			t.Errorf("received message %d; want 1", m.ID)
		}
	}
}

func manyAtOnce(t *testing.T, ctx context.Context, r *rig) {
	const workers, clients, each = 4, 8, 50
	service := r.connect(t, ctx, "service")
	requests := subscribe(t, ctx, service, "requests", "g")
	serving, stop := r.bench.Runtime.WithTimeout(ctx, 2*patience)
	defer stop()
	var published, served []func()
	for range workers {
		served = append(served, r.fork(ctx, func(ctx context.Context) {
			for {
				m, err := requests.Receive(serving)
				if err != nil {
					return
				}
				answer := flows.Message{Subject: m.ReplyTo, Correlation: m.ID, Op: m.Op, Body: m.Body}
				if err := service.Publish(ctx, answer); err != nil {
					t.Errorf("publish answer: %v", err)
				}
				if err := m.Ack(ctx); err != nil {
					t.Errorf("acknowledge: %v", err)
				}
			}
		}))
	}
	client := r.connect(t, ctx, "client")
	address, answers := inbox(t, ctx, client)
	for i := range uint64(clients) {
		published = append(published, r.fork(ctx, func(ctx context.Context) {
			for j := range uint64(each) {
				id := i*each + j + 1
				m := flows.Message{Subject: "requests", ID: id, Op: id, ReplyTo: address, Body: fmt.Append(nil, id)}
				if err := client.Publish(ctx, m); err != nil {
					t.Errorf("publish request: %v", err)
				}
			}
		}))
	}
	var seen tally
	for range clients * each {
		m := receive(t, ctx, answers)
		if string(m.Body) != fmt.Sprint(m.Correlation) {
			t.Errorf("the answer to %d has the body %q", m.Correlation, m.Body)
		}
		seen.add(m.Correlation)
	}
	for _, wait := range published {
		wait()
	}
	stop()
	for _, wait := range served {
		wait()
	}
	seen.wantEachOnce(t, clients*each)
}

func metered(t *testing.T, ctx context.Context, r *rig) {
	c := r.connect(t, ctx, "one")
	s := subscribe(t, ctx, c, "metered", "g")
	out, in := r.meter.BytesOut.Load(), r.meter.BytesIn.Load()
	const n, size = 5, 1000
	for id := uint64(1); id <= n; id++ {
		publish(t, ctx, c, flows.Message{Subject: "metered", ID: id, Body: make([]byte, size)})
	}
	for range n {
		receive(t, ctx, s)
	}
	if got := r.meter.Published.Load(); got != n {
		t.Errorf("%d messages are counted as published; want %d", got, n)
	}
	if got := r.meter.Delivered.Load(); got != n {
		t.Errorf("%d messages are counted as delivered; want %d", got, n)
	}
	if r.bench.Driver.Server == "" {
		return
	}
	wantCount(t, ctx, "bytes written", &r.meter.BytesOut, out+n*size)
	wantCount(t, ctx, "bytes read", &r.meter.BytesIn, in+n*size)
}

// wantCount waits until a count is at least n: what was written may be received
// a moment before its writer has counted it.
func wantCount(t *testing.T, ctx context.Context, what string, count *atomic.Int64, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for count.Load() < n {
		if ctx.Err() != nil {
			t.Errorf("%d %s are counted; want at least %d", count.Load(), what, n)
			return
		}
		runtime.Gosched()
	}
}
