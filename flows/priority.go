package flows

import (
	"context"
	"fmt"
	"sync"
)

// Priority is request-reply over a broker in which urgent requests overtake the
// others. Where the broker orders its queues, all requests go to one subject and
// the broker delivers the urgent ones first. Elsewhere urgent requests have a
// subject of their own, and each instance of the service takes from that one
// first.
//
// Either way only what still waits can be overtaken. A broker that has filled the
// prefetch of a subscription has decided its order; with a subject for each
// priority each has a prefetch of its own, which costs nothing.
//
// The order is strict: as long as there are urgent requests, no other is begun.
type Priority struct{}

// A Prioritizer is a flow that has urgent operations done before the others: by
// the broker's queues where it has the trait [Priorities], and elsewhere by means
// of its own.
type Prioritizer interface {
	// Mechanism names the flow's own means in a phrase.
	Mechanism() string
}

// urgentSubject takes urgent requests where the broker does not order them.
const urgentSubject = "requests.urgent"

// Spec implements [Flow].
func (Priority) Spec() Spec {
	return Spec{
		Name: "priority",
		Summary: "as async-reply-to, and urgent requests overtake the others: by the broker's queue where it can, " +
			"elsewhere by a subject for each priority",
		Axes: []Axis{{"path", "broker"}, {"command", "reply-to"}, {"query", "reply-to"}, {"order", "urgent first"}},
		Uses: UsesBroker, Promise: AtLeastOnce,
	}
}

// Mechanism implements [Prioritizer].
func (Priority) Mechanism() string { return "by a subject for each priority" }

// Listen implements [Flow].
func (Priority) Listen(ctx context.Context, env Env) (Server, error) {
	service, err := listenConsumers(ctx, env)
	if err != nil || env.Broker.Traits().Has(Priorities) {
		return service, err
	}
	s := &urgentFirst{consumers: service}
	for i, conn := range service.conns {
		urgent, err := conn.Subscribe(ctx, urgentSubject, serviceGroup)
		if err == nil {
			err = conn.Ready(ctx)
		}
		if err != nil {
			service.close()
			return nil, fmt.Errorf("subscribe service instance %d to urgent requests: %w", i, err)
		}
		g := newGate(env.Runtime, env.Settings.Workers, urgent, service.subs[i])
		s.gates, service.subs[i] = append(s.gates, g), g
	}
	return s, nil
}

// Dial implements [Flow].
func (Priority) Dial(ctx context.Context, env Env, id int) (Client, error) {
	r, err := openReplies(ctx, env, fmt.Sprintf("client-%d", id))
	if err != nil {
		return nil, err
	}
	env.Runtime.Go(ctx, r.receive)
	c := priorityClient{replies: r, urgent: urgentSubject}
	if env.Broker.Traits().Has(Priorities) {
		c.urgent = requestSubject
	}
	return c, nil
}

// A priorityClient is one client of the broker that marks what is urgent.
type priorityClient struct {
	replies *replies
	urgent  string // the subject of urgent requests
}

// Do implements [Client].
func (c priorityClient) Do(ctx context.Context, op *Op) error {
	m := requestOf(op)
	if op.Urgent {
		m.Urgent, m.Subject = true, c.urgent
	}
	return replyTo(ctx, c.replies, op, m)
}

// Close implements [Client].
func (c priorityClient) Close() error { return c.replies.conn.Close() }

// urgentFirst is the service with a gate before the workers of each instance.
type urgentFirst struct {
	*consumers
	gates []*gate
}

// Serve implements [Server].
func (s *urgentFirst) Serve(ctx context.Context) error {
	var receivers []func(context.Context) error
	for _, g := range s.gates {
		for class := range g.from {
			receivers = append(receivers, s.env.Runtime.Go(ctx, func(ctx context.Context) { g.receive(ctx, class) }))
		}
	}
	err := s.consumers.Serve(ctx)
	joinAll(ctx, receivers)
	return err
}

// The classes of requests, as indices. Lower ones go first.
const (
	urgentClass = iota
	normalClass
	numClasses
)

// A gate stands before the workers of one instance and yields, as their
// [Subscription], an urgent request if it has one and a normal one otherwise. One
// activity for each class takes requests off the broker:
//
//   - a normal one only while a worker waits for it, so that no more of them are
//     under way than there are workers, and all that could be overtaken still
//     waits at the broker. If an urgent one gets to that worker first, the normal
//     one waits here for the next.
//   - urgent ones ahead of need, as many as there are workers, so that one is here
//     when a worker is done.
//
// What a gate holds when its connection closes was not acknowledged, and goes the
// way of every such message.
type gate struct {
	runtime Runtime
	workers int
	from    [numClasses]Subscription

	mu     sync.Mutex // never held while waiting
	held   [numClasses][]Message
	paused [numClasses]Promise // of a receiving activity that waits for room, or nil
	idle   []*seat             // workers that wait, longest first
	closed bool
}

// A seat is one worker's place among those that wait.
type seat struct {
	promise Promise
	given   *request // what the promise was kept with, or nil
}

// A request is a message on its way through a gate, with its class.
type request struct {
	Message
	class int
}

func newGate(rt Runtime, workers int, urgent, normal Subscription) *gate {
	return &gate{runtime: rt, workers: workers, from: [numClasses]Subscription{urgent, normal}}
}

// Receive implements [Subscription]. Once one of the gate's activities has ended,
// as they do when their connection closes, it returns [ErrClosed].
func (g *gate) Receive(ctx context.Context) (Message, error) {
	if err := ctx.Err(); err != nil {
		return Message{}, err
	}
	g.mu.Lock()
	if r, ok := g.next(); ok || g.closed {
		g.resume()
		g.mu.Unlock()
		if !ok {
			return Message{}, ErrClosed
		}
		return r.Message, nil
	}
	s := &seat{promise: g.runtime.Promise()}
	g.idle = append(g.idle, s)
	g.resume()
	g.mu.Unlock()
	m, err := s.promise.Wait(ctx)
	if err != nil {
		g.leave(s)
	}
	return m, err
}

// next takes what the next worker is to do. The caller holds the lock.
func (g *gate) next() (r request, ok bool) {
	for class, q := range g.held {
		if len(q) > 0 && !g.closed {
			g.held[class] = q[1:]
			return request{q[0], class}, true
		}
	}
	return request{}, false
}

// leave takes a worker away that gives up waiting. What it was given at that very
// moment goes to the next, before all others of its class.
func (g *gate) leave(s *seat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.idle {
		if other == s {
			g.idle = append(g.idle[:i:i], g.idle[i+1:]...)
			break
		}
	}
	if r := s.given; r != nil {
		g.held[r.class] = append([]Message{r.Message}, g.held[r.class]...)
		g.serve()
	}
}

// receive takes requests of a class off the broker while there is room for them.
func (g *gate) receive(ctx context.Context, class int) {
	defer g.close()
	for g.await(ctx, class) == nil {
		m, err := g.from[class].Receive(ctx)
		if err != nil {
			return
		}
		g.mu.Lock()
		g.held[class] = append(g.held[class], m)
		g.serve()
		g.mu.Unlock()
	}
}

// await waits until there is room for one more request of a class. Only one
// activity waits for each.
func (g *gate) await(ctx context.Context, class int) error {
	for {
		g.mu.Lock()
		if g.closed || g.room(class) {
			defer g.mu.Unlock()
			if g.closed {
				return ErrClosed
			}
			return nil
		}
		p := g.runtime.Promise()
		g.paused[class] = p
		g.mu.Unlock()
		if _, err := p.Wait(ctx); err != nil {
			return err
		}
	}
}

// room reports whether one more request of a class may be taken off the broker.
// The caller holds the lock.
func (g *gate) room(class int) bool {
	if class == urgentClass {
		return len(g.held[class]) < g.workers
	}
	return len(g.held[class]) == 0 && len(g.idle) > 0
}

// resume wakes the receiving activities for which there is room again. The caller
// holds the lock.
func (g *gate) resume() {
	for class, p := range g.paused {
		if p != nil && (g.closed || g.room(class)) {
			g.paused[class] = nil
			p.Keep(Message{}, nil)
		}
	}
}

// serve hands what is held to the workers that wait. The caller holds the lock.
func (g *gate) serve() {
	defer g.resume()
	for len(g.idle) > 0 {
		r, ok := g.next()
		if !ok {
			return
		}
		s := g.idle[0]
		g.idle = g.idle[1:]
		s.given = &r
		s.promise.Keep(r.Message, nil)
	}
}

// Close implements [Subscription].
func (g *gate) Close() error {
	g.close()
	var first error
	for _, sub := range g.from {
		if err := sub.Close(); first == nil {
			first = err
		}
	}
	return first
}

// close sends the workers and the receiving activities home.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.resume()
	for _, s := range g.idle {
		s.promise.Keep(Message{}, ErrClosed)
	}
	g.idle = nil
}
