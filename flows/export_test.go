package flows

import (
	"context"
	"time"

	"flowbench/flows/chunks"
)

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

// Lying returns how many bytes a party holds of the chunks that have come and were not
// read.
func Lying(c Conn) (bytes int) {
	s := c.(*streamConn)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.incoming {
		bytes += in.receiver.Held() + in.pile.bytes
	}
	return bytes
}

// Address returns the body of a message that carries an address.
func Address(uri string, size int) []byte { return address(uri, size) }

// A Pile is a pile.
type Pile struct{ pile }

// Open has the pile take chunks.
func (p *Pile) Open(capacity int) { p.open(capacity) }

// Put lays a chunk of so many bytes and that number on the pile.
func (p *Pile) Put(seq uint64, n int) bool {
	return p.put(0, chunks.Frame{Kind: chunks.Chunk, Seq: seq, Data: make([]byte, n)})
}

// Take takes the chunk that came first, and returns its number and size.
func (p *Pile) Take() (seq uint64, n int, ok bool) {
	a, ok := p.take()
	return a.frame.Seq, len(a.frame.Data), ok
}

// Settle notes what has been examined and what is held.
func (p *Pile) Settle(examined, held int) { p.settle(examined, held) }

// Close closes the pile.
func (p *Pile) Close() { p.close() }

// A Bell is a bell.
type Bell struct{ bell }

// Wake rings it.
func (b *Bell) Wake() { b.wake() }

// Wait waits for it.
func (b *Bell) Wait(ctx context.Context, rt Runtime, d time.Duration) error {
	return b.wait(ctx, rt, d)
}

// Rest gives up what waits share.
func (b *Bell) Rest() { b.rest() }
