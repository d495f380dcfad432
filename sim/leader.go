package sim

import (
	"context"
	"sync"

	"flowbench/sim/fault"
)

// A leading is what a cell knows of who leads its queue of requests. To ask takes
// seconds where the broker's own tools must be started for it; so it is asked before
// the load, and a fault that is due then strikes at once. What is known holds until
// something is done to the nodes.
type leading struct {
	mu    sync.Mutex
	node  int
	known bool
}

// foresee asks who leads if a fault of the cell wants to know. An error says nothing
// yet: the fault asks again.
func (w *world) foresee(ctx context.Context) {
	c := w.cluster()
	if c == nil {
		return
	}
	for _, f := range w.cell.Faults {
		if kind, err := fault.Find(f.What); err == nil && kind.Leads(harmParams(f)) {
			node, err := c.Leader(ctx, w.queueName())
			w.leading.mu.Lock()
			w.leading.node, w.leading.known = node, err == nil
			w.leading.mu.Unlock()
			return
		}
	}
}

// leader returns the index of the node of c that leads the queue of requests, for
// something that is done to it now.
func (w *world) leader(ctx context.Context, c Cluster) (int, error) {
	w.leading.mu.Lock()
	node, known := w.leading.node, w.leading.known
	w.leading.mu.Unlock()
	if known {
		return node, nil
	}
	return c.Leader(ctx, w.queueName())
}

// unsettle forgets who leads, because something is done to the nodes.
func (w *world) unsettle() {
	w.leading.mu.Lock()
	w.leading.known = false
	w.leading.mu.Unlock()
}
