package flows

import (
	"context"
	"io"
	"iter"
	"time"
)

// An Edge is a protocol between web clients and what serves them. It listens,
// it dials, and it puts a load balancer in front where there are several
// backends.
type Edge interface {
	// Listen makes the backends reachable under name, behind a load balancer if
	// there is more than one. Calls may be made once it has returned.
	Listen(ctx context.Context, name string, backends ...Endpoint) (Server, error)

	// Dial returns the client end of what Listen made reachable under name. The
	// id tells clients apart; each has connections of its own.
	Dial(ctx context.Context, name string, id int) (Caller, error)
}

// An Endpoint answers a call with a sequence of answers, most often of one. An
// error ends the sequence.
type Endpoint func(ctx context.Context, c Call) iter.Seq2[Answer, error]

// A Caller makes calls to what an Edge listens for. Many activities may call at
// once.
type Caller interface {
	Call(ctx context.Context, c Call) iter.Seq2[Answer, error]
	Close() error
}

// A Verb says what a call wants. Each edge has its own way to write it.
type Verb uint8

// The verbs.
const (
	Submit Verb = iota // take this command
	Fetch              // give me the answer to a query, or what became of a command
	Watch              // tell me all that comes: how a command goes on, or every value that a key takes
)

// A Call is what a client asks over an edge.
//
// Submit and Fetch are answered once. Watch is answered as often as there is
// something to tell, until the endpoint or the caller ends the sequence, and
// needs an edge with sockets: of the kind Command it takes the command and tells
// how it goes on, Pending when it is accepted and then its result; of the kind
// Query it tells the value of Key, now and after every change.
type Call struct {
	Verb Verb
	Kind Kind   // Fetch: Query reads Key; StatusOf asks for command ID. Watch: Command or Query
	ID   uint64 // of the operation
	Key  string
	Body []byte

	Trace string // as that of a [Message]; edges carry it beside the call, never in its body

	// Stream, if not nil, yields the body in place of Body, StreamBytes bytes of it.
	// The edge may hand the call to its endpoint before the body has come. Its reader
	// is done with it when the endpoint has returned. A body that breaks off is an
	// error of the reader at the endpoint, and never just a shorter body.
	Stream      io.Reader
	StreamBytes int64
}

// An Answer is one answer to a call. Status is Done when Body is the result and
// Pending when the call was taken and its result is not there yet. Op is the
// command that the answer is news of, to those who watch a key; 0 for none.
type Answer struct {
	Status     Status
	Op         uint64
	Body       []byte
	RetryAfter time.Duration // with Pending: when to ask for the result
}

// Single returns the sequence of one answer that f makes, for endpoints that
// have no more to say.
func Single(f func() (Answer, error)) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) { yield(f()) }
}

// First makes a call and returns its first answer.
func First(ctx context.Context, caller Caller, c Call) (Answer, error) {
	a, ok, err := FirstOf(caller.Call(ctx, c))
	if !ok {
		return Answer{}, Unknown(Corrupt, errNoAnswer)
	}
	return a, err
}

// FirstOf returns the first of a sequence of answers, if there is one, and ends
// the sequence. A loop would say the same; this keeps what it finds in one place,
// and it is called for every call that is made.
func FirstOf(answers iter.Seq2[Answer, error]) (a Answer, ok bool, err error) {
	var first struct {
		answer Answer
		err    error
		there  bool
	}
	answers(func(a Answer, err error) bool {
		first.answer, first.err, first.there = a, err, true
		return false
	})
	return first.answer, first.there, first.err
}
