package sim

import (
	"context"
	"flowbench/sim/broker"
)

// A Cluster is a broker that was started here, of one node or several.
type Cluster interface {
	// Addresses returns the addresses of all nodes, whether they run or not.
	Addresses() []string

	// Nodes returns the nodes, in the order of their indexes.
	Nodes() []Node

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

func (s *Sources) Cluster(*broker.Driver, broker.Params) (Cluster, bool) { return nil, false }
