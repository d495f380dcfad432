// Package wire is where the connections of a world are made. Everything that
// dials, be it a broker driver or an edge, dials through a [Dialer] that it was
// given: that is where bytes are counted, and where links and tests come between
// two parts of a world.
package wire

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
)

// A Dialer opens network connections.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// A Route returns the dialer that the connections of a party are made with, given
// the one that all are made with. That is where links come in.
type Route func(party string, next Dialer) Dialer

// Of returns the dialer of a party. A nil route leads nowhere else.
func (r Route) Of(party string, next Dialer) Dialer {
	if r == nil {
		return next
	}
	return r(party, next)
}

// Counted returns a dialer whose connections add the bytes that they read and
// write to in and out.
func Counted(dial Dialer, in, out *atomic.Int64) Dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &countedConn{Conn: c, in: in, out: out}, nil
	}
}

type countedConn struct {
	net.Conn
	in, out *atomic.Int64
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

// Loopback returns a dialer that refuses every address beyond this machine. It
// is the guard against load that was pointed at somebody else's broker.
func Loopback() Dialer {
	var d net.Dialer
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			_ = c.Close() // nothing was sent over it
			return nil, fmt.Errorf("dial %s: it is not on this machine; --allow-remote permits that", address)
		}
		return c, nil
	}
}

// Anywhere returns a dialer that dials every address.
func Anywhere() Dialer {
	var d net.Dialer
	return d.DialContext
}
