// Package pace starts operations when they are due.
//
// A schedule says when each operation is due, computed from its index. The
// pacer waits until the next one is due, emits everything that is due by then,
// each with its intended time, and waits again. It never skips and never
// bunches up on its own account: if the machine held it up, the operations come
// late with their true due times, and the difference shows as send lag.
//
// How well that works depends on the wait. The Go runtime rounds its timers up
// to the millisecond when a process idles, so a pacer that sleeps with them is
// half a millisecond late on the median, whatever the rate. On Linux this
// package therefore waits with nanosleep on a thread of its own, with a timer
// slack of one nanosecond and in short slices, which has the kernel prefer it
// where all processors are busy; elsewhere it falls back on the runtime. Every wake
// costs tens of microseconds of CPU, so two wakes are at least a [Gap] apart
// and operations due in between go out together.
package pace

import (
	"context"
	"runtime"
	"time"
)

// Gap is the least time between two wakes of a pacer: 4000 of them cost about a
// third of a core on a small virtual machine, and none of what they emit is
// later than this on their account.
const Gap = 250 * time.Microsecond

// longestWait is how long a pacer waits at most before it looks at its context
// again.
const longestWait = 20 * time.Millisecond

// A Schedule tells due times in order, relative to the beginning of the load.
type Schedule interface {
	Next() (at time.Duration, ok bool)
}

// A Waiter waits on a clock. It is used by one goroutine only, which is locked
// to its thread.
type Waiter interface {
	Now() time.Duration
	Wait(d time.Duration)
}

// Run emits every operation of s at its due time, or as soon after it as w
// permits, until s ends or ctx is done. Due times count from origin on w's
// clock. emit must not wait. Run locks its goroutine to a thread while it runs
// and returns ctx's error.
func Run(ctx context.Context, w Waiter, s Schedule, origin time.Duration, emit func(due time.Duration)) error {
	// The thread is not unlocked: its timer slack has been changed, so it ends
	// with the goroutine, which therefore must be one of its own.
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		prepareThread()
		done <- run(ctx, w, s, origin, emit)
	}()
	return <-done
}

func run(ctx context.Context, w Waiter, s Schedule, origin time.Duration, emit func(due time.Duration)) error {
	at, more := s.Next()
	var woke time.Duration
	for more {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := w.Now() - origin
		if at > now {
			until := max(at, woke+Gap)
			w.Wait(min(until-now, longestWait))
			if until-now <= longestWait {
				woke = w.Now() - origin
			}
			continue
		}
		for more && at <= now {
			emit(origin + at)
			at, more = s.Next()
		}
	}
	return nil
}

// A Clock is the wall clock as a [Waiter].
type Clock struct{ Start time.Time }

// Now returns the time since the clock's start.
func (c Clock) Now() time.Duration { return time.Since(c.Start) }

// Wait waits for d as precisely as the platform can.
func (Clock) Wait(d time.Duration) { sleep(d) }
