package socket

import (
	"context"
	"errors"
	"fmt"

	"flowbench/flows"
)

// ErrTaken says that a call has the key of one that is under way.
var ErrTaken = errors.New("a call with this key is under way")

// A Call is one that is under way on a session.
type Call[K comparable] struct {
	session *Session[K]
	key     K
	cancel  context.CancelFunc
	live    bool
}

// Run works on a call in a goroutine of its own, with a context that ends when
// the client takes the call back, or with the session. The error is [ErrTaken],
// or a certain failure.
func (s *Session[K]) Run(key K, work func(context.Context, *Call[K])) error {
	ctx, cancel := context.WithCancel(s.ctx)
	c := &Call[K]{session: s, key: key, cancel: cancel}
	if err := s.begin(c); err != nil {
		cancel()
		return err
	}
	s.work.Go(func() {
		defer cancel()
		defer s.done(c)
		work(ctx, c)
	})
	return nil
}

func (s *Session[K]) begin(c *Call[K]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch _, taken := s.calls[c.key]; {
	case taken:
		return ErrTaken
	case s.draining:
		return flows.Fail(flows.Unreachable, errors.New("the server is closing"))
	case s.active >= s.server.bounds.Calls:
		return flows.Fail(flows.Overloaded, fmt.Errorf("%d calls are under way", s.active))
	}
	s.calls[c.key] = c
	s.active++
	return nil
}

// TakeBack ends the call with a key, if there is one, for a client that waits for
// it no longer.
func (s *Session[K]) TakeBack(key K) {
	s.mu.Lock()
	c, ok := s.calls[key]
	delete(s.calls, key)
	s.mu.Unlock()
	if ok {
		c.cancel()
	}
}

// Claim makes who works on the call the one who ends it, and its key free. It is
// false if the client has taken it back.
func (c *Call[K]) Claim() bool {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[c.key] != c {
		return false
	}
	delete(s.calls, c.key)
	return true
}

// Live marks the call as one that goes on until somebody ends it. A server that
// closes does not wait for it.
func (c *Call[K]) Live() {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.live {
		c.live = true
		s.live++
		s.rest()
	}
}

// done notes that the endpoint is through with a call.
func (s *Session[K]) done(c *Call[K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if c.live {
		s.live--
	}
	s.rest()
}

// rest tells goAway once there is nothing to wait for.
func (s *Session[K]) rest() {
	if s.draining && s.active == s.live {
		s.resting.Do(func() { close(s.idle) })
	}
}
