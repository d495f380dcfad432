package brokertest

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"flowbench/sim/broker"
)

// A Cutter is a network that tests can break. Its connections are real TCP
// connections; the zero mode passes everything.
type Cutter struct {
	dial  broker.Dialer
	board board

	mu        sync.Mutex
	mode      cutMode
	conns     map[*cutConn]struct{}
	swallowed int // bytes written and thrown away
}

type cutMode uint8

const (
	passing    cutMode = iota // all bytes go through
	swallowing                // writes are accepted and thrown away, reads wait
	down                      // nothing is connected and dials are refused
)

// NewCutter returns a cutter over real TCP.
func NewCutter() *Cutter {
	var d net.Dialer
	return &Cutter{dial: d.DialContext, conns: make(map[*cutConn]struct{})}
}

// Dial is the cutter's [broker.Dialer].
func (c *Cutter) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.current() == down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	inner, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := &cutConn{Conn: inner, cutter: c, closed: make(chan struct{})}
	c.mu.Lock()
	c.conns[conn] = struct{}{}
	late := c.mode == down
	c.mu.Unlock()
	if late {
		_ = conn.Close() // it came up while the network went down
	}
	return conn, nil
}

// Swallow makes every connection accept writes and throw them away, and deliver
// nothing. What was lost stays lost, so only Down can follow.
func (c *Cutter) Swallow() { c.enter(swallowing) }

// Down closes every connection and refuses new ones until Up.
func (c *Cutter) Down() {
	c.enter(down)
	c.mu.Lock()
	conns := make([]*cutConn, 0, len(c.conns))
	for conn := range c.conns {
		conns = append(conns, conn)
	}
	c.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close() // whatever it says, it is closed
	}
}

// Up lets connections be opened again.
func (c *Cutter) Up() { c.enter(passing) }

// Swallowed returns how many bytes were thrown away so far.
func (c *Cutter) Swallowed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.swallowed
}

func (c *Cutter) enter(m cutMode) {
	c.mu.Lock()
	c.mode = m
	c.mu.Unlock()
	c.board.announce()
}

func (c *Cutter) current() cutMode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode
}

// cutConn is a connection through a cutter.
type cutConn struct {
	net.Conn
	cutter *Cutter
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	deadline time.Time // of reads
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for {
		changed := c.cutter.board.wait()
		if c.cutter.current() != swallowing {
			return n, err
		}
		c.mu.Lock()
		deadline := c.deadline
		c.mu.Unlock()
		var expired <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-changed:
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
}

func (c *cutConn) Write(p []byte) (int, error) {
	if c.cutter.current() != swallowing {
		return c.Conn.Write(p)
	}
	c.cutter.mu.Lock()
	c.cutter.swallowed += len(p)
	c.cutter.mu.Unlock()
	c.cutter.board.announce()
	return len(p), nil
}

func (c *cutConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *cutConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *cutConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.cutter.mu.Lock()
		delete(c.cutter.conns, c)
		c.cutter.mu.Unlock()
	})
	return c.Conn.Close()
}

// A board tells those who wait that something has changed.
type board struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed at the next announcement. What is
// looked at after the call cannot be missed.
func (b *board) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *board) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
