// Package edgetest checks that an edge keeps the contract of the ports in
// package flows, whatever the protocol that it speaks.
//
// An edge's test calls [Test] with the way to open it; there is nothing else to
// write but what only this edge has. Every case opens an edge of its own, and
// ends by closing it and looking for goroutines that are left.
//
// The contract is about meaning: a call arrives as it was made, an error means
// to the client what it meant to the endpoint, and when the path breaks, a client
// is told "failed" only if the operation cannot have happened.
package edgetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/balance"
	"flowbench/sim/leaktest"
	"flowbench/sim/wire"
)

// patience is how long a case waits for what should be there soon. It is long,
// since it is only ever used up by a defect.
const patience = 20 * time.Second

// promptly is the bound of what must not wait for any timeout.
const promptly = 4 * time.Second

// Test runs the suite against the edge that open opens.
func Test(t *testing.T, open func(edge.Config) flows.Edge) {
	run(t, bench{open}, []testCase{
		{"calls arrive as they were made", callsArrive},
		{"bodies survive whatever their size", bodiesSurvive},
		{"bodies that come as streams arrive whole", streamsArrive},
		{"a body that is large arrives whole", largeArrives},
		{"a body that breaks off never arrives as a shorter one", brokenOff},
		{"a stream over the limit is refused", streamTooLarge},
		{"a body far over the limit is refused while it is sent", farTooLarge},
		{"pending says when to ask again", pending},
		{"errors keep their outcome and class", errorsKeepTheirMeaning},
		{"an endpoint without an answer leaves it open", noAnswer},
		{"bodies over the limit are refused both ways", tooLarge},
		{"a refused connection has failed for certain", refused},
		{"a connection that cannot be made has failed for certain", unreachable},
		{"a connection cut under way leaves it open at once", cut},
		{"a client gets over a cut connection", getsOver},
		{"an answer that does not come leaves it open", timedOut},
		{"a cancelled call ends at once, at the endpoint too", cancelled},
		{"a cancelled call does no harm to others", cancelledAlone},
		{"many calls at once are answered, each with its own", manyAtOnce},
		{"several backends share the work", sharedWork},
		{"least pending spares a busy backend", leastPending},
		{"a backend that is down is ejected and harms nobody", backendDown},
		{"a backend that hangs is ejected by its checks", backendHangs},
		{"a backend that answers with bare errors is ejected", bareErrors},
		{"a backend that fails its checks is ejected and comes back", failedChecks},
		{"with no backend that is well calls have failed for certain", nobodyWell},
		{"checks are not counted", checksUncounted},
		{"nothing listens under a name that is not known", unknownName},
		{"all connections are made on loopback", loopback},
		{"the meter counts", metered},
		{"a closed server ends the calls that are under way", closedUnderWay},
		{"a server that nobody called closes", closedUnused},
	})
}

// A testCase is one sentence of the contract.
type testCase struct {
	name string
	run  func(*testing.T, bench)
}

func run(t *testing.T, b bench, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			leaktest.Check(t)
			c.run(t, b)
		})
	}
}

// A bench opens edges under test.
type bench struct{ open func(edge.Config) flows.Edge }

// A rig is an edge that serves.
type rig struct {
	edge  flows.Edge
	meter *edge.Meter
	stop  func() // ends the server and waits; also called when the test ends
}

// part is the name under which everything listens.
const part = "part"

// serve makes endpoints reachable for the length of a test. What c leaves open
// gets a value that suits most cases.
func (b bench) serve(t *testing.T, c edge.Config, backends ...flows.Endpoint) *rig {
	t.Helper()
	c.Meter, c.Log = &edge.Meter{}, slog.New(slog.DiscardHandler)
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.Dial == nil {
		c.Dial = wire.Loopback()
	}
	if c.Health == (balance.Health{}) {
		c.Health = balance.Defaults()
		c.Health.Timeout = patience // a machine that is busy with a case has not lost its backends
	}
	r := &rig{edge: b.open(c), meter: c.Meter}
	s, err := r.edge.Listen(t.Context(), part, backends...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the server does not close")
		}
	}
	t.Cleanup(r.stop)
	return r
}

// dial returns a client for the length of a test.
func (r *rig) dial(t *testing.T, id int) flows.Caller {
	t.Helper()
	caller, err := r.edge.Dial(t.Context(), part, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caller.Close(); err != nil {
			t.Error(err)
		}
	})
	return caller
}

// one makes a single endpoint reachable and returns a client of it.
func (b bench) one(t *testing.T, c edge.Config, e flows.Endpoint) flows.Caller {
	t.Helper()
	return b.serve(t, c, e).dial(t, 0)
}

// answering returns an endpoint that says what f says.
func answering(f func(context.Context, flows.Call) (flows.Answer, error)) flows.Endpoint {
	return func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return flows.Single(func() (flows.Answer, error) { return f(ctx, c) })
	}
}

// echoing returns an endpoint that answers with the body of the call, or with
// the key where there is none.
func echoing() flows.Endpoint {
	return answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
		if c.Verb == flows.Submit {
			return flows.Answer{Body: c.Body}, nil
		}
		return flows.Answer{Body: []byte(c.Key)}, nil
	})
}

// waiting returns an endpoint that tells of each call that it takes and answers
// none before its context ends.
func waiting(taken chan<- flows.Call) flows.Endpoint {
	return answering(func(ctx context.Context, c flows.Call) (flows.Answer, error) {
		taken <- c
		<-ctx.Done()
		return flows.Answer{}, ctx.Err()
	})
}

func command(id uint64) flows.Call {
	return flows.Call{Verb: flows.Submit, Kind: flows.Command, ID: id, Key: "k", Body: []byte("x")}
}

func query(id uint64, key string) flows.Call {
	return flows.Call{Verb: flows.Fetch, Kind: flows.Query, ID: id, Key: key}
}

// call makes a call with the patience of the suite.
func call(t *testing.T, caller flows.Caller, c flows.Call) (flows.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return flows.First(ctx, caller, c)
}

// expect checks what an error means.
func expect(t *testing.T, what string, err error, outcome flows.Outcome, class flows.Class) {
	t.Helper()
	if o, c := flows.OutcomeOf(err); o != outcome || c != class {
		t.Errorf("%s ends as %v, %s (%v); want %v, %s", what, o, c, err, outcome, class)
	}
}

// errCause is what endpoints fail with.
var errCause = errors.New("cause")

func text(c flows.Call) string {
	return fmt.Sprintf("verb %d, kind %d, id %x, key %q, trace %q, %d bytes",
		c.Verb, c.Kind, c.ID, c.Key, c.Trace, len(c.Body))
}
