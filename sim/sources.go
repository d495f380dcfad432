package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"flowbench/sim/broker"
)

// Sources say where brokers are: at addresses that the user gave, in processes
// that are started here, or at an address where such a broker is by default. All
// of them are known by [broker.Driver.Server].
type Sources struct {
	Addresses map[string][]string // these come first
	Starters  map[string]Starter
	Default   map[string]string

	mu      sync.Mutex
	started map[source]Cluster // that run
}

// source is a broker that was started here: its server, and what it was asked for.
type source struct{ server, wants string }

// A Starter starts a broker that ends with this process at the latest, and
// returns once it serves. wants is what [broker.Driver.Wants] asks of it.
type Starter func(ctx context.Context, wants string) (Cluster, error)

// A Cluster is a broker that was started here, of one node or several.
type Cluster interface {
	// Addresses returns the addresses of all nodes, whether they run or not.
	Addresses() []string

	// Nodes returns the nodes, in the order of their indexes.
	Nodes() []Node

	// Settings returns what the nodes were told, as the broker writes it, that decides
	// what becomes of faults between them and is not what it would be by default.
	Settings() []string

	// Leader returns the index of the node that leads a queue or a stream, by the
	// name that the broker knows it by; see [broker.Queues]. While the leader is
	// silent or being elected, nobody knows, and that is an error.
	Leader(ctx context.Context, queue string) (int, error)

	// Close ends all nodes for good and removes what they stored.
	Close(ctx context.Context) error
}

// A Node is one process of a broker, which faults can act on. Methods may be
// called concurrently; an action that the node's state does not allow is an error.
type Node interface {
	// URL returns the node's address, which stays the same across restarts.
	URL() string

	// Kill ends the process at once, as a crash does. What it stored stays.
	Kill() error

	// Pause freezes the process: its connections stay open and nothing moves. A
	// paused process can be resumed, killed, halted and closed.
	Pause() error

	// Resume ends what Pause began.
	Resume() error

	// Halt stops the node gracefully, within ctx or it is killed. What it stored
	// stays.
	Halt(ctx context.Context) error

	// Restart starts the node again, after Kill or Halt, at its address and with
	// what it stored, and returns once it serves.
	Restart(ctx context.Context) error
}

// Of returns the addresses of the broker that serves d with the given
// parameters, starting it if it is to be started here and does not run yet. It
// returns none for a broker in this process.
func (s *Sources) Of(ctx context.Context, d *broker.Driver, params broker.Params) ([]string, error) {
	if d.Server == "" {
		return nil, nil
	}
	wants := wanted(d, params)
	if a := s.Addresses[d.Server]; len(a) > 0 {
		if wants != "" {
			return nil, fmt.Errorf("use %s at %s with %s: that is a setting of the server itself, and nobody here "+
				"knows "+
				"how it is set; use the embedded server, or leave the parameter "+
				"out", d.Name, broker.RedactedList(a), wants)
		}
		return a, nil
	}
	if start := s.Starters[d.Server]; start != nil {
		c, err := s.start(ctx, source{d.Server, wants}, start)
		if err != nil {
			return nil, err
		}
		return c.Addresses(), nil
	}
	if a := s.Default[d.Server]; a != "" {
		return []string{a}, nil
	}
	return nil, fmt.Errorf("find broker %s: no address is known; give one with --broker-url %s=URL", d.Name, d.Server)
}

// wanted says what the parameters ask of the server itself.
func wanted(d *broker.Driver, params broker.Params) string {
	if d.Wants == nil {
		return ""
	}
	return d.Wants(params)
}

func (s *Sources) start(ctx context.Context, key source, start Starter) (Cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.started[key]; c != nil {
		return c, nil
	}
	c, err := start(ctx, key.wants)
	if err != nil {
		return nil, err
	}
	if s.started == nil {
		s.started = make(map[source]Cluster)
	}
	s.started[key] = c
	return c, nil
}

// Cluster returns the broker that serves d with the given parameters, if it was
// started here.
func (s *Sources) Cluster(d *broker.Driver, params broker.Params) (c Cluster, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok = s.started[source{d.Server, wanted(d, params)}]
	return c, ok
}

// Nodes returns the nodes of every broker of a server that was started here. A
// run has more than one only if its cells ask for different settings of it; the
// one of a cell is [Sources.Cluster].
func (s *Sources) Nodes(server string) (nodes []Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, c := range s.started {
		if key.server == server {
			nodes = append(nodes, c.Nodes()...)
		}
	}
	return nodes
}

// Close ends the brokers that were started here, all at once.
func (s *Sources) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var closing sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, c := range s.started {
		closing.Go(func() {
			err := c.Close(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	closing.Wait()
	s.started = nil
	return errors.Join(errs...)
}
