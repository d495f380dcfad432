// Package balance decides which of several backends takes a request, and which
// of them take none for the time being.
//
// It is the whole judgement of a load balancer and nothing else: no clock, no
// lock and no network. Whoever has those reports what happens and acts on what
// is decided, be it a reverse proxy or a model in virtual time, so that both of
// them decide alike.
//
// A [Pool] picks in one of two ways. Round robin takes the backend whose last
// turn is longest ago, and does not look at how busy it is. Least pending takes
// the one with the fewest requests under way, and among several of those the
// one whose turn is longest ago. Both take turns among the backends that are
// well, whichever these are: after an ejection the share of the missing one is
// spread over all others, and does not fall to its neighbour.
//
// A backend is ejected when it fails several checks in a row, or several
// requests. It comes back when it passes several checks in a row. Checks say
// whether a backend is there; requests say whether it works. So one that passes
// its checks and fails its requests comes back again and again, and each time it
// spoils no more requests than are needed to see it.
package balance

import (
	"fmt"
	"time"
)

// Health says how backends are watched. The zero value stands for [Defaults].
type Health struct {
	Interval       time.Duration // from the beginning of one check to that of the next
	Timeout        time.Duration // of a check
	FailedChecks   int           // in a row, until a backend is ejected
	FailedRequests int           // in a row, until a backend is ejected
	GoodChecks     int           // in a row, until an ejected backend comes back
}

// Defaults returns what suits backends on the same machine.
func Defaults() Health {
	return Health{
		Interval: 250 * time.Millisecond, Timeout: 500 * time.Millisecond,
		FailedChecks: 2, FailedRequests: 3, GoodChecks: 2,
	}
}

// OrDefaults returns h, or the defaults if nothing is set.
func (h Health) OrDefaults() Health {
	if h == (Health{}) {
		return Defaults()
	}
	return h
}

// String returns h in words.
func (h Health) String() string {
	return fmt.Sprintf("checks every %v within %v, ejects after %d failed checks or %d failed requests in a row, "+
		"takes back after %d good checks", h.Interval, h.Timeout, h.FailedChecks, h.FailedRequests, h.GoodChecks)
}

// A Pool is backends of which each request takes one. It is not safe for
// concurrent use.
type Pool struct {
	leastPending bool
	health       Health
	backends     []backend
	turn         uint64
}

// A backend is what is known of one.
type backend struct {
	pending int    // requests under way
	last    uint64 // the turn in which it was taken last
	ejected bool

	failedChecks, failedRequests, goodChecks int // in a row
}

// New returns a pool of n backends, all of them well.
func New(n int, leastPending bool, h Health) *Pool {
	return &Pool{leastPending: leastPending, health: h, backends: make([]backend, n)}
}

// None is no backend.
const None = -1

// Take picks the backend for a request, which has it under way until [Pool.Leave].
// It does not pick the one that is excluded. It returns false if there is none
// that is well.
func (p *Pool) Take(excluded int) (picked int, ok bool) {
	picked = None
	for i := range p.backends {
		if i == excluded || p.backends[i].ejected {
			continue
		}
		if picked == None || p.before(&p.backends[i], &p.backends[picked]) {
			picked = i
		}
	}
	if picked == None {
		return None, false
	}
	p.turn++
	b := &p.backends[picked]
	b.last = p.turn
	b.pending++
	return picked, true
}

// before reports whether a is to be taken rather than b.
func (p *Pool) before(a, b *backend) bool {
	if p.leastPending && a.pending != b.pending {
		return a.pending < b.pending
	}
	return a.last < b.last
}

// Leave ends a request that took backend i.
func (p *Pool) Leave(i int) { p.backends[i].pending-- }

// Pending returns how many requests backend i has under way.
func (p *Pool) Pending(i int) int { return p.backends[i].pending }

// Ejected reports whether backend i takes no requests.
func (p *Pool) Ejected(i int) bool { return p.backends[i].ejected }

// Requested reports whether backend i did what can be expected of any with a
// request, and returns whether it is ejected for that. What becomes of requests
// that an ejected backend still had changes nothing.
func (p *Pool) Requested(i int, well bool) (ejected bool) {
	b := &p.backends[i]
	if b.ejected {
		return false
	}
	if well {
		b.failedRequests = 0
		return false
	}
	b.failedRequests++
	if b.failedRequests < p.health.FailedRequests {
		return false
	}
	b.eject()
	return true
}

// Checked reports how a check of backend i went, and returns whether that
// changes if it is ejected.
func (p *Pool) Checked(i int, well bool) (changed bool) {
	b := &p.backends[i]
	if well {
		b.failedChecks = 0
		b.goodChecks++
		if !b.ejected || b.goodChecks < p.health.GoodChecks {
			return false
		}
		b.ejected = false
		return true
	}
	b.goodChecks = 0
	b.failedChecks++
	if b.ejected || b.failedChecks < p.health.FailedChecks {
		return false
	}
	b.eject()
	return true
}

func (b *backend) eject() {
	b.ejected = true
	b.failedChecks, b.failedRequests, b.goodChecks = 0, 0, 0
}
