package flows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"flowbench/flows/chunks"
)

// This file and its neighbours that begin with stream carry large payloads as
// streams of chunks, for every flow, without any flow knowing: they stand between
// the flow and its broker. What a body is cut into, and how that is put together
// again, is in package chunks.
//
// Every body that is not empty gets one byte before it: 0 when it follows, 1 when
// it is large and an opening follows in its place. The opening takes the body's
// way: it is routed, confirmed, kept, given to one of several consumers and given
// to another when that one dies. The chunks take a way of their own, between an
// inbox at each end. Whoever gets the opening asks the sender for the body.
//
// So the broker never has the payload, and its confirm says nothing about it.
// Publish therefore returns only when the receiver has dealt with the message:
// when it has acknowledged it, where there are acknowledgements, or else when it
// has read it to the end. What was accepted then depends on the sender no more,
// and the promise at-least-once stays true. The price is that a stream couples
// sender and receiver in time, as a queue does not: a message that waits in a
// queue waits with its sender, and when the sender goes, what it has not handed
// over is lost, though never without somebody's knowing. A sender that gives up
// calls the outcome unknown, and the service is told by [ErrStreamLost] that the
// rest will not come. A payload by reference has neither the coupling nor the loss.
//
// A receiver that dies leaves the opening unacknowledged, and the next to get it
// is served from the start. Only a body that itself comes from a reader cannot
// begin again once its beginning has gone.

// Errors of a [Message]'s and a [Request]'s Stream.
var (
	// ErrStreamLost says that the rest of a body will not come, however long anybody
	// waits and whoever asks: the sender is gone or has given up, or what came is
	// corrupt. A request whose body is lost should be answered with [Denied], or it
	// would be delivered again for ever; unless the service finds that it has done
	// the work before, by another delivery of the same request.
	ErrStreamLost = errors.New("the rest of the body will not come")

	// ErrStreamDealt says that another delivery of the same message was dealt with
	// meanwhile. There is nothing left to do or to answer.
	ErrStreamDealt = errors.New("another delivery of the message has been dealt with")
)

// A Mailer is a [Conn] whose inboxes may have addresses that mean nothing in the
// body of a message. Streams use its Mailbox then, which is an inbox with an
// address that means the same to everybody.
type Mailer interface {
	Mailbox(ctx context.Context) (address string, sub Subscription, err error)
}

// What stands before a body.
const (
	tagInline  = 0
	tagOpening = 1
)

// streamed returns the flow with its payloads carried as streams.
func streamed(f Flow, c Carriage) Flow {
	s := streamedFlow{f, c.streaming()}
	if p, ok := f.(Prioritizer); ok {
		return struct {
			streamedFlow
			Prioritizer
		}{s, p}
	}
	return s
}

// streaming returns the carriage with bounds that a stream can work with.
func (c Carriage) streaming() Carriage {
	or := func(v, otherwise int) int {
		if v <= 0 {
			return otherwise
		}
		return v
	}
	c.ChunkBytes = min(or(c.ChunkBytes, 64<<10), chunks.MaxChunk)
	c.Window = min(or(c.Window, 16), chunks.MaxWindow)
	c.Buffer = max(or(c.Buffer, 16<<20), c.ChunkBytes)
	if c.Stall <= 0 {
		c.Stall = 500 * time.Millisecond
	}
	if c.Abandon <= 0 {
		c.Abandon = 10 * time.Second
	}
	c.Abandon = max(c.Abandon, 2*c.Stall)
	return c
}

type streamedFlow struct {
	Flow
	carriage Carriage
}

// Listen implements [Flow].
func (f streamedFlow) Listen(ctx context.Context, env Env) (Server, error) {
	return f.Flow.Listen(ctx, f.around(env))
}

// Dial implements [Flow].
func (f streamedFlow) Dial(ctx context.Context, env Env, id int) (Client, error) {
	return f.Flow.Dial(ctx, f.around(env), id)
}

func (f streamedFlow) around(env Env) Env {
	if env.Broker != nil {
		env.Broker = streamBroker(env.Runtime, env.Broker, f.carriage)
	}
	if env.Edge != nil {
		env.Edge = streamEdge(env.Edge, f.carriage)
	}
	return env
}

// streamEdge has the large bodies of calls travel as streams: the edge knows how.
func streamEdge(e Edge, c Carriage) Edge { return streamingEdge{e, c} }

type streamingEdge struct {
	Edge
	carriage Carriage
}

// Dial implements [Edge].
func (e streamingEdge) Dial(ctx context.Context, name string, id int) (Caller, error) {
	caller, err := e.Edge.Dial(ctx, name, id)
	if err != nil {
		return nil, err
	}
	return streamingCaller{caller, e.carriage}, nil
}

type streamingCaller struct {
	Caller
	carriage Carriage
}

// Call implements [Caller].
func (c streamingCaller) Call(ctx context.Context, call Call) iter.Seq2[Answer, error] {
	if call.Stream == nil && len(call.Body) > c.carriage.Over {
		c.carriage.tell(Called, call.ID, int64(len(call.Body)))
		call.Stream, call.StreamBytes, call.Body = bytes.NewReader(call.Body), int64(len(call.Body)), nil
	}
	return c.Caller.Call(ctx, call)
}

// streamBroker returns the broker with large payloads carried as streams.
func streamBroker(rt Runtime, b Broker, c Carriage) Broker {
	return streamingBroker{b, rt, c.streaming()}
}

type streamingBroker struct {
	Broker
	runtime  Runtime
	carriage Carriage
}

// Connect implements [Broker].
func (b streamingBroker) Connect(ctx context.Context, name string) (Conn, error) {
	conn, err := b.Broker.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	return &streamConn{
		Conn: conn, runtime: b.runtime, carriage: b.carriage, life: context.WithoutCancel(ctx),
		room:     room{runtime: b.runtime, total: b.carriage.Buffer},
		outgoing: make(map[uint64]*outgoing), incoming: make(map[uint64]*incoming),
	}, nil
}

// A streamConn is a party's connection with streams. Its activities end when what
// they receive from is closed.
type streamConn struct {
	Conn

	runtime  Runtime
	carriage Carriage
	life     context.Context // of its activities
	room     room

	mu       sync.Mutex // never held while waiting
	closed   bool
	address  string  // of the inbox for frames, once it is there
	opening  Promise // of that inbox, while somebody opens it
	streams  uint64  // numbers given to outgoing streams
	attempts uint64  // numbers given to incoming ones
	outgoing map[uint64]*outgoing
	incoming map[uint64]*incoming
	ended    recently // outgoing streams that somebody has dealt with
	finished recently // incoming ones that there is no more to say of
	detached int      // bytes that are under way while nobody waits for them
	inboxes  []*streamInbox
	active   int     // activities
	idle     Promise // kept when there are none left, once somebody waits for that
}

// recently is the latest of a kind of numbers, oldest first.
type recently []uint64

// remembered is how many streams that have ended are known as such.
const remembered = 1 << 10

// add adds a number and returns the one that is forgotten for it, if any.
func (r *recently) add(n uint64) (forgotten uint64, ok bool) {
	*r = append(*r, n)
	if len(*r) <= remembered {
		return 0, false
	}
	forgotten = (*r)[0]
	*r = (*r)[1:]
	return forgotten, true
}

func (r recently) has(n uint64) bool {
	for _, other := range r {
		if other == n {
			return true
		}
	}
	return false
}

// inOrder returns the streams of a map by their numbers, so that a simulation does
// the same in every run.
func inOrder[T any](streams map[uint64]T) []T {
	all := make([]T, 0, len(streams))
	for _, n := range slices.Sorted(maps.Keys(streams)) {
		all = append(all, streams[n])
	}
	return all
}

// start runs f as an activity of the connection, unless that is closed.
func (c *streamConn) start(f func(ctx context.Context)) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.active++
	c.mu.Unlock()
	c.runtime.Go(c.life, func(ctx context.Context) {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.active--; c.active == 0 && c.idle != nil {
				c.idle.Keep(Message{}, nil)
			}
		}()
		f(ctx)
	})
}

// Close implements [Conn].
func (c *streamConn) Close() error {
	c.mu.Lock()
	c.closed = true
	for _, o := range inOrder(c.outgoing) {
		o.wake.wake()
	}
	for _, in := range inOrder(c.incoming) {
		in.wake.wake()
	}
	for _, s := range c.inboxes {
		s.end()
	}
	c.mu.Unlock()
	c.room.close()
	err := c.Conn.Close()
	c.mu.Lock()
	var idle Promise
	if c.active > 0 {
		if c.idle == nil {
			c.idle = c.runtime.Promise()
		}
		idle = c.idle
	}
	c.mu.Unlock()
	if idle != nil {
		_, _ = idle.Wait(c.life) // which does not end
	}
	return err
}

func (c *streamConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// control returns the address of the inbox for frames, and opens it if need be.
func (c *streamConn) control(ctx context.Context) (string, error) {
	for {
		c.mu.Lock()
		address, p, first := c.address, c.opening, c.opening == nil
		if first && address == "" {
			p = c.runtime.Promise()
			c.opening = p
		}
		c.mu.Unlock()
		if address != "" {
			return address, nil
		}
		if first {
			err := c.openControl(ctx)
			c.mu.Lock()
			c.opening = nil
			address = c.address
			c.mu.Unlock()
			p.Keep(Message{}, nil)
			return address, err
		}
		if _, err := p.Wait(ctx); err != nil {
			return "", err
		}
	}
}

func (c *streamConn) openControl(ctx context.Context) error {
	open := c.Conn.Inbox
	if m, ok := c.Conn.(Mailer); ok {
		open = m.Mailbox
	}
	address, sub, err := open(ctx)
	if err == nil {
		if err = c.Ready(ctx); err != nil {
			c.start(func(context.Context) { _ = sub.Close() }) // which may take longer than there is time
		}
	}
	if err != nil {
		return fmt.Errorf("open inbox for streams: %w", err)
	}
	c.mu.Lock()
	c.address = address
	c.mu.Unlock()
	c.start(func(ctx context.Context) { c.receive(ctx, sub) })
	return nil
}

// receive hands frames to those whom they concern.
func (c *streamConn) receive(ctx context.Context, sub Subscription) {
	for {
		m, err := sub.Receive(ctx)
		if err != nil {
			return
		}
		f, err := chunks.ParseHead(m.Body)
		switch {
		case err != nil || m.Err != nil: // somebody else's, or damaged: as if it had been lost
		case f.Kind.ToSender():
			c.toSender(ctx, f)
		case f.Kind.ToReceiver():
			c.toReceiver(ctx, f)
		}
	}
}

func (c *streamConn) toSender(ctx context.Context, f chunks.Frame) {
	c.mu.Lock()
	o, dealt := c.outgoing[f.Stream], c.ended.has(f.Stream)
	c.mu.Unlock()
	switch {
	case o != nil:
		o.handle(f)
	case f.Kind == chunks.Want:
		reply := chunks.Frame{Kind: chunks.Abort, Stream: f.Stream, Attempt: f.Attempt, Reason: chunks.Gone}
		if dealt {
			reply.Reason = chunks.Dealt
		}
		c.answer(ctx, f.Address, reply)
	}
}

func (c *streamConn) toReceiver(ctx context.Context, f chunks.Frame) {
	c.mu.Lock()
	in, address := c.incoming[f.Attempt], c.address
	c.mu.Unlock()
	switch {
	case in != nil:
		for _, reply := range in.handle(f) {
			c.answer(ctx, in.opening.Address, reply)
		}
	case f.Kind == chunks.Probe:
		c.answer(ctx, f.Address, chunks.Frame{
			Kind: chunks.Left, Stream: f.Stream, Attempt: f.Attempt, Address: address,
		})
	}
}

// answer sends a frame, and does not wait long for that.
func (c *streamConn) answer(ctx context.Context, to string, f chunks.Frame) {
	ctx, cancel := c.runtime.WithTimeout(context.WithoutCancel(ctx), c.carriage.Stall)
	defer cancel()
	c.post(ctx, to, f)
}

// post sends a frame. One that could not be sent is asked for again.
func (c *streamConn) post(ctx context.Context, to string, f chunks.Frame) {
	_ = c.Conn.Publish(ctx, Message{Subject: to, Body: f.Bytes()})
}

func (c *streamConn) timing() chunks.Timing {
	return chunks.Timing{Stall: c.carriage.Stall, Abandon: c.carriage.Abandon}
}

// A bell wakes the one activity that waits for news.
type bell struct {
	mu      sync.Mutex
	promise Promise
	rung    bool

	limited context.Context // of waits that do not last for ever
	until   time.Duration   // when that ends
	cancel  context.CancelFunc
}

// wake wakes who waits, or who waits next.
func (b *bell) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung = true
	if b.promise != nil {
		b.promise.Keep(Message{}, nil)
	}
}

// wait waits until the bell has rung since the last wait, for d at most if it is
// not negative, or until ctx is done, which alone is an error. Without any of these it
// may return early. Whoever waits for the last time calls rest.
func (b *bell) wait(ctx context.Context, rt Runtime, d time.Duration) error {
	b.mu.Lock()
	if b.rung || d == 0 {
		b.rung = false
		b.mu.Unlock()
		return ctx.Err()
	}
	p := rt.Promise()
	b.promise = p
	limited := ctx
	if d > 0 {
		limited = b.limit(ctx, rt, d)
	}
	b.mu.Unlock()
	_, _ = p.Wait(limited)
	b.mu.Lock()
	b.promise, b.rung = nil, false
	b.mu.Unlock()
	return ctx.Err()
}

// limit returns a context that ends within d. Waits are many and short, and a timer
// for each would cost as much as the waits: they share one until it is over. The
// caller holds the lock.
func (b *bell) limit(ctx context.Context, rt Runtime, d time.Duration) context.Context {
	until := rt.Now() + d
	if b.limited == nil || b.limited.Err() != nil || b.until > until {
		if b.cancel != nil {
			b.cancel()
		}
		b.limited, b.cancel = rt.WithTimeout(ctx, d)
		b.until = until
	}
	return b.limited
}

// rest gives up what waits share. Who waits is woken.
func (b *bell) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil {
		b.cancel()
	}
	b.limited, b.cancel = nil, nil
}
