package flows

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"
)

// WebSocket is the flow in which clients hold one socket to a front end, which
// turns their calls into messages and what comes back into pushes. A client hears
// on its socket that its command was accepted and then what came of it, without
// asking; and it hears of every change of the keys that it watches, whoever made
// it.
type WebSocket struct{}

// Spec implements [Flow].
func (WebSocket) Spec() Spec {
	return Spec{
		Name:    "websocket",
		Summary: "clients hold a socket to a front end, which pushes results and changes as the broker brings them",
		Axes:    []Axis{{"path", "proxy"}, {"command", "push"}, {"query", "call"}},
		Uses:    UsesBroker | UsesEdge | UsesSocket,
		Promise: AtLeastOnce,
		Tells:   Watchers,
	}
}

// Listen implements [Flow].
func (WebSocket) Listen(ctx context.Context, env Env) (Server, error) {
	service, err := listenConsumers(ctx, env)
	if err != nil {
		return nil, err
	}
	if env.Settings.Subscribers > 0 {
		service.events = changes // which nobody has to pay for where nobody watches
	}
	s := socketServer{env: env, service: service}
	var endpoints []Endpoint
	for i := range max(1, env.Settings.FrontEnds) {
		front, err := openSocketEnd(ctx, env, i)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.fronts = append(s.fronts, front)
		endpoints = append(endpoints, front.answer)
	}
	s.edge, err = env.Edge.Listen(ctx, FrontEndPart, endpoints...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen as %s: %w", FrontEndPart, err), s.close())
	}
	return s, nil
}

// socketServer runs the front ends and the service behind them.
type socketServer struct {
	env     Env
	edge    Server
	fronts  []*socketEnd
	service *consumers
}

// Serve implements [Server].
func (s socketServer) Serve(ctx context.Context) error {
	servers := []Server{s.service, s.edge}
	for _, f := range s.fronts {
		servers = append(servers, f)
	}
	return serveAll(ctx, s.env.Runtime, servers...)
}

// close gives up what will not be served.
func (s socketServer) close() error {
	s.service.close()
	var errs []error
	for _, f := range s.fronts {
		errs = append(errs, f.replies.conn.Close())
	}
	return errors.Join(errs...)
}

// A socketEnd is one front end.
type socketEnd struct {
	env     Env
	name    string
	replies *replies
	events  Subscription // nil where nobody watches
	board   *board
	reads   *polls // numbers the reads that live queries begin with
}

// openSocketEnd connects front end number i. It listens for changes from the
// very beginning, so that none can slip in between a read and the watching that
// follows it.
func openSocketEnd(ctx context.Context, env Env, i int) (*socketEnd, error) {
	name := fmt.Sprintf("%s-%d", FrontEndPart, i)
	own := env
	own.Stray = func(op uint64) {
		if op < pollIDs { // else it is the read of a live query that has ended
			env.Stray(op)
		}
	}
	r, err := openReplies(ctx, own, name)
	if err != nil {
		return nil, err
	}
	f := &socketEnd{env: env, name: name, replies: r, board: newBoard(env), reads: newPolls(i)}
	if env.Settings.Subscribers == 0 {
		return f, nil
	}
	f.events, err = r.conn.Subscribe(ctx, eventSubject, "")
	if err == nil {
		err = r.conn.Ready(ctx)
	}
	if err != nil {
		_ = r.conn.Close() // the error that counts is the one at hand
		return nil, fmt.Errorf("subscribe %s to events: %w", name, err)
	}
	return f, nil
}

// Serve implements [Server].
func (f *socketEnd) Serve(ctx context.Context) error {
	receiving := f.env.Runtime.Go(ctx, f.replies.receive)
	if f.events != nil {
		f.hear(ctx)
		f.board.close()
	}
	joinAll(ctx, []func(context.Context) error{receiving})
	if err := f.replies.conn.Close(); err != nil {
		return fmt.Errorf("close connection of %s: %w", f.name, err)
	}
	return nil
}

// hear puts up what the service tells everybody, until ctx is done.
func (f *socketEnd) hear(ctx context.Context) {
	for {
		m, err := f.events.Receive(ctx)
		if err != nil {
			return
		}
		c, err := parseChange(m.Op, m.Body)
		if err != nil {
			f.env.Log.Warn("event not understood", "op", m.Op, "error", err)
		} else {
			f.board.put(ctx, m.Key, c)
		}
		if err := m.Ack(ctx); err != nil {
			f.env.Log.Warn("event not acknowledged", "op", m.Op, "error", err)
		}
	}
}

var errNoSuchCall = errors.New("there is no such call here")

func (f *socketEnd) answer(ctx context.Context, c Call) iter.Seq2[Answer, error] {
	switch {
	case c.Verb == Watch && c.Kind == Command:
		return f.command(ctx, c)
	case c.Verb == Watch && c.Kind == Query && f.events != nil:
		return f.watch(ctx, c.Key)
	case c.Verb == Fetch && c.Kind == Query:
		return Single(func() (Answer, error) {
			now, err := f.read(ctx, c.ID, c.Key)
			return Answer{Status: Done, Body: now.value}, err
		})
	default:
		return Single(func() (Answer, error) { return Answer{}, Fail(Rejected, errNoSuchCall) })
	}
}

// command publishes a command, says when the broker has taken it, and then what
// came of it. Where the reply overtakes the confirm, it says only that.
func (f *socketEnd) command(ctx context.Context, c Call) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		ctx, cancel := f.env.Runtime.WithTimeout(ctx, f.env.Settings.Timeout)
		defer cancel()
		m := Message{Subject: requestSubject, ID: c.ID, Op: c.ID, Kind: Command, Key: c.Key, Body: c.Body}
		taken, done := f.env.Runtime.Promise(), f.env.Runtime.Promise()
		f.env.Runtime.Go(ctx, func(ctx context.Context) {
			reply, err := f.replies.request(ctx, m, func() { taken.Keep(Message{Status: Pending}, nil) })
			taken.Keep(reply, err)
			done.Keep(reply, err)
		})
		reply, err := taken.Wait(ctx)
		if err == nil && reply.Status == Pending {
			if !yield(Answer{Status: Pending}, nil) {
				return
			}
			reply, err = done.Wait(ctx)
		}
		if ctx.Err() != nil && err != nil {
			err = awaiting("answer", ctx.Err())
		}
		if err != nil {
			yield(Answer{}, err)
			return
		}
		yield(Answer{Status: reply.Status, Body: reply.Body}, nil)
	}
}

// read asks the service for the value of a key.
func (f *socketEnd) read(ctx context.Context, id uint64, key string) (change, error) {
	ctx, cancel := f.env.Runtime.WithTimeout(ctx, f.env.Settings.Timeout)
	defer cancel()
	m := Message{Subject: requestSubject, ID: id, Op: id, Kind: Query, Key: key}
	reply, err := f.replies.request(ctx, m, func() {})
	if err != nil {
		return change{}, err
	}
	if f.events == nil {
		return change{value: reply.Body}, nil
	}
	return parseChange(0, reply.Body)
}

// watch tells the value of a key, and then every change of it. It watches before
// it reads: what happens in between is told, or is part of what was read.
func (f *socketEnd) watch(ctx context.Context, key string) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		w, err := f.board.watch(key)
		if err != nil {
			yield(Answer{}, err)
			return
		}
		defer f.board.leave(w)
		c, err := f.read(ctx, f.reads.next(), key)
		if err == nil {
			f.board.begin(ctx, w, c.version)
		}
		for {
			if err != nil {
				yield(Answer{}, err)
				return
			}
			if !yield(Answer{Status: Done, Op: c.op, Body: c.value}, nil) {
				return
			}
			c, err = w.next(ctx)
		}
	}
}

// Dial implements [Flow]. It returns once the client has the values of all the
// keys that it watches.
func (WebSocket) Dial(ctx context.Context, env Env, id int) (Client, error) {
	caller, err := env.Edge.Dial(ctx, FrontEndPart, id)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", FrontEndPart, err)
	}
	c := &socketClient{env: env, caller: caller, confirms: env.Broker.Traits().Has(Confirms)}
	if err := c.open(ctx, id); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// A socketClient is one client and its socket.
type socketClient struct {
	env      Env
	caller   Caller
	confirms bool
	closed   atomic.Bool
}

// Do implements [Client].
func (c *socketClient) Do(ctx context.Context, op *Op) error {
	if op.Kind == Query {
		return callingClient{c.caller}.Do(ctx, op)
	}
	call := Call{Verb: Watch, Kind: Command, ID: op.ID, Key: op.Key, Body: op.Body}
	answered := false
	for a, err := range c.caller.Call(ctx, call) {
		switch {
		case answered: // to leave before the end would have to be told to the front end, and that is one message more
		case err != nil:
			return fmt.Errorf("call: %w", err)
		case a.Status == Pending:
			op.Reach(Accepted)
		default:
			op.Answer, answered = a.Body, true
			op.Settle(c.confirms)
		}
	}
	if !answered {
		return Unknown(Corrupt, errNoAnswer)
	}
	return nil
}

// Close implements [Client]. It ends the live queries with the socket.
func (c *socketClient) Close() error {
	c.closed.Store(true)
	return c.caller.Close()
}

const (
	openingAtOnce = 32                    // live queries of one client
	openPatience  = 5 * time.Second       // for the first values of so many
	reopenPause   = 10 * time.Millisecond // after a live query has ended
)

// open opens the live queries of client number id, and waits for their first
// values. Key number k is watched by as many clients as there are subscribers,
// beginning with number k: subscriber j to it is client k+j, counted in a circle.
func (c *socketClient) open(ctx context.Context, id int) error {
	var opening []Promise
	s := c.env.Settings
	for k, key := range s.Keys {
		subscriber := (id - k%s.Clients + s.Clients) % s.Clients
		if subscriber >= s.Subscribers {
			continue
		}
		opened := c.env.Runtime.Promise()
		c.env.Runtime.Go(ctx, func(ctx context.Context) { c.watch(ctx, key, subscriber, opened) })
		if opening = append(opening, opened); len(opening) < openingAtOnce {
			continue
		}
		if err := c.await(ctx, opening); err != nil {
			return err
		}
		opening = opening[:0]
	}
	return c.await(ctx, opening)
}

// await waits until live queries have been opened.
func (c *socketClient) await(ctx context.Context, opening []Promise) error {
	ctx, cancel := c.env.Runtime.WithTimeout(ctx, openPatience)
	defer cancel()
	for _, opened := range opening {
		if _, err := opened.Wait(ctx); err != nil {
			return fmt.Errorf("open live queries: %w", err)
		}
	}
	return nil
}

// watch holds a live query, and opens it again when it ends, until the client is
// closed. The first value of each time is what was there, and no news.
func (c *socketClient) watch(ctx context.Context, key string, subscriber int, opened Promise) {
	for {
		for a, err := range c.caller.Call(ctx, Call{Verb: Watch, Kind: Query, Key: key}) {
			switch {
			case err == nil:
				opened.Keep(Message{}, nil)
				if a.Op != 0 {
					c.env.Heard(a.Op, subscriber)
				}
			case !c.closed.Load():
				c.env.Log.Warn("live query ended", "key", key, "error", err)
			}
		}
		if c.closed.Load() || c.env.Runtime.Sleep(ctx, reopenPause) != nil || c.closed.Load() {
			return
		}
	}
}
