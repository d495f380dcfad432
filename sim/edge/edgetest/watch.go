package edgetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/wire"
)

// TestSockets runs the part of the suite for edges with sockets, on which calls
// can have many answers. It runs the rest as well, with everything of a client
// over its socket.
func TestSockets(t *testing.T, open func(edge.Config) flows.Edge) {
	t.Run("over a socket", func(t *testing.T) {
		Test(t, func(c edge.Config) flows.Edge {
			c.Socket = true
			return open(c)
		})
	})
	run(t, bench{open}, []testCase{
		{"a watch is told all that comes, in order", watchOrder},
		{"a watch arrives as it was made", watchArrives},
		{"a watch that its caller leaves ends at the endpoint", watchLeft},
		{"a watch whose context ends, ends on both sides", watchCancelled},
		{"an error in the middle keeps its outcome and class", watchError},
		{"what cannot be watched is refused", watchRefused},
		{"a closed server leaves its watches open", watchClosed},
		{"a cut connection leaves its watches open at once", watchCut},
		{"many watches go on at once, with calls between", watchMany},
		{"a caller that does not take its answers loses the watch alone", watchSlowCaller},
		{"a client that does not take its answers is dropped with a reason", watchSlowClient},
		{"an answer over the limit ends a watch", watchTooLarge},
	})
}

func changes(id uint64, key string) flows.Call {
	return flows.Call{Verb: flows.Watch, Kind: flows.Query, ID: id, Key: key}
}

func followed(id uint64) flows.Call {
	return flows.Call{Verb: flows.Watch, Kind: flows.Command, ID: id, Key: "k", Body: []byte("x")}
}

// counting returns an endpoint that tells the numbers below n and then ends, or
// fails with err.
func counting(n int, err error) flows.Endpoint {
	return func(context.Context, flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			for i := range n {
				if !yield(flows.Answer{Body: fmt.Append(nil, i)}, nil) {
					return
				}
			}
			if err != nil {
				yield(flows.Answer{}, err)
			}
		}
	}
}

// ticking returns an endpoint that tells one value and then waits until its
// context ends, which it tells too.
func ticking(told chan<- struct{}) flows.Endpoint {
	return func(ctx context.Context, _ flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			if yield(flows.Answer{Body: []byte("0")}, nil) {
				<-ctx.Done()
			}
			told <- struct{}{}
		}
	}
}

// heard waits for an endpoint to be told that its watch has ended.
func heard(t *testing.T, told <-chan struct{}) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(promptly):
		t.Fatal("the endpoint is not told that its watch has ended")
	}
}

// collect makes a watch and returns how many answers came in the order of their
// numbers, and how it ended.
func collect(t *testing.T, caller flows.Caller, c flows.Call) (n int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for a, err := range caller.Call(ctx, c) {
		if err != nil {
			return n, err
		}
		if want := fmt.Sprint(n); a.Status != flows.Done || string(a.Body) != want {
			t.Fatalf("answer %d is %v, %q", n, a.Status, a.Body)
		}
		n++
	}
	return n, nil
}

func watchOrder(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		for _, answers := range []int{0, 1, 20000} {
			e := counting(answers, nil)
			caller := b.serve(t, edge.Config{}, []flows.Endpoint{e, e}[:backends]...).dial(t, 0)
			if n, err := collect(t, caller, changes(1, "k")); n != answers || err != nil {
				t.Errorf("%d answers came, %v; want %d", n, err, answers)
			}
		}
	}
}

// news is the operation that a value is news of.
const news = 1<<64 - 2

func watchArrives(t *testing.T, b bench) {
	arrived := make(chan flows.Call, 1)
	caller := b.one(t, edge.Config{}, func(_ context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		arrived <- c
		value := flows.Answer{Body: c.Body}
		if c.Kind == flows.Query {
			value.Op = news
		}
		return func(yield func(flows.Answer, error) bool) {
			_ = yield(flows.Answer{Status: flows.Pending, RetryAfter: 7 * time.Millisecond}, nil) &&
				yield(value, nil)
		}
	})
	traced := followed(3)
	traced.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, c := range []flows.Call{followed(1<<64 - 1), changes(2, "a/b\"ü\x00🙂"), traced} {
		var got []flows.Answer
		for a, err := range caller.Call(t.Context(), c) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a)
		}
		if a := <-arrived; text(a) != text(c) || string(a.Body) != string(c.Body) {
			t.Errorf("%s arrived as %s", text(c), text(a))
		}
		if len(got) != 2 || got[0].Status != flows.Pending || got[1].Status != flows.Done ||
			string(got[1].Body) != string(c.Body) {
			t.Errorf("%s is told %+v; want pending, then its body", text(c), got)
		}
		if watched := c.Kind == flows.Query; got[0].Op != 0 || (got[1].Op == news) != watched {
			t.Errorf("%s is told %+v; want news of operation %d where a key is watched", text(c), got, uint64(news))
		}
	}
}

func watchLeft(t *testing.T, b bench) {
	told := make(chan struct{}, 1)
	caller := b.one(t, edge.Config{}, ticking(told))
	for range 3 {
		for _, err := range caller.Call(t.Context(), changes(1, "k")) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		heard(t, told)
	}
}

func watchCancelled(t *testing.T, b bench) {
	told := make(chan struct{}, 1)
	caller := b.one(t, edge.Config{}, ticking(told))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range caller.Call(ctx, changes(1, "k")) {
		last = err
		cancel()
	}
	expect(t, "a watch whose context has ended", last, flows.Undecided, flows.Canceled)
	heard(t, told)
}

func watchError(t *testing.T, b bench) {
	for _, class := range flows.Classes() {
		for _, want := range []error{flows.Fail(class, errCause), flows.Unknown(class, errCause)} {
			n, err := collect(t, b.one(t, edge.Config{}, counting(3, want)), followed(1))
			if n != 3 {
				t.Errorf("%d answers came before the error; want 3", n)
			}
			outcome, class := flows.OutcomeOf(want)
			expect(t, "a watch with an error in the middle", err, outcome, class)
		}
	}
}

func watchRefused(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{}, answering(func(context.Context, flows.Call) (flows.Answer, error) {
		t.Error("the call was made")
		return flows.Answer{}, nil
	}))
	_, err := call(t, caller, flows.Call{Verb: flows.Watch, Kind: flows.StatusOf, ID: 1})
	expect(t, "to watch a status", err, flows.Failed, flows.Rejected)
}

func watchClosed(t *testing.T, b bench) {
	for _, c := range []flows.Call{changes(1, "k"), followed(2)} {
		told := make(chan struct{}, 1)
		r := b.serve(t, edge.Config{}, ticking(told))
		var last error
		for _, err := range r.dial(t, 0).Call(t.Context(), c) {
			last = err
			if err == nil {
				r.stop()
			}
		}
		expect(t, "a watch whose server closes", last, flows.Undecided, flows.Disconnected)
		heard(t, told)
	}
}

// unwatched is the case for edges without sockets: nothing is dialled.
func unwatched(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{Dial: nowhere}, echoing())
	for _, c := range []flows.Call{changes(1, "k"), followed(2)} {
		_, err := call(t, caller, c)
		expect(t, "a watch without a socket", err, flows.Failed, flows.Rejected)
	}
}

// TestWithoutSockets checks that an edge that has none makes no watch.
func TestWithoutSockets(t *testing.T, open func(edge.Config) flows.Edge) {
	run(t, bench{open}, []testCase{{"a watch is refused, and nothing is dialled", unwatched}})
}

func nowhere(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("nothing may be dialled")
}

func watchCut(t *testing.T, b bench) {
	network := &cutter{}
	told := make(chan struct{}, 1)
	var last error
	for _, err := range b.one(t, edge.Config{Dial: network.dial}, ticking(told)).Call(t.Context(), followed(1)) {
		if last = err; err == nil {
			network.cut()
		}
	}
	expect(t, "a watch whose connection is cut", last, flows.Undecided, flows.Disconnected)
	heard(t, told)
}

// watchMany has each watch take its answers while calls are made on the same
// socket.
func watchMany(t *testing.T, b bench) {
	const watches, answers, calls = 50, 200, 20
	count, echo := counting(answers, nil), echoing()
	e := func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		if c.Verb == flows.Watch {
			return count(ctx, c)
		}
		return echo(ctx, c)
	}
	caller := b.serve(t, edge.Config{}, e, e).dial(t, 0)
	var wg sync.WaitGroup
	for w := range watches {
		wg.Go(func() {
			n := 0
			for a, err := range caller.Call(t.Context(), changes(uint64(w), "k")) {
				if err != nil || string(a.Body) != fmt.Sprint(n) {
					t.Errorf("watch %d is told %q, %v; want %d", w, a.Body, err, n)
					return
				}
				n++
			}
			if n != answers {
				t.Errorf("watch %d is told %d answers; want %d", w, n, answers)
			}
		})
		wg.Go(func() {
			for i := range calls {
				want := fmt.Sprint(w, "-", i)
				if a, err := call(t, caller, query(1, want)); err != nil || string(a.Body) != want {
					t.Errorf("call %s is answered %q, %v", want, a.Body, err)
				}
			}
		})
	}
	wg.Wait()
}

// flooding returns an endpoint that tells large values without end to who
// watches, and says when that has ended; other calls it answers.
func flooding(ended chan<- struct{}) flows.Endpoint {
	body := make([]byte, 64<<10)
	echo := echoing()
	return func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		if c.Verb != flows.Watch {
			return echo(ctx, c)
		}
		return func(yield func(flows.Answer, error) bool) {
			defer func() { ended <- struct{}{} }()
			for ctx.Err() == nil {
				if !yield(flows.Answer{Body: body}, nil) {
					return
				}
			}
		}
	}
}

// watchSlowCaller takes one answer, and no other before the endpoint has been
// told that nobody listens.
func watchSlowCaller(t *testing.T, b bench) {
	ended := make(chan struct{}, 1)
	caller := b.one(t, edge.Config{}, flooding(ended))
	var last error
	n := 0
	for _, err := range caller.Call(t.Context(), changes(1, "k")) {
		if last = err; err == nil && n == 0 {
			for range 10 {
				if _, err := call(t, caller, query(2, "k")); err != nil {
					t.Errorf("a call beside a watch that is not taken ends as %v", err)
				}
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Fatal("the endpoint tells without end what nobody takes")
			}
		}
		n++
	}
	expect(t, "a watch whose answers are not taken", last, flows.Undecided, flows.Overloaded)
	if _, err := call(t, caller, query(3, "k")); err != nil {
		t.Errorf("the next call ends as %v", err)
	}
}

// A dam is a network on which nothing arrives at those who dial while it is shut.
type dam struct {
	mu   sync.Mutex
	shut chan struct{} // closed when it opens; nil when it is open
}

type dammed struct {
	net.Conn
	dam *dam
}

func (d *dam) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := wire.Loopback()(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok { // or the system takes what would dam up, and that is much
		if err := tcp.SetReadBuffer(damBytes); err != nil {
			return nil, err
		}
	}
	return dammed{conn, d}, nil
}

const damBytes = 64 << 10

func (d *dam) close() (open func()) {
	shut := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = shut
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(d.shut)
		d.shut = nil
	}
}

func (c dammed) Read(p []byte) (int, error) {
	c.dam.mu.Lock()
	shut := c.dam.shut
	c.dam.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return c.Conn.Read(p)
}

// watchSlowClient shuts the way back to one of two clients.
func watchSlowClient(t *testing.T, b bench) {
	ended, network := make(chan struct{}, 1), &dam{}
	r := b.serve(t, edge.Config{Dial: network.dial}, flooding(ended))
	slow := r.dial(t, 0)
	var last error
	n := 0
	for _, err := range slow.Call(t.Context(), changes(1, "k")) {
		if last = err; err == nil && n == 0 {
			open := network.close()
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("the endpoint tells without end what nobody takes")
			}
			open()
		}
		n++
	}
	expect(t, "a watch of a client that takes nothing", last, flows.Undecided, flows.Overloaded)
	if last == nil || !strings.Contains(last.Error(), "too ") {
		t.Errorf("the watch ends as %v; want the reason", last)
	}
	if _, err := call(t, slow, query(3, "k")); err != nil {
		t.Errorf("the next call ends as %v", err)
	}
}

func watchTooLarge(t *testing.T, b bench) {
	const limit = 1024
	caller := b.one(t, edge.Config{MaxBody: limit}, func(context.Context, flows.Call) iter.Seq2[flows.Answer, error] {
		return func(yield func(flows.Answer, error) bool) {
			if yield(flows.Answer{Body: []byte("0")}, nil) && yield(flows.Answer{Body: make([]byte, limit+1)}, nil) {
				t.Error("the endpoint may go on")
			}
		}
	})
	n, err := collect(t, caller, changes(1, "k"))
	if n != 1 {
		t.Errorf("%d answers came before it; want 1", n)
	}
	expect(t, "a watch with an answer that is too large", err, flows.Undecided, flows.TooLarge)
	large := followed(1)
	large.Body = make([]byte, limit+1)
	_, err = call(t, caller, large)
	expect(t, "a watch with a body that is too large", err, flows.Failed, flows.TooLarge)
}
