package edgetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
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

func watchArrives(t *testing.T, b bench) {
	arrived := make(chan flows.Call, 1)
	caller := b.one(t, edge.Config{}, func(_ context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		arrived <- c
		return func(yield func(flows.Answer, error) bool) {
			_ = yield(flows.Answer{Status: flows.Pending, RetryAfter: 7 * time.Millisecond}, nil) &&
				yield(flows.Answer{Op: c.ID, Body: c.Body}, nil)
		}
	})
	for _, c := range []flows.Call{followed(1<<64 - 1), changes(2, "a/b\"ü\x00🙂")} {
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
			got[0].Op != 0 || got[1].Op != c.ID || string(got[1].Body) != string(c.Body) {
			t.Errorf("%s is told %+v; want pending, then its body as news of its operation", text(c), got)
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
