package edgetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// callsArrive makes every kind of call, over one backend and over a balancer.
func callsArrive(t *testing.T, b bench) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	traced := command(77)
	traced.Trace = trace
	calls := []flows.Call{
		{Verb: flows.Fetch, Kind: flows.StatusOf, ID: 1<<64 - 1}, traced,
		{Verb: flows.Fetch, Kind: flows.Query, ID: 78, Key: "k", Trace: trace},
		{Verb: flows.Fetch, Kind: flows.StatusOf, ID: 79, Trace: trace},
	}
	for i, key := range []string{
		"k1", "a/b ?&=ü", "%2F%", "..", ".", "/", "a//b", `"quoted"\`, "line\nbreak\ttab", "nul\x00", "日本語🙂",
		"{{}}", "$id", "+plus+", "#part", "</script>",
	} {
		id := uint64(i)
		calls = append(calls, query(id, key), flows.Call{
			Verb: flows.Submit, Kind: flows.Command, ID: id << 50, Key: key, Body: []byte{0, 0xff, '"', '\n', byte(i)},
		})
	}
	for _, backends := range []int{1, 2} {
		var mu sync.Mutex
		var got flows.Call
		endpoint := answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			got = c
			return flows.Answer{Body: append([]byte("re:"), c.Body...)}, nil
		})
		caller := b.serve(t, edge.Config{}, []flows.Endpoint{endpoint, endpoint}[:backends]...).dial(t, 0)
		for _, want := range calls {
			a, err := call(t, caller, want)
			if err != nil || a.Status != flows.Done || string(a.Body) != "re:"+string(want.Body) {
				t.Errorf("%s: answered %v, %v", text(want), a, err)
				continue
			}
			mu.Lock()
			if got.Verb != want.Verb || got.Kind != want.Kind || got.ID != want.ID || got.Key != want.Key ||
				got.Trace != want.Trace || !bytes.Equal(got.Body, want.Body) {
				t.Errorf("%s arrived as %s", text(want), text(got))
			}
			mu.Unlock()
		}
	}
}

func bodiesSurvive(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{MaxBody: 64 << 10}, echoing())
	for _, size := range []int{0, 1, 2, 3, 255, 4096, 32 << 10, 64 << 10} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i * 7)
		}
		c := command(uint64(size))
		c.Body = body
		a, err := call(t, caller, c)
		if err != nil || !bytes.Equal(a.Body, body) {
			t.Errorf("of %d bytes %d come back, or others: %v", size, len(a.Body), err)
		}
	}
}

func pending(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{}, answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
		return flows.Answer{Status: flows.Pending, RetryAfter: time.Duration(c.ID) * time.Millisecond}, nil
	}))
	for _, c := range []flows.Call{command(15), command(2500), {Verb: flows.Fetch, Kind: flows.StatusOf, ID: 1}} {
		a, err := call(t, caller, c)
		want := time.Duration(c.ID) * time.Millisecond
		if err != nil || a.Status != flows.Pending || a.RetryAfter != want {
			t.Errorf("got %+v, %v; want pending for %v", a, err, want)
		}
	}
}

// errorsKeepTheirMeaning checks that a client learns as much as the endpoint
// knew, through a balancer too.
func errorsKeepTheirMeaning(t *testing.T, b bench) {
	var mu sync.Mutex
	var next error
	for _, backends := range []int{1, 2} {
		endpoint := answering(func(context.Context, flows.Call) (flows.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			return flows.Answer{}, next
		})
		caller := b.serve(t, edge.Config{}, []flows.Endpoint{endpoint, endpoint}[:backends]...).dial(t, 0)
		for _, class := range flows.Classes() {
			for _, err := range []error{flows.Fail(class, errCause), flows.Unknown(class, errCause)} {
				mu.Lock()
				next = err
				mu.Unlock()
				outcome, _ := flows.OutcomeOf(err)
				for _, c := range []flows.Call{command(1), query(2, "k"), {Verb: flows.Fetch, Kind: flows.StatusOf}} {
					_, got := call(t, caller, c)
					expect(t, fmt.Sprintf("%v, %s", outcome, class), got, outcome, class)
				}
			}
		}
	}
}

func noAnswer(t *testing.T, b bench) {
	caller := b.one(t, edge.Config{}, func(context.Context, flows.Call) iter.Seq2[flows.Answer, error] {
		return func(func(flows.Answer, error) bool) {}
	})
	_, err := call(t, caller, command(1))
	expect(t, "a call without an answer", err, flows.Undecided, flows.Internal)
}

// tooLarge sends what is somewhat too large, and what is so large that it is
// over the bound of a message as well.
func tooLarge(t *testing.T, b bench) {
	const limit = 1024
	for _, size := range []int{limit + 1, 2 * limit, 1 << 20} {
		caller := b.one(t, edge.Config{MaxBody: limit}, answering(
			func(_ context.Context, c flows.Call) (flows.Answer, error) {
				if c.Key == "large" {
					return flows.Answer{Body: make([]byte, size)}, nil
				}
				return flows.Answer{Body: make([]byte, limit)}, nil
			}))
		large := command(1)
		large.Body = make([]byte, size)
		_, err := call(t, caller, large)
		expect(t, fmt.Sprintf("a request of %d bytes", size), err, flows.Failed, flows.TooLarge)
		_, err = call(t, caller, query(1, "large"))
		expect(t, fmt.Sprintf("an answer of %d bytes", size), err, flows.Undecided, flows.TooLarge)
		if a, err := call(t, caller, query(1, "k")); err != nil || len(a.Body) != limit {
			t.Errorf("afterwards a call of the size of the limit ends as %d bytes, %v", len(a.Body), err)
		}
	}
}

func manyAtOnce(t *testing.T, b bench) {
	const calls, workers = 2000, 50
	r := b.serve(t, edge.Config{ConnectionsPerClient: 8}, echoing(), echoing())
	caller := r.dial(t, 0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range calls / workers {
				want := fmt.Sprint(w, "-", i)
				a, err := call(t, caller, query(uint64(w*calls+i), want))
				if err != nil || string(a.Body) != want {
					t.Errorf("call %s is answered %q, %v", want, a.Body, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// sharedWork has more clients than backends, since an edge may keep a client
// with the backend that took its connection.
func sharedWork(t *testing.T, b bench) {
	const clients = 6
	var mu sync.Mutex
	var served [3]int
	endpoints := make([]flows.Endpoint, len(served))
	for i := range endpoints {
		endpoints[i] = answering(func(context.Context, flows.Call) (flows.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			served[i]++
			return flows.Answer{}, nil
		})
	}
	r := b.serve(t, edge.Config{}, endpoints...)
	for id := range clients {
		caller := r.dial(t, id)
		for range 3 {
			if _, err := call(t, caller, command(1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, n := range served {
		if n != clients {
			t.Errorf("backends served %v calls; want them to take turns", served)
			break
		}
	}
}

func metered(t *testing.T, b bench) {
	const calls = 10
	r := b.serve(t, edge.Config{}, echoing())
	caller := r.dial(t, 0)
	c := command(1)
	c.Body = make([]byte, 1000)
	for range calls {
		if _, err := call(t, caller, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.meter.Requests.Load(); n != calls {
		t.Errorf("%d requests were counted; want %d", n, calls)
	}
	if in, out := r.meter.BytesIn.Load(), r.meter.BytesOut.Load(); in < calls*1000 || out < calls*1000 {
		t.Errorf("%d bytes in and %d out were counted; want each call's both ways", in, out)
	}
}
