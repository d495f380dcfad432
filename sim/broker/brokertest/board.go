package brokertest

import (
	"context"
	"sync"
)

// A board tells those who wait that something has changed.
type board struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed at the next announcement. What is
// looked at after the call cannot be missed.
func (b *board) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *board) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// until waits for ok to hold, looking at every announcement. It reports whether
// it did before ctx was done.
func (b *board) until(ctx context.Context, ok func() bool) bool {
	for {
		changed := b.wait()
		if ok() {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ok()
		}
	}
}
