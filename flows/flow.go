package flows

import (
	"context"
	"sync/atomic"
	"time"
)

// A Flow is one way of carrying operations from clients to a service.
type Flow interface {
	// Spec describes the flow. It has no side effects and always returns the
	// same value: the command line, the scenario schema, the report and the
	// manual are written from it.
	Spec() Spec

	// Listen sets up everything that clients talk to. Operations may be sent
	// once it has returned; they are answered while the server serves.
	Listen(ctx context.Context, env Env) (Server, error)

	// Dial sets up client number id: one client is one connection's worth.
	Dial(ctx context.Context, env Env, id int) (Client, error)
}

// A Client performs operations of one flow over one connection.
type Client interface {
	// Do performs op and returns when its outcome is known or ctx is done. On
	// the way it notes the stages that op passes with [Op.Reach]. Many
	// activities may call Do at once. A nil error means ok; [OutcomeOf] says
	// what any other error means.
	Do(ctx context.Context, op *Op) error

	// Close ends the connection. It is called once, after the last Do.
	Close() error
}

// A Server does the answering that Listen set up.
type Server interface {
	// Serve answers until ctx is done, then closes all that Listen opened and
	// returns. It returns early only with an error.
	Serve(ctx context.Context) error
}

// A Spec describes a flow in data.
type Spec struct {
	Name    string   // unique, lower-case, as written in scenarios
	Summary string   // one phrase in the style of a manual's name section
	Axes    []Axis   // the choices that the flow stands for; reports pivot on them
	Uses    Parts    // which parts of Env the flow touches
	Needs   Traits   // what its broker must offer
	Promise Delivery // what the flow claims about loss and duplication
	Tells   Audience // who hears of commands besides the client that sent them
}

// An Axis is one choice that a flow embodies, such as reply=poll.
type Axis struct{ Key, Value string }

// Parts is a set of parts of an [Env].
type Parts uint8

// The parts that a flow may use.
const (
	UsesBroker Parts = 1 << iota
	UsesEdge
	UsesSocket // of the edge: each client holds one socket, over which all goes and it is pushed to
)

// Has reports whether p includes every part of want.
func (p Parts) Has(want Parts) bool { return p&want == want }

// An Audience says who hears of commands besides the client that sent them; how
// many they are is a setting, [Settings].Subscribers.
type Audience uint8

// The audiences.
const (
	Nobody   Audience = iota // only the client learns what became of its command
	Everyone                 // subscribers of their own: without any, the flow has no point
	Watchers                 // clients that watch keys: there may be none, and no more than clients
)

// Delivery is a promise about how often an operation reaches the service once
// somebody has accepted it.
type Delivery uint8

// The promises. A flow that uses a broker can promise no more than the broker
// does, so its own promise is an upper bound.
const (
	AtMostOnce  Delivery = iota // an accepted command may vanish, and is never applied twice
	AtLeastOnce                 // an accepted command is applied, perhaps more than once
)

// String returns the promise in words.
func (d Delivery) String() string {
	if d == AtLeastOnce {
		return "at least once"
	}
	return "at most once"
}

// A Kind says what an operation, or a message on its behalf, asks for.
type Kind uint8

// The kinds. Clients want commands and queries done; a status request is what
// flows that poll send on the way, to ask what became of a command; an event
// tells everybody what became of one.
const (
	Command Kind = iota
	Query
	StatusOf
	Event
)

// String returns the kind as it is written in messages and results.
func (k Kind) String() string {
	switch k {
	case Command:
		return "command"
	case Query:
		return "query"
	case Event:
		return "event"
	default:
		return "status"
	}
}

// ParseKind returns the kind that is written as s, and Command for anything
// that is none: it is what a message without a kind is.
func ParseKind(s string) Kind {
	for _, k := range []Kind{Query, StatusOf, Event} {
		if k.String() == s {
			return k
		}
	}
	return Command
}

// A Stage is a point that an operation passes.
type Stage uint8

// The stages, in the order in which they are passed. A flow passes those that
// it has; the stage due is the plan's, and applied is noted by the service.
const (
	Started  Stage = iota // the client took up the operation
	Accepted              // somebody took responsibility for it
	Answered              // the client knows the result
	numStages
)

// An Op is one operation under way. Its exported fields are set before Do is
// called and are read-only from then on, but for Answer, which Do sets.
type Op struct {
	ID   uint64 // unique within a cell, counting from 1
	Kind Kind   // Command or Query
	Key  string // which piece of the service's state it concerns
	Body []byte // a command's payload; nil for a query

	Urgent bool // the client would have it done before what is not

	Answer []byte // what came back

	// Notice, if set, is told of every stage when op reaches it, by whoever it was
	// that moved op on. It must not wait.
	Notice func(s Stage)

	runtime Runtime
	stages  [numStages]atomic.Int64 // ns since the runtime began; 0 means not reached
}

// NewOp returns an operation whose stages are timed with rt.
func NewOp(rt Runtime, id uint64, kind Kind, key string, body []byte) *Op {
	return &Op{ID: id, Kind: kind, Key: key, Body: body, runtime: rt}
}

// Reach notes that op has reached s now. Only the first call for a stage
// counts.
func (op *Op) Reach(s Stage) { op.reach(s, max(1, int64(op.runtime.Now()))) }

func (op *Op) reach(s Stage, now int64) {
	if op.stages[s].CompareAndSwap(0, now) && op.Notice != nil {
		op.Notice(s)
	}
}

// Settle notes that op is answered now. Where the path confirms acceptance and
// the answer has overtaken the confirm, the answer stands for it: nobody can
// have answered a request that nobody took.
func (op *Op) Settle(confirms bool) {
	now := max(1, int64(op.runtime.Now()))
	if confirms {
		op.reach(Accepted, now)
	}
	op.reach(Answered, now)
}

// At returns when op reached s, counted from the beginning of its runtime, and
// zero if it has not.
func (op *Op) At(s Stage) time.Duration { return time.Duration(op.stages[s].Load()) }
