package wsedge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"flowbench/flows"
)

// A backend accepts sockets and serves an endpoint over them.
type backend struct {
	endpoint flows.Endpoint
	bounds   bounds
	log      *slog.Logger

	mu       sync.Mutex
	sessions map[*session]struct{}
	closing  bool
}

// ServeHTTP implements [http.Handler]. It serves a socket until that ends.
//
// Accept refuses pages of other origins; programs send no origin and pass.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != path {
		http.NotFound(w, r)
		return
	}
	k := &keeper{ResponseWriter: w}
	conn, err := websocket.Accept(k, r, nil)
	if err != nil {
		b.log.Debug("socket refused", "error", err) // the client has been told
		return
	}
	conn.SetReadLimit(b.bounds.message)
	s := newSession(r.Context(), b, conn, k.conn)
	if !b.add(s) {
		_ = conn.CloseNow() // it was too late for it
		return
	}
	defer b.remove(s)
	s.serve()
}

func (b *backend) add(s *session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return false
	}
	b.sessions[s] = struct{}{}
	return true
}

func (b *backend) remove(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, s)
}

// Shutdown ends all sockets, each when the calls on it have been answered, or
// when ctx ends.
func (b *backend) Shutdown(ctx context.Context) {
	var leaving sync.WaitGroup
	b.mu.Lock()
	b.closing = true
	for s := range b.sessions {
		leaving.Go(func() { s.goAway(ctx) })
	}
	b.mu.Unlock()
	leaving.Wait()
}

// A keeper is a response writer that remembers the connection which is taken
// over through it. Closing that is the only thing that ends a socket at once:
// once the library waits for the peer to agree on the end, it waits.
type keeper struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements [http.Hijacker].
func (k *keeper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(k.ResponseWriter).Hijack()
	k.conn = conn
	return conn, rw, err
}

// A session is the server's end of a socket.
type session struct {
	backend *backend
	conn    *websocket.Conn
	raw     net.Conn // under conn
	out     outbox
	ctx     context.Context // ends with the session
	cancel  context.CancelFunc
	work    sync.WaitGroup // all that must have ended before serve returns

	mu       sync.Mutex
	calls    map[uint64]context.CancelFunc // that have neither been answered nor taken back
	active   int                           // calls that the endpoint is at
	watches  int                           // of these the live queries, which are no work to wait for
	draining bool                          // no call is taken any more
	idle     chan struct{}                 // closed once no call is active while draining
	resting  sync.Once                     // closes idle
}

func newSession(ctx context.Context, b *backend, conn *websocket.Conn, raw net.Conn) *session {
	s := &session{
		backend: b, conn: conn, raw: raw, calls: make(map[uint64]context.CancelFunc), idle: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.out = outbox{send: sender(conn, b.bounds.write), capacity: b.bounds.waiting}
	return s
}

// serve reads messages until the socket ends, and returns when nothing that it
// started is left.
func (s *session) serve() {
	s.work.Go(func() {
		if err := keepAlive(s.conn, s.backend.bounds, s.ctx.Done()); err != nil {
			_ = s.raw.Close() // nobody is there to say goodbye to
		}
	})
	// A context that could end would cost each read a goroutine's worth; closing the
	// connection ends a read as well.
	for {
		kind, message, err := s.conn.Read(context.Background())
		if err != nil {
			break
		}
		if kind != websocket.MessageText {
			s.drop(websocket.StatusUnsupportedData, "messages are text")
			continue
		}
		s.take(message)
	}
	s.out.close(net.ErrClosed)
	s.cancel()
	_ = s.conn.CloseNow() // it has ended
	s.work.Wait()
}

// take acts on a message.
func (s *session) take(message []byte) {
	if s.ctx.Err() != nil {
		return // the socket has been given up, and what still comes is not answered
	}
	var m asked
	if err := json.Unmarshal(message, &m); err != nil {
		s.drop(websocket.StatusInvalidFramePayloadData, "a message is no JSON object of the protocol")
		return
	}
	if m.Verb == verbCancel {
		if cancel, ok := s.claim(m.N); ok {
			cancel()
		}
		return
	}
	c, err := m.call()
	if err == nil && int64(len(m.Body)) > s.backend.bounds.body {
		err = flows.Fail(flows.TooLarge, fmt.Errorf("the body is over %d bytes", s.backend.bounds.body))
	}
	if err != nil {
		s.reply(appendError(nil, m.N, err))
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	if err := s.begin(m.N, c, cancel); err != nil {
		cancel()
		s.reply(appendError(nil, m.N, err))
		return
	}
	s.work.Go(func() {
		defer cancel()
		defer s.done(c)
		if c.Verb == flows.Watch {
			s.watch(ctx, m.N, c)
		} else {
			s.answer(ctx, m.N, c)
		}
	})
}

// begin notes that call n is under way.
func (s *session) begin(n uint64, c flows.Call, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, taken := s.calls[n]; {
	case taken:
		return flows.Fail(flows.Rejected, fmt.Errorf("call %d is under way", n))
	case s.draining:
		return flows.Fail(flows.Unreachable, errors.New("the server is closing"))
	case s.active >= s.backend.bounds.calls:
		return flows.Fail(flows.Overloaded, fmt.Errorf("%d calls are under way", s.active))
	}
	s.calls[n] = cancel
	s.active++
	if live(c) {
		s.watches++
	}
	return nil
}

// live reports whether a call is a live query, which goes on until somebody
// ends it.
func live(c flows.Call) bool { return c.Verb == flows.Watch && c.Kind == flows.Query }

// claim makes the caller the one who ends call n. It is false if the call has
// been answered or taken back.
func (s *session) claim(n uint64) (cancel context.CancelFunc, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cancel, ok = s.calls[n]
	delete(s.calls, n)
	return cancel, ok
}

// done notes that the endpoint is through with a call.
func (s *session) done(c flows.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if live(c) {
		s.watches--
	}
	s.rest()
}

// rest tells goAway once there is nothing to wait for.
func (s *session) rest() {
	if s.draining && s.active == s.watches {
		s.resting.Do(func() { close(s.idle) })
	}
}

// answer asks the endpoint and sends what it says.
func (s *session) answer(ctx context.Context, n uint64, c flows.Call) {
	answer, err := flows.Answer{}, flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer"))
	for answer, err = range s.backend.endpoint(ctx, c) {
		break
	}
	if _, ok := s.claim(n); !ok {
		return
	}
	limit := s.backend.bounds.body
	if err == nil && int64(len(answer.Body)) > limit {
		err = flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", limit))
	}
	if err != nil {
		s.reply(appendError(nil, n, err))
		return
	}
	s.reply(appendAnswer(make([]byte, 0, len(answer.Body)*4/3+64), n, answer))
}

// watch asks the endpoint and sends all that it says, until it or the client
// ends that.
func (s *session) watch(ctx context.Context, n uint64, c flows.Call) {
	var failed error
	for answer, err := range s.backend.endpoint(ctx, c) {
		if failed = err; err == nil {
			failed = s.push(ctx, n, answer)
		}
		if failed != nil || ctx.Err() != nil {
			break
		}
	}
	if failed == nil {
		failed = ctx.Err() // an endpoint that is told to end may do so without a word
	}
	if _, ok := s.claim(n); !ok {
		return
	}
	if failed != nil {
		s.send(appendError(nil, n, failed))
		return
	}
	s.send(appendEnd(nil, n))
}

// push sends one of several answers. It waits for room, so that an endpoint that
// has much to say is not taken for a client that does not listen.
func (s *session) push(ctx context.Context, n uint64, a flows.Answer) error {
	if limit := s.backend.bounds.body; int64(len(a.Body)) > limit {
		return flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", limit))
	}
	err := s.out.await(ctx, s.backend.bounds.room)
	if err == nil {
		s.send(appendAnswer(make([]byte, 0, len(a.Body)*4/3+64), n, a))
	}
	if errors.Is(err, errSlow) {
		s.tooSlow()
	}
	return err
}

// send queues a message for another goroutine to write. An endpoint with more to
// say must not be the one that waits while the messages of others are written.
func (s *session) send(message []byte) {
	writer, err := s.out.put(message)
	if errors.Is(err, errSlow) {
		s.tooSlow()
	}
	if writer {
		s.work.Go(s.out.write)
	}
}

// reply sends a message, or drops the client if too much waits for it already.
func (s *session) reply(message []byte) {
	writer, err := s.out.put(message)
	if errors.Is(err, errSlow) {
		s.tooSlow()
	}
	if writer {
		s.out.write()
	}
}

// tooSlow drops a client that does not take its answers.
func (s *session) tooSlow() { s.drop(websocket.StatusPolicyViolation, "too slow: "+errSlow.Error()) }

// drop ends the socket with a reason. What waits to be sent is dropped at once;
// the goodbye is given as long as the library has patience. Only goroutines of
// the session may call it.
func (s *session) drop(code websocket.StatusCode, reason string) {
	s.out.close(errors.New(reason))
	s.cancel()
	s.work.Go(func() { _ = s.conn.Close(code, reason) }) // whether it was heard does not matter
}

// goAway ends the socket when all calls have been answered, or when ctx ends.
func (s *session) goAway(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	s.rest()
	s.mu.Unlock()
	select {
	case <-s.idle:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	timer := time.AfterFunc(goodbye, func() { _ = s.raw.Close() }) // as it does not agree to end
	defer timer.Stop()
	_ = s.conn.Close(websocket.StatusGoingAway, "the server is closing")
}

// goodbye is how long a client may take to agree that the socket ends when the
// server closes.
const goodbye = 500 * time.Millisecond
