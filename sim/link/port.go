package link

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// A port is an address that listens or refuses, and stays the link's own while
// it refuses.
type port struct {
	address  string
	keeper   keeper
	listener *net.TCPListener // nil while it refuses; guarded by the link's acting
	serving  sync.WaitGroup   // of the accept loop
}

// reopening is how long an address may take to be had again. Where it is kept,
// it is had at once.
const (
	reopening   = 2 * time.Second
	reopenPause = 10 * time.Millisecond
)

func openPort(ctx context.Context) (*port, error) {
	k, address, err := keep()
	if err != nil {
		return nil, fmt.Errorf("keep an address: %w", err)
	}
	p := &port{address: address, keeper: k}
	if p.listener, err = p.listen(ctx); err != nil {
		_ = k.close() // it was never used
		return nil, err
	}
	p.address = p.listener.Addr().String()
	return p, nil
}

// listen uses Go's own socket options for listeners, which on Unix permit
// an address that old connections, or the keeper, still have.
func (p *port) listen(ctx context.Context) (*net.TCPListener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp4", p.address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l.(*net.TCPListener), nil
}

// refuse closes the listener and returns when connections are refused.
// Connections that nobody has accepted yet are reset by the kernel.
func (p *port) refuse() {
	if p.listener == nil {
		return
	}
	_ = p.listener.Close() // whatever it says, it is closed
	p.listener = nil
	p.serving.Wait()
}

// reopen listens on the same address again.
func (p *port) reopen(ctx context.Context) (*net.TCPListener, error) {
	end := time.Now().Add(reopening)
	for {
		l, err := p.listen(ctx)
		if err == nil {
			p.listener = l
			return l, nil
		}
		if time.Now().After(end) {
			return nil, err
		}
		select {
		case <-time.After(reopenPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *port) close() error {
	p.refuse()
	if err := p.keeper.close(); err != nil {
		return fmt.Errorf("give up address %s: %w", p.address, err)
	}
	return nil
}
