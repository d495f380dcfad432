// Package alarm wakes sleepers more precisely than the Go runtime's timers do,
// which have a granularity of a millisecond in an idle process: a service that
// works for one millisecond would take one and a half, and a link with a latency
// of one millisecond would have half as much again.
//
// All sleepers of a [Clock] share one timer of the kernel, set to the earliest
// alarm and read through the runtime's poller, so that no thread waits for it.
// Where there is no such timer, the runtime's serves.
package alarm

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// A Clock wakes sleepers. Its methods may be called concurrently.
type Clock struct {
	timer timer

	mu      sync.Mutex
	pending alarms
	set     time.Time // what the timer is set to; zero if it is not

	done sync.WaitGroup
}

// A timer is a single alarm clock.
type timer interface {
	set(d time.Duration) // ring once, in d; replaces what was set before
	wait() bool          // until it rings; false after close
	close()
}

// An Alarm is one sleeper's.
type Alarm struct {
	clock *Clock
	at    time.Time
	ring  chan struct{}
	index int // in the heap, -1 when not in it
}

// New returns a clock. Close must be called.
func New() *Clock { return newClock(newTimer()) }

func newClock(t timer) *Clock {
	c := &Clock{timer: t}
	c.done.Go(func() {
		for c.timer.wait() {
			c.wake()
		}
	})
	return c
}

// Close ends the clock. Alarms that have not rung yet never will.
func (c *Clock) Close() {
	c.timer.close()
	c.done.Wait()
}

// At returns an alarm that rings at t, or at once if that has passed. It never
// rings early.
func (c *Clock) At(t time.Time) *Alarm {
	a := &Alarm{clock: c, at: t, ring: make(chan struct{}), index: -1}
	c.mu.Lock()
	defer c.mu.Unlock()
	heap.Push(&c.pending, a)
	if c.set.IsZero() || a.at.Before(c.set) {
		c.set = a.at
		c.timer.set(max(time.Until(a.at), time.Microsecond))
	}
	return a
}

// Rings is closed when the alarm rings.
func (a *Alarm) Rings() <-chan struct{} { return a.ring }

// Stop takes the alarm back. It must be called if nobody waits for it any more;
// after it has rung, it does nothing.
func (a *Alarm) Stop() {
	a.clock.mu.Lock()
	defer a.clock.mu.Unlock()
	if a.index >= 0 {
		heap.Remove(&a.clock.pending, a.index)
	}
}

// Sleep waits for d, or until ctx is done, and then returns ctx's error.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := c.At(time.Now().Add(d))
	select {
	case <-a.ring:
		return nil
	case <-ctx.Done():
		a.Stop()
		return ctx.Err()
	}
}

// Pending returns how many alarms have neither rung nor been taken back.
func (c *Clock) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)
}

// wake rings every alarm that is due and sets the timer for the next.
func (c *Clock) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for len(c.pending) > 0 && !c.pending[0].at.After(now) {
		close(heap.Pop(&c.pending).(*Alarm).ring)
	}
	if len(c.pending) == 0 {
		c.set = time.Time{}
		return
	}
	c.set = c.pending[0].at
	c.timer.set(max(c.set.Sub(now), time.Microsecond))
}

// alarms is a heap by time.
type alarms []*Alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *alarms) Push(x any) {
	a := x.(*Alarm)
	a.index = len(*h)
	*h = append(*h, a)
}

// Pop implements [heap.Interface].
func (h *alarms) Pop() any {
	old := *h
	a := old[len(old)-1]
	a.index = -1
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return a
}
