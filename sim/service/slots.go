package service

import (
	"context"
	"sync"
	"time"

	"flowbench/flows"
)

// slots are the workers of one instance. Requests that find none free wait in
// the order in which they came.
type slots struct {
	runtime flows.Runtime

	mu    sync.Mutex // never held while waiting
	free  int
	queue []*turn

	busy   int           // workers that have a request
	worked time.Duration // of all workers together, until since
	since  time.Duration
}

// tally adds what the workers have worked since it was last called, and changes how
// many of them have a request.
func (s *slots) tally(change int) {
	now := s.runtime.Now()
	s.worked += time.Duration(s.busy) * (now - s.since)
	s.since, s.busy = now, s.busy+change
}

// total returns how long the workers have had requests, all of them together.
func (s *slots) total() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally(0)
	return s.worked
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
		s.tally(1)
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
	s.tally(-1)
}
