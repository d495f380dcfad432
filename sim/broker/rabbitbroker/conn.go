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

// A conn keeps one AMQP connection. Its life is a sequence of epochs: one
// goroutine dials the addresses in turn, declares what is subscribed, serves
// until the connection is lost, settles what was in flight as unknown, and
// begins again.
type conn struct {
	session *session
	name    string

	life context.Context // ends with Close
	stop context.CancelFunc
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	closed  bool
	epoch   *epoch        // nil while there is no connection
	changed chan struct{} // closed at the next change of epoch
	subs    map[*subscription]struct{}
	direct  bool // an inbox uses direct reply-to, of which there is one for a channel
	next    int  // address to try
}

// Connect implements [flows.Broker].
func (s *session) Connect(ctx context.Context, name string) (flows.Conn, error) {
	c := &conn{
		session: s, name: name, done: make(chan struct{}), changed: make(chan struct{}),
		subs: make(map[*subscription]struct{}),
	}
	var e *epoch
	var err error
	for range s.cfg.Addresses {
		if e, err = c.establish(ctx); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	c.life, c.stop = context.WithCancel(context.Background())
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.cfg.Notify(broker.Event{Kind: broker.Connected, Conn: name})
	go c.run(e)
	return c, nil
}

// establish connects to the next address and makes that the present epoch.
func (c *conn) establish(ctx context.Context) (*epoch, error) {
	cfg := c.session.cfg
	address := c.next
	c.next = (c.next + 1) % len(cfg.Addresses)
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	l, err := dial(ctx, cfg, address, c.name)
	if err != nil {
		return nil, err
	}
	e, err := begin(l, time.Duration(cfg.Params.Int("renew_after_ms"))*time.Millisecond)
	if err == nil {
		err = c.adopt(e)
	}
	if err != nil {
		l.drop()
		shown := broker.Redacted(cfg.Addresses[address])
		return nil, broker.NotDialed(fmt.Errorf("set up connection to %s: %w", shown, err))
	}
	l.release()
	c.next = address // it works; it is tried first when it is lost
	return e, nil
}

// adopt makes e the present epoch once everything subscribed is declared in it.
// What is subscribed meanwhile is declared as well.
func (c *conn) adopt(e *epoch) error {
	declared := make(map[*subscription]bool)
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return flows.ErrClosed
		}
		var todo []*subscription
		for s := range c.subs {
			if !declared[s] {
				todo = append(todo, s)
			}
		}
		if len(todo) == 0 {
			c.epoch = e
			c.announce()
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		for _, s := range todo {
			declared[s] = true
			if err := s.attach(e); err != nil {
				return err
			}
		}
	}
}

// announce wakes those who wait for another epoch. The caller holds the lock.
func (c *conn) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// run follows the epochs until the connection is closed.
func (c *conn) run(e *epoch) {
	defer close(c.done)
	for {
		why := e.watch(c.blocked)
		c.mu.Lock()
		c.epoch = nil
		closed := c.closed
		c.announce()
		c.mu.Unlock()
		if closed {
			return
		}
		c.session.cfg.Notify(broker.Event{Kind: broker.Disconnected, Conn: c.name, Detail: why})
		if e = c.redial(); e == nil {
			return
		}
		c.session.cfg.Notify(broker.Event{Kind: broker.Reconnected, Conn: c.name})
	}
}

// redial tries the addresses in turn until one works. It pauses after each
// round of them. It returns nil when the connection is closed.
func (c *conn) redial() *epoch {
	for n := 0; ; n++ {
		if wait(c.life, c.session.cfg.Params.Reconnect().Pause(n)) != nil {
			return nil
		}
		for range c.session.cfg.Addresses {
			e, err := c.establish(c.life)
			if err == nil {
				return e
			}
			if c.life.Err() != nil {
				return nil
			}
			c.session.cfg.Log.Debug("not reconnected", "connection", c.name, "error", err)
		}
	}
}

func (c *conn) blocked(b amqp.Blocking) {
	kind := broker.Unblocked
	if b.Active {
		kind = broker.Blocked
	}
	c.session.cfg.Notify(broker.Event{Kind: kind, Conn: c.name, Detail: b.Reason})
}

// isEnd reports whether err tells that a connection has ended, which a call that is
// under way may know before the epoch does. What the server objects to is no end.
func isEnd(err error) bool {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return !e.Server
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && !op.Timeout()
}

// present returns the present epoch, or why there is none.
func (c *conn) present() (*epoch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, flows.ErrClosed
	case c.epoch == nil || c.epoch.isOver():
		return nil, flows.Fail(flows.Unreachable, errDown)
	}
	return c.epoch, nil
}

// await waits until there is an epoch.
func (c *conn) await(ctx context.Context) (*epoch, error) {
	for {
		c.mu.Lock()
		e, closed, changed := c.epoch, c.closed, c.changed
		c.mu.Unlock()
		switch {
		case closed:
			return nil, flows.ErrClosed
		case e != nil && !e.isOver():
			return e, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, flows.Fail(flows.Unreachable, fmt.Errorf("%w: %w", errDown, ctx.Err()))
		}
	}
}

// Publish implements [flows.Conn].
func (c *conn) Publish(ctx context.Context, m flows.Message) error {
	if err := c.publish(ctx, m); err != nil {
		return fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return nil
}

func (c *conn) publish(ctx context.Context, m flows.Message) error {
	if err := ctx.Err(); err != nil {
		return flows.Fail(flows.Canceled, err)
	}
	e, err := c.present()
	if err != nil {
		return err
	}
	if err := e.admit(ctx); err != nil {
		return err
	}
	p, meter := encode(m), c.session.cfg.Meter
	if !c.session.isAnswer(m.Subject) {
		p.DeliveryMode = amqp.Persistent
		if m.Urgent {
			p.Priority = uint8(c.session.cfg.Params.Int("max_priority")) // 0 is none, as with all other messages
		}
		return e.publish(ctx, c.session.routingKey(m.Subject), p, meter)
	}
	if err := e.plain.PublishWithContext(ctx, "", m.Subject, false, false, p); err != nil {
		e.end()
		return flows.Unknown(flows.Disconnected, err)
	}
	meter.Published.Add(1)
	return nil
}

// Subscribe implements [flows.Conn].
func (c *conn) Subscribe(ctx context.Context, subject, group string) (flows.Subscription, error) {
	s := &subscription{conn: c, subject: subject, closed: make(chan struct{})}
	if group != "" {
		s.kind, s.queue = shared, c.session.groupQueue(subject, group)
	} else {
		s.kind, s.queue = single, c.session.ownQueue()
	}
	if err := c.subscribe(ctx, s); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return s, nil
}

// Inbox implements [flows.Conn]. The first inbox of a connection may use direct
// reply-to; any further one has a queue, since a channel has one direct address.
func (c *conn) Inbox(ctx context.Context) (string, flows.Subscription, error) {
	return c.inbox(ctx, c.session.cfg.Params["reply"] != "queue")
}

// Mailbox implements [flows.Mailer]: a direct address means something only as the
// return address of a message on its own channel.
func (c *conn) Mailbox(ctx context.Context) (string, flows.Subscription, error) {
	return c.inbox(ctx, false)
}

// inbox opens an inbox, which uses direct reply-to if it may and can.
func (c *conn) inbox(ctx context.Context, mayBeDirect bool) (string, flows.Subscription, error) {
	s := &subscription{conn: c, closed: make(chan struct{})}
	c.mu.Lock()
	if mayBeDirect && !c.direct {
		c.direct = true
		s.kind, s.queue = direct, directAddress
	} else {
		s.kind, s.queue = own, c.session.ownQueue()
	}
	c.mu.Unlock()
	s.subject = s.queue
	if err := c.subscribe(ctx, s); err != nil {
		if s.kind == direct {
			c.mu.Lock()
			c.direct = false
			c.mu.Unlock()
		}
		return "", nil, fmt.Errorf("open inbox: %w", err)
	}
	return s.queue, s, nil
}

// subscribe declares s in the present epoch and has it declared in later ones.
func (c *conn) subscribe(ctx context.Context, s *subscription) error {
	for {
		e, err := c.await(ctx)
		if err != nil {
			return err
		}
		if err = s.attach(e); err != nil {
			if e.isOver() && ctx.Err() == nil {
				continue // lost while it was declared
			}
			return flows.Fail(flows.Rejected, err)
		}
		c.mu.Lock()
		switch {
		case c.closed:
			c.mu.Unlock()
			return flows.ErrClosed
		case c.epoch != e:
			c.mu.Unlock()
			continue // declared in an epoch that has passed
		}
		c.subs[s] = struct{}{}
		c.mu.Unlock()
		return nil
	}
}

// Ready implements [flows.Conn]. Whatever is subscribed has been declared, so
// it only waits for a connection.
func (c *conn) Ready(ctx context.Context) error {
	_, err := c.await(ctx)
	return err
}

// held returns how many messages are delivered to this connection and not
// acknowledged.
func (c *conn) held() (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		if f := s.current.Load(); f != nil && f.epoch == c.epoch {
			n += f.size()
		}
	}
	return n
}

// Close implements [flows.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.done
		return nil
	}
	c.closed = true
	e := c.epoch
	subs := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.announce()
	c.mu.Unlock()
	var errs []error
	for _, s := range subs {
		errs = append(errs, s.Close())
	}
	c.stop()
	if e != nil {
		err := e.link.conn.CloseDeadline(time.Now().Add(closePatience))
		if err != nil && !e.isOver() && !isEnd(err) {
			errs = append(errs, fmt.Errorf("close connection: %w", err))
		}
	}
	<-c.done
	c.session.mu.Lock()
	delete(c.session.conns, c)
	c.session.mu.Unlock()
	return errors.Join(errs...)
}
