package socket

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/coder/websocket"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// numberBytes is how long the number of a call is before the data in a frame.
const numberBytes = 8

var (
	errReturned = errors.New("read body: the endpoint has returned")
	errLate     = errors.New("read body: it takes too long to come")
	errBroken   = errors.New("read body: nobody sends it any more")
)

// A Body is the body of a call at its endpoint, which has it while it still
// comes. Its reader is for one goroutine at a time.
//
// A client sends what it was given credit for and no more. An endpoint that does
// not read gives none, so nothing waits for it; one that reads gives as much as
// the window lets wait.
type Body struct {
	ctx    context.Context
	window int64
	places chan struct{} // has room for those who hold a window
	credit func(bytes int64)
	size   int64
	wake   chan struct{} // has room for one

	mu      sync.Mutex
	waiting bytes.Buffer // that have come and were not taken
	taken   int64
	come    int64
	granted int64
	placed  bool // holds a window
	closed  bool // the endpoint has returned
}

// Receive makes the frames of call n the body of the call, of a size, until stop
// is called. What credit says is told to the client. The body breaks off with ctx,
// which is that of the call, and when it takes too long.
func (s *Session[K]) Receive(
	ctx context.Context, n uint64, size int64, credit func(bytes int64),
) (b *Body, stop func()) {
	cancel := func() {}
	if within := s.server.bounds.Coming; within > 0 {
		ctx, cancel = context.WithTimeout(ctx, within)
	}
	b = &Body{
		ctx: ctx, window: s.server.bounds.Window, places: s.server.places, credit: credit, size: size,
		wake: make(chan struct{}, 1),
	}
	s.mu.Lock()
	s.bodies[n] = b
	s.mu.Unlock()
	return b, func() {
		s.mu.Lock()
		if s.bodies[n] == b {
			delete(s.bodies, n)
		}
		s.mu.Unlock()
		b.close()
		cancel()
	}
}

// frame takes a part of a body. What comes for nobody was on its way when the
// endpoint returned.
func (s *Session[K]) frame(message []byte) {
	if len(message) < numberBytes {
		s.Drop(Malformed, "a frame has no number")
		return
	}
	s.mu.Lock()
	b := s.bodies[binary.BigEndian.Uint64(message)]
	s.mu.Unlock()
	if b != nil && !b.put(message[numberBytes:]) {
		s.Drop(int(websocket.StatusPolicyViolation), "a frame is larger than the credit of its call")
	}
}

// put adds bytes. It is false if nobody has asked for so many.
func (b *Body) put(data []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.come+int64(len(data)) > b.granted {
		return false
	}
	b.come += int64(len(data))
	_, _ = b.waiting.Write(data) // it always has room
	select {
	case b.wake <- struct{}{}:
	default: // who waits has been told already
	}
	return true
}

// close drops what waits.
func (b *Body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.waiting = bytes.Buffer{}
	if b.placed {
		b.placed = false
		<-b.places
	}
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := b.enter(); err != nil {
		return 0, err
	}
	for {
		n, more, err := b.take(p)
		if more > 0 {
			b.credit(more)
		}
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-b.wake:
		case <-b.ctx.Done():
			return 0, b.broken()
		}
	}
}

// enter waits until there is room for another window.
func (b *Body) enter() error {
	b.mu.Lock()
	through := b.placed || b.closed || b.size == 0
	b.mu.Unlock()
	if through {
		return nil
	}
	select {
	case b.places <- struct{}{}:
	case <-b.ctx.Done():
		return b.broken()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.placed = !b.closed; b.closed {
		<-b.places
	}
	return nil
}

// broken returns the error of a body that does not come any more.
func (b *Body) broken() error {
	if errors.Is(b.ctx.Err(), context.DeadlineExceeded) {
		return flows.Unknown(flows.Timeout, errLate)
	}
	return flows.Unknown(flows.Disconnected, errBroken)
}

// take takes what has come, and returns how much more may come now.
func (b *Body) take(p []byte) (n int, more int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, 0, errReturned
	case b.taken == b.size:
		return 0, 0, io.EOF
	case b.ctx.Err() != nil:
		return 0, 0, b.broken()
	}
	n, _ = b.waiting.Read(p) // that there is nothing is no end
	b.taken += int64(n)
	if open := b.granted - b.taken; open <= b.window/2 {
		more = min(b.window-open, b.size-b.granted)
		b.granted += more
	}
	return n, more, nil
}

// An allowance is how much of a body may be sent by now. The zero value of a
// pointer to it is that of a call without one.
type allowance struct {
	mu     sync.Mutex
	bytes  int64
	closed bool
	wake   chan struct{} // has room for one
}

func newAllowance() *allowance { return &allowance{wake: make(chan struct{}, 1)} }

func (a *allowance) add(bytes int64) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += bytes
	a.tell()
}

func (a *allowance) close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.tell()
}

func (a *allowance) tell() {
	select {
	case a.wake <- struct{}{}:
	default: // who waits has been told already
	}
}

// await waits for an allowance of at least a byte and returns it, or 0 when
// nothing more is to be sent. What is sent is taken off by add.
func (a *allowance) await() int64 {
	for {
		a.mu.Lock()
		bytes, closed := a.bytes, a.closed
		a.mu.Unlock()
		switch {
		case closed:
			return 0
		case bytes > 0:
			return bytes
		}
		<-a.wake
	}
}

// stream sends the body of call n as it is asked for, until it has been sent or
// the call has ended. It runs beside the call, which does not wait for it: that is
// why it works on a socket only while the call is on it.
func (s *socket) stream(n uint64, size int64, body *edge.Outgoing, allowed *allowance) {
	defer body.End()
	for left := size; left > 0; {
		may := allowed.await()
		if may == 0 {
			return
		}
		frame := make([]byte, numberBytes+min(left, may, s.bounds.Frame))
		binary.BigEndian.PutUint64(frame, n)
		read, err := body.Read(frame[numberBytes:])
		if err != nil {
			s.breakOff(n, err)
			return
		}
		allowed.add(-int64(read))
		left -= int64(read)
		if !s.sendFrame(n, frame[:numberBytes+read]) {
			return
		}
	}
}

// sendFrame queues a frame when little waits, so that frames do not hold up other
// calls. One body at a time waits for that. It is false if the call has ended.
func (s *socket) sendFrame(n uint64, frame []byte) bool {
	select {
	case s.turn <- struct{}{}:
	case <-s.ended:
		return false
	}
	defer func() { <-s.turn }()
	if err := s.out.await(context.Background(), s.bounds.Write); err != nil {
		s.breakOff(n, flows.Unknown(flows.Overloaded, err))
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.waiting[n]
	if !ok || s.err != nil {
		return false
	}
	if err := s.putAs(frame, websocket.MessageBinary); err != nil {
		s.finish(n, w, flows.Unknown(flows.Overloaded, fmt.Errorf("send body: %w", err)))
		return false
	}
	return true
}

// breakOff ends a call whose body cannot be sent. What the server has made of
// what it has got by then nobody knows.
func (s *socket) breakOff(n uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.waiting[n]
	if !ok || s.err != nil {
		return
	}
	_, class := flows.OutcomeOf(err)
	s.finish(n, w, flows.Unknown(class, fmt.Errorf("send body: %w", err)))
}

// finish ends a call that its server must be told of.
func (s *socket) finish(n uint64, w waiter, err error) {
	delete(s.waiting, n)
	w.end(err)
	_ = s.put(s.codec.AppendCancel(nil, n)) // without it the server waits for the rest as long as it waits at all
}
