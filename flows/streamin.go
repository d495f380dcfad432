package flows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"flowbench/flows/chunks"
)

// Subscribe implements [Conn]. What several share is read while it comes; what all
// get comes whole.
func (c *streamConn) Subscribe(ctx context.Context, subject, group string) (Subscription, error) {
	sub, err := c.Conn.Subscribe(ctx, subject, group)
	if err != nil {
		return nil, err
	}
	if group == "" {
		return c.collecting(sub), nil
	}
	return streamQueue{sub, c}, nil
}

// Inbox implements [Conn]. A message comes when all of it is there.
func (c *streamConn) Inbox(ctx context.Context) (string, Subscription, error) {
	address, sub, err := c.Conn.Inbox(ctx)
	if err != nil {
		return "", nil, err
	}
	return address, c.collecting(sub), nil
}

// unpack takes the envelope off a message. Where the body is a stream, it returns
// the opening.
func unpack(m *Message) (opening *chunks.Frame, err error) {
	if len(m.Body) == 0 {
		return nil, nil
	}
	tag, rest := m.Body[0], m.Body[1:]
	m.Body = nil
	switch tag {
	case tagInline:
		m.Body = rest
		return nil, nil
	case tagOpening:
		f, err := chunks.Parse(rest)
		if err == nil && f.Kind == chunks.Opening {
			return &f, nil
		}
	}
	return nil, Unknown(Corrupt, fmt.Errorf("%w: the message is none of a stream's", ErrStreamLost))
}

// A streamQueue yields messages of a group as soon as they begin.
type streamQueue struct {
	Subscription
	conn *streamConn
}

// Receive implements [Subscription]. The stream of a message can be read until ctx
// ends, the message is acknowledged or the connection closes.
func (s streamQueue) Receive(ctx context.Context) (Message, error) {
	m, err := s.Subscription.Receive(ctx)
	if err != nil || m.Err != nil {
		return m, err
	}
	delivered := m
	opening, err := unpack(&m)
	switch {
	case err != nil:
		m.Stream = noStream{err}
	case opening != nil:
		in := &incoming{conn: s.conn, ctx: ctx, delivered: delivered, opening: *opening}
		m.Stream, m.Acker = in, in
	}
	return m, nil
}

// noStream is a body that cannot be read.
type noStream struct{ err error }

func (s noStream) Read([]byte) (int, error) { return 0, s.err }

// An incoming stream is a body on its way here. It asks for its first bytes when it
// is first read, so that messages that wait for their turn hold nothing.
type incoming struct {
	conn      *streamConn
	ctx       context.Context // of reading
	delivered Message         // as it came from the broker
	opening   chunks.Frame
	window    int // chunks, if there is a bound besides the carriage's
	wake      bell
	pile      pile // chunks that have come, before receiver

	mu       sync.Mutex // never held while waiting
	receiver *chunks.Receiver
	attempt  uint64
	reserved int  // bytes of room
	ended    bool // all of it has been read
	acked    bool
	told     bool // that it was abandoned
}

// Read implements [io.Reader]. It waits for bytes.
func (in *incoming) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return in.read(func(now time.Duration) (n int, ask *chunks.Frame, err error) {
		return in.receiver.Read(now, p)
	})
}

// WriteTo implements [io.WriterTo]: whoever only looks at the bytes gets them
// without a copy.
func (in *incoming) WriteTo(w io.Writer) (written int64, err error) {
	for {
		var data []byte
		_, err := in.read(func(now time.Duration) (n int, ask *chunks.Frame, err error) {
			data, ask, err = in.receiver.Take(now)
			return len(data), ask, err
		})
		if err == io.EOF { //nolint:errorlint // an error of the connection may wrap one, and is not the end
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(data)
		if written += int64(n); err != nil {
			return written, err
		}
	}
}

// read waits until take has got bytes from the receiver, and asks for more where
// take says so. Take is called under the lock.
func (in *incoming) read(take func(now time.Duration) (n int, ask *chunks.Frame, err error)) (int, error) {
	if in.ended {
		return 0, io.EOF
	}
	if err := in.begin(); err != nil {
		return 0, err
	}
	c := in.conn
	for {
		now := c.runtime.Now()
		n, due, asks, err := in.next(now, take)
		for _, ask := range asks {
			c.post(in.ctx, in.opening.Address, ask)
		}
		switch {
		case errors.Is(err, io.EOF):
			in.readAll()
			return 0, io.EOF // and so it stays
		case err != nil:
			return 0, in.failed(err)
		case n > 0:
			return n, nil
		case c.isClosed():
			in.wake.rest()
			return 0, ErrClosed
		}
		if err := in.wake.wait(in.ctx, c.runtime, max(0, due-now)); err != nil {
			in.wake.rest()
			return 0, err
		}
	}
}

// next has take get bytes from the receiver, and examines chunks as long as there are
// none. It returns what to send the sender, and with no bytes and no error when to
// look again at the latest.
func (in *incoming) next(
	now time.Duration, take func(now time.Duration) (n int, ask *chunks.Frame, err error),
) (n int, due time.Duration, asks []chunks.Frame, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		var ask *chunks.Frame
		n, ask, err = take(now)
		asks = appendFrame(asks, ask)
		if n > 0 || err != nil {
			in.pile.settle(0, in.receiver.Held())
			return n, 0, asks, err
		}
		a, more := in.pile.take()
		if !more {
			asks = appendFrame(asks, in.receiver.Tick(now))
			return 0, in.receiver.Due(), asks, in.receiver.Err()
		}
		asks = appendFrame(asks, in.examine(a, len(a.frame.Data)))
	}
}

// appendFrame appends a frame if there is one.
func appendFrame(all []chunks.Frame, f *chunks.Frame) []chunks.Frame {
	if f == nil {
		return all
	}
	return append(all, *f)
}

// examine gives the receiver a frame, and so many bytes of it lay on the pile. The
// caller holds the lock.
func (in *incoming) examine(a arrival, piled int) (reply *chunks.Frame) {
	reply, repeated := in.receiver.Handle(a.at, a.frame)
	in.pile.settle(piled, in.receiver.Held())
	if repeated {
		in.conn.carriage.tell(Repeated, in.delivered.Op, int64(len(a.frame.Data)))
	}
	return reply
}

// begin asks for the first bytes.
func (in *incoming) begin() error {
	in.mu.Lock()
	begun := in.receiver != nil
	in.mu.Unlock()
	if begun {
		return nil
	}
	c := in.conn
	address, err := c.control(in.ctx)
	if err != nil {
		return err
	}
	chunk := in.opening.ChunkBytes
	if in.window == 0 { // else there is room already
		n, err := c.takeRoom(in.ctx, chunk, chunk*c.carriage.Window)
		if errors.Is(err, errNoRoom) {
			in.refuse(chunks.TooLarge)
			return Unknown(TooLarge, fmt.Errorf("%w: %w", ErrStreamLost, err))
		}
		if err != nil {
			return err
		}
		in.reserved, in.window = n, n/chunk
	}
	c.mu.Lock()
	c.attempts++
	in.attempt = c.attempts
	in.mu.Lock()
	now := c.runtime.Now()
	in.receiver = chunks.NewReceiver(now, c.timing(), in.opening, in.attempt, address, in.window)
	ask := in.receiver.Begin(now)
	in.pile.open(in.window * chunk)
	in.mu.Unlock()
	c.incoming[in.attempt] = in
	c.mu.Unlock()
	c.post(in.ctx, in.opening.Address, ask)
	return nil
}

// refuse tells the sender, of a stream that has not begun, that it never will.
func (in *incoming) refuse(why chunks.Reason) {
	in.conn.answer(in.ctx, in.opening.Address, chunks.Frame{
		Kind: chunks.Refusal, Stream: in.opening.Stream, Reason: why,
	})
}

// takeRoom takes room, looking now and then for streams that hold some and whose
// senders are gone.
func (c *streamConn) takeRoom(ctx context.Context, least, most int) (int, error) {
	for {
		limited, cancel := c.runtime.WithTimeout(ctx, c.carriage.Stall)
		n, err := c.room.take(limited, least, most)
		cancel()
		if err == nil || errors.Is(err, errNoRoom) || errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return n, err
		}
		c.mu.Lock()
		all := inOrder(c.incoming)
		c.mu.Unlock()
		for _, in := range all {
			in.expire()
		}
	}
}

// expire gives the stream up if its sender has not been heard for long.
func (in *incoming) expire() {
	now := in.conn.runtime.Now()
	in.mu.Lock()
	replies := in.examineAll()
	if now-in.receiver.News() >= in.conn.carriage.Abandon {
		in.receiver.Tick(now)
	}
	failed := in.receiver.Err() != nil
	in.mu.Unlock()
	for _, reply := range replies {
		in.conn.answer(in.ctx, in.opening.Address, reply)
	}
	if failed {
		in.release()
		in.wake.wake()
	}
}

// handle takes a frame of the sender, and returns what to answer. A chunk it leaves to
// whoever reads.
func (in *incoming) handle(f chunks.Frame) (replies []chunks.Frame) {
	now := in.conn.runtime.Now()
	if f.Kind != chunks.Chunk || !in.pile.put(now, f) {
		in.mu.Lock()
		replies = in.examineAll()
		replies = appendFrame(replies, in.examine(arrival{f, now}, 0))
		in.mu.Unlock()
	}
	in.wake.wake()
	return replies
}

// examineAll gives the receiver all chunks that nobody has examined. The caller holds
// the lock.
func (in *incoming) examineAll() (replies []chunks.Frame) {
	for {
		a, ok := in.pile.take()
		if !ok {
			return replies
		}
		replies = appendFrame(replies, in.examine(a, len(a.frame.Data)))
	}
}

// readAll notes that the body has been read to its end. Where nobody acknowledges,
// that is all there is to wait for.
func (in *incoming) readAll() {
	in.ended = true
	in.mu.Lock()
	replies := in.examineAll() // what lies there has come before, and counts as such
	in.mu.Unlock()
	for _, reply := range replies {
		in.conn.post(in.ctx, in.opening.Address, reply)
	}
	in.release()
	if in.delivered.Acker == nil {
		in.finish()
	}
}

// failed ends a stream that has failed, and returns the error for its reader.
func (in *incoming) failed(err error) error {
	in.release()
	var why *chunks.Failure
	if !errors.As(err, &why) {
		return err
	}
	if why.Said && why.Reason == chunks.Dealt {
		in.mu.Lock()
		first := !in.acked
		in.acked = true
		in.mu.Unlock()
		if first {
			_ = in.delivered.Ack(in.ctx) // or it would come again for ever
			in.retire()
		}
		return Unknown(Canceled, ErrStreamDealt)
	}
	in.mu.Lock()
	first := !in.told
	in.told = true
	in.mu.Unlock()
	if first {
		in.conn.carriage.tell(Abandoned, in.delivered.Op, 0)
	}
	return Unknown(classOf(why.Reason), fmt.Errorf("%w: %w", ErrStreamLost, err))
}

// release gives the stream's room back.
func (in *incoming) release() {
	in.pile.close()
	in.wake.rest()
	in.mu.Lock()
	n := in.reserved
	in.reserved = 0
	in.mu.Unlock()
	if n > 0 {
		in.conn.room.give(n)
	}
}

// Ack implements [Acker]. The sender is told that it may go.
func (in *incoming) Ack(ctx context.Context, _ Message) error {
	in.mu.Lock()
	before := in.acked
	in.acked = true
	in.mu.Unlock()
	if before {
		return nil
	}
	if err := in.delivered.Ack(ctx); err != nil {
		in.leave(false)
		return err
	}
	in.finish()
	return nil
}

// finish tells the sender that the message has been dealt with.
func (in *incoming) finish() {
	f := chunks.Frame{Kind: chunks.Done, Stream: in.opening.Stream}
	in.mu.Lock()
	if in.receiver != nil {
		f = in.receiver.Finish()
	}
	in.mu.Unlock()
	in.over(f)
}

// Close says that whoever read the message has gone without dealing with it. It
// comes again where the broker can do that.
func (in *incoming) Close() error {
	in.leave(in.delivered.Acker == nil)
	return nil
}

func (in *incoming) leave(forGood bool) {
	in.mu.Lock()
	if in.receiver == nil {
		in.mu.Unlock()
		if forGood {
			in.refuse(chunks.Dropped)
		}
		return
	}
	f := in.receiver.Leave(forGood)
	in.mu.Unlock()
	in.over(f)
}

// over sends the last word on a stream, and keeps it for a while for senders who
// have not heard it.
func (in *incoming) over(last chunks.Frame) {
	in.release()
	in.conn.answer(in.ctx, in.opening.Address, last)
	in.retire()
}

// retire has the stream forgotten when enough others have ended.
func (in *incoming) retire() {
	if in.attempt == 0 {
		return
	}
	c := in.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.finished.has(in.attempt) {
		if old, ok := c.finished.add(in.attempt); ok {
			delete(c.incoming, old)
		}
	}
}

// A streamInbox yields messages that have come whole. One activity receives, and
// each stream is collected by one of its own, so that a slow one holds up no other.
type streamInbox struct {
	conn  *streamConn
	inner Subscription

	mu      sync.Mutex // never held while waiting
	ready   []collected
	changed Promise // kept when anything changes, while somebody waits for that
	err     error
}

// A collected message holds room until it is received.
type collected struct {
	Message
	room int
}

// inboxAhead is how many messages wait in an inbox before no more are taken off
// the broker.
const inboxAhead = 64

func (c *streamConn) collecting(inner Subscription) *streamInbox {
	s := &streamInbox{conn: c, inner: inner}
	c.mu.Lock()
	c.inboxes = append(c.inboxes, s)
	c.mu.Unlock()
	c.start(s.receive)
	return s
}

// change runs f and wakes all who wait for a change.
func (s *streamInbox) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	if s.changed != nil {
		s.changed.Keep(Message{}, nil)
		s.changed = nil
	}
}

// await waits until done, which is called under the lock.
func (s *streamInbox) await(ctx context.Context, done func() bool) error {
	for {
		s.mu.Lock()
		if done() {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = s.conn.runtime.Promise()
		}
		p := s.changed
		s.mu.Unlock()
		if _, err := p.Wait(ctx); err != nil {
			return err
		}
	}
}

// Receive implements [Subscription].
func (s *streamInbox) Receive(ctx context.Context) (m Message, err error) {
	var got collected
	waited := s.await(ctx, func() bool {
		if s.err != nil {
			err = s.err
			return true
		}
		if len(s.ready) == 0 || ctx.Err() != nil {
			return false
		}
		got = s.ready[0]
		s.ready = s.ready[1:]
		return true
	})
	if waited != nil {
		return Message{}, waited
	}
	if err == nil {
		s.change(func() {}) // there is room for one more
		s.conn.room.give(got.room)
	}
	return got.Message, err
}

// receive takes messages off the broker.
func (s *streamInbox) receive(ctx context.Context) {
	for {
		_ = s.await(ctx, func() bool { return len(s.ready) < inboxAhead || s.err != nil })
		m, err := s.inner.Receive(ctx)
		if err != nil {
			s.change(func() { s.err = err })
			return
		}
		if m.Err != nil {
			s.conn.bounced(m.Correlation, m.Err)
			s.put(collected{m, 0})
			continue
		}
		delivered := m
		opening, err := unpack(&m)
		if opening == nil {
			m.Err = err
			s.put(collected{m, 0})
			continue
		}
		s.conn.start(func(ctx context.Context) { s.collect(ctx, delivered, m, *opening) })
	}
}

func (s *streamInbox) put(m collected) { s.change(func() { s.ready = append(s.ready, m) }) }

// end has all who receive go away.
func (s *streamInbox) end() {
	s.change(func() {
		if s.err == nil {
			s.err = ErrClosed
		}
	})
}

// Close implements [Subscription].
func (s *streamInbox) Close() error {
	s.end()
	return s.inner.Close()
}

// collect waits for the whole body of m. It takes room for all of it at once: with
// less, two could each hold what the other needs.
func (s *streamInbox) collect(ctx context.Context, delivered, m Message, opening chunks.Frame) {
	c := s.conn
	in := &incoming{conn: c, ctx: ctx, delivered: delivered, opening: opening}
	need := c.carriage.Buffer
	if opening.Size >= 0 {
		need = int(min(opening.Size, int64(need))) + opening.ChunkBytes
	}
	if need > c.carriage.Buffer || opening.ChunkBytes > c.carriage.Buffer {
		in.refuse(chunks.TooLarge)
		m.Err = Unknown(TooLarge, fmt.Errorf("%w: %w", ErrStreamLost, errNoRoom))
		s.put(collected{m, 0})
		return
	}
	held, err := c.takeRoom(ctx, need, need+(c.carriage.Window-1)*opening.ChunkBytes)
	if err != nil {
		return // closed
	}
	in.window = min(c.carriage.Window, max(1, held/opening.ChunkBytes/2))
	if opening.Size >= 0 {
		in.window = max(1, (held-int(opening.Size))/opening.ChunkBytes)
	}
	body, err := in.whole(held - in.window*opening.ChunkBytes)
	switch {
	case errors.Is(err, ErrClosed):
		return
	case err != nil:
		in.retire() // nobody acknowledges it, so nobody else would
		c.room.give(held)
		m.Err = err
		s.put(collected{m, 0})
		return
	}
	c.room.give(held - len(body))
	m.Body = body
	s.put(collected{m, len(body)})
}

// whole reads all of the body, which must be no longer than limit.
func (in *incoming) whole(limit int) ([]byte, error) {
	body := make([]byte, 0, max(0, in.opening.Size)+1) // one more, to read the end
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF: //nolint:errorlint // an error of the connection may wrap one, and is not the end
			return body, nil
		case err != nil:
			return nil, err
		case len(body) > limit:
			in.leave(true)
			return nil, Unknown(TooLarge, fmt.Errorf("%w: %w", ErrStreamLost, errNoRoom))
		}
	}
}
