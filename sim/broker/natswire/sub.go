package natswire

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"flowbench/flows"
	"flowbench/sim/broker"
)

// A Sub is a subscription of core NATS. The library's reader puts messages
// straight into the channel from which Receive takes them.
type Sub struct {
	conn    *Conn
	ns      *nats.Subscription
	subject string // as its owner knows it
	ch      chan *nats.Msg
	closed  chan struct{}
	once    sync.Once

	mu      sync.Mutex
	dropped int // reported so far
}

// Subscribe subscribes to a full subject, with an empty group alone.
func (c *Conn) Subscribe(subject, full, group string) (*Sub, error) {
	return c.subscribe(subject, full, group, PendingMax)
}

func (c *Conn) subscribe(subject, full, group string, pendingMax int) (*Sub, error) {
	s := &Sub{conn: c, subject: subject, ch: make(chan *nats.Msg, pendingMax), closed: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, flows.ErrClosed)
	}
	var err error
	if group == "" {
		s.ns, err = c.NC.ChanSubscribe(full, s.ch)
	} else {
		s.ns, err = c.NC.ChanQueueSubscribe(full, group, s.ch)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	c.subs[s] = struct{}{}
	return s, nil
}

// Inbox implements [flows.Conn].
func (c *Conn) Inbox(ctx context.Context) (string, flows.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return "", nil, fmt.Errorf("open inbox: %w", err)
	}
	address := c.Space.inboxPrefix() + hex(c.Space.inboxes.Add(1))
	s, err := c.subscribe(address, address+".*", "", inboxPendingMax)
	if err != nil {
		return "", nil, fmt.Errorf("open inbox: %w", err)
	}
	return address, s, nil
}

// Receive implements [flows.Subscription].
func (s *Sub) Receive(ctx context.Context) (flows.Message, error) {
	select {
	case <-s.closed:
		return flows.Message{}, flows.ErrClosed
	default:
	}
	select {
	case m := <-s.ch:
		s.conn.cfg.Meter.Delivered.Add(1)
		return s.conn.Space.Decode(s.subject, m.Subject, m.Reply, m.Header, m.Data), nil
	case <-ctx.Done():
		return flows.Message{}, ctx.Err()
	case <-s.closed:
		return flows.Message{}, flows.ErrClosed
	}
}

// Close implements [flows.Subscription].
func (s *Sub) Close() error {
	s.detach()
	if s.conn.NC.IsConnected() {
		if err := s.conn.NC.FlushTimeout(closePatience); err != nil && s.conn.NC.IsConnected() {
			return fmt.Errorf("close subscription to %s: %w", s.subject, err)
		}
	}
	return nil
}

// detach ends the subscription without waiting for the broker to know.
func (s *Sub) detach() {
	s.once.Do(func() {
		s.reportDropped()
		close(s.closed)
		_ = s.ns.Unsubscribe() // on a connection that is gone there is nothing to end
		s.conn.mu.Lock()
		delete(s.conn.subs, s)
		s.conn.mu.Unlock()
	})
}

// reportDropped tells how many messages the library has thrown away since the
// last report. It is called when a subscription begins to drop and at its end.
func (s *Sub) reportDropped() {
	total, err := s.ns.Dropped()
	if err != nil {
		return // it is closed
	}
	s.mu.Lock()
	n := total - s.dropped
	s.dropped = total
	s.mu.Unlock()
	if n > 0 {
		s.conn.cfg.Notify(broker.Event{
			Kind: broker.Dropped, Conn: s.conn.Name, Detail: fmt.Sprintf("%d messages of %s", n, s.subject)})
	}
}
