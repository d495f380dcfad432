package flows_test

import (
	"context"
	"errors"
	"fmt"

	"flowbench/flows"
	"flowbench/flows/transcript"
)

// recordedBroker is a broker whose connections note what crosses them.
type recordedBroker struct {
	flows.Broker

	r *recorder
}

// Connect implements [flows.Broker].
func (b recordedBroker) Connect(ctx context.Context, name string) (flows.Conn, error) {
	conn, err := b.Broker.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &recordedConn{Conn: conn, r: b.r, name: name, confirms: b.Traits().Has(flows.Confirms)}
	b.r.conns[name] = append(b.r.conns[name], c)
	return c, nil
}

type recordedConn struct {
	flows.Conn

	r        *recorder
	name     string
	confirms bool
}

var errTrouble = errors.New("the trouble of this episode")

// Publish implements [flows.Conn].
func (c *recordedConn) Publish(ctx context.Context, m flows.Message) error {
	if c.r.trouble == brokerAway && c.r.on {
		c.r.lose(c.name, brokerName, c.published(m))
		return flows.Fail(flows.Unreachable, errTrouble)
	}
	if isAnswer(m) {
		c.r.reply(c.name, brokerName, c.published(m))
	} else {
		c.r.tell(c.name, brokerName, c.published(m))
	}
	_, toInbox := c.r.inboxes[m.Subject]
	confirmed := c.confirms && !toInbox
	confirm := "confirm of " + named(m)
	err := c.Conn.Publish(ctx, m)
	switch {
	case err != nil:
		c.r.note(c.name, fmt.Sprintf("could not publish %s: %s", named(m), outcomeOf(err)))
	case confirmed && c.r.trouble == lostConfirm && !c.r.troubled:
		c.r.troubled = true
		c.r.step(transcript.LostReply, brokerName, c.name, confirm)
		return flows.Unknown(flows.Disconnected, errTrouble)
	case confirmed:
		c.r.reply(brokerName, c.name, confirm)
	}
	return err
}

// Subscribe implements [flows.Conn].
func (c *recordedConn) Subscribe(ctx context.Context, subject, group string) (flows.Subscription, error) {
	sub, err := c.Conn.Subscribe(ctx, subject, group)
	if err != nil {
		return nil, err
	}
	return &recordedSubscription{sub, c}, nil
}

// Inbox implements [flows.Conn].
func (c *recordedConn) Inbox(ctx context.Context) (string, flows.Subscription, error) {
	address, sub, err := c.Conn.Inbox(ctx)
	if err != nil {
		return "", nil, err
	}
	c.r.inboxes[address] = c.name
	return address, &recordedSubscription{sub, c}, nil
}

// isAnswer reports whether m answers a request.
func isAnswer(m flows.Message) bool { return m.Correlation != 0 }

// published says in words what a party hands to the broker.
func (c *recordedConn) published(m flows.Message) string {
	to, ok := c.r.inboxes[m.Subject]
	if !ok {
		to = m.Subject
	}
	switch {
	case isAnswer(m):
		return fmt.Sprintf("%s for %s: %v", answerTo(m.Kind, m.Op), to, m.Status)
	case m.Kind == flows.Event:
		return fmt.Sprintf("%s to %s: %v", named(m), to, m.Status)
	}
	text := named(m) + " to " + to
	if owner, ok := c.r.inboxes[m.ReplyTo]; ok {
		text += ", reply to " + owner
	}
	return text
}

// received says in words what a party gets from the broker.
func received(m flows.Message) string {
	text := named(m)
	switch {
	case m.Err != nil:
		text = requestOf(m.Kind, m.Op) + " is sent back: " + outcomeOf(m.Err)
	case isAnswer(m):
		text = fmt.Sprintf("%s: %v", answerTo(m.Kind, m.Op), m.Status)
	case m.Kind == flows.Event:
		text = fmt.Sprintf("%s: %v", text, m.Status)
	}
	if m.Redelivered {
		text += ", delivered again"
	}
	return text
}

// named says in words which message m is.
func named(m flows.Message) string {
	switch {
	case m.Kind == flows.Event:
		return fmt.Sprintf("event about command %d", m.Op)
	case isAnswer(m):
		return answerTo(m.Kind, m.Op)
	case m.Urgent:
		return "urgent " + requestOf(m.Kind, m.Op)
	}
	return requestOf(m.Kind, m.Op)
}

type recordedSubscription struct {
	flows.Subscription

	conn *recordedConn
}

// Receive implements [flows.Subscription].
func (s *recordedSubscription) Receive(ctx context.Context) (flows.Message, error) {
	m, err := s.Subscription.Receive(ctx)
	if err != nil {
		return m, err
	}
	r, name := s.conn.r, s.conn.name
	r.receiver = name
	if isAnswer(m) {
		r.reply(brokerName, name, received(m))
	} else {
		r.tell(brokerName, name, received(m))
	}
	if m.Acker != nil {
		m.Acker = recordedAcker{m.Acker, s.conn}
	}
	return m, nil
}

type recordedAcker struct {
	flows.Acker

	conn *recordedConn
}

// Ack implements [flows.Acker].
func (a recordedAcker) Ack(ctx context.Context, m flows.Message) error {
	a.conn.r.reply(a.conn.name, brokerName, "ack of "+named(m))
	return a.Acker.Ack(ctx, m)
}
