package flows

import (
	"context"
	"io"
	"strings"
)

// A Broker opens connections to one messaging system.
type Broker interface {
	// Traits says what the broker offers with its present parameters.
	Traits() Traits

	// Connect opens a connection. The name shows up in the broker's own
	// listings and in events.
	Connect(ctx context.Context, name string) (Conn, error)
}

// A Conn is one party's connection to a broker. It keeps itself connected: when
// the broker goes away, it redials until Close, and whatever was in flight ends
// as unknown. Its methods may be called concurrently.
type Conn interface {
	// Publish sends m and returns once the broker has taken it as firmly as the
	// broker's acknowledgement level asks. With the trait [Confirms] a nil error
	// means that the broker confirmed; without it, that the message was handed
	// over. Messages to an address of Inbox are never confirmed: a lost answer
	// shows as the client's timeout. [OutcomeOf] tells from an error whether the
	// message certainly was not taken or whether nobody knows. The body is the
	// caller's again once Publish has returned, with whatever.
	Publish(ctx context.Context, m Message) error

	// Subscribe starts to receive the messages that are sent to subject.
	// Subscribers of one non-empty group share the messages among them; with an
	// empty group each subscriber receives every message.
	Subscribe(ctx context.Context, subject, group string) (Subscription, error)

	// Inbox subscribes to a fresh address that only this connection reads, the
	// cheapest that the broker offers. The address stays valid across reconnects.
	Inbox(ctx context.Context) (address string, sub Subscription, err error)

	// Ready returns once the broker knows of everything subscribed so far.
	Ready(ctx context.Context) error

	// Close drains and disconnects. It returns when the broker has dropped the
	// connection's interest; no message is received afterwards.
	Close() error
}

// A Subscription yields messages one at a time.
type Subscription interface {
	// Receive returns the next message, waiting for one if need be. Several
	// activities may receive from one subscription. After Close, and after the
	// connection's Close, it returns [ErrClosed].
	Receive(ctx context.Context) (Message, error)

	// Close ends the subscription. Messages that were received and not
	// acknowledged go to others where the broker can do that.
	Close() error
}

// A Message is what brokers carry. Each broker writes the fields where they
// belong: into AMQP properties, into NATS headers. The body is the user's alone.
type Message struct {
	Subject     string
	ReplyTo     string // an address of Inbox, or empty
	ID          uint64 // the message's own identity, for deduplication; 0 for none
	Correlation uint64 // of an answer: the ID of the request that it answers
	Op          uint64 // the operation that the message belongs to
	Kind        Kind
	Key         string
	Status      Status // of an answer
	Urgent      bool   // brokers with the trait [Priorities] deliver it before what is not
	Body        []byte

	// Trace is the trace that the message belongs to, as a W3C traceparent, or
	// empty. It is set and read by what traces, and not by flows; brokers carry it
	// as the header or property of that name.
	Trace string

	// Stream, if not nil, yields the body in place of Body while it still comes. It
	// is read by one activity, by the one that sends the message or that received it,
	// and not after the message has been dealt with. Brokers know nothing of it: it is
	// set and used by what stands between flows and brokers where payloads travel in
	// chunks; see [Carriage].
	Stream io.Reader

	// Err is set by Receive, at an inbox, where the broker says that the request
	// named by Correlation reached nobody: it comes in place of an answer.
	Err error

	Redelivered bool   // set by Receive where the broker tells
	Token       uint64 // the driver's own, for Acker
	Acker       Acker  // set by Receive where the broker wants acknowledgements
}

// An Acker takes acknowledgements of messages that it delivered.
type Acker interface {
	Ack(ctx context.Context, m Message) error
}

// Ack tells the broker that m has been dealt with. Without it, brokers with the
// trait [Redelivers] deliver m again; to other brokers it says nothing.
func (m Message) Ack(ctx context.Context) error {
	if m.Acker == nil {
		return nil
	}
	return m.Acker.Ack(ctx, m)
}

// Traits is a set of properties in which brokers differ.
type Traits uint16

// The traits.
const (
	Confirms   Traits = 1 << iota // publishers are told when the broker has taken a message
	Redelivers                    // receivers acknowledge, and what is not acknowledged comes again
	Durable                       // confirmed messages survive a restart of the broker
	Ordered                       // one publisher's messages to one subject stay in order
	Dedups                        // a message id that was published before is not stored again
	Buffers                       // messages wait while nobody is subscribed, once the subject is known
	Groups                        // each of several groups on one subject receives every message
	Priorities                    // urgent messages overtake the others in a queue
)

// Has reports whether t includes every trait of want.
func (t Traits) Has(want Traits) bool { return t&want == want }

// String lists the traits in words, separated by commas.
func (t Traits) String() string {
	var words []string
	for i, w := range []string{
		"publisher confirms", "redelivery", "durable", "ordered", "deduplication", "buffers while unattended",
		"several groups", "priorities",
	} {
		if t.Has(1 << i) {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
