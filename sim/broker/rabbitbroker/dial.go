package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"flowbench/flows"
	"flowbench/sim/broker"
)

var (
	errUser    = errors.New("the broker refused the user name or the password")
	errVhost   = errors.New("the broker refused the virtual host")
	errNoURI   = errors.New("the address is not an AMQP URI")
	errTooLate = errors.New("the broker did not answer in time")
)

// A link is a connection that is being set up. Until it is released, it is cut
// when its context ends, since calls of the library do not take one.
type link struct {
	conn *amqp.Connection
	raw  net.Conn
	stop func() bool
}

// dial connects to one of the addresses. Its errors name the address without
// credentials, and never quote what the library or the broker says about them.
func dial(ctx context.Context, cfg broker.Config, address int, name string) (*link, error) {
	url := cfg.Addresses[address]
	if _, err := amqp.ParseURI(url); err != nil {
		return nil, flows.Fail(flows.Unreachable, fmt.Errorf("connect to %s: %w", broker.Redacted(url), errNoURI))
	}
	beat := heartbeat(cfg.Params)
	l := &link{stop: func() bool { return true }}
	metered := cfg.DialerOf(name)
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat: beat, Locale: "en_US",
		Properties: amqp.Table{"connection_name": name, "product": "flowbench"},
		Dial: func(network, address string) (net.Conn, error) {
			raw, err := metered(ctx, network, address)
			if err != nil {
				return nil, err
			}
			l.raw = newCoalescer(raw, 2*beat)
			l.stop = context.AfterFunc(ctx, func() { _ = l.raw.Close() }) // the library finds out
			return l.raw, nil
		},
	})
	if err != nil {
		l.drop()
		return nil, dialError(ctx, broker.Redacted(url), err)
	}
	l.conn = conn
	return l, nil
}

// release keeps the connection beyond the end of its context.
func (l *link) release() { l.stop() }

// drop gives the connection up.
func (l *link) drop() {
	l.stop()
	if l.raw != nil {
		_ = l.raw.Close() // the error that counts is another
	}
	if l.conn != nil {
		_ = l.conn.CloseDeadline(time.Now()) // ends the library's goroutines
	}
}

func dialError(ctx context.Context, address string, err error) error {
	var told *amqp.Error
	if errors.As(err, &told) {
		switch told.Code {
		case amqp.AccessRefused:
			err = errUser
			if errors.Is(told, amqp.ErrVhost) {
				err = errVhost
			}
			return flows.Fail(flows.Rejected, fmt.Errorf("connect to %s: %w", address, err))
		case amqp.NotAllowed:
			return flows.Fail(flows.Rejected, fmt.Errorf("connect to %s: %w", address, errVhost))
		}
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", errTooLate, ctx.Err())
	}
	return broker.NotDialed(fmt.Errorf("connect to %s: %w", address, err))
}

// coalesceMaxBytes is how much a coalescer holds before writers wait.
const coalesceMaxBytes = 1 << 20

// A coalescer gathers small writes and has one goroutine write them out. The
// library writes every message by itself; with many in flight this saves most
// of the system calls, and it keeps a writer from waiting for the network.
type coalescer struct {
	net.Conn
	patience time.Duration // for one write

	mu     sync.Mutex
	space  *sync.Cond    // writers wait here
	work   chan struct{} // holds a token while there is something to write
	closed chan struct{}
	buf    []byte
	spare  []byte
	err    error // after which nothing is written any more
}

// newCoalescer returns a coalescer that gives the network so much time to take
// what was written.
func newCoalescer(c net.Conn, patience time.Duration) *coalescer {
	w := &coalescer{Conn: c, patience: patience, work: make(chan struct{}, 1), closed: make(chan struct{})}
	w.space = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// Write takes p and returns before it has reached the network. An error of the
// network is told by a later call.
func (w *coalescer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.buf) >= coalesceMaxBytes && w.err == nil {
		w.space.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	w.buf = append(w.buf, p...)
	select {
	case w.work <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *coalescer) run() {
	for {
		select {
		case <-w.work:
		case <-w.closed:
			return
		}
		w.mu.Lock()
		out := w.buf
		w.buf, w.spare = w.spare[:0], nil
		w.mu.Unlock()
		err := w.Conn.SetWriteDeadline(time.Now().Add(w.patience))
		if err == nil {
			_, err = w.Conn.Write(out)
		}
		w.mu.Lock()
		w.spare = out[:0]
		w.mu.Unlock()
		w.space.Broadcast()
		if err != nil {
			w.fail(err)
			_ = w.Conn.Close() // the reader finds out
			return
		}
	}
}

func (w *coalescer) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.space.Broadcast()
}

// SetDeadline bounds reads. Writes have a deadline of their own.
func (w *coalescer) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writes have a deadline of their own.
func (w *coalescer) SetWriteDeadline(time.Time) error { return nil }

// Close closes the connection. What is not written by then is lost.
func (w *coalescer) Close() error {
	w.mu.Lock()
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	w.mu.Unlock()
	w.fail(net.ErrClosed)
	return w.Conn.Close()
}
