// Package des runs a model in virtual time: a discrete-event kernel behind
// [flows.Runtime], so that the flows that run on brokers and sockets run in a
// simulation as they are, and the same seed gives the same run to the last bit.
//
// A kernel is a clock and a set of events, each due at an instant. It takes the
// earliest, sets the clock to its instant and runs it; what runs may schedule
// more. Nothing ever waits for real time, and nothing runs beside anything
// else: between two events the whole model is at rest. Events that are due at
// the same instant run in the order in which they were scheduled, always, since
// a tie that is broken by chance makes two runs out of one.
//
// There are two ways to write a model, and they mix freely.
//
// In event style, a model registers a [Handler] for each kind of event and
// schedules it with an argument, by [Kernel.After] and [Kernel.At]. An event is
// a value of 16 bytes in a heap of values; scheduling and running one allocates
// nothing. This is the style for queueing models and for what lies under
// brokers and links.
//
// In activity style, code is written as if it had a thread of its own: it
// sleeps, waits for promises, takes from a [Queue], forks with [Kernel.Go].
// Activities are coroutines of the Go runtime, made by [iter.Pull]. One that
// ends leaves its coroutine for the next to run on, so that an operation costs
// a few switches and no new stack. This is the style of flows.
//
// # Contexts
//
// The contexts that a kernel makes end in virtual time: [Kernel.WithTimeout]
// and [Kernel.WithCancel], and what package context derives from these. Who
// waits with one is woken when it ends, and several are woken in the order in
// which they began to wait. A foreign context, one that lives in real time or
// is cancelled behind the kernel's back, can be looked at and cannot be waited
// for: a wait that begins with one that has ended says so; otherwise it waits
// for what it came for. Foreign contexts are looked at once more when nothing
// else is left to do, so that an activity whose context has ended is not taken
// for a deadlock.
//
// # Use
//
// A kernel belongs to the goroutine that calls [Kernel.Run] and to the
// activities and handlers that run inside it. None of its methods may be called
// from elsewhere while it runs, and locks must not be held while waiting: there
// is nobody else to release them.
package des
