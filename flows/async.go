package flows

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Async is the family of flows in which the client itself speaks to the broker.
// Its Reply says how the client learns what became of a command; queries are
// always answered on the client's reply channel.
type Async struct{ Reply AsyncReply }

// An AsyncReply is a way for a client of the broker to learn the result of a
// command.
type AsyncReply string

// The ways.
const (
	NoReply     AsyncReply = "no-reply" // it does not: a command ends when it is accepted
	PollReply   AsyncReply = "poll"     // it asks, by queries that carry the command's id
	EventsReply AsyncReply = "events"   // the service tells everybody, and each client picks its own
	ReplyTo     AsyncReply = "reply-to" // the service answers to the client's return address
)

// Spec implements [Flow].
func (a Async) Spec() Spec {
	s := Spec{
		Name: "async-" + string(a.Reply),
		Axes: []Axis{{"path", "broker"}, {"command", string(a.Reply)}, {"query", "reply-to"}},
		Uses: UsesBroker, Promise: AtLeastOnce,
	}
	switch a.Reply {
	case NoReply:
		s.Summary = "the client hands commands to the broker and does not learn what becomes of them"
	case PollReply:
		s.Summary = "the client hands commands to the broker and asks by their ids until the result is there"
	case EventsReply:
		s.Summary = "the client hands commands to the broker and listens for the service's events about them"
	case ReplyTo:
		s.Summary = "the client speaks to the broker and is answered on a reply channel of its own"
	}
	return s
}

// Listen implements [Flow].
func (a Async) Listen(ctx context.Context, env Env) (Server, error) {
	service, err := listenConsumers(ctx, env)
	if err != nil {
		return nil, err
	}
	if a.Reply == EventsReply {
		service.events = outcomes
	}
	return service, nil
}

// Dial implements [Flow].
func (a Async) Dial(ctx context.Context, env Env, id int) (Client, error) {
	r, err := openReplies(ctx, env, fmt.Sprintf("client-%d", id))
	if err != nil {
		return nil, err
	}
	client := asyncClient{replies: r, wait: noResult}
	switch a.Reply {
	case ReplyTo:
		client.submit = replyToSubmit
	case NoReply:
		client.submit = publishSubmit
	case PollReply:
		client.submit, client.wait = publishSubmit, poller{env, newPolls(id), r}.await
	case EventsReply:
		events, err := listenForEvents(ctx, r)
		if err != nil {
			_ = r.conn.Close() // the error that counts is the one at hand
			return nil, err
		}
		client.events, client.submit = events, events.submit
	}
	env.Runtime.Go(ctx, r.receive)
	return client, nil
}

// An asyncClient is one client of the broker. submit sends a command, or does
// all of it; wait waits for its result, if there is more to wait for.
type asyncClient struct {
	replies *replies
	events  *eventListener // what submit listens with, if it does: tests look for what is left in it
	submit  func(ctx context.Context, r *replies, op *Op) error
	wait    func(ctx context.Context, op *Op) error
}

// Do implements [Client].
func (c asyncClient) Do(ctx context.Context, op *Op) error {
	if op.Kind == Query {
		return replyToSubmit(ctx, c.replies, op)
	}
	if err := c.submit(ctx, c.replies, op); err != nil {
		return err
	}
	return c.wait(ctx, op)
}

// Close implements [Client].
func (c asyncClient) Close() error { return c.replies.conn.Close() }

func requestOf(op *Op) Message {
	return Message{Subject: requestSubject, ID: op.ID, Op: op.ID, Kind: op.Kind, Key: op.Key, Body: op.Body}
}

// replyToSubmit makes a request and waits for its answer.
func replyToSubmit(ctx context.Context, r *replies, op *Op) error {
	return replyTo(ctx, r, op, requestOf(op))
}

// replyTo makes the request m on behalf of op and waits for its answer.
func replyTo(ctx context.Context, r *replies, op *Op, m Message) error {
	answer, err := r.request(ctx, m, func() { op.Reach(Accepted) })
	if err != nil {
		return err
	}
	op.Answer = answer.Body
	op.Settle(r.confirms)
	return nil
}

// publishSubmit sends a command and waits until the broker has it, on brokers
// that say so.
func publishSubmit(ctx context.Context, r *replies, op *Op) error {
	m := requestOf(op)
	if err := r.conn.Publish(ctx, m); err != nil {
		return wrapPublish(m, err)
	}
	if r.confirms {
		op.Reach(Accepted)
	}
	return nil
}

// noResult is how a client waits that wants none, or has it already.
func noResult(context.Context, *Op) error { return nil }

// A poller asks the service for the results of commands.
type poller struct {
	env     Env
	polls   *polls
	replies *replies
}

// await asks until the result is there.
func (p poller) await(ctx context.Context, op *Op) error {
	body, err := pollResult(ctx, p.env, func(ctx context.Context) (Status, []byte, error) {
		m := Message{Subject: requestSubject, ID: p.polls.next(), Op: op.ID, Kind: StatusOf}
		answer, err := p.replies.request(ctx, m, func() {})
		return answer.Status, answer.Body, err
	})
	if err != nil {
		return err
	}
	op.Answer = body
	op.Settle(p.replies.confirms)
	return nil
}

// polls numbers the status requests of one party. Their message ids must differ
// from the ids of operations and from those of every other party, or brokers
// that deduplicate would drop all polls but the first.
type polls struct {
	first uint64
	asked atomic.Uint64
}

const (
	pollIDs     = 1 << 63 // the first message id of status requests
	pollsPerOne = 1 << 40 // how many of them one party has
)

func newPolls(party int) *polls { return &polls{first: pollIDs + uint64(party)*pollsPerOne} }

func (p *polls) next() uint64 { return p.first + p.asked.Add(1) }

// pollResult asks for a result, pausing as the scenario says, until it is there.
func pollResult(
	ctx context.Context, env Env, ask func(ctx context.Context) (Status, []byte, error),
) ([]byte, error) {
	for n := 0; ; n++ {
		if err := env.Runtime.Sleep(ctx, env.Settings.Polling.Pause(n)); err != nil {
			return nil, awaiting("result", err)
		}
		status, body, err := ask(ctx)
		if err == nil && status != Pending {
			return body, nil
		}
		// A poll that failed says nothing about the command, unless it brought the
		// service's refusal; the next one may succeed.
		if _, class := OutcomeOf(err); err != nil && class == Rejected {
			return nil, fmt.Errorf("poll: %w", err)
		}
		if ctx.Err() != nil {
			return nil, awaiting("result", ctx.Err())
		}
	}
}

// An eventListener is a client's ear for what the service tells everybody. It
// hears of the commands of all clients and keeps what is about its own; the
// rest is clutter that the broker delivered all the same.
type eventListener struct {
	replies *replies
	sub     Subscription

	mu      sync.Mutex // never held while waiting
	waiting map[uint64]Promise
}

// listenForEvents subscribes to events over the connection of r.
func listenForEvents(ctx context.Context, r *replies) (*eventListener, error) {
	sub, err := r.conn.Subscribe(ctx, eventSubject, "")
	if err == nil {
		err = r.conn.Ready(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to events: %w", err)
	}
	l := &eventListener{replies: r, sub: sub, waiting: make(map[uint64]Promise)}
	r.env.Runtime.Go(ctx, l.receive)
	return l, nil
}

func (l *eventListener) receive(ctx context.Context) {
	for {
		m, err := l.sub.Receive(ctx)
		if err != nil {
			return
		}
		if p := l.take(m.Op); p != nil {
			p.Keep(m, m.Err)
		}
	}
}

// take removes and returns the promise of a command, if it waits.
func (l *eventListener) take(op uint64) Promise {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.waiting[op]
	delete(l.waiting, op)
	return p
}

// submit sends a command and waits for the event about it.
func (l *eventListener) submit(ctx context.Context, r *replies, op *Op) error {
	p := r.env.Runtime.Promise()
	l.mu.Lock()
	l.waiting[op.ID] = p
	l.mu.Unlock()
	if err := r.send(ctx, requestOf(op), p, func() { op.Reach(Accepted) }); err != nil {
		l.take(op.ID)
		return err
	}
	event, err := p.Wait(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		l.take(op.ID)
		return awaiting("event", ctx.Err())
	case err != nil:
		l.take(op.ID)
		return err
	case event.Status == Denied:
		return Fail(Rejected, errDenied)
	}
	op.Answer = event.Body
	op.Settle(r.confirms)
	return nil
}
