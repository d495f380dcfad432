package edgetest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/balance"
	"flowbench/sim/wire"
)

// A victim is a network in which one backend of a part is hurt: whoever dials it
// gets somebody else, or nobody. It is the backend that is dialled first.
type victim struct {
	hurt wire.Dialer // dials in its place

	mu      sync.Mutex
	front   string // the balancer, which is spared
	address string
	conns   []net.Conn // in place of those to the victim
	well    bool
}

func (v *victim) dial(ctx context.Context, network, address string) (net.Conn, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.address == "" && address != v.front {
		v.address = address
	}
	if v.well || address != v.address {
		return wire.Loopback()(ctx, network, address)
	}
	conn, err := v.hurt(ctx, network, address)
	if err == nil {
		v.conns = append(v.conns, conn)
	}
	return conn, err
}

// heal makes the victim well. Connections that it had not are cut.
func (v *victim) heal() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.well = true
	for _, conn := range v.conns {
		_ = conn.Close() // it was never worth anything
	}
}

// lenient is patient with checks, as long as a busy machine may take over them.
func lenient() balance.Health {
	return balance.Health{
		Interval: 5 * time.Millisecond, Timeout: patience, FailedChecks: 2, FailedRequests: 2, GoodChecks: 2,
	}
}

// A ward is a part of two backends, of which one is hurt.
type ward struct {
	*rig
	victim *victim
	events chan edge.Event
	served [2]atomic.Int64
}

// admit serves a part whose victim is reached through hurt, if at all.
func (b bench) admit(t *testing.T, h balance.Health, hurt wire.Dialer) *ward {
	t.Helper()
	w := &ward{victim: &victim{hurt: hurt}, events: make(chan edge.Event, 1000)}
	w.victim.mu.Lock() // until it is known who is to be spared
	var endpoints []flows.Endpoint
	for i := range w.served {
		endpoints = append(endpoints, answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
			w.served[i].Add(1)
			if string(c.Body) != string(command(c.ID).Body) {
				return flows.Answer{}, flows.Fail(flows.Corrupt, errCause)
			}
			return flows.Answer{}, nil
		}))
	}
	w.rig = b.serve(t, edge.Config{
		Dial: w.victim.dial, Health: h, Notify: func(e edge.Event) { w.events <- e },
	}, endpoints...)
	w.victim.front = w.address(t)
	w.victim.mu.Unlock()
	return w
}

// address returns where the part listens.
func (r *rig) address(t *testing.T) string {
	t.Helper()
	addressed, ok := r.edge.(interface {
		Address(name string) (string, error)
	})
	if !ok {
		t.Fatal("the edge does not say where a part listens")
	}
	address, err := addressed.Address(part)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// await waits for a balancer to do something about a backend.
func await(t *testing.T, events <-chan edge.Event, kind edge.EventKind) edge.Event {
	t.Helper()
	select {
	case e := <-events:
		if e.Kind != kind || e.Part != part {
			t.Fatalf("the balancer did %+v; want %s", e, kind)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("the balancer does not do this: %s", kind)
		return edge.Event{}
	}
}

// callOnce makes a call as a client of its own, since an edge may keep a client
// with the backend that took its connection.
func (w *ward) callOnce(t *testing.T, id int, within time.Duration) error {
	t.Helper()
	caller, err := w.edge.Dial(t.Context(), part, id)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := caller.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, err = flows.First(ctx, caller, command(uint64(id)))
	return err
}

// recovers heals the victim and checks that it has its share again.
func (w *ward) recovers(t *testing.T, hurt int) {
	t.Helper()
	w.victim.heal()
	if e := await(t, w.events, edge.Returned); e.Backend != hurt {
		t.Errorf("backend %d came back; want %d", e.Backend, hurt)
	}
	before := w.served[hurt].Load()
	for id := range 4 {
		if err := w.callOnce(t, id, patience); err != nil {
			t.Errorf("a call after all were well again ends as %v", err)
		}
	}
	if n := w.served[hurt].Load() - before; n != 2 {
		t.Errorf("the backend that came back served %d of 4 calls; want 2", n)
	}
}

func dialNobody(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// backendDown has a backend refuse all connections. Nobody comes to harm: what
// was refused was not sent, and goes to the other one.
func backendDown(t *testing.T, b bench) {
	w := b.admit(t, lenient(), dialNobody)
	for id := range 8 {
		if err := w.callOnce(t, id, patience); err != nil {
			t.Errorf("call %d ends as %v; want it done by the backend that is well", id, err)
		}
	}
	w.recovers(t, await(t, w.events, edge.Ejected).Backend)
}

// backendHangs has a backend accept connections and say nothing. Checks find out;
// whoever was sent there before does not know what became of it.
func backendHangs(t *testing.T, b bench) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // connections wait in its backlog for ever
	h := lenient()
	h.Timeout = 300 * time.Millisecond // somebody has to wait for it, and the one that is well must keep to it
	w := b.admit(t, h, func(ctx context.Context, network, _ string) (net.Conn, error) {
		return wire.Loopback()(ctx, network, l.Addr().String())
	})
	lost := 0
	for id := range 4 {
		if err := w.callOnce(t, id, 20*time.Millisecond); err != nil {
			lost++
			expect(t, "a call to a backend that hangs", err, flows.Undecided, flows.Timeout)
		}
	}
	if lost == 0 {
		t.Error("no call was lost to the backend that hangs")
	}
	hurt := await(t, w.events, edge.Ejected).Backend
	for id := range 4 {
		if err := w.callOnce(t, id, patience); err != nil {
			t.Errorf("after the ejection call %d ends as %v", id, err)
		}
	}
	w.recovers(t, hurt)
}

// dialStranger reaches a server that knows nothing of ours.
func dialStranger(t *testing.T) wire.Dialer {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // whatever comes
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return wire.Loopback()(ctx, network, server.Listener.Addr().String())
	}
}

// bareErrors has a backend answer with errors that are none of ours. Without any
// checks it is ejected for what becomes of requests.
func bareErrors(t *testing.T, b bench) {
	h := lenient()
	h.Interval = time.Hour
	w := b.admit(t, h, dialStranger(t))
	lost := 0
	for id := range 8 {
		if err := w.callOnce(t, id, patience); err != nil {
			lost++
		}
	}
	if e := await(t, w.events, edge.Ejected); !strings.Contains(e.Detail, "bare status 500") {
		t.Errorf("it was ejected because %q; want the status named", e.Detail)
	}
	if lost != h.FailedRequests {
		t.Errorf("%d calls were lost before the ejection; want %d", lost, h.FailedRequests)
	}
}

// failedChecks has nobody call a backend that answers with errors.
func failedChecks(t *testing.T, b bench) {
	w := b.admit(t, lenient(), dialStranger(t))
	hurt := await(t, w.events, edge.Ejected).Backend
	for id := range 4 {
		if err := w.callOnce(t, id, patience); err != nil {
			t.Errorf("after the ejection call %d ends as %v", id, err)
		}
	}
	w.recovers(t, hurt)
}

// nobodyWell has no backend that can be reached, for a while.
func nobodyWell(t *testing.T, b bench) {
	var down atomic.Bool
	var front atomic.Value
	events := make(chan edge.Event, 100)
	r := b.serve(t, edge.Config{
		Health: lenient(), Notify: func(e edge.Event) { events <- e },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() && address != front.Load() {
				return dialNobody(ctx, network, address)
			}
			return wire.Loopback()(ctx, network, address)
		},
	}, echoing(), echoing())
	front.Store(r.address(t))
	down.Store(true)
	caller := r.dial(t, 0)
	for range 2 {
		await(t, events, edge.Ejected)
	}
	_, err := call(t, caller, command(1))
	expect(t, "a call with no backend that is well", err, flows.Failed, flows.Unreachable)
	down.Store(false)
	for range 2 {
		await(t, events, edge.Returned)
	}
	if _, err := call(t, caller, command(2)); err != nil {
		t.Errorf("a call after all were well again ends as %v", err)
	}
}

// checksUncounted waits for many checks and looks for them in the meter.
func checksUncounted(t *testing.T, b bench) {
	dialled := make(chan struct{}, 1<<16)
	h := lenient()
	h.Interval = time.Millisecond
	r := b.serve(t, edge.Config{Health: h, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled <- struct{}{}
		return wire.Loopback()(ctx, network, address)
	}}, echoing(), echoing())
	for range 20 {
		select {
		case <-dialled:
		case <-time.After(patience):
			t.Fatal("there are no checks")
		}
	}
	m := r.meter
	if n, in, out := m.Requests.Load(), m.BytesIn.Load(), m.BytesOut.Load(); n+in+out != 0 {
		t.Errorf("%d requests, %d bytes in and %d out were counted, and nobody called", n, in, out)
	}
}

// leastPending has one backend keep what it gets, and looks for calls in a row
// that all go to the other one: were they to take turns, no two would. It may
// take a few until the balancer has noticed that an earlier client has gone.
func leastPending(t *testing.T, b bench) {
	const row = 4
	taken, release := make(chan int, 1), make(chan struct{})
	var served [2]atomic.Int64
	endpoints := make([]flows.Endpoint, len(served))
	for i := range endpoints {
		endpoints[i] = answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
			if c.Key == "stay" {
				taken <- i
				<-release
			}
			served[i].Add(1)
			return flows.Answer{}, nil
		})
	}
	w := &ward{rig: b.serve(t, edge.Config{LeastPending: true}, endpoints...)}
	first := w.dial(t, 0)
	ended := make(chan error, 1)
	go func() {
		_, err := call(t, first, query(1, "stay"))
		ended <- err
	}()
	busy := <-taken
	deadline := time.Now().Add(patience)
	for id, inRow := 1, 0; inRow < row; id++ {
		before := served[busy].Load()
		if err := w.callOnce(t, id, patience); err != nil {
			t.Error(err)
		}
		if inRow++; served[busy].Load() > before {
			inRow = 0
		}
		if time.Now().After(deadline) {
			t.Error("calls go to the busy backend as well")
			break
		}
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
