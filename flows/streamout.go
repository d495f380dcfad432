package flows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"flowbench/flows/chunks"
)

// An outgoing stream is a body on its way to whoever asks for it.
type outgoing struct {
	conn   *streamConn
	number uint64
	id, op uint64 // of the message
	source io.Reader
	forAll bool // it goes to everybody who listens
	wake   bell

	mu     sync.Mutex // never held while waiting
	sender *chunks.Sender
	err    error // of the broker: the opening has reached nobody

	frame []byte // what is being sent, in the hands of serve
}

// Publish implements [Conn]. A message whose body is large is taken when its
// receiver has dealt with it; see above.
func (c *streamConn) Publish(ctx context.Context, m Message) error {
	if m.Stream != nil || len(m.Body) > c.carriage.Over {
		return c.stream(ctx, m)
	}
	if len(m.Body) > 0 {
		m.Body = append(append(make([]byte, 0, 1+len(m.Body)), tagInline), m.Body...)
	}
	return c.Conn.Publish(ctx, m)
}

// stream publishes an opening in the place of m, and sends the body to those who
// get it.
func (c *streamConn) stream(ctx context.Context, m Message) error {
	address, err := c.control(ctx)
	if err != nil {
		outcome, class := OutcomeOf(err)
		if outcome == Undecided && (class == Timeout || class == Canceled) {
			return Unknown(class, fmt.Errorf("publish to %s: %w", m.Subject, err))
		}
		return Fail(class, fmt.Errorf("publish to %s: %w", m.Subject, err)) // nothing has left
	}
	forAll, size := m.Kind == Event && m.Correlation == 0 && m.Stream == nil, len(m.Body)
	detach := forAll && c.reserve(size)
	if detach {
		m.Body = bytes.Clone(m.Body) // the caller may do with it what it likes meanwhile
	}
	o := c.begin(m, address, forAll)
	opening := o.sender.Opening()
	m.Body, m.Stream = opening.Append([]byte{tagOpening}), nil
	if err := c.Conn.Publish(ctx, m); err != nil {
		c.forget(o, false)
		if detach {
			c.reserve(-size)
		}
		return err
	}
	if !detach {
		return o.serve(ctx)
	}
	c.start(func(ctx context.Context) {
		defer c.reserve(-size)
		_ = o.serve(ctx) // nobody is left to hear of it
	})
	return nil
}

// reserve notes that so many bytes more are under way while nobody waits for
// them, if that is within bounds.
func (c *streamConn) reserve(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && (c.detached+n > c.carriage.Buffer || c.closed) {
		return false
	}
	c.detached += n
	return true
}

// begin registers an outgoing stream.
func (c *streamConn) begin(m Message, address string, forAll bool) *outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams++
	o := &outgoing{conn: c, number: c.streams, id: m.ID, op: m.Op, source: m.Stream, forAll: forAll}
	plan := chunks.Plan{
		Timing: c.timing(), Stream: o.number, Address: address,
		ChunkBytes: c.carriage.ChunkBytes, Window: c.carriage.Window,
		Many: forAll, Linger: 2 * c.carriage.Stall,
	}
	if forAll || m.Correlation != 0 {
		plan.Await = c.carriage.Abandon // it waits in no queue: who does not ask by then has not got it
	}
	now := c.runtime.Now()
	if m.Stream != nil {
		o.sender = chunks.NewFedSender(now, plan)
	} else {
		o.sender = chunks.NewSender(now, plan, m.Body)
	}
	c.outgoing[o.number] = o
	return o
}

// forget ends an outgoing stream.
func (c *streamConn) forget(o *outgoing, dealt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.outgoing, o.number)
	if dealt {
		c.ended.add(o.number)
	}
}

// bounced notes that the broker has brought a message back.
func (c *streamConn) bounced(id uint64, err error) {
	c.mu.Lock()
	var hit []*outgoing
	for _, o := range inOrder(c.outgoing) {
		if o.id == id && id != 0 {
			hit = append(hit, o)
		}
	}
	c.mu.Unlock()
	for _, o := range hit {
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
		o.wake.wake()
	}
}

// handle takes a frame of a receiver.
func (o *outgoing) handle(f chunks.Frame) {
	now := o.conn.runtime.Now()
	o.mu.Lock()
	o.sender.Handle(now, f)
	o.mu.Unlock()
	o.wake.wake()
}

// serve sends the body to whoever asks, until one has dealt with it.
func (o *outgoing) serve(ctx context.Context) error {
	defer o.wake.rest()
	c := o.conn
	for {
		p, next := o.round()
		switch next {
		case toPost:
			o.frame = p.Frame.Append(o.frame[:0])
			_ = c.Conn.Publish(ctx, Message{Subject: p.To, Body: o.frame}) // what is lost is asked for again
			o.tell(p)
			if ctx.Err() == nil && !c.isClosed() {
				continue
			}
		case toFeed:
			o.feed()
			continue
		case toPrepare:
			continue // somebody may have asked meanwhile
		case toEnd:
			return o.settle(ctx, nil)
		case toWait:
		}
		if c.isClosed() {
			return o.settle(ctx, Unknown(Disconnected, ErrClosed))
		}
		if err := o.wake.wait(ctx, c.runtime, o.patience()); err != nil {
			_, class := OutcomeOf(err)
			return o.settle(ctx, Unknown(class, err))
		}
	}
}

// What a sender does next.
type action uint8

const (
	toWait action = iota
	toPost
	toFeed
	toPrepare
	toEnd
)

// round asks the sender what to do next.
func (o *outgoing) round() (chunks.Parcel, action) {
	now := o.conn.runtime.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sender.Tick(now)
	if p, ok := o.sender.Next(); ok {
		return p, toPost
	}
	if over, _ := o.sender.Over(); over || o.err != nil {
		return chunks.Parcel{}, toEnd
	}
	if o.sender.Hungry() {
		return chunks.Parcel{}, toFeed
	}
	if o.sender.Prepare() {
		return chunks.Parcel{}, toPrepare
	}
	return chunks.Parcel{}, toWait
}

// patience returns for how long there is nothing to do, or less than nothing if
// that is for ever.
func (o *outgoing) patience() time.Duration {
	now := o.conn.runtime.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if due, ever := o.sender.Due(); ever {
		return max(0, due-now)
	}
	return -1
}

// feed reads the next chunk of a body that comes from a reader. That may take its
// time; nothing else is done meanwhile.
func (o *outgoing) feed() {
	data := make([]byte, o.conn.carriage.ChunkBytes)
	n, err := 0, error(nil)
	for n < len(data) && err == nil {
		var more int
		more, err = o.source.Read(data[n:])
		n += more
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch last := err == io.EOF; { //nolint:errorlint // one that wraps it is a body that breaks off, not its end
	case err == nil || last:
		o.sender.Feed(data[:n], last)
	default:
		if _, class := OutcomeOf(err); class == Internal {
			err = Unknown(Disconnected, err) // what nobody has classed is the loss of where it came from
		}
		o.err = fmt.Errorf("read the body: %w", err)
		o.sender.GiveUp(chunks.Broken)
	}
}

// settle ends the stream, with err or with what the sender says, and tells those
// who are still at it.
func (o *outgoing) settle(ctx context.Context, err error) error {
	o.mu.Lock()
	_, failure := o.sender.Over()
	handedOver := o.sender.HandedOver()
	if err == nil {
		err = o.err
	}
	o.sender.GiveUp(chunks.Gone)
	o.mu.Unlock()
	o.conn.forget(o, err == nil && failure == nil && !o.forAll)
	for p, next := o.round(); next == toPost; p, next = o.round() {
		o.conn.answer(ctx, p.To, p.Frame)
	}
	var why *chunks.Failure
	switch {
	case err == nil && failure == nil:
		return nil
	case err == nil && errors.As(failure, &why):
		err = Unknown(classOf(why.Reason), failure)
	}
	outcome, class := OutcomeOf(err)
	if !handedOver && class != Canceled { // who has the answer waits for nothing else, and gives nothing up
		o.conn.carriage.tell(Abandoned, o.op, 0)
	}
	if outcome == Undecided {
		return Unknown(class, fmt.Errorf("stream the body: %w", err))
	}
	return err
}

// tell notes what was sent.
func (o *outgoing) tell(p chunks.Parcel) {
	if p.Frame.Kind != chunks.Chunk {
		return
	}
	event := Sent
	if p.Again {
		event = Resent
	}
	o.conn.carriage.tell(event, o.op, int64(len(p.Frame.Data)))
}

// classOf returns the class of an operation whose stream has ended early.
func classOf(r chunks.Reason) Class {
	switch r {
	case chunks.Corrupted:
		return Corrupt
	case chunks.TooLarge:
		return TooLarge
	case chunks.Silent:
		return Timeout
	default:
		return Disconnected
	}
}
