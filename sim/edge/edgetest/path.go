package edgetest

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/wire"
)

// refused has nothing listen at the address that is dialled.
func refused(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		address := l.Addr().String()
		_ = l.Close() // so that nothing listens there
		return net.Dial("tcp", address)
	}}, echoing())
	_, err := call(t, caller, command(1))
	expect(t, "a refused connection", err, flows.Failed, flows.Refused)
}

func unreachable(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route")
	}}, echoing())
	_, err := call(t, caller, command(1))
	expect(t, "a connection that cannot be made", err, flows.Failed, flows.Unreachable)
}

// A cutter is a network whose connections tests can cut.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := wire.Loopback()(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, err
}

func (c *cutter) cut() { c.cutBehind("") }

// cutBehind cuts all connections but those to an address.
func (c *cutter) cutBehind(front string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		if conn.RemoteAddr().String() != front {
			_ = conn.Close() // whatever it says, it is closed
		}
	}
	c.conns = nil
}

func cut(t *testing.T, b bench) {
	network := &cutter{}
	taken := make(chan flows.Call, 1)
	caller := b.one(t, edge.Config{Dial: network.dial}, waiting(taken))
	ended := make(chan error, 1)
	go func() {
		_, err := call(t, caller, command(1))
		ended <- err
	}()
	<-taken
	network.cut()
	select {
	case err := <-ended:
		expect(t, "a call whose connection is cut", err, flows.Undecided, flows.Disconnected)
	case <-time.After(promptly):
		t.Fatal("a call whose connection is cut does not end")
	}
}

// getsOver cuts the connections of a client between its calls. A call or two may
// be lost to it, never more.
func getsOver(t *testing.T, b bench) {
	network := &cutter{}
	caller := b.one(t, edge.Config{Dial: network.dial}, echoing())
	for range 5 {
		var err error
		for range 3 {
			if _, err = call(t, caller, query(1, "k")); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("three calls after a cut have failed, the last with %v", err)
		}
		network.cut()
	}
}

func timedOut(t *testing.T, b bench) {
	taken := make(chan flows.Call, 1)
	caller := b.one(t, edge.Config{}, waiting(taken))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := flows.First(ctx, caller, command(1))
	expect(t, "a call whose answer does not come", err, flows.Undecided, flows.Timeout)
}

func cancelled(t *testing.T, b bench) {
	taken, told := make(chan flows.Call, 1), make(chan struct{})
	caller := b.one(t, edge.Config{}, answering(func(ctx context.Context, c flows.Call) (flows.Answer, error) {
		taken <- c
		<-ctx.Done()
		close(told)
		return flows.Answer{}, ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := flows.First(ctx, caller, command(1))
		ended <- err
	}()
	<-taken
	cancel()
	deadline := time.After(promptly)
	select {
	case err := <-ended:
		expect(t, "a cancelled call", err, flows.Undecided, flows.Canceled)
	case <-deadline:
		t.Fatal("a cancelled call does not end")
	}
	select {
	case <-told:
	case <-deadline:
		t.Fatal("the endpoint is not told")
	}
}

// cancelledAlone cancels one of two calls of a client.
func cancelledAlone(t *testing.T, b bench) {
	taken, answer := make(chan flows.Call, 2), make(chan struct{})
	caller := b.one(t, edge.Config{}, answering(func(ctx context.Context, c flows.Call) (flows.Answer, error) {
		taken <- c
		select {
		case <-answer:
			return flows.Answer{Body: []byte("late")}, nil
		case <-ctx.Done():
			return flows.Answer{}, ctx.Err()
		}
	}))
	type result struct {
		body string
		err  error
	}
	stays, goes := make(chan result, 1), make(chan result, 1)
	start := func(ctx context.Context, id uint64, ended chan<- result) {
		go func() {
			a, err := flows.First(ctx, caller, command(id))
			ended <- result{string(a.Body), err}
		}()
		<-taken
	}
	ctx, cancel := context.WithCancel(t.Context())
	start(t.Context(), 1, stays)
	start(ctx, 2, goes)
	cancel()
	expect(t, "a cancelled call", (<-goes).err, flows.Undecided, flows.Canceled)
	close(answer)
	if r := <-stays; r.err != nil || r.body != "late" {
		t.Errorf("the other call ends as %q, %v; want its answer", r.body, r.err)
	}
}

func unknownName(t *testing.T, b bench) {
	r := b.serve(t, edge.Config{}, echoing())
	_, err := r.edge.Dial(t.Context(), "nobody", 0)
	expect(t, "dialling nobody", err, flows.Failed, flows.Unreachable)
	if _, err := r.edge.Listen(t.Context(), "nobody"); err == nil {
		t.Error("a part without backends may listen")
	}
}

func loopback(t *testing.T, b bench) {
	var mu sync.Mutex
	var dialled []string
	r := b.serve(t, edge.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		dialled = append(dialled, address)
		mu.Unlock()
		return wire.Loopback()(ctx, network, address)
	}}, echoing(), echoing())
	if _, err := call(t, r.dial(t, 0), command(1)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(dialled) < 2 {
		t.Errorf("%v were dialled; want a balancer and a backend, both by the dialer of the edge", dialled)
	}
	for _, address := range dialled {
		if host, _, err := net.SplitHostPort(address); err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%s was dialled; want loopback", address)
		}
	}
}

func closedUnderWay(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		taken := make(chan flows.Call, 1)
		var atWork atomic.Bool
		endpoint := answering(func(ctx context.Context, c flows.Call) (flows.Answer, error) {
			atWork.Store(true)
			defer atWork.Store(false)
			taken <- c
			<-ctx.Done()
			for range 1000 {
				runtime.Gosched() // so that a server that does not wait is seen not to
			}
			return flows.Answer{}, ctx.Err()
		})
		r := b.serve(t, edge.Config{}, []flows.Endpoint{endpoint, endpoint}[:backends]...)
		caller := r.dial(t, 0)
		ended := make(chan error, 1)
		go func() {
			_, err := call(t, caller, command(1))
			ended <- err
		}()
		<-taken
		r.stop()
		if atWork.Load() {
			t.Error("the server has closed, and its endpoint is at work")
		}
		select {
		case err := <-ended:
			if o, c := flows.OutcomeOf(err); o != flows.Undecided {
				t.Errorf("a call that its server closes on ends as %v, %s (%v); want unknown", o, c, err)
			}
		case <-time.After(promptly):
			t.Fatal("a call that its server closes on does not end")
		}
		_, err := call(t, caller, command(2))
		if o, c := flows.OutcomeOf(err); o == flows.OK {
			t.Errorf("a call to a closed server ends as %v, %s; want an error", o, c)
		}
	}
}

func closedUnused(t *testing.T, b bench) {
	r := b.serve(t, edge.Config{}, echoing(), echoing())
	caller := r.dial(t, 0)
	r.stop()
	_, err := call(t, caller, command(1))
	expect(t, "a call to a server that has closed", err, flows.Failed, flows.Refused)
}
