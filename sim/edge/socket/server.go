package socket

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// A Protocol is what a server speaks over its sockets. K tells the calls of a
// socket apart.
type Protocol[K comparable] struct {
	// Subprotocol is what clients must offer to speak, if it is not empty.
	// Unacceptable is the code with which those are dismissed who do not.
	Subprotocol  string
	Unacceptable int

	// Open begins a session and returns what acts on its messages, which is given
	// one at a time and may not keep it.
	Open func(*Session[K]) (take func(message []byte))

	// Frames says that binary messages are parts of bodies; see [Session.Receive].
	Frames bool
}

// A Server accepts sockets. It implements [http.Handler], and ends its sockets
// when it is shut down.
type Server[K comparable] struct {
	protocol Protocol[K]
	bounds   Bounds
	log      *slog.Logger
	places   chan struct{} // has room for the bodies that may have a window

	mu       sync.Mutex
	sessions map[*Session[K]]struct{}
	closing  bool
}

// NewServer returns a server without sockets.
func NewServer[K comparable](p Protocol[K], b Bounds, log *slog.Logger) *Server[K] {
	return &Server[K]{
		protocol: p, bounds: b, log: log, sessions: make(map[*Session[K]]struct{}),
		places: make(chan struct{}, b.Windows),
	}
}

// ServeHTTP implements [http.Handler]. It serves a socket until that ends.
//
// Accept refuses pages of other origins; programs send no origin and pass.
func (v *Server[K]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k := &keeper{ResponseWriter: w}
	options := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
	if v.protocol.Subprotocol != "" {
		options.Subprotocols = []string{v.protocol.Subprotocol}
	}
	conn, err := websocket.Accept(k, r, options)
	if err != nil {
		v.log.Debug("socket refused", "error", err) // the client has been told
		return
	}
	conn.SetReadLimit(v.bounds.Message)
	s := newSession(r.Context(), v, conn, k.conn)
	if !v.add(s) {
		_ = conn.CloseNow() // it was too late for it
		return
	}
	defer v.remove(s)
	s.serve()
}

func (v *Server[K]) add(s *Session[K]) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closing {
		return false
	}
	v.sessions[s] = struct{}{}
	return true
}

func (v *Server[K]) remove(s *Session[K]) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sessions, s)
}

// Shutdown ends all sockets, each when the work on it is done, or when ctx ends.
func (v *Server[K]) Shutdown(ctx context.Context) {
	var leaving sync.WaitGroup
	v.mu.Lock()
	v.closing = true
	for s := range v.sessions {
		leaving.Go(func() { s.goAway(ctx) })
	}
	v.mu.Unlock()
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

// A Session is the server's end of a socket. Its methods may be called by what
// acts on its messages and by what that has started, and by nobody else.
type Session[K comparable] struct {
	server *Server[K]
	conn   *websocket.Conn
	raw    net.Conn // under conn
	out    outbox
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	work   sync.WaitGroup // all that must have ended before serve returns

	mu       sync.Mutex
	calls    map[K]*Call[K]   // that have neither been answered nor taken back
	bodies   map[uint64]*Body // that come, by the numbers of their calls
	active   int              // calls that the endpoint is at
	live     int              // of these the live ones, which are no work to wait for
	draining bool             // no call is taken any more
	idle     chan struct{}    // closed once there is no work while draining
	resting  sync.Once        // closes idle
}

func newSession[K comparable](ctx context.Context, v *Server[K], conn *websocket.Conn, raw net.Conn) *Session[K] {
	s := &Session[K]{
		server: v, conn: conn, raw: raw, calls: make(map[K]*Call[K]), bodies: make(map[uint64]*Body),
		idle: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.out = outbox{send: sender(conn, v.bounds.Write, func() { _ = raw.Close() }), capacity: v.bounds.Waiting}
	return s
}

// serve reads messages until the socket ends, and returns when nothing that it
// started is left.
func (s *Session[K]) serve() {
	s.work.Go(func() {
		if err := keepAlive(s.conn, s.server.bounds, s.ctx.Done()); err != nil {
			_ = s.raw.Close() // nobody is there to say goodbye to
		}
	})
	if p := s.server.protocol; s.conn.Subprotocol() != p.Subprotocol {
		s.Drop(p.Unacceptable, "Subprotocol not acceptable")
	}
	take := s.server.protocol.Open(s)
	var in receiver
	for {
		kind, message, err := in.next(s.conn)
		if err != nil {
			break
		}
		switch {
		case s.ctx.Err() != nil: // the socket has been given up, and what still comes is not answered
		case kind != websocket.MessageText && s.server.protocol.Frames:
			s.frame(message)
		case kind != websocket.MessageText:
			s.Drop(Unsupported, "messages are text")
		default:
			take(message)
		}
	}
	s.out.close(net.ErrClosed)
	s.cancel()
	_ = s.conn.CloseNow() // it has ended
	s.work.Wait()
}

// Bounds returns what the session is held to.
func (s *Session[K]) Bounds() Bounds { return s.server.bounds }

// Go runs f in a goroutine of the session, which must end with ctx.
func (s *Session[K]) Go(f func(ctx context.Context)) { s.work.Go(func() { f(s.ctx) }) }

// Reply sends a message, or drops the client if too much waits for it already.
// It may write what others have to say as well, so it is for those who have no
// more to do, and not for who acts on messages.
func (s *Session[K]) Reply(message []byte) {
	if s.put(message) {
		s.out.write()
	}
}

// Send queues a message for another goroutine to write.
func (s *Session[K]) Send(message []byte) {
	if s.put(message) {
		s.work.Go(s.out.write)
	}
}

// Push is Send for one of many messages. It waits for room, so that an endpoint
// that has much to say is not taken for a client that does not listen. A client
// that makes no room in time is dropped; the error says that nothing was sent.
func (s *Session[K]) Push(ctx context.Context, message []byte) error {
	err := s.out.await(ctx, s.server.bounds.Room)
	switch {
	case err == nil:
		s.Send(message)
	case errors.Is(err, errSlow):
		s.tooSlow()
	}
	return err
}

// put queues a message and reports whether it must be written now.
func (s *Session[K]) put(message []byte) (writer bool) {
	writer, err := s.out.put(message)
	if errors.Is(err, errSlow) {
		s.tooSlow()
	}
	return writer
}

// tooSlow drops a client that does not take its answers.
func (s *Session[K]) tooSlow() {
	s.Drop(int(websocket.StatusPolicyViolation), "too slow: "+errSlow.Error())
}

// Drop ends the socket with a reason, of at most 120 bytes. What waits to be
// sent is dropped at once; the goodbye is given as long as the library has
// patience.
func (s *Session[K]) Drop(code int, reason string) {
	s.out.close(errors.New(reason))
	s.cancel()
	// Whether it was heard does not matter.
	s.work.Go(func() { _ = s.conn.Close(websocket.StatusCode(code), reason) })
}

// goAway ends the socket when there is no work left, or when ctx ends.
func (s *Session[K]) goAway(ctx context.Context) {
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
