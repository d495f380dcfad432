package flows

import (
	"sync"
	"time"

	"flowbench/flows/chunks"
)

// A pile holds chunks of one incoming stream that nobody has examined yet. Its reader
// does that when it needs them. So the bytes are summed up by whoever is about to
// read them: one processor fetches them from memory, once, and whoever receives for
// all streams is done with a chunk at once.
type pile struct {
	mu       sync.Mutex // never held while waiting
	capacity int        // bytes that the stream may hold; 0 while there is no reader
	held     int        // bytes that are held after having been examined
	bytes    int        // bytes on the pile, and those that are being examined
	arrivals []arrival
}

// An arrival is a chunk and when it came.
type arrival struct {
	frame chunks.Frame
	at    time.Duration
}

// open has the pile take chunks, as long as the stream holds no more bytes than that.
func (p *pile) open(capacity int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.capacity = capacity
}

// put lays a chunk on the pile. It reports false if there is no place for it: then it
// must be examined at once, after those that lie there.
func (p *pile) put(now time.Duration, f chunks.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.capacity == 0 || len(f.Data) == 0 || p.held+p.bytes+len(f.Data) > p.capacity {
		return false // also one without bytes, of which any number would find a place
	}
	p.bytes += len(f.Data)
	p.arrivals = append(p.arrivals, arrival{f, now})
	return true
}

// take takes the chunk that came first. [pile.settle] must follow.
func (p *pile) take() (a arrival, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.arrivals) == 0 {
		return arrival{}, false
	}
	a = p.arrivals[0]
	p.arrivals[0] = arrival{}
	if p.arrivals = p.arrivals[1:]; len(p.arrivals) == 0 {
		p.arrivals = nil
	}
	return a, true
}

// settle notes that so many bytes that were taken have been examined, and how many the
// stream holds besides the pile.
func (p *pile) settle(examined, held int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes -= examined
	p.held = held
}

// close lets go of all that lies there. From then on the pile takes nothing.
func (p *pile) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.arrivals {
		p.bytes -= len(a.frame.Data)
	}
	p.capacity, p.arrivals = 0, nil
}
