package flows

import "context"

// A Gate is a gate, for tests that need a runtime from elsewhere.
type Gate struct{ *gate }

// NewGate returns a gate before so many workers.
func NewGate(rt Runtime, workers int, urgent, normal Subscription) Gate {
	return Gate{newGate(rt, workers, urgent, normal)}
}

// Run has the gate take requests off the broker until ctx is done or it closes.
func (g Gate) Run(ctx context.Context) {
	var waits []func(context.Context) error
	for class := range g.from {
		waits = append(waits, g.runtime.Go(ctx, func(ctx context.Context) { g.receive(ctx, class) }))
	}
	joinAll(ctx, waits)
}

// Held returns how many requests were taken off the broker and given to nobody.
func (g Gate) Held() int { return len(g.held[urgentClass]) + len(g.held[normalClass]) }
