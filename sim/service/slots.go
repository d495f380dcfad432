package service

import (
	"context"
	"sync"

	"flowbench/flows"
)

// slots are the workers of one instance. Requests that find none free wait in
// the order in which they came.
type slots struct {
	runtime flows.Runtime

	mu    sync.Mutex // never held while waiting
	free  int
	queue []*turn
}

// A turn is one request's place in the queue.
type turn struct {
	promise flows.Promise
	given   bool
	left    bool
}

func (s *slots) acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	t := &turn{promise: s.runtime.Promise()}
	s.queue = append(s.queue, t)
	s.mu.Unlock()
	if _, err := t.promise.Wait(ctx); err != nil {
		s.mu.Lock()
		given := t.given
		t.left = true
		s.mu.Unlock()
		if given { // it came at the very moment of giving up
			s.release()
		}
		return err
	}
	return nil
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		t := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		if !t.left {
			t.given = true
			t.promise.Keep(flows.Message{}, nil)
			return
		}
	}
	s.free++
}
