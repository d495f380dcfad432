package link

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// A conn is one connection through a link: two sockets, and a half for each
// direction.
type conn struct {
	link   *Link
	id     uint64
	client *net.TCPConn
	ctx    context.Context // until the connection is reset or closed
	cancel context.CancelFunc

	mu       sync.Mutex
	server   *net.TCPConn // nil until the target is reached
	halves   [2]*half     // nil as long
	gone     bool         // reset or closed
	leaving  bool         // ended by the link, and saying goodbye
	finished int          // halves that have told their destination that there is no more
}

func newConn(l *Link, id uint64, client *net.TCPConn) *conn {
	c := &conn{link: l, id: id, client: client}
	c.ctx, c.cancel = context.WithCancel(l.ctx)
	return c
}

// carry leads the connection to the target and moves its bytes until it ends.
func (c *conn) carry() {
	if !c.pass() {
		return
	}
	server, err := c.dial()
	if err != nil {
		if c.end(abort) {
			c.link.unreached.Add(1)
			c.link.log.Debug("target not reached", "error", err)
		}
		return
	}
	if !c.join(server) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(c.halves[toTarget].run)
	c.halves[fromTarget].run()
	wg.Wait()
}

// pass lets the connection through the impairments that new connections meet,
// and reports whether there is still one.
func (c *conn) pass() bool {
	waiting := false
	for {
		r := c.link.rules.Load()
		if of := resets(r.reset, c); len(of) > 0 {
			if c.reset() {
				touch(of)
			}
			return false
		}
		if len(r.hang) == 0 {
			return true
		}
		if !waiting {
			waiting = true
			touch(r.hang)
		}
		select {
		case <-r.changed:
		case <-c.ctx.Done():
			return false
		}
	}
}

// touch counts a connection that impairments had an effect on.
func touch(armed []*Armed) {
	for _, a := range armed {
		a.connections.Add(1)
	}
}

// dial reaches the target. A reset of the connection does not break it off: a
// dialler that is broken off closes a socket that the target may have accepted by
// then, in good order, and the target would read an end where a reset was due.
// So join resets it.
func (c *conn) dial() (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(c.link.ctx, dialTime)
	defer cancel()
	s, err := c.link.dial(ctx, "tcp", c.link.target)
	if err != nil {
		return nil, err
	}
	server, ok := s.(*net.TCPConn)
	if !ok {
		_ = s.Close() // it cannot be used
		return nil, fmt.Errorf("dial %s: the connection is a %T; want TCP", c.link.target, s)
	}
	return server, nil
}

// join puts the two sockets together, unless the connection was reset while the
// target was dialled: it must not outlive what has reset all others.
func (c *conn) join(server *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		abort(server)
		return false
	}
	c.server = server
	c.halves[toTarget] = newHalf(c, toTarget, c.client, server)
	c.halves[fromTarget] = newHalf(c, fromTarget, server, c.client)
	return true
}

// abort closes a socket so that its peer gets a reset.
func abort(s *net.TCPConn) {
	_ = s.SetLinger(0) // both fail only if it is closed already
	_ = s.Close()
}

// reset ends the connection with a reset to both peers and throws away what it
// holds. It reports whether it was this call that did so.
func (c *conn) reset() bool {
	if !c.end(abort) {
		return false
	}
	c.link.cut.Add(1)
	return true
}

// close ends a connection over which both peers have said all.
func (c *conn) close() { c.end(func(s *net.TCPConn) { _ = s.Close() }) }

func (c *conn) end(how func(*net.TCPConn)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.gone = true
	c.cancel()
	how(c.client)
	if c.server != nil {
		how(c.server)
		c.halves[toTarget].die()
		c.halves[fromTarget].die()
	}
	c.link.forget(c)
	return true
}

// leave ends the connection from the link's side, with what both peers were
// given so far: each gets an orderly end, not a reset, which could overtake the
// last bytes before its receiver has read them. Then the peers have a moment to
// close. It reports whether it was this call that did so.
func (c *conn) leave() bool {
	c.mu.Lock()
	if c.gone || c.leaving {
		c.mu.Unlock()
		return false
	}
	c.leaving = true
	c.link.cut.Add(1)
	until := time.Now().Add(lingerTime)
	over := 0
	for _, h := range c.halves {
		if h.sink(until) {
			over++
		}
	}
	_ = c.client.CloseWrite() // if these fail, the peer has gone first
	_ = c.server.CloseWrite()
	c.mu.Unlock()
	for range over {
		c.finish()
	}
	return true
}

// finish notes that one half has nothing more to do; after both, the connection
// is closed.
func (c *conn) finish() {
	c.mu.Lock()
	c.finished++
	all := c.finished == len(c.halves)
	c.mu.Unlock()
	if all {
		c.close()
	}
}

// both returns the halves, or nothing before the target is reached.
func (c *conn) both() []*half {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	return c.halves[:]
}

func (c *conn) kick() {
	for _, h := range c.both() {
		h.kick()
	}
}

func (c *conn) settle(r *rules) {
	for _, h := range c.both() {
		h.settle(r)
	}
}
