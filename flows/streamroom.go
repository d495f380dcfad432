package flows

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// A room is what the receivers of one party may hold of all its streams. Who finds
// none waits, and those who wait are served in the order in which they came.
type room struct {
	runtime Runtime
	total   int // bytes

	mu     sync.Mutex // never held while waiting
	used   int
	most   int // that was ever used
	line   []*place
	closed bool
}

// A place is one in line.
type place struct {
	least, most int
	got         int
	promise     Promise
}

var errNoRoom = errors.New("it is larger than all the room there is")

// take takes room for most bytes, or for fewer if there is less, but for least at
// least. It waits until that much is free.
func (r *room) take(ctx context.Context, least, most int) (int, error) {
	r.mu.Lock()
	if least > r.total || r.closed {
		defer r.mu.Unlock()
		if r.closed {
			return 0, ErrClosed
		}
		return 0, errNoRoom
	}
	p := &place{least: least, most: most, promise: r.runtime.Promise()}
	r.line = append(r.line, p)
	r.serve()
	r.mu.Unlock()
	_, err := p.promise.Wait(ctx)
	if err == nil {
		return p.got, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.line, p); i >= 0 {
		r.line = slices.Delete(r.line, i, i+1)
	}
	r.used -= p.got // if it came at that very moment
	r.serve()
	return 0, err
}

// give gives room back.
func (r *room) give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	r.serve()
}

// serve gives room to those at the head of the line. The caller holds the lock.
func (r *room) serve() {
	for len(r.line) > 0 && r.total-r.used >= r.line[0].least {
		p := r.line[0]
		r.line = r.line[1:]
		p.got = min(p.most, r.total-r.used)
		r.used += p.got
		r.most = max(r.most, r.used)
		p.promise.Keep(Message{}, nil)
	}
}

// close sends those who wait away.
func (r *room) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, p := range r.line {
		p.promise.Keep(Message{}, ErrClosed)
	}
	r.line = nil
}
