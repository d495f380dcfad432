// Package storetest checks that a store driver keeps the contract of package store
// and of the ports in package flows.
//
// A driver's test says what to open and calls [Test]; there is nothing else to
// write, and nothing that a driver could be excused from. Every case opens a
// session of its own under a prefix of its own, and ends by closing it and looking
// for goroutines that are left. What is about connections is checked of drivers
// that have some; that others make none is checked of the others.
//
// The contract is about what can be relied on: an object is there whole or not at
// all, an end is never mistaken for a break, nobody is asked for what is not the
// session's, and nothing waits longer than its context.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/broker/brokertest"
	"flowbench/sim/leaktest"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

// A Bench is a driver on the test bench.
type Bench struct {
	Driver      store.Driver
	URL         string            // of a server that runs; empty for the one that the driver starts
	Credentials store.Credentials // that the server of this URL takes and without which it takes nobody
}

// patience is how long a case waits for what should be there soon. It is long,
// since it is only ever used up by a defect.
const patience = 20 * time.Second

// promptly is the bound of what must not wait for any timeout.
const promptly = 4 * time.Second

// capacity is what the stores of this program may keep, unless a case says
// otherwise.
const capacity = 128 << 20

// A testCase is one sentence of the contract.
type testCase struct {
	name  string
	wired bool // is about connections
	run   func(*testing.T, *rig)
}

// Test runs the suite against what bench returns, which is asked anew for each
// case. What bench starts must end in the cleanup of the test that it is given.
// Goroutines that a server of others in this process leaves may be ignored.
func Test(t *testing.T, bench func(t *testing.T) Bench, ignored ...goleak.Option) {
	for _, c := range append(append(objects(), addresses()...), outages()...) {
		t.Run(c.name, func(t *testing.T) {
			leaktest.Check(t, ignored...)
			b := bench(t)
			if c.wired && !b.Driver.Wired {
				t.Skipf("%s has no connections", b.Driver.Name)
			}
			c.run(t, &rig{bench: b})
		})
	}
}

// A rig is the driver under test with all that a case has opened.
type rig struct{ bench Bench }

// A world is one session in a network that can be broken.
type world struct {
	session store.Session
	config  store.Config
	meter   *store.Meter
	cutter  *brokertest.Cutter
	dials   atomic.Int64
	open    atomic.Int64 // connections of parties

	mu      sync.Mutex
	routed  []string // parties whose connections were routed
	parties []flows.Objects
	closed  bool
}

// world returns a session for the length of a test. The functions change its
// configuration.
func (r *rig) world(t *testing.T, change ...func(*store.Config)) *world {
	t.Helper()
	w := r.closedWorld(t, change...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	session, err := r.bench.Driver.Open(ctx, w.config)
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	w.session = session
	t.Cleanup(func() { w.close(t) })
	return w
}

// closedWorld returns what a session can be opened in.
func (r *rig) closedWorld(t *testing.T, change ...func(*store.Config)) *world {
	t.Helper()
	w := &world{meter: &store.Meter{}, cutter: brokertest.NewCutter()}
	w.config = store.Config{
		URL: r.bench.URL, Prefix: "fbtest-" + strings.ToLower(rand.Text()[:12]), Dir: t.TempDir(),
		Credentials: r.bench.Credentials, MaxBytes: capacity, Dial: w.dial, Route: w.route, Meter: w.meter,
		Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&w.config)
	}
	t.Cleanup(func() {
		if err := w.cutter.Close(); err != nil {
			t.Errorf("close network: %v", err)
		}
	})
	return w
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.dials.Add(1)
	return w.cutter.Dial(ctx, network, address)
}

func (w *world) route(party string, next wire.Dialer) wire.Dialer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.routed = append(w.routed, party)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w.open.Add(1)
		return &openConn{Conn: c, closed: sync.OnceFunc(func() { w.open.Add(-1) })}, nil
	}
}

// An openConn tells when it is closed.
type openConn struct {
	net.Conn
	closed func()
}

// Close implements [net.Conn].
func (c *openConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// close closes all that was opened and expects that to work.
func (w *world) close(t *testing.T) {
	t.Helper()
	if w.closed {
		return
	}
	w.closed = true
	for _, o := range w.parties {
		if err := o.Close(); err != nil {
			t.Errorf("close party: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.session.Close(ctx); err != nil {
		t.Errorf("close session: %v", err)
	}
}

// party opens a way to the store that ends with the world.
func (w *world) party(t *testing.T, name string) flows.Objects {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o, err := w.session.Connect(ctx, name)
	if err != nil {
		t.Fatalf("connect %s: %v", name, err)
	}
	w.parties = append(w.parties, o)
	return o
}

// put stores content and expects that to work.
func put(t *testing.T, o flows.Objects, name string, content []byte) (uri string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	uri, err := o.Put(ctx, name, int64(len(content)), bytes.NewReader(content))
	if err != nil {
		t.Fatalf("put %s of %d bytes: %v", name, len(content), err)
	}
	return uri
}

// get returns a part of an object, read to its end.
func get(ctx context.Context, o flows.Objects, uri string, part flows.Span) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := o.Get(ctx, uri, part)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

// expectContent gets a part of an object and expects it to be this.
func expectContent(t *testing.T, o flows.Objects, uri string, part flows.Span, want []byte) {
	t.Helper()
	got, err := get(t.Context(), o, uri, part)
	if err != nil {
		t.Errorf("get %+v of %s: %v", part, uri, err)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%+v of %s are %s; want %s", part, uri, describe(got), describe(want))
	}
}

func describe(content []byte) string {
	if len(content) <= 20 {
		return fmt.Sprintf("%q", content)
	}
	return fmt.Sprintf("%d bytes with the hash %x", len(content), sha256.Sum256(content))
}

// remove deletes an object and expects that to work.
func remove(t *testing.T, o flows.Objects, uri string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := o.Delete(ctx, uri); err != nil {
		t.Errorf("delete %s: %v", uri, err)
	}
}

// expectNone expects that there is no object at an address of the session's.
func expectNone(t *testing.T, o flows.Objects, uri, why string) {
	t.Helper()
	content, err := get(t.Context(), o, uri, flows.Span{})
	if !errors.Is(err, flows.ErrNoObject) {
		t.Errorf("get %s: %d bytes, %v; want that there is none, since %s", uri, len(content), err, why)
	}
}

// expect checks what an error means.
func expect(t *testing.T, what string, err error, outcome flows.Outcome, class flows.Class) {
	t.Helper()
	if o, c := flows.OutcomeOf(err); err == nil || o != outcome || c != class {
		t.Errorf("%s ends as %v, %s (%v); want %v, %s", what, o, c, err, outcome, class)
	}
}

// addressOf returns the address that an object of another name has, or would have.
// It is how cases know the address of what was never put.
func addressOf(t *testing.T, o flows.Objects, name string) string {
	t.Helper()
	const probe = "probe-for-an-address"
	uri := put(t, o, probe, []byte("x"))
	remove(t, o, uri)
	if strings.Count(uri, probe) != 1 {
		t.Fatalf("the address %s does not have the name %s in it", uri, probe)
	}
	return strings.Replace(uri, probe, name, 1)
}

// pattern returns bytes that are different everywhere.
func pattern(n int) []byte {
	content := make([]byte, n)
	_, _ = io.ReadFull(&patterned{}, content) // it has no end
	return content
}

// patterned is a body without end that takes no memory, and that calls at when it
// has been read up to an offset.
type patterned struct {
	offset int64
	at     map[int64]func()
}

// Read implements [io.Reader].
func (p *patterned) Read(b []byte) (int, error) {
	end := p.offset + int64(len(b))
	for offset := range p.at {
		if offset >= p.offset {
			end = min(end, offset)
		}
	}
	if f := p.at[p.offset]; f != nil {
		delete(p.at, p.offset)
		f()
		return 0, nil
	}
	n := int(end - p.offset)
	for i := range n {
		at := p.offset + int64(i)
		b[i] = byte(at ^ at>>8*7 ^ at>>16*13)
	}
	p.offset = end
	return n, nil
}

// within runs f and expects it to end promptly.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	select {
	case <-ended:
	case <-time.After(promptly):
		t.Errorf("%s has not ended after %v", what, promptly)
		<-ended
	}
}
