package des

import (
	"context"

	"flowbench/flows"
)

// A Queue is values that activities wait for, in order. It has no bound; whoever
// needs one looks at [Queue.Len] before putting. Handlers may put and take
// without waiting.
type Queue[T any] struct {
	kernel  *Kernel
	place   string
	items   fifo[T]
	granted int // how many of the items are promised to activities that are being woken
	closed  bool
	waiting line
}

// NewQueue returns an empty queue. The name is for people, and says in a
// [Deadlock] where activities wait.
func NewQueue[T any](k *Kernel, name string) *Queue[T] {
	return &Queue[T]{kernel: k, place: "queue " + name}
}

// Len returns how many values are there for who comes next.
func (q *Queue[T]) Len() int { return q.items.n - q.granted }

// Put adds x. If activities wait, the first of them gets its turn.
func (q *Queue[T]) Put(x T) {
	q.items.push(x)
	q.grant()
}

// PutFront adds x in front of everything, as for what comes back.
func (q *Queue[T]) PutFront(x T) {
	q.items.unpop(x)
	q.grant()
}

// grant promises a value to the first who waits. Who has been promised one
// cannot be cancelled any more and cannot be overtaken: nothing gets lost
// between being woken and running.
func (q *Queue[T]) grant() {
	if !q.kernel.stopping && q.waiting.wakeFirst() {
		q.granted++
	}
}

// Get takes the oldest value, waiting for one if need be. Its error is ctx's, or
// [flows.ErrClosed] after Close.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	if q.closed {
		return zero, flows.ErrClosed
	}
	if q.Len() > 0 {
		return q.items.pop(), nil
	}
	if err := q.kernel.wait(ctx, &q.waiting, q.place); err != nil {
		return zero, err
	}
	q.granted--
	return q.items.pop(), nil
}

// TryGet takes the oldest value if there is one, whether or not the queue has
// been closed.
func (q *Queue[T]) TryGet() (x T, ok bool) {
	if q.Len() == 0 {
		return x, false
	}
	return q.items.pop(), true
}

// Close has everybody who waits, and who comes later, get [flows.ErrClosed].
func (q *Queue[T]) Close() {
	q.closed = true
	for !q.kernel.stopping && q.waiting.first != nil {
		q.waiting.first.wake(flows.ErrClosed)
	}
}
