// Package brokertest checks that a broker driver keeps the contract of package
// broker and of the ports in package flows.
//
// A driver's test fills in a [Bench] and calls [Test]; there is nothing else to
// write. Every case opens a session of its own under a prefix of its own, so
// cases neither meet each other nor what else lives at the broker. The driver's
// traits decide which cases apply; one that does not is skipped and says which
// trait it wanted.
//
// The outage cases break the network between the driver and its broker with a
// [Cutter]. That is what the contract is about: whatever happens to a
// connection, nothing hangs, nothing is called ok that is not, nothing is
// called failed that may have happened, and everything works again by itself.
package brokertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim"
	"flowbench/sim/broker"
)

// A Bench is a driver on the test bench.
type Bench struct {
	Driver    broker.Driver
	Addresses []string      // of a broker that runs; empty for one in this process
	Params    broker.Params // those that differ from the defaults

	// Leftovers returns the names of what exists at the broker under the
	// prefix. Without it, nobody checks that sessions clean up.
	Leftovers func(t *testing.T, prefix string) []string

	// Runtime is what the broker lives in, if that is not the wall clock. Run then
	// runs body inside it, and returns when body has returned.
	Runtime flows.Runtime
	Run     func(t *testing.T, body func(ctx context.Context))

	// Network returns the network of a session that has one without dialling. The
	// outage cases break that one then, and a [Cutter] otherwise.
	Network func(broker.Session) Network
}

// A Network is what lies between a driver and its broker, for tests to break.
type Network interface {
	Swallow() error   // everything that is sent is taken and thrown away
	Swallowed() int64 // how many bytes, or of how large bodies, so far
	Down() error      // every connection ends, and none is made until Up
	Up() error
}

// patience is how long a case waits for what should be there soon. It is long,
// since it is only ever used up by a defect.
const patience = 20 * time.Second

// promptly is the bound of what must not wait for any timeout.
const promptly = 4 * time.Second

// A testCase is one line of the contract.
type testCase struct {
	name   string
	needs  flows.Traits
	remote bool          // needs a broker behind a network
	params broker.Params // of the case's own, for drivers that have them
	dials  bool          // needs one that is reached by dialling an address
	run    func(t *testing.T, ctx context.Context, r *rig)
}

// Test runs the suite against a driver.
func Test(t *testing.T, b Bench) {
	if b.Runtime == nil {
		wall := sim.NewWall()
		defer wall.Close()
		b.Runtime = wall
		b.Run = func(t *testing.T, body func(context.Context)) { body(t.Context()) }
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			b := b.with(c.params)
			params := b.params()
			if traits := b.Driver.Traits(params); !traits.Has(c.needs) {
				t.Skipf("%s does not offer: %v", b.Driver.Name, c.needs&^traits)
			}
			if c.dials && b.Driver.Server == "" || c.remote && b.Driver.Server == "" && b.Network == nil {
				t.Skipf("%s lives in this process: there is no connection to cut", b.Driver.Name)
			}
			b.Run(t, func(ctx context.Context) {
				ctx, cancel := b.Runtime.WithTimeout(ctx, 2*patience)
				defer cancel()
				r := open(t, ctx, b)
				c.run(t, ctx, r)
				r.close(t, ctx)
			})
		})
	}
}

func cases() []testCase {
	return append([]testCase{
		{name: "what a session tells about itself is complete", run: described},
		{name: "messages of one publisher stay in order", needs: flows.Ordered, run: ordered},
		{name: "the members of a group share its messages", run: groupShares},
		{name: "each of two groups receives every message", needs: flows.Groups, run: groupsApart},
		{name: "without a group every subscriber receives every message", run: everybody},
		{name: "an inbox is private and is answered", run: privateInbox},
		{name: "a connection may have several inboxes", run: severalInboxes},
		{name: "a cancelled receive returns on time with the error of its context", run: cancelled},
		{name: "a cancelled receive swallows no message", run: nothingSwallowed},
		{name: "what is not acknowledged comes again, what is never does", needs: flows.Redelivers, run: redelivered},
		{name: "every field survives", run: fieldsSurvive},
		{name: "bodies survive whatever their size", run: bodiesSurvive},
		{name: "a message to nobody fails", needs: flows.Confirms, run: toNobody},
		{name: "a request to nobody is told so at once", run: requestToNobody},
		{name: "an answer to nobody does no harm", run: answerToNobody},
		{name: "a repeated id is stored once", needs: flows.Dedups, run: repeated},
		{name: "messages wait while nobody is subscribed", needs: flows.Buffers, run: buffered},
		{name: "what is urgent overtakes what waits", needs: flows.Priorities | flows.Redelivers | flows.Buffers,
			params: broker.Params{"prefetch": "1"}, run: urgentOvertakes},
		{name: "the backlog counts what nobody has dealt with", run: backlog},
		{name: "ready means ready", run: ready},
		{name: "close is a barrier", run: closeBarrier},
		{name: "closing a subscription leaves the connection usable", run: closeSubscription},
		{name: "what is closed says so", run: closedSaysSo},
		{name: "the meter counts", run: metered},
		{name: "many at once are served", run: manyAtOnce},
		{name: "a closed session leaves nothing at the broker", run: nothingLeft},
	}, outages()...)
}

func (b Bench) params() broker.Params {
	p := b.Driver.Defaults()
	maps.Copy(p, b.Params)
	return p
}

// with returns b with further parameters, of which it takes those that the
// driver has.
func (b Bench) with(more broker.Params) Bench {
	params := maps.Clone(b.Params)
	for _, p := range b.Driver.Params {
		value, ok := more[p.Name]
		if !ok {
			continue
		}
		if params == nil {
			params = make(broker.Params)
		}
		params[p.Name] = value
	}
	b.Params = params
	return b
}

// A rig is one session under test.
type rig struct {
	bench   Bench
	session broker.Session
	prefix  string
	cutter  *Cutter
	network Network // the cutter, or the session's own
	events  *eventLog
	meter   *broker.Meter

	mu    sync.Mutex
	conns []flows.Conn // not yet closed
}

// open opens a session under a fresh prefix.
func open(t *testing.T, ctx context.Context, b Bench) *rig {
	t.Helper()
	r := &rig{
		bench: b, prefix: "fbtest-" + strings.ToLower(rand.Text()[:12]),
		cutter: NewCutter(), events: &eventLog{}, meter: &broker.Meter{},
	}
	t.Cleanup(func() {
		if err := r.cutter.Close(); err != nil {
			t.Errorf("close network: %v", err)
		}
	})
	s, err := b.Driver.Open(ctx, r.config())
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	r.session, r.network = s, r.cutter
	if b.Network != nil {
		r.network = b.Network(s)
	}
	return r
}

func (r *rig) config() broker.Config {
	return broker.Config{
		Addresses: r.bench.Addresses, Prefix: r.prefix, Params: r.bench.params(), Dial: r.cutter.Dial,
		Meter: r.meter, Notify: r.events.add, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// close closes what the case has opened and expects that to work.
func (r *rig) close(t *testing.T, ctx context.Context) {
	t.Helper()
	r.up(t)
	for _, c := range r.conns {
		if err := c.Close(); err != nil {
			t.Errorf("close connection: %v", err)
		}
	}
	r.conns = nil
	ctx, cancel := r.bench.Runtime.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := r.session.Close(ctx); err != nil {
		t.Errorf("close session: %v", err)
	}
}

// swallow, down and up break and mend the network of the case.
func (r *rig) swallow(t *testing.T) { enter(t, "swallow", r.network.Swallow) }
func (r *rig) down(t *testing.T)    { enter(t, "down", r.network.Down) }
func (r *rig) up(t *testing.T)      { enter(t, "up", r.network.Up) }

func enter(t *testing.T, what string, act func() error) {
	t.Helper()
	if err := act(); err != nil {
		t.Fatalf("network %s: %v", what, err)
	}
}

// fork runs f beside the case.
func (r *rig) fork(ctx context.Context, f func(ctx context.Context)) (wait func()) {
	ended := r.bench.Runtime.Go(ctx, f)
	return func() { _ = ended(context.WithoutCancel(ctx)) } // f ends with its context at the latest
}

// connect opens a connection that ends with the case.
func (r *rig) connect(t *testing.T, ctx context.Context, name string) flows.Conn {
	t.Helper()
	c, err := r.session.Connect(ctx, name)
	if err != nil {
		t.Fatalf("connect %s: %v", name, err)
	}
	r.mu.Lock()
	r.conns = append(r.conns, c)
	r.mu.Unlock()
	return c
}

// disconnect closes a connection before its case ends.
func (r *rig) disconnect(t *testing.T, c flows.Conn) {
	t.Helper()
	for i := range r.conns {
		if r.conns[i] == c {
			r.conns = append(r.conns[:i], r.conns[i+1:]...)
			break
		}
	}
	if err := c.Close(); err != nil {
		t.Errorf("close connection: %v", err)
	}
}

// subscribe subscribes and waits until the broker knows.
func subscribe(t *testing.T, ctx context.Context, c flows.Conn, subject, group string) flows.Subscription {
	t.Helper()
	s, err := c.Subscribe(ctx, subject, group)
	if err != nil {
		t.Fatalf("subscribe to %s as %q: %v", subject, group, err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Fatalf("ready: %v", err)
	}
	return s
}

// inbox opens an inbox and waits until the broker knows.
func inbox(t *testing.T, ctx context.Context, c flows.Conn) (string, flows.Subscription) {
	t.Helper()
	address, s, err := c.Inbox(ctx)
	if err != nil {
		t.Fatalf("open inbox: %v", err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Fatalf("ready: %v", err)
	}
	return address, s
}

func publish(t *testing.T, ctx context.Context, c flows.Conn, m flows.Message) {
	t.Helper()
	if err := c.Publish(ctx, m); err != nil {
		t.Fatalf("publish message %d to %s: %v", m.ID, m.Subject, err)
	}
}

// receive returns the next message, acknowledged.
func receive(t *testing.T, ctx context.Context, s flows.Subscription) flows.Message {
	t.Helper()
	m := take(t, ctx, s)
	if err := m.Ack(ctx); err != nil {
		t.Fatalf("acknowledge message %d: %v", m.ID, err)
	}
	return m
}

// take returns the next message, not acknowledged.
func take(t *testing.T, ctx context.Context, s flows.Subscription) flows.Message {
	t.Helper()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return m
}

// fence makes sure that nothing is left for s: the next message that it
// receives must be one that is published now.
func fence(t *testing.T, ctx context.Context, pub flows.Conn, s flows.Subscription, subject string) {
	t.Helper()
	const id = 1 << 60
	publish(t, ctx, pub, flows.Message{Subject: subject, ID: id})
	if m := receive(t, ctx, s); m.ID != id {
		t.Errorf("received message %d; want none before the one just published", m.ID)
	}
}

// wantError checks what an error means. An empty class stands for any.
func wantError(t *testing.T, what string, err error, outcome flows.Outcome, class flows.Class) {
	t.Helper()
	o, c := flows.OutcomeOf(err)
	if o != outcome || class != "" && c != class {
		t.Errorf("%s: got %v, %q (%v); want %v, %q", what, o, c, err, outcome, class)
	}
}

// An eventLog keeps the events of a session.
type eventLog struct {
	mu   sync.Mutex
	seen []broker.Event
}

func (l *eventLog) add(e broker.Event) {
	l.mu.Lock()
	l.seen = append(l.seen, e)
	l.mu.Unlock()
}

// count returns how often a connection had events of a kind.
func (l *eventLog) count(conn string, kind broker.EventKind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.seen {
		if e.Conn == conn && e.Kind == kind {
			n++
		}
	}
	return n
}

// awaitEvents waits until each of the connections had n events of a kind.
func (r *rig) awaitEvents(t *testing.T, ctx context.Context, kind broker.EventKind, n int, conns ...string) {
	t.Helper()
	for _, conn := range conns {
		if !r.await(ctx, func() bool { return r.events.count(conn, kind) >= n }) {
			t.Fatalf("connection %s had %d events %q; want %d", conn, r.events.count(conn, kind), kind, n)
		}
	}
}

// await waits until ok holds, looking every now and then on the bench's clock,
// which need not be the wall's. It reports whether it did in time.
func (r *rig) await(ctx context.Context, ok func() bool) bool {
	ctx, cancel := r.bench.Runtime.WithTimeout(ctx, patience)
	defer cancel()
	for !ok() {
		if r.bench.Runtime.Sleep(ctx, time.Millisecond) != nil {
			return ok()
		}
	}
	return true
}

func (l *eventLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.seen)
}
