package des

import (
	"context"
	"errors"
	"time"
)

// A Kernel is a virtual clock and what is due on it. It implements
// [flows.Runtime]. Kernels share nothing, so that replications can run side by
// side, each on a goroutine of its own.
type Kernel struct {
	now      time.Duration
	seq      uint64
	events   heap       // due later
	due      fifo[call] // due now, in order
	handlers []func(arg uint32)

	timers     []timer
	freeTimers []uint32
	dead       int // stopped timers whose events are still pending

	current    *activity   // the one that runs; nil while a handler does
	activities []*activity // all that have a coroutine
	idle       []*activity // those whose coroutine waits for work
	live       int         // activities that have not ended

	running  bool
	stopping bool
	fault    *Panic // of an activity that was being unwound
}

// New returns a kernel at time zero.
func New() *Kernel {
	k := &Kernel{}
	k.handlers = []func(uint32){k.resume, k.fire} // in the order of the constants
	return k
}

// The kernel's own handlers.
const (
	resumeHandler Handler = iota
	timerHandler
)

// A Handler is one kind of event of a model. [Kernel.Handle] registers it.
type Handler uint8

// Handle registers f for events of one kind. A kernel has room for about 250
// handlers: a model registers one for each kind of event, and tells its objects
// apart by the argument.
func (k *Kernel) Handle(f func(arg uint32)) Handler {
	if len(k.handlers) == maxHandlers {
		panic("des: too many handlers")
	}
	k.handlers = append(k.handlers, f)
	return Handler(len(k.handlers) - 1)
}

// Now implements [flows.Runtime].
func (k *Kernel) Now() time.Duration { return k.now }

// At schedules an event for the instant t, and for now if t has passed.
func (k *Kernel) At(t time.Duration, h Handler, arg uint32) {
	// What is due now needs no heap: events of this instant that wait in the heap
	// were scheduled before the instant came, so they are older than all of these.
	if t <= k.now {
		k.due.push(call{h, arg})
		return
	}
	k.seq++
	if k.seq == maxEvents {
		panic("des: out of sequence numbers")
	}
	k.events.push(newEvent(min(t, endOfTime), k.seq, h, arg))
}

// After schedules an event for d from now, and for now if d is negative.
func (k *Kernel) After(d time.Duration, h Handler, arg uint32) { k.At(k.later(d), h, arg) }

// later returns the instant d from now, within what the clock can tell.
func (k *Kernel) later(d time.Duration) time.Duration {
	if d >= endOfTime-k.now {
		return endOfTime
	}
	return k.now + d
}

const (
	// lookEvery is how many events run between two looks at the real context.
	lookEvery = 1 << 10

	// graceEvents is how many events may still run once the real context has
	// ended: enough for a model to close what it has open, and few enough for
	// nobody to wait for one that does not close.
	graceEvents = 1 << 18
)

// ErrEndOfTime is returned by [Kernel.Run] when virtual time has run out: the
// model has something due later than about 78 hours.
var ErrEndOfTime = errors.New("virtual time has run out")

var errRunning = errors.New("the kernel is running already")

// Run runs main as an activity, and everything that follows from it, until
// nothing is left to do. Time goes on from where the last Run left it.
//
// If activities still wait when nothing is due any more, the error is a
// [*Deadlock]. When ctx ends, the context that main was given ends with it, in
// virtual time; what has not closed itself a bounded number of events later is
// cut off, and the error is ctx's. A panic of an activity comes out of Run as a
// [*Panic]; one of a handler comes out as it is. However Run ends, the
// activities that are left are unwound, running what they have deferred, and
// what is pending is dropped.
func (k *Kernel) Run(ctx context.Context, main func(ctx context.Context)) error {
	if k.running {
		return errRunning
	}
	k.running = true
	defer k.halt()
	root := &virtual{Context: ctx, kernel: k, timer: none}
	k.start(root, main)
	return k.loop(ctx, root)
}

func (k *Kernel) loop(ctx context.Context, root *virtual) error {
	var cut error
	for countdown := 0; ; countdown-- {
		if countdown == 0 {
			if cut != nil {
				return cut
			}
			countdown = lookEvery
			if cut = ctx.Err(); cut != nil {
				root.end(cut)
				countdown = graceEvents
			}
		}
		e, pending := k.events.top()
		switch {
		case k.due.n > 0 && (!pending || e.at() > k.now):
			c := k.due.pop()
			k.handlers[c.handler](c.arg)
		case pending && e.handler() == timerHandler && k.stopped(e.arg()):
			k.events.take() // the clock does not go on for what was taken back
			k.fire(e.arg())
		case pending && e.at() == endOfTime:
			return ErrEndOfTime
		case pending:
			k.events.take()
			k.now = e.at()
			k.handlers[e.handler()](e.arg())
		case k.live == 0:
			return cut
		case k.lookAtForeign():
		case cut == nil && ctx.Err() != nil:
			countdown = 1 // it has ended since it was looked at
		case cut != nil:
			return cut
		default:
			return k.deadlock()
		}
	}
}

// halt ends a run: it unwinds what is left and lets go of everything pending.
func (k *Kernel) halt() {
	k.stopping = true
	for i := 0; i < len(k.activities); i++ { // unwinding one may start another
		k.current = k.activities[i]
		k.current.stop()
	}
	k.events, k.due = heap{events: k.events.events[:0]}, fifo[call]{}
	k.dropTimers()
	k.current, k.activities, k.idle, k.live = nil, nil, nil, 0
	k.running, k.stopping = false, false
	if fault := k.fault; fault != nil {
		k.fault = nil
		panic(fault)
	}
}
