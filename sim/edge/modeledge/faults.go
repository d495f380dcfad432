package modeledge

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
)

// A Fault is one thing that goes wrong for a while, as data. It befalls the link
// of one client to a part or, where Backend is not 0, the link between a part's
// balancer and one of its backends.
type Fault struct {
	Kind    FaultKind
	At      time.Duration // when it begins, on the kernel's clock
	For     time.Duration // how long it lasts
	Part    string
	Client  int
	Backend int           // counting from 1; 0 for a fault of the client's link
	Share   float64       // of Lose: the probability that it hits a call, and again its answer
	Delay   time.Duration // of Slow: the mean of what is added to the delay, each way
}

// A FaultKind says what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	Slow FaultKind = "slow" // calls and answers take longer
	Lose FaultKind = "lose" // calls or their answers never arrive, and nobody is told

	// Cut ends the calls under way at once, and refuses new ones while it lasts.
	Cut FaultKind = "cut"
)

// String tells the fault in words.
func (f Fault) String() string {
	one, other := fmt.Sprintf("client %d", f.Client), "the "+f.Part
	if f.Backend > 0 {
		one, other = fmt.Sprintf("backend %d of %s", f.Backend-1, other), "its balancer"
	}
	when := fmt.Sprintf("at %v for %v", f.At, f.For)
	switch f.Kind {
	case Slow:
		return fmt.Sprintf("%s delay calls and answers by %v on average between %s and %s", when, f.Delay, one, other)
	case Lose:
		return fmt.Sprintf("%s lose %.0f %% of calls and of answers between %s and %s", when, 100*f.Share, one, other)
	default:
		return fmt.Sprintf("%s cut %s from %s", when, one, other)
	}
}

var (
	errDown = errors.New("call: connection refused")
	errCut  = errors.New("await answer: the connection was cut")
)

// A spot is where a fault can befall an edge: the link of a client, or that of a
// backend.
type spot struct {
	part    string
	client  int
	backend int // counting from 1; 0 for a client
}

func (f Fault) spot() spot {
	if f.Backend > 0 {
		return spot{part: f.Part, backend: f.Backend}
	}
	return spot{part: f.Part, client: f.Client}
}

// faults is what is under way where faults may strike.
type faults struct {
	stream *rand.Rand // drawn from while a fault is in force, and only then
	under  []*hook    // in the order in which they came
}

// A hook is what a cut does to one call.
type hook struct {
	at  spot
	cut func()
}

// schedule has the cuts happen. The other faults are looked up.
func (e *Edge) schedule() {
	e.faults.stream = des.Stream(e.config.Seed, "faults")
	for _, f := range e.config.Faults {
		if f.Kind != Cut {
			continue
		}
		e.kernel.AfterFunc(f.At-e.kernel.Now(), func() {
			for _, h := range slices.Clone(e.faults.under) {
				if h.at == f.spot() {
					h.cut()
				}
			}
		})
	}
}

// follow has cut called when a cut happens at a spot, until the function that it
// returns is called.
func (e *Edge) follow(at spot, cut func()) (stop func()) {
	h := &hook{at, cut}
	e.faults.under = append(e.faults.under, h)
	return func() {
		e.faults.under = slices.DeleteFunc(e.faults.under, func(other *hook) bool { return other == h })
	}
}

// inForce calls f for every fault of a kind at a spot now.
func (e *Edge) inForce(kind FaultKind, at spot, f func(Fault)) {
	now := e.kernel.Now()
	for _, fault := range e.config.Faults {
		if fault.Kind == kind && fault.spot() == at && fault.At <= now && now < fault.At+fault.For {
			f(fault)
		}
	}
}

// isCut reports whether a spot cannot be passed now.
func (e *Edge) isCut(at spot) (cut bool) {
	e.inForce(Cut, at, func(Fault) { cut = true })
	return cut
}

// loses draws whether what passes a spot now gets lost.
func (e *Edge) loses(at spot) (lost bool) {
	e.inForce(Lose, at, func(f Fault) { lost = e.faults.stream.Float64() < f.Share || lost })
	return lost
}

// extra draws by what a passage of a spot takes longer now.
func (e *Edge) extra(at spot) (d time.Duration) {
	e.inForce(Slow, at, func(f Fault) { d += des.Exponential(f.Delay)(e.faults.stream) })
	return d
}

// breakable returns backends whose links can be broken.
func (e *Edge) breakable(part string, backends []flows.Endpoint) []flows.Endpoint {
	if len(e.config.Faults) == 0 {
		return backends
	}
	all := make([]flows.Endpoint, len(backends))
	for i, backend := range backends {
		all[i] = func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
			return func(yield func(flows.Answer, error) bool) {
				e.pass(ctx, spot{part: part, backend: i + 1}, c, backend, yield)
			}
		}
	}
	return all
}

// breakableCaller returns a caller whose link can be broken.
func (e *Edge) breakableCaller(c flows.Caller, at spot) flows.Caller {
	if len(e.config.Faults) == 0 {
		return c
	}
	return breakableCaller{c, e, at}
}

type breakableCaller struct {
	flows.Caller
	edge *Edge
	at   spot
}

// Call implements [flows.Caller].
func (c breakableCaller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	return func(yield func(flows.Answer, error) bool) { c.edge.pass(ctx, c.at, call, c.Caller.Call, yield) }
}

// pass takes a call past a spot to next, and the answers back. A cut is noticed
// at once on this side; on the other, work goes on until word of it arrives.
func (e *Edge) pass(
	ctx context.Context, at spot, c flows.Call, next flows.Endpoint, yield func(flows.Answer, error) bool,
) {
	if err := ctx.Err(); err == nil && e.isCut(at) {
		yield(flows.Answer{}, flows.Fail(flows.Refused, errDown))
		return
	}
	cut := false
	ctx, cancel := e.kernel.WithCancel(ctx)
	defer cancel()
	defer e.follow(at, func() {
		cut = true
		cancel()
	})()
	err := e.get(ctx, at)
	if err == nil {
		for a, err := range next(ctx, c) {
			if lost := e.get(ctx, at); cut || lost != nil {
				break
			}
			if !yield(a, err) {
				return
			}
		}
		err = ctx.Err()
	}
	switch {
	case cut:
		yield(flows.Answer{}, flows.Unknown(flows.Disconnected, errCut))
	case err != nil:
		_, class := flows.OutcomeOf(err)
		yield(flows.Answer{}, flows.Unknown(class, fmt.Errorf("await answer: %w", err)))
	}
}

// get has a call or an answer get past a spot, if it does. What is lost is waited
// for until patience ends; what comes after it does not come either, as on any
// stream.
func (e *Edge) get(ctx context.Context, at spot) error {
	if e.loses(at) {
		_, err := e.kernel.Promise().Wait(ctx)
		return err
	}
	return e.kernel.Sleep(ctx, e.extra(at))
}
