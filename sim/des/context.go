package des

import (
	"context"
	"sync/atomic"
	"time"
)

// A virtual is a context that ends in virtual time. [Kernel.WithTimeout] and
// [Kernel.WithCancel] make it; its values are those of its parent.
//
// It has no deadline that a time.Time could tell, since its clock is not the
// wall's, and says that it has none.
type virtual struct {
	context.Context // for values

	kernel   *Kernel
	err      error
	done     chan struct{}   // nil until somebody asks
	look     context.Context // a foreign context above, if any: its end is noticed by looking
	between  bool            // look stands between this one and the one that it follows
	up       listener        // its place among those who follow its parent
	first    *listener
	last     *listener
	calls    int // functions that follow it, stopped ones included,
	swept    int // and how many they were after the last sweep
	timer    uint32
	timed    bool
	deadline time.Duration
}

// A contextKey finds the nearest [virtual] above a context.
type contextKey struct{}

// Deadline implements [context.Context].
func (c *virtual) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements [context.Context].
func (c *virtual) Done() <-chan struct{} {
	if c.done == nil {
		c.done = make(chan struct{})
		if c.Err() != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements [context.Context].
func (c *virtual) Err() error {
	if c.err == nil && c.look != nil {
		if err := c.look.Err(); err != nil {
			c.end(err)
		}
	}
	return c.err
}

// Value implements [context.Context].
func (c *virtual) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// AfterFunc is how package context follows a context that is not its own. In
// contrast to context.AfterFunc, f runs when c ends and before anything else
// does, so that a context derived by package context ends at the same instant.
//
// Stopping only sets a mark, since package context may do it on a goroutine of
// its own; what is marked is swept out when it has become the greater part.
func (c *virtual) AfterFunc(f func()) (stop func() bool) {
	if c.err != nil {
		c.kernel.AfterFunc(0, f) // the caller may hold a lock that f takes
		return func() bool { return false }
	}
	if c.calls++; c.calls > 2*c.swept+8 {
		c.sweep()
	}
	l := &listener{call: f}
	c.add(l)
	return func() bool { return l.gone.CompareAndSwap(false, true) }
}

// sweep removes the functions that have been stopped.
func (c *virtual) sweep() {
	c.calls = 1
	for l := c.first; l != nil; {
		next := l.next
		switch {
		case l.call == nil:
		case l.gone.Load():
			l.remove()
		default:
			c.calls++
		}
		l = next
	}
	c.swept = c.calls
}

// WithCancel is context.WithCancel for contexts that activities wait with.
func (k *Kernel) WithCancel(parent context.Context) (context.Context, context.CancelFunc) {
	c := k.derive(parent)
	return c, c.cancel
}

// WithTimeout implements [flows.Runtime].
func (k *Kernel) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	c := k.derive(parent)
	deadline := k.later(d)
	switch {
	case c.err != nil:
	case d <= 0:
		c.end(context.DeadlineExceeded)
	case !c.timed || deadline < c.deadline: // else the parent ends first, or at once
		c.timed, c.deadline = true, deadline
		c.timer = k.newTimer(d, timer{context: c})
	}
	return c, c.cancel
}

// derive returns a child of parent.
func (k *Kernel) derive(parent context.Context) *virtual {
	c := &virtual{Context: parent, kernel: k, timer: none}
	c.up.child = c
	if err := parent.Err(); err != nil {
		c.end(err)
		return c
	}
	above, foreign := k.resolve(parent)
	if above != nil {
		above.add(&c.up)
	}
	switch {
	case foreign != nil:
		c.look, c.between = foreign, true
	case above != nil:
		c.look, c.timed, c.deadline = above.look, above.timed, above.deadline
	}
	return c
}

// resolve says how to follow ctx: above, whose end may be that of ctx, and is
// for certain if foreign is nil; and foreign, ctx itself if it may end in ways
// that the kernel does not notice.
func (k *Kernel) resolve(ctx context.Context) (above *virtual, foreign context.Context) {
	if c, ok := ctx.(*virtual); ok && c.kernel == k {
		return c, nil
	}
	done := ctx.Done()
	if done == nil {
		return nil, nil
	}
	c, ok := ctx.Value(contextKey{}).(*virtual)
	switch {
	case !ok || c.kernel != k:
		return nil, ctx
	case c.Done() == done:
		return c, nil
	case c.Err() != nil:
		return nil, ctx // it has ended and ctx has not: somebody came between them
	}
	return c, ctx
}

func (c *virtual) cancel() {
	if c.err == nil {
		c.end(context.Canceled)
	}
}

// expire ends c because its time is up.
func (c *virtual) expire() { c.end(context.DeadlineExceeded) }

// end ends c and tells those who follow it, in the order in which they began to.
func (c *virtual) end(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	c.up.remove()
	if c.timer != none {
		c.kernel.stopTimer(c.timer)
		c.timer = none
	}
	if c.done != nil {
		close(c.done)
	}
	for c.first != nil {
		l := c.first
		l.remove()
		l.tell(err)
	}
}

// A listener follows a context: an activity that waits with it, a context below
// it, or a function. It is part of what it stands for.
type listener struct {
	owner      *virtual // whom it follows, if anybody
	prev, next *listener

	activity *activity
	child    *virtual
	call     func()
	gone     atomic.Bool // call has been stopped, or is done
}

func (c *virtual) add(l *listener) {
	l.owner, l.prev, l.next = c, c.last, nil
	if c.last == nil {
		c.first = l
	} else {
		c.last.next = l
	}
	c.last = l
}

func (l *listener) remove() {
	c := l.owner
	if c == nil {
		return
	}
	if l.prev == nil {
		c.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		c.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.owner, l.prev, l.next = nil, nil, nil
}

// tell says that the context that l followed has ended with err. Where another
// context stands between, it is that one's word that counts.
func (l *listener) tell(err error) {
	switch {
	case l.call != nil:
		if l.gone.CompareAndSwap(false, true) {
			l.call()
		}
	case l.child != nil:
		if l.child.between {
			err = l.child.look.Err()
		}
		if err != nil {
			l.child.end(err)
		}
	case l.activity.kernel.stopping: // nobody is left to wake
	default:
		if l.activity.between {
			err = l.activity.look.Err()
		}
		if err != nil {
			l.activity.wake(err)
		}
	}
}

// follow has the activity woken when ctx ends, as far as that can be noticed.
func (a *activity) follow(ctx context.Context) {
	above, foreign := a.kernel.resolve(ctx)
	a.look, a.between = foreign, foreign != nil
	if above == nil {
		return
	}
	above.add(&a.watch)
	if foreign == nil && above.look != nil {
		a.look = above // looking at it is looking further up
	}
}

// lookAtForeign wakes the activities whose contexts have ended unnoticed. It
// reports whether there were any.
func (k *Kernel) lookAtForeign() bool {
	found := false
	for _, a := range k.activities {
		if a.place == "" || a.look == nil {
			continue
		}
		if err := a.look.Err(); err != nil && a.place != "" { // looking may have woken it
			a.wake(err)
		}
		found = found || a.place == ""
	}
	return found
}
