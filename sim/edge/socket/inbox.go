package socket

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"flowbench/flows"
)

// An inbox is what has come for one watch and has not been taken by its caller
// yet. Whoever puts never waits: a caller that takes too slowly loses the watch,
// and other calls on the socket are not held up.
type inbox struct {
	capacity int           // bytes that may wait
	wake     chan struct{} // has room for one

	mu      sync.Mutex
	waiting []flows.Answer
	bytes   int
	ended   bool
	err     error // how it ended
}

func newInbox(capacity int) *inbox { return &inbox{capacity: capacity, wake: make(chan struct{}, 1)} }

var errNotTaken = errors.New("the caller takes its answers too slowly")

// put adds an answer. It is false if there is no room for it; then the inbox has
// ended, and says so after what is in it.
func (b *inbox) put(a flows.Answer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	size := len(a.Body)
	if len(b.waiting) >= maxWaiting || b.bytes > 0 && b.bytes+size > b.capacity {
		b.close(flows.Unknown(flows.Overloaded, errNotTaken))
		return false
	}
	b.waiting = append(b.waiting, a)
	b.bytes += size
	b.tell()
	return true
}

// end says that nothing more comes, and with an error why.
func (b *inbox) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.close(err)
}

func (b *inbox) close(err error) {
	if !b.ended {
		b.ended, b.err = true, err
		b.tell()
	}
}

func (b *inbox) tell() {
	select {
	case b.wake <- struct{}{}:
	default: // who waits has been told already
	}
}

// next waits for an answer. It is false with a nil error when no more comes.
func (b *inbox) next(ctx context.Context) (a flows.Answer, ok bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return flows.Answer{}, false, gaveUp("answer", err)
		}
		b.mu.Lock()
		switch {
		case len(b.waiting) > 0:
			a = b.waiting[0]
			b.waiting[0] = flows.Answer{} // its body may be large
			b.waiting = b.waiting[1:]
			b.bytes -= len(a.Body)
			b.mu.Unlock()
			return a, true, nil
		case b.ended:
			err = b.err
			b.mu.Unlock()
			return flows.Answer{}, false, err
		}
		b.mu.Unlock()
		select {
		case <-b.wake:
		case <-ctx.Done():
		}
	}
}

// gaveUp returns the error of a call that waits no longer. That is never called
// a failure, even if nothing had been sent: patience ended and not the path.
func gaveUp(what string, err error) error {
	_, class := flows.OutcomeOf(err)
	return flows.Unknown(class, fmt.Errorf("await %s: %w", what, err))
}
