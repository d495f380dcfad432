package httpedge

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve makes endpoints reachable for the length of a test.
func serve(t *testing.T, c Config, backends ...flows.Endpoint) (*Edge, flows.Caller) {
	t.Helper()
	c.Timeout, c.MaxBody, c.Meter = 5*time.Second, 1024, &Meter{}
	c.Log = slog.New(slog.DiscardHandler)
	if c.Dial == nil {
		c.Dial = wire.Loopback()
	}
	e := New(c)
	s, err := e.Listen(t.Context(), "part", backends...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	caller, err := e.Dial(t.Context(), "part", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caller.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return e, caller
}

// answering returns an endpoint that says what f says.
func answering(f func(flows.Call) (flows.Answer, error)) flows.Endpoint {
	return func(_ context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return flows.Single(func() (flows.Answer, error) { return f(c) })
	}
}

// TestCallsArriveAsTheyWereMade sends every kind of call over one backend and
// over a balancer with two.
func TestCallsArriveAsTheyWereMade(t *testing.T) {
	calls := []flows.Call{
		{Verb: flows.Submit, Kind: flows.Command, ID: 1, Key: "k1", Body: []byte("body")},
		{Verb: flows.Submit, Kind: flows.Command, ID: 2, Key: "a/b ?&=ü", Body: []byte{}},
		{Verb: flows.Fetch, Kind: flows.Query, ID: 3, Key: "k1"},
		{Verb: flows.Fetch, Kind: flows.Query, ID: 4, Key: "a/b ?&=ü"},
		{Verb: flows.Fetch, Kind: flows.StatusOf, ID: 1<<64 - 1},
	}
	for _, backends := range []int{1, 2} {
		t.Run(fmt.Sprint(backends), func(t *testing.T) {
			var mu sync.Mutex
			var got flows.Call
			var served [2]int
			endpoints := make([]flows.Endpoint, backends)
			for i := range endpoints {
				endpoints[i] = answering(func(c flows.Call) (flows.Answer, error) {
					mu.Lock()
					defer mu.Unlock()
					got = c
					served[i]++
					return flows.Answer{Body: append([]byte("re:"), c.Body...)}, nil
				})
			}
			e, caller := serve(t, Config{}, endpoints...)
			for _, want := range calls {
				a, err := flows.First(t.Context(), caller, want)
				if err != nil || a.Status != flows.Done || string(a.Body) != "re:"+string(want.Body) {
					t.Fatalf("call %d is answered %v, %v", want.ID, a, err)
				}
				if got.Verb != want.Verb || got.Kind != want.Kind || got.ID != want.ID || got.Key != want.Key ||
					string(got.Body) != string(want.Body) {
					t.Errorf("arrived %+v; want %+v", got, want)
				}
			}
			if want := int64(backends * len(calls)); e.config.Meter.Requests.Load() != want {
				t.Errorf("%d requests were counted; want %d", e.config.Meter.Requests.Load(), want)
			}
			if backends == 2 && (served[0] < 2 || served[1] < 2) {
				t.Errorf("backends served %v; want them to take turns", served)
			}
			if e.config.Meter.BytesIn.Load() == 0 || e.config.Meter.BytesOut.Load() == 0 {
				t.Error("no bytes were counted")
			}
		})
	}
}

func TestPendingSaysWhereAndWhenToAskAgain(t *testing.T) {
	e, caller := serve(t, Config{}, answering(func(flows.Call) (flows.Answer, error) {
		return flows.Answer{Status: flows.Pending, RetryAfter: 15 * time.Millisecond}, nil
	}))
	a, err := flows.First(t.Context(), caller, flows.Call{Verb: flows.Submit, ID: 10, Key: "k"})
	if err != nil || a.Status != flows.Pending || a.RetryAfter != 15*time.Millisecond {
		t.Errorf("got %+v, %v; want pending for 15ms", a, err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, "http://"+e.Address("part")+"/commands?key=k", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", formatID(10))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Location") != "/commands/000000000000000a" ||
		resp.Header.Get("Retry-After") != "1" {
		t.Errorf("got %s, %v; want 202 with Location and Retry-After", resp.Status, resp.Header)
	}
}

// TestErrorsKeepTheirMeaningOverHTTP checks that a client learns as much as the
// endpoint knew, through a balancer too.
func TestErrorsKeepTheirMeaningOverHTTP(t *testing.T) {
	cause := errors.New("cause")
	var next error
	for _, backends := range []int{1, 2} {
		endpoint := answering(func(flows.Call) (flows.Answer, error) { return flows.Answer{}, next })
		_, caller := serve(t, Config{}, []flows.Endpoint{endpoint, endpoint}[:backends]...)
		for _, class := range flows.Classes() {
			for _, err := range []error{flows.Fail(class, cause), flows.Unknown(class, cause)} {
				next = err
				_, got := flows.First(t.Context(), caller, flows.Call{Verb: flows.Fetch, Kind: flows.Query, Key: "k"})
				wantOutcome, wantClass := flows.OutcomeOf(err)
				if outcome, class := flows.OutcomeOf(got); outcome != wantOutcome || class != wantClass {
					t.Errorf("%v, %s arrives as %v, %s (%v)", wantOutcome, wantClass, outcome, class, got)
				}
			}
		}
	}
}

func TestBodiesOverTheLimitAreRefusedBothWays(t *testing.T) {
	_, caller := serve(t, Config{}, answering(func(c flows.Call) (flows.Answer, error) {
		return flows.Answer{Body: make([]byte, 2000)}, nil
	}))
	_, err := flows.First(t.Context(), caller, flows.Call{Verb: flows.Submit, ID: 1, Body: make([]byte, 2000)})
	if outcome, class := flows.OutcomeOf(err); outcome != flows.Failed || class != flows.TooLarge {
		t.Errorf("a large request ends as %v, %s (%v); want failed, too large", outcome, class, err)
	}
	_, err = flows.First(t.Context(), caller, flows.Call{Verb: flows.Fetch, Kind: flows.Query, Key: "k"})
	if outcome, class := flows.OutcomeOf(err); outcome != flows.Undecided || class != flows.TooLarge {
		t.Errorf("a large answer ends as %v, %s (%v); want unknown, too large", outcome, class, err)
	}
}

func TestWhatABrokenPathMeans(t *testing.T) {
	refused := func(context.Context, string, string) (net.Conn, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		address := l.Addr().String()
		_ = l.Close() // so that nothing listens there
		return net.Dial("tcp", address)
	}
	unreachable := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	var cut atomic.Pointer[net.Conn]
	cuttable := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := wire.Loopback()(ctx, network, address)
		cut.Store(&c)
		return c, err
	}
	tests := []struct {
		name     string
		dial     wire.Dialer
		endpoint func(ctx context.Context) error
		outcome  flows.Outcome
		class    flows.Class
	}{
		{"a refused connection has failed for certain", refused, nil, flows.Failed, flows.Refused},
		{"so has one that cannot be made", unreachable, nil, flows.Failed, flows.Unreachable},
		{"a connection cut under way leaves it open", cuttable, func(context.Context) error {
			return (*cut.Load()).Close()
		}, flows.Undecided, flows.Disconnected},
		{"so does an answer that does not come", nil, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, flows.Undecided, flows.Timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			endpoint := func(ctx context.Context, _ flows.Call) iter.Seq2[flows.Answer, error] {
				return flows.Single(func() (flows.Answer, error) { return flows.Answer{}, tt.endpoint(ctx) })
			}
			_, caller := serve(t, Config{Dial: tt.dial}, endpoint)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if tt.class != flows.Timeout {
				ctx = t.Context()
			}
			_, err := flows.First(ctx, caller, flows.Call{Verb: flows.Submit, ID: 1, Key: "k", Body: []byte("x")})
			if outcome, class := flows.OutcomeOf(err); outcome != tt.outcome || class != tt.class {
				t.Errorf("ends as %v, %s (%v); want %v, %s", outcome, class, err, tt.outcome, tt.class)
			}
		})
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	e, _ := serve(t, Config{}, answering(func(flows.Call) (flows.Answer, error) {
		t.Error("nonsense reached the endpoint")
		return flows.Answer{}, nil
	}))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{http.MethodPost, "/commands?key=k", http.StatusUnprocessableEntity}, // without an idempotency key
		{http.MethodGet, "/commands/xyz", http.StatusUnprocessableEntity},
		{http.MethodGet, "/queries/k", http.StatusUnprocessableEntity}, // without a request id
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodDelete, "/commands/000000000000000a", http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequest(tt.method, "http://"+e.Address("part")+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.code {
			t.Errorf("%s %s: got %d; want %d", tt.method, tt.path, resp.StatusCode, tt.code)
		}
	}
}

func TestTheEdgeListensOnLoopbackOnly(t *testing.T) {
	e, _ := serve(t, Config{}, answering(func(flows.Call) (flows.Answer, error) { return flows.Answer{}, nil }))
	if host, _, err := net.SplitHostPort(e.Address("part")); err != nil || !net.ParseIP(host).IsLoopback() {
		t.Errorf("listens at %s; want loopback", e.Address("part"))
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("000000000000000a")
	f.Add("")
	f.Add("+00000000000000a")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := parseID(s)
		if err == nil && formatID(id) != strings.ToLower(s) {
			t.Errorf("%q is read as %s", s, formatID(id))
		}
	})
}
