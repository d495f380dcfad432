package modeledge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/edge"
	"flowbench/sim/edge/balance"
)

// A Config describes an edge.
type Config struct {
	Faults  []Fault
	Link    des.Draw // of the delay between a client and what it calls, each way
	Inner   des.Draw // of the delay between a balancer and a backend, each way; nil for Link
	MaxBody int64    // bytes of a request or answer body; 0 for any
	Seed    uint64

	Meter        *edge.Meter // counts requests, as other edges do; nil for none
	LeastPending bool        // balancers pick who has the fewest calls under way, and not each in turn
}

// An Edge implements [flows.Edge] for one cell.
type Edge struct {
	kernel *des.Kernel
	config Config
	parts  map[string]*server
	faults faults
}

// New returns an edge with nothing listening.
func New(k *des.Kernel, config Config) *Edge {
	if config.Inner == nil {
		config.Inner = config.Link
	}
	e := &Edge{kernel: k, config: config, parts: make(map[string]*server)}
	e.schedule()
	return e
}

// count counts a call of a client, or a request that a balancer hands on.
func (e *Edge) count() {
	if e.config.Meter != nil {
		e.config.Meter.Requests.Add(1)
	}
}

// Listen implements [flows.Edge].
func (e *Edge) Listen(ctx context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	if len(backends) == 0 {
		return nil, errors.New("listen: no backend")
	}
	backends = e.breakable(name, backends)
	life, stop := e.kernel.WithCancel(context.WithoutCancel(ctx))
	s := &server{
		edge: e, backends: backends, pool: balance.New(len(backends), e.config.LeastPending, balance.Defaults()),
		inner: des.Stream(e.config.Seed, "balancer/"+name), life: life, stop: stop,
	}
	e.parts[name] = s
	return s, nil
}

// Dial implements [flows.Edge].
func (e *Edge) Dial(_ context.Context, name string, id int) (flows.Caller, error) {
	s := e.parts[name]
	if s == nil {
		return nil, flows.Fail(flows.Unreachable, fmt.Errorf("dial: nothing listens as %q", name))
	}
	c := &caller{edge: e, server: s, link: des.Stream(e.config.Seed, fmt.Sprintf("link/%s/%d", name, id))}
	return e.breakableCaller(c, spot{part: name, client: id}), nil
}

// A server is the backends of one part and the balancer before them.
type server struct {
	edge     *Edge
	backends []flows.Endpoint
	pool     *balance.Pool // whose backends are always well
	inner    *rand.Rand
	life     context.Context // of the calls under way
	stop     context.CancelFunc
	closed   bool
	calls    int           // under way
	idle     flows.Promise // kept when there are none left, once somebody waits for that
}

// patience is how long calls that are under way may take to end when a server
// closes.
const patience = time.Second

// Serve implements [flows.Server].
func (s *server) Serve(ctx context.Context) error {
	k := s.edge.kernel
	_, _ = k.Promise().Wait(ctx) // which nobody keeps: it ends with ctx
	s.closed = true
	defer s.stop()
	if s.calls == 0 {
		return nil
	}
	s.idle = k.Promise()
	limited, cancel := k.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, _ = s.idle.Wait(limited) // calls that take longer are cut short
	return nil
}

// answer works on a call that has arrived.
func (s *server) answer(ctx context.Context, c flows.Call) (flows.Answer, error) {
	if limit := s.edge.config.MaxBody; limit > 0 && max(int64(len(c.Body)), c.StreamBytes) > limit {
		return flows.Answer{}, edge.OverLimit(limit)
	}
	c.Stream = arriving(ctx, c.Stream)
	s.calls++
	defer s.done()
	backend, leave, err := s.backend(ctx)
	defer leave()
	if err != nil {
		return flows.Answer{}, err
	}
	a, ok, err := flows.FirstOf(backend(ctx, c))
	if !ok {
		return flows.Answer{}, flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer"))
	}
	if len(s.backends) > 1 {
		err = errors.Join(err, s.cross(ctx))
	}
	return a, err
}

// done notes that a call has ended.
func (s *server) done() {
	if s.calls--; s.calls == 0 && s.idle != nil {
		s.idle.Keep(flows.Message{}, nil)
	}
}

// backend returns who is to answer a call, once that has got there. leave is
// called when it has been answered, whatever the error.
func (s *server) backend(ctx context.Context) (answer flows.Endpoint, leave func(), err error) {
	picked, _ := s.pool.Take(balance.None)
	leave = func() { s.pool.Leave(picked) }
	if len(s.backends) > 1 {
		s.edge.count()
		err = s.cross(ctx)
	}
	return s.backends[picked], leave, err
}

// cross takes the way between the balancer and a backend.
func (s *server) cross(ctx context.Context) error {
	if err := s.edge.kernel.Sleep(ctx, s.edge.config.Inner(s.inner)); err != nil {
		return flows.Unknown(flows.Timeout, fmt.Errorf("await a backend: %w", err))
	}
	return nil
}

// A caller is one web client.
type caller struct {
	edge   *Edge
	server *server
	link   *rand.Rand
}

// Close implements [flows.Caller].
func (c *caller) Close() error { return nil }

// Call implements [flows.Caller].
func (c *caller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	if call.Verb == flows.Watch {
		return func(yield func(flows.Answer, error) bool) { c.watch(ctx, call, yield) }
	}
	return flows.Single(func() (flows.Answer, error) {
		sent, body := leaving(request(call))
		defer body.leave()
		a, err := c.call(ctx, sent)
		if body.broke() != nil && ctx.Err() == nil {
			return flows.Answer{}, body.broke()
		}
		return a, err
	})
}

// request returns what of a call crosses the edge.
func request(c flows.Call) flows.Call {
	switch {
	case c.Verb == flows.Submit, c.Verb == flows.Watch && c.Kind == flows.Command:
		return flows.Call{
			Verb: c.Verb, Kind: flows.Command, ID: c.ID, Key: c.Key, Body: bytes.Clone(c.Body),
			Stream: c.Stream, StreamBytes: c.StreamBytes,
		}
	case c.Kind == flows.StatusOf:
		return flows.Call{Verb: c.Verb, Kind: c.Kind, ID: c.ID}
	}
	return flows.Call{Verb: c.Verb, Kind: flows.Query, ID: c.ID, Key: c.Key}
}

// response returns what of an answer crosses the edge.
func response(a flows.Answer) flows.Answer {
	if a.Status == flows.Pending {
		pause := max(a.RetryAfter.Truncate(time.Millisecond), time.Millisecond)
		return flows.Answer{Status: flows.Pending, RetryAfter: pause}
	}
	return flows.Answer{Status: flows.Done, Op: a.Op, Body: bytes.Clone(a.Body)}
}

// carried returns what of an error crosses the edge.
func carried(err error) error {
	outcome, class := flows.OutcomeOf(err)
	words := errors.New(err.Error())
	if outcome == flows.Failed {
		return flows.Fail(class, words)
	}
	return flows.Unknown(class, words)
}

func answerTooLarge(limit int64) error {
	return flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", limit))
}

// gaveUp returns the error of a call that waits no longer.
func gaveUp(err error) error {
	_, class := flows.OutcomeOf(err)
	return flows.Unknown(class, fmt.Errorf("await answer: %w", err))
}

// reachable returns the error of a call that cannot be made.
func (c *caller) reachable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		_, class := flows.OutcomeOf(err)
		return flows.Unknown(class, fmt.Errorf("call: %w", err))
	}
	if c.server.closed {
		return flows.Fail(flows.Refused, errors.New("call: connection refused"))
	}
	return nil
}

func (c *caller) call(ctx context.Context, call flows.Call) (flows.Answer, error) {
	if err := c.reachable(ctx); err != nil {
		return flows.Answer{}, err
	}
	k := c.edge.kernel
	c.edge.count()
	there := c.edge.config.Link(c.link)
	under, cancel := k.WithCancel(c.server.life)
	var answer flows.Answer
	back := k.Promise()
	k.Go(under, func(ctx context.Context) {
		defer cancel()
		err := k.Sleep(ctx, there)
		if err == nil {
			answer, err = c.server.answer(ctx, call)
		}
		if err != nil {
			err = carried(err)
		}
		k.AfterFunc(c.edge.config.Link(c.link), func() { back.Keep(flows.Message{}, err) })
	})
	_, err := back.Wait(ctx)
	switch limit := c.edge.config.MaxBody; {
	case ctx.Err() != nil && err != nil:
		k.AfterFunc(there, cancel)
		return flows.Answer{}, gaveUp(ctx.Err())
	case err != nil:
		return flows.Answer{}, err
	case limit > 0 && int64(len(answer.Body)) > limit:
		return flows.Answer{}, answerTooLarge(limit)
	}
	return response(answer), nil
}
