package sim

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Alarms wake sleepers more precisely than the Go runtime's timers do, which
// have a granularity of a millisecond in an idle process: a service that works
// for one millisecond would take one and a half. All sleepers share one timer
// of the kernel, set to the earliest alarm.
type alarms struct {
	timer timer

	mu      sync.Mutex
	pending alarmHeap
	set     time.Time // what the timer is set to; zero if it is not

	done sync.WaitGroup
}

// A timer is a single alarm clock.
type timer interface {
	set(d time.Duration) // ring once, in d; replaces what was set before
	wait() bool          // until it rings; false after close
	close()
}

// An alarm is one sleeper.
type alarm struct {
	at    time.Time
	ring  chan struct{}
	index int // in the heap, -1 when not in it
}

func newAlarms() *alarms {
	a := &alarms{timer: newTimer()}
	a.done.Add(1)
	go func() {
		defer a.done.Done()
		for a.timer.wait() {
			a.wake()
		}
	}()
	return a
}

func (a *alarms) close() {
	a.timer.close()
	a.done.Wait()
}

// sleep waits for d, or until ctx is done, and then returns ctx's error.
func (a *alarms) sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	al := &alarm{at: time.Now().Add(d), ring: make(chan struct{})}
	a.mu.Lock()
	heap.Push(&a.pending, al)
	if a.set.IsZero() || al.at.Before(a.set) {
		a.set = al.at
		a.timer.set(d)
	}
	a.mu.Unlock()
	select {
	case <-al.ring:
		return nil
	case <-ctx.Done():
		a.mu.Lock()
		if al.index >= 0 {
			heap.Remove(&a.pending, al.index)
		}
		a.mu.Unlock()
		return ctx.Err()
	}
}

// wake rings every alarm that is due and sets the timer for the next.
func (a *alarms) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for len(a.pending) > 0 && !a.pending[0].at.After(now) {
		close(heap.Pop(&a.pending).(*alarm).ring)
	}
	if len(a.pending) == 0 {
		a.set = time.Time{}
		return
	}
	a.set = a.pending[0].at
	a.timer.set(max(a.set.Sub(now), time.Microsecond))
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *alarmHeap) Push(x any) {
	al := x.(*alarm)
	al.index = len(*h)
	*h = append(*h, al)
}

func (h *alarmHeap) Pop() any {
	old := *h
	al := old[len(old)-1]
	al.index = -1
	*h = old[:len(old)-1]
	return al
}
