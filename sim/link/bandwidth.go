package link

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bandwidth lets no more than so many bytes through in a second. All connections
// of a link share it, as they would share a cable; each direction has its own.
type Bandwidth struct{ BytesPerS int64 }

const (
	// credit is how much lateness is paid back. Whoever sleeps between two pieces
	// wakes up late, and without paying back it delivers three quarters of
	// 10 MB/s and a quarter of 100 MB/s.
	credit = 20 * time.Millisecond

	// grain is how long one piece takes at the given rate.
	grain = 5 * time.Millisecond
)

// String returns the parameters in words.
func (b Bandwidth) String() string { return fmt.Sprintf("bandwidth of %d bytes/s", b.BytesPerS) }

func (b Bandwidth) check() error {
	if b.BytesPerS <= 0 {
		return errors.New("want more than 0 bytes per second")
	}
	return nil
}

func (b Bandwidth) impose(r *rules, a *Armed) {
	for i := range r.ways {
		if a.direction&(1<<i) != 0 {
			if a.paces[i] == nil {
				a.paces[i] = &pace{rate: b.BytesPerS}
			}
			r.ways[i].bandwidth = append(r.ways[i].bandwidth, a)
		}
	}
}

// quantum returns how many bytes are written at once at most.
func (b Bandwidth) quantum() int {
	return max(1, int(min(float64(b.BytesPerS)*grain.Seconds(), pieceSize)))
}

// A pace says when bytes may go.
type pace struct {
	rate int64

	mu   sync.Mutex
	next time.Time // when what was permitted so far has gone
}

// reserve permits n bytes and returns from when on. Time that nobody used is
// lost, but for the credit.
func (p *pace) reserve(now time.Time, n int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.next.IsZero():
		p.next = now
	case now.Sub(p.next) > credit:
		p.next = now.Add(-credit)
	}
	at := p.next
	p.next = at.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
	return at
}
