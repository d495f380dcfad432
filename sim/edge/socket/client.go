package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// A Codec writes what a client says and reads what it is told.
type Codec interface {
	// Hello returns what is said first on a socket, if anything is, and Ready
	// whether a message says that calls may be made now, which is not asked if there
	// is no hello. An error says that they may not.
	Hello() []byte
	Ready(message []byte) (bool, error)

	// AppendCall appends the message that makes call n, and AppendCancel the one
	// that takes it back. The error is a certain failure. A body that comes as a
	// stream is announced by its size, and follows in frames.
	AppendCall(b []byte, n uint64, c flows.Call) ([]byte, error)
	AppendCancel(b []byte, n uint64) []byte

	// Read reads a message, and does not keep it. After an error the socket is of no use.
	Read(message []byte) (Heard, error)
}

// A Heard is what a message says.
type Heard struct {
	N      uint64       // which call it is about; 0 for none
	Answer flows.Answer // unless there is an error, or no more comes
	Err    error        // how the call ends
	Last   bool         // the server says no more about the call
	Empty  bool         // there is no answer
	Reply  []byte       // what to say in return, if anything
	Credit int64        // how many bytes more of its body may be sent; then it says nothing else of the call
}

// A Client is one client of an edge. It has one socket, or none. It implements
// [flows.Caller].
type Client struct {
	url, subprotocol string
	codec            Codec
	http             *http.Client
	bounds           Bounds
	timeout          time.Duration
	meter            *edge.Meter
	life             context.Context
	end              context.CancelFunc
	work             sync.WaitGroup

	mu      sync.Mutex
	socket  *socket  // the last one; nil before the first
	dialing *dialing // nil if nobody dials
	closed  bool
}

// NewClient returns a client of the sockets at url, which the first call opens.
func NewClient(url, subprotocol string, c Codec, b Bounds, t *http.Transport, config edge.Config) *Client {
	// The client lives until it is closed, whatever becomes of the context that it
	// was dialled in.
	life, end := context.WithCancel(context.Background())
	return &Client{
		url: url, subprotocol: subprotocol, codec: c, http: &http.Client{Transport: t}, bounds: b,
		timeout: config.Timeout, meter: config.Meter, life: life, end: end,
	}
}

// A dialing is an attempt to get a socket, which all calls wait for together.
type dialing struct {
	done   chan struct{}
	socket *socket
	err    error
}

// Call implements [flows.Caller].
func (c *Client) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	if call.Verb == flows.Watch {
		return func(yield func(flows.Answer, error) bool) { c.watch(ctx, call, yield) }
	}
	return flows.Single(func() (flows.Answer, error) { return c.call(ctx, call) })
}

// Close implements [flows.Caller]. Calls that are under way end as unknown.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	s := c.socket
	c.mu.Unlock()
	c.end()
	if s != nil {
		s.lose(flows.Unknown(flows.Canceled, flows.ErrClosed))
	}
	c.work.Wait()
	c.http.CloseIdleConnections()
	return nil
}

var (
	errNotText    = errors.New("the key is not UTF-8, and messages are text")
	errNotWatched = errors.New("only commands and queries can be watched")
	errEmpty      = errors.New("the call ended without an answer")
	errLost       = errors.New("the socket was lost before the call was made")
)

// attempts is how many sockets a call tries that are lost before it was made.
const attempts = 3

func (c *Client) call(ctx context.Context, call flows.Call) (flows.Answer, error) {
	replies := make(chan reply, 1)
	s, n, err := c.send(ctx, call, waiter{replies: replies})
	if err != nil {
		return flows.Answer{}, err
	}
	select {
	case r := <-replies:
		if r.err != nil {
			return flows.Answer{}, r.err
		}
		return r.answer, nil
	case <-ctx.Done():
		s.takeBack(n)
		return flows.Answer{}, gaveUp("answer", ctx.Err())
	}
}

// watch makes a call that has many answers.
func (c *Client) watch(ctx context.Context, call flows.Call, yield func(flows.Answer, error) bool) {
	if call.Kind != flows.Command && call.Kind != flows.Query {
		yield(flows.Answer{}, flows.Fail(flows.Rejected, errNotWatched))
		return
	}
	in := newInbox(c.bounds.Waiting / 4)
	s, n, err := c.send(ctx, call, waiter{watch: in})
	if err != nil {
		yield(flows.Answer{}, err)
		return
	}
	defer s.takeBack(n) // if it has not ended
	for {
		a, ok, err := in.next(ctx)
		if err != nil {
			yield(flows.Answer{}, err)
		}
		if !ok || !yield(a, nil) {
			return
		}
	}
}

// send makes a call over the socket, or over a new one.
func (c *Client) send(ctx context.Context, call flows.Call, w waiter) (*socket, uint64, error) {
	if !utf8.ValidString(call.Key) {
		return nil, 0, flows.Fail(flows.Rejected, errNotText)
	}
	if err := edge.CheckStream(call, c.bounds.Body); err != nil {
		return nil, 0, err
	}
	if int64(len(call.Body)) > c.bounds.Body {
		return nil, 0, flows.Fail(flows.TooLarge, fmt.Errorf("the body is over %d bytes", c.bounds.Body))
	}
	c.meter.Requests.Add(1)
	var body *edge.Outgoing
	if call.Stream != nil {
		body, w.allowed = edge.NewOutgoing(call.Stream, call.StreamBytes), newAllowance()
		w.body = body
	}
	for range attempts {
		s, err := c.connect(ctx)
		if err != nil {
			return nil, 0, err
		}
		n, err := s.send(call, w)
		if err == nil && body != nil {
			go s.stream(n, call.StreamBytes, body, w.allowed)
		}
		if !errors.Is(err, errLost) {
			return s, n, err
		}
	}
	return nil, 0, flows.Fail(flows.Unreachable, errLost)
}

// connect returns the socket, or a new one if there is none any more.
func (c *Client) connect(ctx context.Context) (*socket, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, fmt.Errorf("connect: %w", flows.ErrClosed)
	}
	if s := c.socket; s != nil && !s.lost() {
		c.mu.Unlock()
		return s, nil
	}
	d := c.dialing
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		c.dialing = d
		c.work.Go(func() { c.dial(d) })
	}
	c.mu.Unlock()
	select {
	case <-d.done:
		return d.socket, d.err
	case <-ctx.Done():
		return nil, gaveUp("connection", ctx.Err())
	}
}

// dial makes an attempt to get a socket.
func (c *Client) dial(d *dialing) {
	ctx, cancel := context.WithTimeout(c.life, c.timeout)
	defer cancel()
	conn, err := c.open(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(d.done)
	c.dialing = nil
	switch {
	case err != nil:
		d.err = err
	case c.closed:
		_ = conn.CloseNow() // nobody has used it
		d.err = fmt.Errorf("connect: %w", flows.ErrClosed)
	default:
		d.socket = newSocket(c, conn)
		c.socket = d.socket
	}
}

// open returns a socket over which calls may be made.
func (c *Client) open(ctx context.Context) (*websocket.Conn, error) {
	options := &websocket.DialOptions{HTTPClient: c.http}
	if c.subprotocol != "" {
		options.Subprotocols = []string{c.subprotocol}
	}
	conn, resp, err := websocket.Dial(ctx, c.url, options)
	if err != nil {
		return nil, notConnected(resp, err)
	}
	conn.SetReadLimit(c.bounds.Message)
	if err := c.greet(ctx, conn); err != nil {
		_ = conn.CloseNow() // what counts is the error at hand
		return nil, flows.Fail(flows.Unreachable, fmt.Errorf("connect: %w", err))
	}
	return conn, nil
}

// greet says what is to be said before calls are made.
func (c *Client) greet(ctx context.Context, conn *websocket.Conn) error {
	hello := c.codec.Hello()
	if hello == nil {
		return nil
	}
	if err := conn.Write(ctx, websocket.MessageText, hello); err != nil {
		return err
	}
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if ready, err := c.codec.Ready(message); err != nil || ready {
			return err
		}
	}
}

// notConnected returns what it means that there is no socket: the calls that
// waited for it have certainly not been made.
func notConnected(resp *http.Response, err error) error {
	class := flows.Unreachable
	if errors.Is(err, syscall.ECONNREFUSED) {
		class = flows.Refused
	}
	if resp != nil && resp.Body != nil {
		text, _ := io.ReadAll(resp.Body) // what can be had of it; it is short
		if problem := edge.ReadProblem(resp, text); problem != nil {
			if o, c := flows.OutcomeOf(problem); o == flows.Failed {
				class = c
			}
		}
	}
	return flows.Fail(class, fmt.Errorf("connect: %w", err))
}

// A socket is the client's end of a socket.
type socket struct {
	conn   *websocket.Conn
	out    outbox
	codec  Codec
	bounds Bounds
	work   *sync.WaitGroup
	ended  chan struct{}
	turn   chan struct{} // has room for the body that waits to send its next frame

	mu      sync.Mutex
	last    uint64            // number of a call
	waiting map[uint64]waiter // for answers
	err     error             // of calls that are under way when the socket is lost
}

// A reply is how a call ends.
type reply struct {
	answer flows.Answer
	err    error
}

// A waiter is who waits for the end of a call, or for what a watch tells.
type waiter struct {
	replies chan<- reply // has room for the one that comes
	watch   *inbox

	body    *edge.Outgoing // that is sent as it is asked for; nil for none
	allowed *allowance     // of it
}

// rest has no more of the body sent.
func (w waiter) rest() {
	if w.body != nil {
		w.body.End()
		w.allowed.close()
	}
}

// end tells how the call ends.
func (w waiter) end(err error) {
	w.rest()
	if w.watch != nil {
		w.watch.end(err)
		return
	}
	w.replies <- reply{err: err}
}

// newSocket starts what a socket needs. The caller holds its lock and is not
// closed.
func newSocket(c *Client, conn *websocket.Conn) *socket {
	s := &socket{
		conn: conn, codec: c.codec, bounds: c.bounds, work: &c.work,
		ended: make(chan struct{}), turn: make(chan struct{}, 1), waiting: make(map[uint64]waiter),
		out: outbox{
			send: sender(conn, c.bounds.Write, func() { _ = conn.CloseNow() }), capacity: c.bounds.Waiting,
		},
	}
	c.work.Go(s.receive)
	c.work.Go(func() {
		if err := keepAlive(conn, s.bounds, s.ended); err != nil {
			s.lose(flows.Unknown(flows.Disconnected, fmt.Errorf("socket: %w", err)))
		}
	})
	return s
}

// send sends a call, of which w will be told. errLost says that the socket was
// lost, and the call not made.
func (s *socket) send(call flows.Call, w waiter) (n uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, errLost
	}
	s.last++
	n = s.last
	message, err := s.codec.AppendCall(make([]byte, 0, len(call.Body)*4/3+len(call.Key)+callRoom), n, call)
	switch {
	case err != nil:
		return 0, err
	case int64(len(message)) > s.bounds.Message:
		// The server would end the socket, and other calls with it.
		return 0, flows.Fail(flows.TooLarge, fmt.Errorf("the message is over %d bytes", s.bounds.Message))
	}
	s.waiting[n] = w
	if err := s.put(message); err != nil {
		delete(s.waiting, n)
		return 0, err
	}
	return n, nil
}

// callRoom is how many bytes of a message are neither key nor body.
const callRoom = 256

// put queues a message. A goroutine of its own writes, since a call must be able
// to end while the connection is stuck.
func (s *socket) put(message []byte) error { return s.putAs(message, websocket.MessageText) }

func (s *socket) putAs(message []byte, kind websocket.MessageType) error {
	writer, err := s.out.putAs(message, kind)
	switch {
	case errors.Is(err, errSlow):
		return flows.Fail(flows.Overloaded, errSlow)
	case err != nil:
		return errLost
	case writer:
		s.work.Go(s.out.write)
	}
	return nil
}

// takeBack forgets a call and tells the server that nobody waits for it.
func (s *socket) takeBack(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.waiting[n]
	if !ok || s.err != nil {
		return
	}
	w.rest()
	delete(s.waiting, n)
	_ = s.put(s.codec.AppendCancel(nil, n)) // without it the answer comes, and nobody waits for it
}

func (s *socket) lost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// receive takes answers until the socket is lost.
func (s *socket) receive() {
	var in receiver
	for {
		_, message, err := in.next(s.conn)
		if err != nil {
			s.lose(flows.Unknown(whyLost(err), fmt.Errorf("socket: %w", err)))
			return
		}
		h, err := s.codec.Read(message)
		if err != nil {
			s.lose(flows.Unknown(flows.Corrupt, fmt.Errorf("read message: %w", err)))
			return
		}
		s.hand(h)
	}
}

// whyLost returns the class of the end of a socket. A server that drops a client
// for being slow says so.
func whyLost(err error) flows.Class {
	if websocket.CloseStatus(err) == websocket.StatusPolicyViolation {
		return flows.Overloaded
	}
	return flows.Disconnected
}

// hand gives a message to who waits for it. What nobody waits for was taken back
// when it was on its way.
func (s *socket) hand(h Heard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Reply != nil {
		_ = s.put(h.Reply) // without it the server may take this end for gone
	}
	w, ok := s.waiting[h.N]
	if !ok {
		return
	}
	if h.Credit > 0 {
		w.allowed.add(h.Credit)
		return
	}
	if w.watch == nil && h.Err == nil && h.Empty {
		h.Err = flows.Unknown(flows.Corrupt, errEmpty)
	}
	switch {
	case w.watch == nil:
		w.rest()
		delete(s.waiting, h.N)
		w.replies <- reply{h.Answer, h.Err}
		return
	case h.Err == nil && (h.Empty || w.watch.put(h.Answer)):
		if h.Last {
			w.rest()
			delete(s.waiting, h.N)
			w.watch.end(nil)
		}
		return
	}
	w.rest()
	delete(s.waiting, h.N)
	w.watch.end(h.Err) // unless the watch has ended itself
	if !h.Last {
		_ = s.put(s.codec.AppendCancel(nil, h.N)) // without it more comes, and nobody waits for it
	}
}

// lose closes the socket and ends all calls on it with err.
func (s *socket) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	close(s.ended)
	s.out.close(errLost)
	for n, w := range s.waiting {
		w.end(err)
		delete(s.waiting, n)
	}
	_ = s.conn.CloseNow() // whatever it says, it is closed
}
