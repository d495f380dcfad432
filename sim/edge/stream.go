package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
)

// CheckStream returns the error of a call whose body comes as a stream and is
// over the limit, or has a size that is none.
func CheckStream(c flows.Call, limit int64) error {
	switch {
	case c.Stream == nil:
		return nil
	case c.StreamBytes < 0:
		return flows.Fail(flows.Rejected, fmt.Errorf("a body has %d bytes", c.StreamBytes))
	case c.StreamBytes > limit:
		return OverLimit(limit)
	}
	return nil
}

// OverLimit returns the error of a body that is over the limit: nothing was done.
func OverLimit(limit int64) error {
	return flows.Fail(flows.TooLarge, fmt.Errorf("the body is over %d bytes", limit))
}

// Whole returns a call with its whole body in place of its stream, for protocols
// in which bodies cannot come bit by bit. Nothing has been sent before it
// returns, so an error is a certain failure, unless patience has ended.
func Whole(ctx context.Context, c flows.Call, limit int64) (flows.Call, error) {
	if err := CheckStream(c, limit); err != nil || c.Stream == nil {
		return c, err
	}
	o := NewOutgoing(c.Stream, c.StreamBytes)
	defer o.End()
	defer context.AfterFunc(ctx, o.End)()
	body := make([]byte, c.StreamBytes)
	_, err := io.ReadFull(o, body)
	switch _, class := flows.OutcomeOf(err); {
	case err == nil:
		c.Body, c.Stream, c.StreamBytes = body, nil, 0
		return c, nil
	case ctx.Err() != nil:
		_, class = flows.OutcomeOf(ctx.Err())
		return c, flows.Unknown(class, fmt.Errorf("read body: %w", ctx.Err()))
	case class == flows.Timeout:
		return c, flows.Unknown(class, err)
	default:
		return c, flows.Fail(class, err)
	}
}

// Outgoing is the body of a call on its way from who makes the call. It ends
// when its size has been read, whatever the reader under it has beyond, and an
// end before that is an error.
//
// Who makes calls must be able to give up while the reader under it has nothing
// to say, so nobody waits in that: each of its reads is made beside, into a buffer
// of its own. Once End has returned none is begun; one that was begun may return
// later, and what it yields is dropped.
type Outgoing struct {
	from  io.Reader
	ended chan struct{}
	end   func()
	left  int64 // that have not come from the reader under it yet; less than 0 if nobody knows

	lost   atomic.Pointer[chan struct{}] // closed when the connection is that it goes over
	done   chan fetched                  // how the read beside ended; nil if none was made yet
	buffer []byte
	have   []byte // of the buffer, read and not taken yet
	failed atomic.Pointer[error]
}

// A fetched is what a read came to.
type fetched struct {
	n   int
	err error
}

// NewOutgoing returns the body of a size that r yields.
func NewOutgoing(r io.Reader, size int64) *Outgoing {
	o := &Outgoing{from: r, ended: make(chan struct{}), left: size}
	o.end = sync.OnceFunc(func() { close(o.ended) })
	return o
}

var (
	errEnded = errors.New("the call has ended")
	errLost  = errors.New("the connection is lost")
	errShort = errors.New("the body ends before its size")
)

// outgoingBytes is how much of a body is read at once.
const outgoingBytes = 32 << 10

// Read implements [io.Reader]. It is for one goroutine.
func (o *Outgoing) Read(p []byte) (int, error) {
	if len(o.have) == 0 {
		if o.left == 0 {
			return 0, io.EOF
		}
		if err := o.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.have)
	o.have = o.have[n:]
	return n, nil
}

// fill waits for the next bytes.
func (o *Outgoing) fill() error {
	if err := o.Failed(); err != nil {
		return err
	}
	select {
	case <-o.ended:
		return errEnded
	default:
	}
	if o.done == nil {
		o.done = make(chan fetched, 1)
		o.buffer = make([]byte, outgoingBytes)
	}
	for {
		into := o.buffer
		if o.left >= 0 {
			into = into[:min(int64(len(into)), o.left)]
		}
		go func() {
			n, err := o.from.Read(into)
			o.done <- fetched{n, err}
		}()
		var lost chan struct{}
		if l := o.lost.Load(); l != nil {
			lost = *l
		}
		select {
		case f := <-o.done:
			if n, err := o.took(f); n > 0 || err != nil {
				return err
			}
		case <-o.ended:
			return o.interrupted(errEnded)
		case <-lost:
			return o.interrupted(errLost)
		}
	}
}

// interrupted makes err what is said from now on: the buffer may be written to.
func (o *Outgoing) interrupted(err error) error {
	o.end()
	return err
}

// took notes what a read came to. An error with bytes is told after them.
func (o *Outgoing) took(f fetched) (n int, err error) {
	o.have = o.buffer[:f.n]
	if o.left > 0 {
		o.left -= int64(f.n)
	}
	switch {
	case f.err == nil, o.left == 0:
		return f.n, nil
	case errors.Is(f.err, io.EOF) && o.left < 0:
		o.left = 0
		if f.n == 0 {
			err = io.EOF
		}
		return f.n, err
	case errors.Is(f.err, io.EOF):
		f.err = errShort
	}
	f.err = fmt.Errorf("read body: %w", f.err)
	o.failed.Store(&f.err)
	if f.n == 0 {
		err = f.err
	}
	return f.n, err
}

// Failed returns the error that the reader under it ended with, if it did.
func (o *Outgoing) Failed() error {
	if err := o.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// End has no more read.
func (o *Outgoing) End() { o.end() }

// Close implements [io.Closer] by doing nothing: a transport that could not
// connect closes a body that is to go over another connection.
func (o *Outgoing) Close() error { return nil }

// traced returns a context in which a request with this body is made. A transport
// waits for the read that it is at before it says that its connection is lost.
func (o *Outgoing) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if c, ok := i.Conn.(*closable); ok {
			o.lost.Store(&c.closed)
		}
	}})
}

// A closable is a connection that tells when its transport closes it.
type closable struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

// Close implements [net.Conn].
func (c *closable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Stream hands the body of a request to an endpoint while it still comes: it
// returns the context for the endpoint and the reader, which has all of the size
// and the end after it, or fails. The context ends with the body if that breaks
// off, since who sends it has gone; the server by itself would not notice before
// the body has been read. A body has as long to come as an operation may take.
// Leave is called when the endpoint has returned.
func (w *Web) Stream(
	to http.ResponseWriter, r *http.Request, size int64,
) (ctx context.Context, body io.Reader, leave func()) {
	// Without it, the body has as long as the connection, and that is what it has then.
	_ = http.NewResponseController(to).SetReadDeadline(time.Now().Add(w.config.Timeout))
	ctx, cancel := context.WithTimeout(r.Context(), w.config.Timeout)
	return ctx, &incoming{from: r.Body, left: size, broke: cancel}, cancel
}

// An incoming is the body of a request at the endpoint.
type incoming struct {
	from  io.Reader
	left  int64
	broke func()
	err   error
}

// Read implements [io.Reader]. The last bytes come once it is known that they are
// the last, so that a body that was read to its size was read to its end.
func (i *incoming) Read(p []byte) (int, error) {
	switch {
	case i.err != nil:
		return 0, i.err
	case len(p) == 0:
		return 0, nil
	case i.left == 0:
		i.err = i.ending()
		return 0, i.err
	}
	n, err := i.from.Read(p[:min(int64(len(p)), i.left)])
	i.left -= int64(n)
	switch {
	case i.left == 0 && (err == nil || errors.Is(err, io.EOF)):
		i.err = i.ending()
		return n, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		i.err = i.broken(err)
	}
	return n, i.err
}

// ending looks for the end of a body where it should be.
func (i *incoming) ending() error {
	n, err := io.ReadFull(i.from, make([]byte, 1))
	switch {
	case n > 0:
		return flows.Unknown(flows.Corrupt, errors.New("read body: it goes on after its size"))
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return i.broken(err)
}

// broken returns the error of a body that breaks off.
func (i *incoming) broken(err error) error {
	i.broke()
	class := flows.Disconnected
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		class = flows.Timeout
	}
	return flows.Unknown(class, fmt.Errorf("read body: %w", err))
}

// ReadBody reads the whole body of a request, of up to limit bytes. One that says
// that it is larger is not read at all. The error says that nothing was done.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, OverLimit(limit)
	}
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
		return body, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read body: %w", err)
	case int64(len(body)) > limit:
		return nil, OverLimit(limit)
	}
	return body, nil
}

// Bodies that are read by the time they are answered are the server's business.
// With one that is not, the server reads on before it answers, which may take as
// long as the client takes to send it, and then may close a connection that the
// client believes in, or close it so that the answer is lost.

// readAnyway is how much of a body that nobody wants a server reads.
const readAnyway = 256 << 10

// lingering is how long a client may take to learn of an answer that comes before
// its body has ended.
const lingering = 500 * time.Millisecond

// serveLarge has h answer a request with a body that is large or of any size.
// The answer goes out at once, whether or not the body has been read; if it has
// not, the client is told that the connection closes.
func serveLarge(h http.Handler, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		h.ServeHTTP(w, r)
		return
	}
	body := &noted{ReadCloser: r.Body, left: r.ContentLength}
	r = r.WithContext(r.Context()) // a copy: the server looks at the body of its own
	r.Body = body
	h.ServeHTTP(&early{ResponseWriter: w, body: body}, r)
	if !body.whole() {
		_ = control.Flush() // a client that has gone knows it
		_ = control.SetReadDeadline(time.Now().Add(lingering))
		body.drain()
	}
}

// A noted is a body of a request that knows whether all of it was read.
type noted struct {
	io.ReadCloser
	reading sync.Mutex // held by who reads
	over    bool       // the handler has returned; only for who reads

	mu    sync.Mutex
	left  int64 // less than 0 if nobody knows
	ended bool
}

var errAnswered = errors.New("the request has been answered")

// drain reads on for as long as the client may take to learn of its answer. The
// server would break a read off that is under way when a handler returns, as that
// of a transport may be, and after that close the connection at once.
func (b *noted) drain() {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.over = true
	_, _ = io.CopyN(io.Discard, b.ReadCloser, readAnyway) // whatever comes, nobody wants it
}

// Read implements [io.Reader].
func (b *noted) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.over {
		return 0, errAnswered
	}
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left > 0 {
		b.left -= int64(n)
	}
	b.ended = b.ended || b.left == 0 || errors.Is(err, io.EOF)
	return n, err
}

func (b *noted) whole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// Close implements [io.Closer] by doing nothing: the server closes what is under
// it, and to do so waits for reads to end.
func (b *noted) Close() error { return nil }

// An early is a response that may come before the end of its request.
type early struct {
	http.ResponseWriter
	body  *noted
	wrote bool
}

// Unwrap is how [http.ResponseController] finds what is under it.
func (e *early) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (e *early) WriteHeader(code int) {
	if !e.wrote && code >= http.StatusOK {
		e.wrote = true
		if !e.body.whole() {
			e.Header().Set("Connection", "close")
		}
	}
	e.ResponseWriter.WriteHeader(code)
}

// Write implements [http.ResponseWriter].
func (e *early) Write(p []byte) (int, error) {
	if !e.wrote {
		e.WriteHeader(http.StatusOK)
	}
	return e.ResponseWriter.Write(p)
}
