package flows

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// Proxy is a front end between web clients and the broker, or several of them
// behind a load balancer. Its Mode says how a client gets the result of a
// command; queries always wait for theirs.
//
// A client may find another front end at each call. Asking for a result works
// all the same, because it is the service that is asked. Submitting a command
// again does not: a front end recognizes what it has accepted itself, and the
// next one publishes it anew. Whether the service then sees it twice is up to
// the broker, which may drop messages with an id that it has had. Deployments in
// which every front end must recognize it share a store; these do not.
type Proxy struct{ Mode ProxyMode }

// A ProxyMode is a way in which clients of a front end get results.
type ProxyMode string

// The modes.
const (
	ProxySync  ProxyMode = "sync"  // the front end holds the call until the reply is there
	ProxyAsync ProxyMode = "async" // the front end answers "accepted", and the client polls
)

// Spec implements [Flow].
func (p Proxy) Spec() Spec {
	s := Spec{
		Name:    "proxy-" + string(p.Mode),
		Uses:    UsesBroker | UsesEdge,
		Promise: AtLeastOnce,
	}
	switch p.Mode {
	case ProxySync:
		s.Summary = "a front end publishes to the broker and holds the call until the reply comes"
		s.Axes = []Axis{{"path", "proxy"}, {"command", "call"}, {"query", "call"}}
	case ProxyAsync:
		s.Summary = "a front end accepts commands at once, and the client polls for the result"
		s.Axes = []Axis{{"path", "proxy"}, {"command", "poll"}, {"query", "call"}}
	}
	return s
}

// Listen implements [Flow].
func (p Proxy) Listen(ctx context.Context, env Env) (Server, error) { return p.listen(ctx, env) }

func (p Proxy) listen(ctx context.Context, env Env) (proxyServer, error) {
	service, err := listenConsumers(ctx, env)
	if err != nil {
		return proxyServer{}, err
	}
	fronts, err := listenFrontEnds(ctx, env, func(i int, r *replies) Endpoint {
		remembered := rememberedCommands / max(1, env.Settings.FrontEnds)
		front := &frontEnd{mode: p.Mode, env: env, replies: r, accepted: newRecent(remembered), polls: newPolls(i)}
		return front.answer
	})
	if err != nil {
		service.close()
		return proxyServer{}, err
	}
	return proxyServer{env.Runtime, fronts, service}, nil
}

// proxyServer runs the front ends and the service behind them.
type proxyServer struct {
	rt      Runtime
	fronts  *frontEnds
	service *consumers
}

// Serve implements [Server].
func (s proxyServer) Serve(ctx context.Context) error {
	return serveAll(ctx, s.rt, s.fronts, s.service)
}

// close gives up what will not be served.
func (s proxyServer) close() {
	s.fronts.close()
	s.service.close()
}

// frontEnd turns calls into messages and replies into answers.
type frontEnd struct {
	mode     ProxyMode
	env      Env
	replies  *replies
	accepted *recent
	polls    *polls
}

func (f *frontEnd) answer(ctx context.Context, c Call) iter.Seq2[Answer, error] {
	return Single(func() (Answer, error) {
		ctx, cancel := f.env.Runtime.WithTimeout(ctx, f.env.Settings.Timeout)
		defer cancel()
		if c.Verb == Submit && f.mode == ProxyAsync {
			return f.accept(ctx, c)
		}
		return f.ask(ctx, c)
	})
}

// accept publishes a command and answers as soon as the broker has it. A
// command that has been accepted before is not published again.
func (f *frontEnd) accept(ctx context.Context, c Call) (Answer, error) {
	pending := Answer{Status: Pending, RetryAfter: f.env.Settings.Polling.Interval}
	if !f.accepted.add(c.ID) {
		return pending, nil
	}
	m := Message{Subject: requestSubject, ID: c.ID, Op: c.ID, Kind: Command, Key: c.Key, Body: c.Body, Stream: c.Stream}
	if err := f.replies.conn.Publish(ctx, m); err != nil {
		f.accepted.remove(c.ID)
		return Answer{}, wrapPublish(m, err)
	}
	return pending, nil
}

// ask makes a request of the call and waits for its reply.
func (f *frontEnd) ask(ctx context.Context, c Call) (Answer, error) {
	m := Message{Subject: requestSubject, ID: c.ID, Op: c.ID, Kind: c.Kind, Key: c.Key, Body: c.Body, Stream: c.Stream}
	if c.Kind == StatusOf {
		m.ID = f.polls.next()
	}
	reply, err := f.replies.request(ctx, m, func() {})
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: reply.Status, Body: reply.Body}
	if a.Status == Pending {
		a.RetryAfter = f.env.Settings.Polling.Interval
	}
	return a, nil
}

// Dial implements [Flow].
func (p Proxy) Dial(ctx context.Context, env Env, id int) (Client, error) {
	caller, err := env.Edge.Dial(ctx, FrontEndPart, id)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", FrontEndPart, err)
	}
	if p.Mode == ProxySync {
		return callingClient{caller}, nil
	}
	return &pollingClient{callingClient{caller}, env}, nil
}

// pollingClient submits commands and asks for their results until they are
// there. Queries wait on the call.
type pollingClient struct {
	callingClient
	env Env
}

func (c *pollingClient) Do(ctx context.Context, op *Op) error {
	if op.Kind == Query {
		return c.callingClient.Do(ctx, op)
	}
	answer, err := First(ctx, c.caller, Call{Verb: Submit, Kind: Command, ID: op.ID, Key: op.Key, Body: op.Body})
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	op.Reach(Accepted)
	body := answer.Body
	if answer.Status == Pending {
		body, err = pollResult(ctx, c.env, func(ctx context.Context) (Status, []byte, error) {
			a, err := First(ctx, c.caller, Call{Verb: Fetch, Kind: StatusOf, ID: op.ID})
			return a.Status, a.Body, err
		})
	}
	if err != nil {
		return err
	}
	op.Answer = body
	op.Settle(true)
	return nil
}

// rememberedCommands is how many accepted commands the front ends together
// recognize when they are submitted again.
const rememberedCommands = 1 << 16

// recent is a bounded set of ids that forgets the oldest.
type recent struct {
	mu   sync.Mutex
	ids  map[uint64]struct{}
	ring []uint64 // grows up to size
	size int
	next int
}

func newRecent(size int) *recent { return &recent{ids: make(map[uint64]struct{}), size: size} }

// add adds id and reports whether it was not there before.
func (r *recent) add(id uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[id]; ok {
		return false
	}
	r.ids[id] = struct{}{}
	if len(r.ring) < r.size {
		r.ring = append(r.ring, id)
		return true
	}
	delete(r.ids, r.ring[r.next])
	r.ring[r.next] = id
	r.next = (r.next + 1) % r.size
	return true
}

// remove forgets id, so that it may be added again.
func (r *recent) remove(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, id)
}
