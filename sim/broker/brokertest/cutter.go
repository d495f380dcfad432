package brokertest

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"flowbench/sim/broker"
	"flowbench/sim/link"
)

// A Cutter is a network that tests can break: a [link.Link] for every address
// that is dialled, all of them in the same state.
type Cutter struct {
	dial broker.Dialer

	mu     sync.Mutex
	modes  []link.Impairment // armed on every link, also on those to come
	links  map[string]*link.Link
	armed  []*link.Armed
	closed bool
}

// NewCutter returns a cutter over real TCP. Close must be called.
func NewCutter() *Cutter {
	var d net.Dialer
	return &Cutter{dial: d.DialContext, links: make(map[string]*link.Link)}
}

// Dial is the cutter's [broker.Dialer].
func (c *Cutter) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	l, err := c.linkTo(address)
	if err != nil {
		return nil, err
	}
	return c.dial(ctx, network, l.Address())
}

// linkTo returns the link to an address, in the state of all others.
func (c *Cutter) linkTo(address string) (*link.Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.links[address]; l != nil {
		return l, nil
	}
	if c.closed {
		return nil, net.ErrClosed
	}
	l, err := link.New(context.Background(), address, link.Config{Name: address})
	if err != nil {
		return nil, err
	}
	c.links[address] = l
	for _, i := range c.modes {
		if err := c.arm(l, i); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Swallow makes every connection accept writes and throw them away, and deliver
// nothing. What was lost stays lost, so only Down can follow.
func (c *Cutter) Swallow() error { return c.enter(link.Drop{}) }

// Down resets every connection and refuses new ones until Up.
func (c *Cutter) Down() error { return c.enter(link.Refuse{}, link.Reset{}) }

// Up lets connections be opened again.
func (c *Cutter) Up() error { return c.enter() }

// Swallowed returns how many bytes to the broker were thrown away so far.
func (c *Cutter) Swallowed() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n int64
	for _, l := range c.links {
		n += l.Stats().ToTarget.Discarded
	}
	return n
}

// Close ends all connections.
func (c *Cutter) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for _, l := range c.links {
		errs = append(errs, l.Close())
	}
	clear(c.links)
	return errors.Join(errs...)
}

// enter replaces what is armed: the new before the old is healed, so that
// nothing passes in between.
func (c *Cutter) enter(modes ...link.Impairment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.armed
	c.modes, c.armed = modes, nil
	var errs []error
	for _, l := range c.links {
		for _, i := range modes {
			errs = append(errs, c.arm(l, i))
		}
	}
	for _, a := range old {
		errs = append(errs, a.Heal())
	}
	return errors.Join(errs...)
}

func (c *Cutter) arm(l *link.Link, i link.Impairment) error {
	a, err := l.Arm(link.BothWays, i)
	if err == nil {
		c.armed = append(c.armed, a)
	}
	return err
}

// awaitSwallowed waits until n bytes were thrown away, and reports whether they
// were before ctx was done. Nobody announces bytes, so it looks again and again.
func (c *Cutter) awaitSwallowed(ctx context.Context, n int64) bool {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for c.Swallowed() < n {
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
