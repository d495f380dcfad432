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
	started map[string]string // addresses of embedded brokers that run, by name and what they were asked for
	stops   []func(context.Context) error
}

// An Embedder starts a broker that ends with this process at the latest. wants
// is what [broker.Driver.Wants] asks of it.
type Embedder func(ctx context.Context, wants string) (address string, stop func(context.Context) error, err error)

// Of returns the addresses of the broker that serves d with the given
// parameters, starting it if it is embedded and does not run yet. It returns
// none for a broker in this process.
func (s *Sources) Of(ctx context.Context, d *broker.Driver, params broker.Params) ([]string, error) {
	if d.Server == "" {
		return nil, nil
	}
	wants := ""
	if d.Wants != nil {
		wants = d.Wants(params)
	}
	if a := s.Addresses[d.Server]; len(a) > 0 {
		if wants != "" {
			return nil, fmt.Errorf("use %s at %s with %s: that is a setting of the server itself, and nobody here "+
				"knows "+
				"how it is set; use the embedded server, or leave the parameter "+
				"out", d.Name, broker.RedactedList(a), wants)
		}
		return a, nil
	}
	if embed := s.Embed[d.Embed]; embed != nil {
		address, err := s.start(ctx, d.Embed, wants, embed)
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

func (s *Sources) start(ctx context.Context, name, wants string, embed Embedder) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := name + " " + wants
	if address, ok := s.started[key]; ok {
		return address, nil
	}
	address, stop, err := embed(ctx, wants)
	if err != nil {
		return "", err
	}
	if s.started == nil {
		s.started = make(map[string]string)
	}
	s.started[key] = address
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
