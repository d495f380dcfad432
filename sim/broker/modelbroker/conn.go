package modelbroker

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"flowbench/flows"
	"flowbench/sim/des"
)

type conn struct {
	session     *session
	name        string
	toBroker    *link
	fromBroker  *link
	closed      bool
	subs        []*subscription
	published   uint64
	unconfirmed map[uint64]flows.Promise

	down       bool          // cut, and not connected again yet
	epoch      uint64        // counts the cuts
	back       flows.Promise // of being connected again, while down
	redialling des.Timer
}

// roundTrip waits until everything sent so far has arrived and the answer to it
// is back.
func (c *conn) roundTrip(ctx context.Context) error {
	k := c.session.kernel
	if err := k.Sleep(ctx, c.toBroker.delay()); err != nil {
		return err
	}
	return k.Sleep(ctx, c.fromBroker.delay())
}

// Publish implements [flows.Conn].
func (c *conn) Publish(ctx context.Context, m flows.Message) error {
	s := c.session
	if err := ctx.Err(); err != nil {
		return flows.Fail(flows.Canceled, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	if c.closed {
		return fmt.Errorf("publish to %s: %w", m.Subject, flows.ErrClosed)
	}
	if c.down {
		return flows.Fail(flows.Unreachable, fmt.Errorf("publish to %s: %w", m.Subject, errDown))
	}
	m.Body, m.Redelivered, m.Token, m.Acker = bytes.Clone(m.Body), false, 0, nil
	s.cfg.Meter.Published.Add(1)
	var confirm flows.Promise
	if s.traits.Has(flows.Confirms) && !s.isInbox(m.Subject) {
		confirm = s.kernel.Promise()
		c.published++
		c.unconfirmed[c.published] = confirm
		defer delete(c.unconfirmed, c.published)
	}
	if s.faults.swallowing {
		s.faults.swallowed += len(m.Body)
	}
	c.message(c.toBroker, parcel{what: aMessage, m: m, confirm: confirm})
	if confirm == nil {
		return nil
	}
	c.resend(m)
	if _, err := confirm.Wait(ctx); err != nil {
		err = fmt.Errorf("publish to %s: %w", m.Subject, err)
		if ctx.Err() != nil {
			_, class := flows.OutcomeOf(ctx.Err())
			return flows.Unknown(class, err)
		}
		return err
	}
	return nil
}

// arrived takes a message at the broker's end.
func (c *conn) arrived(m flows.Message, confirm flows.Promise) {
	s := c.session
	if s.subjects[m.Subject] == nil && s.isInbox(m.Subject) {
		return // an answer to nobody is lost, here as on other brokers
	}
	sj := s.subject(m.Subject)
	if err := sj.refusal(); err != nil {
		c.refuse(m, confirm, err)
		return
	}
	sj.serve(parcel{conn: c, m: m, confirm: confirm})
}

// refuse tells the publisher: by the confirm, or at the inbox that waits for an
// answer. A message that is neither confirmed nor answered is lost in silence.
func (c *conn) refuse(m flows.Message, confirm flows.Promise, err error) {
	if confirm != nil {
		c.message(c.fromBroker, parcel{what: aConfirm, confirm: confirm, err: err})
		return
	}
	if sj := c.session.subjects[m.ReplyTo]; sj != nil {
		sj.store(flows.Message{Subject: m.ReplyTo, Correlation: m.ID, Op: m.Op, Kind: m.Kind, Err: err})
	}
}

// Subscribe implements [flows.Conn]. The broker knows of it a link's delay later.
func (c *conn) Subscribe(ctx context.Context, name, group string) (flows.Subscription, error) {
	err := ctx.Err()
	if c.closed {
		err = flows.ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", name, err)
	}
	sub := &subscription{
		conn: c, name: name, groupName: group, arrived: des.NewQueue[*delivery](c.session.kernel, "of "+name),
	}
	c.subs = append(c.subs, sub)
	sub.announce()
	return sub, nil
}

// Inbox implements [flows.Conn].
func (c *conn) Inbox(ctx context.Context) (string, flows.Subscription, error) {
	c.session.inboxes++
	address := fmt.Sprint(c.session.inboxPrefix, c.session.inboxes)
	sub, err := c.Subscribe(ctx, address, "")
	if err != nil {
		return "", nil, fmt.Errorf("open inbox: %w", err)
	}
	return address, sub, nil
}

// Ready implements [flows.Conn]. It waits through an outage.
func (c *conn) Ready(ctx context.Context) error {
	for {
		for c.down {
			if _, err := c.back.Wait(ctx); err != nil {
				return fmt.Errorf("await the broker: %w", err)
			}
		}
		epoch := c.epoch
		if err := c.roundTrip(ctx); err != nil || c.epoch == epoch {
			return err
		}
	}
}

// Close implements [flows.Conn]. It takes a round trip, and no time without a
// broker.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	for _, number := range slices.Sorted(maps.Keys(c.unconfirmed)) {
		c.unconfirmed[number].Keep(flows.Message{}, flows.Unknown(flows.Disconnected, flows.ErrClosed))
	}
	for _, sub := range slices.Clone(c.subs) {
		sub.end()
	}
	c.giveUp()
	if c.down {
		return nil
	}
	return c.roundTrip(context.Background())
}

type subscription struct {
	conn      *conn
	name      string
	groupName string
	group     *group // from when the broker knows of it
	arrived   *des.Queue[*delivery]
	closed    bool
	tokens    uint64
	held      []*delivery // in order; the broker's view
}

// A delivery is a message on its way to a subscriber, or with one.
type delivery struct {
	m        flows.Message
	received bool
	acked    bool // on the subscriber's side
	back     bool // with the broker again
	wait     des.Timer
}

// deliver sends m to the subscriber.
func (s *subscription) deliver(m flows.Message) {
	s.tokens++
	d := &delivery{m: m}
	if s.group.acks {
		d.m.Token, d.m.Acker = s.tokens, s
		s.held = append(s.held, d)
		s.group.held++
		if wait := s.conn.session.ackWait; wait > 0 {
			d.wait = s.conn.session.kernel.AfterFunc(wait, func() { s.takeBack(d) })
		}
	}
	s.conn.message(s.conn.fromBroker, parcel{what: aDelivery, sub: s, to: d})
}

// takeBack puts a message back whose ack wait has passed.
func (s *subscription) takeBack(d *delivery) {
	if i := slices.Index(s.held, d); i >= 0 {
		s.held = slices.Delete(s.held, i, i+1)
		d.back = true
		s.group.putBack(d)
		s.group.dispatch()
	}
}

// Receive implements [flows.Subscription].
func (s *subscription) Receive(ctx context.Context) (flows.Message, error) {
	for {
		d, err := s.arrived.Get(ctx)
		if err != nil {
			return flows.Message{}, err
		}
		if d.back {
			continue // too late: the broker has given it to somebody else
		}
		d.received = true
		s.conn.session.cfg.Meter.Delivered.Add(1)
		return d.m, nil
	}
}

// Ack implements [flows.Acker]. It does not wait for the broker to hear of it.
func (s *subscription) Ack(_ context.Context, m flows.Message) error {
	i := slices.IndexFunc(s.held, func(d *delivery) bool { return d.m.Token == m.Token })
	if s.closed || i < 0 || s.held[i].acked {
		return fmt.Errorf("acknowledge message %d: it went back to the queue or was acknowledged before", m.ID)
	}
	d := s.held[i]
	d.acked = true
	s.conn.message(s.conn.toBroker, parcel{what: anAck, sub: s, to: d})
	return nil
}

// Close implements [flows.Subscription]. It takes a round trip.
func (s *subscription) Close() error {
	if s.closed {
		return nil
	}
	s.end()
	if s.conn.down {
		return nil
	}
	return s.conn.roundTrip(context.Background())
}

// end closes the subscriber's side at once and sends word to the broker.
func (s *subscription) end() {
	s.closed = true
	s.arrived.Close()
	c := s.conn
	c.subs = slices.DeleteFunc(c.subs, func(other *subscription) bool { return other == s })
	c.control(c.toBroker, s.leave)
}

// announce tells the broker of the subscription.
func (s *subscription) announce() {
	s.conn.control(s.conn.toBroker, func() { s.conn.session.subject(s.name).join(s) })
}

// leave is the end of the subscription at the broker.
func (s *subscription) leave() {
	if s.group == nil {
		return // the broker has not heard of it, or no more
	}
	sj := s.conn.session.subject(s.name)
	sj.leave(s)
	if sj.inbox {
		delete(s.conn.session.subjects, s.name)
	}
	s.group = nil
}
