package flows

import (
	"context"
	"log/slog"
	"time"
)

// Env is the world as a flow sees it.
type Env struct {
	Runtime  Runtime
	Broker   Broker // nil unless the flow's Spec says UsesBroker
	Edge     Edge   // nil unless the flow's Spec says UsesEdge
	Store    Store  // nil unless payloads travel by reference; see [Carriage]
	Service  Service
	Settings Settings
	Log      *slog.Logger

	// Stray is told of every answer that nobody waits for (any more), by its
	// operation: late, or never asked for.
	Stray func(op uint64)

	// Redelivered, if set, is told of every request that reaches a service and that
	// the broker says has reached one before, by its operation.
	Redelivered func(op uint64)

	// Heard is told whenever news of a command reaches one of those who want to
	// hear of it, and who that is, counting from 0. Flows that tell nobody but the
	// client that asked do not call it.
	Heard func(op uint64, subscriber int)
}

// Settings are the choices of a scenario that flows act on.
type Settings struct {
	Instances int           // of the service, at least 1
	Workers   int           // of each instance: requests that it works on at once, at least 1
	Clients   int           // how many there are, at least 1
	Timeout   time.Duration // how long a client waits for an operation
	Polling   Polling       // for flows that ask until a result is there

	FrontEnds   int      // how many there are, at least 1, for flows that have front ends
	Subscribers int      // how many want to hear of each command, for flows that tell others than the client
	Keys        []string // names of all pieces of state, for flows whose clients watch them; nil if none does
}

// Polling says how often a flow asks whether a result is there.
type Polling struct {
	Interval time.Duration // before the first question
	Backoff  float64       // every further pause is this many times longer, at least 1
	Max      time.Duration // no pause is longer
}

// Pause returns how long to wait before question number n, counting from 0.
func (p Polling) Pause(n int) time.Duration {
	d := float64(p.Interval)
	for range n {
		if d *= p.Backoff; d >= float64(p.Max) {
			return p.Max
		}
	}
	return min(time.Duration(d), p.Max)
}

// A Runtime tells time, waits and forks. In a live run it is the Go runtime and
// the wall clock; in a simulation it is an event kernel.
type Runtime interface {
	// Now returns the time since the runtime began.
	Now() time.Duration

	// Sleep waits for d, or until ctx is done, and then returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error

	// WithTimeout is context.WithTimeout on this runtime's clock.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)

	// Go runs f as an activity of its own. The function that it returns waits
	// for f to end, or for its context.
	Go(ctx context.Context, f func(ctx context.Context)) (wait func(ctx context.Context) error)

	// Promise returns a place where one activity can wait for a message from
	// another.
	Promise() Promise
}

// A Promise is a message that will be there later.
type Promise interface {
	// Keep provides the message, or the error in its place. It never waits, and
	// only the first call counts.
	Keep(m Message, err error)

	// Wait returns what was kept once it is there, or ctx's error.
	Wait(ctx context.Context) (Message, error)
}
