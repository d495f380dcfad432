package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"flowbench/sim/broker"
)

// Sources say where brokers are: at addresses that the user gave, embedded, or
// at an address where such a broker is by default.
type Sources struct {
	Addresses map[string][]string // by [broker.Driver.Server]; these come first
	Embed     map[string]Embedder // by [broker.Driver.Embed]
	Default   map[string]string   // by [broker.Driver.Server]

	mu      sync.Mutex
	started map[string]string // addresses of embedded brokers that run
	stops   []func(context.Context) error
}

// An Embedder starts a broker that ends with this process at the latest.
type Embedder func(ctx context.Context) (address string, stop func(context.Context) error, err error)

// Of returns the addresses of the broker that serves d, starting it if it is
// embedded and does not run yet. It returns none for a broker in this process.
func (s *Sources) Of(ctx context.Context, d *broker.Driver) ([]string, error) {
	if d.Server == "" {
		return nil, nil
	}
	if a := s.Addresses[d.Server]; len(a) > 0 {
		return a, nil
	}
	if embed := s.Embed[d.Embed]; embed != nil {
		address, err := s.start(ctx, d.Embed, embed)
		if err != nil {
			return nil, fmt.Errorf("start embedded broker %s: %w", d.Embed, err)
		}
		return []string{address}, nil
	}
	if a := s.Default[d.Server]; a != "" {
		return []string{a}, nil
	}
	return nil, fmt.Errorf("find broker %s: no address is known; give one with --broker-url %s=URL", d.Name, d.Server)
}

func (s *Sources) start(ctx context.Context, name string, embed Embedder) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if address, ok := s.started[name]; ok {
		return address, nil
	}
	address, stop, err := embed(ctx)
	if err != nil {
		return "", err
	}
	if s.started == nil {
		s.started = make(map[string]string)
	}
	s.started[name] = address
	s.stops = append(s.stops, stop)
	return address, nil
}

// Close stops the embedded brokers.
func (s *Sources) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stop := range s.stops {
		errs = append(errs, stop(ctx))
	}
	s.stops, s.started = nil, nil
	return errors.Join(errs...)
}
