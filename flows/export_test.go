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

// Streamed returns the flow with its payloads carried as streams.
func Streamed(f Flow, c Carriage) Flow { return streamed(f, c) }

// StreamBroker returns the broker with large payloads carried as streams.
func StreamBroker(rt Runtime, b Broker, c Carriage) Broker { return streamBroker(rt, b, c) }

// Held returns how much of its room a party with streams has used at most, and how
// much it uses now.
func Held(c Conn) (most, now int) {
	r := &c.(*streamConn).room
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most, r.used
}

// Streams returns how many streams a party has under way, each way, and how many
// activities it has.
func Streams(c Conn) (out, in, active int) {
	s := c.(*streamConn)
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outgoing), len(s.incoming) - len(s.finished), s.active
}

// Address returns the body of a message that carries an address.
func Address(uri string, size int) []byte { return address(uri, size) }
