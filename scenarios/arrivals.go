package scenarios

import (
	"math"
	"math/bits"
	"time"

	"flowbench/flows"
)

// A Schedule says when operations are due, counted from the beginning of the
// load. It is not safe for concurrent use.
type Schedule interface {
	// Next returns when the next operation is due, never earlier than the one
	// before. ok is false once there are no more.
	Next() (at time.Duration, ok bool)
}

// Schedule returns when the operations of an open load are due: round(rate ×
// (warmup + duration)) of them, all within that time, where the rate may have a
// shape. The same load and seed make the same schedule. A closed load has none: its
// users make their own, and Next is never ok.
func (l Load) Schedule(seed uint64) Schedule {
	span := l.Warmup + l.Duration
	total := l.RatePerS * span.seconds()
	var rates curve
	if l.Shape != nil {
		rates = l.curve()
		total = rates.count(span.seconds())
	}
	n := uint64(math.Round(total))
	switch l.Arrivals {
	case Constant:
		return &constantSchedule{rate: l.RatePerS, rates: rates, span: time.Duration(span), n: n}
	case Poisson:
		return &poissonSchedule{
			seed: mix(seed ^ arrivalsRole), span: time.Duration(span), n: n, rates: rates, total: total,
		}
	case Replay:
		return l.replay()
	default:
		return &constantSchedule{}
	}
}

// instant returns the time at which a curve reaches n, held within the span and not
// before the one before it.
func instant(rates curve, n float64, last, span time.Duration) time.Duration {
	at := time.Duration(rates.when(n) * float64(time.Second))
	return max(last, min(at, span-1))
}

// A constantSchedule computes every instant from its number, so that no error
// adds up however long it runs.
type constantSchedule struct {
	rate  float64       // per second
	rates curve         // nil where the rate is steady
	span  time.Duration // of those with a curve
	i, n  uint64
	last  time.Duration // the latest instant of those with a curve
}

func (s *constantSchedule) Next() (time.Duration, bool) {
	if s.i >= s.n {
		return 0, false
	}
	n := float64(s.i)
	s.i++
	if s.rates != nil {
		s.last = instant(s.rates, n, s.last, s.span)
		return s.last, true
	}
	return time.Duration(n / s.rate * float64(time.Second)), true
}

// A poissonSchedule yields n instants that are independent and uniform in the
// span, or in the integral of the rate where that has a shape, in order: a Poisson
// process of which the count is known. Two runs so have the same number of
// operations, which a process left to itself would not.
//
// With k of n drawn, the smallest of the n-k others has the rest of the span to
// itself but for a factor that is distributed as the (n-k)-th root of a uniform
// number: (1-u) shrinks by that factor each time. Kept as a logarithm, it is a
// sum of exponential numbers over n-k, which loses no digits.
type poissonSchedule struct {
	seed uint64
	span time.Duration
	k, n uint64
	rest float64       // ln(1-u) of the latest instant
	last time.Duration // the latest instant

	rates curve   // nil where the rate is steady
	total float64 // of the curve
}

func (s *poissonSchedule) Next() (time.Duration, bool) {
	if s.k >= s.n {
		return 0, false
	}
	s.rest += math.Log(open01(draw(s.seed, s.k))) / float64(s.n-s.k)
	s.k++
	u := -math.Expm1(s.rest)
	if s.rates != nil {
		s.last = instant(s.rates, u*s.total, s.last, s.span)
		return s.last, true
	}
	at := time.Duration(u * float64(s.span))
	s.last = max(s.last, min(at, s.span-1))
	return s.last, true
}

// Operation returns what operation number i of a cell is: a command or a query,
// and the number of the key that it concerns. It depends on the cell's seed and
// on i alone, not on who asks or when, so that flows that run at different
// speeds still do the same work.
func (c *Cell) Operation(i uint64) (kind flows.Kind, key int) {
	r := draw(c.Seed, i)
	kind = flows.Query
	if unit(r) < c.Load.CommandShare {
		kind = flows.Command
	}
	hi, _ := bits.Mul64(mix(r+golden), uint64(c.Load.Keys))
	return kind, int(hi)
}

// Urgent reports whether operation number i of a cell is urgent. It has a draw of
// its own: another share of urgent operations leaves the kinds and the keys of
// all of them as they are, and what is urgent at one share is at every larger one.
func (c *Cell) Urgent(i uint64) bool {
	return unit(draw(mix(c.Seed^urgencyRole), i)) < c.Load.UrgentShare
}

// SeedFor derives a seed for one role in the cell, such as "service". Cells
// with the same Seed get the same seed for a role; name the cell in the role
// where that is not wanted.
func (c *Cell) SeedFor(role string) uint64 { return derive(c.Seed, role) }

// The roles tell the streams of arrivals and of urgency from that of operations.
const (
	arrivalsRole = 0x61727269_76616c73 // "arrivals"
	urgencyRole  = 0x00757267_656e6379 // "urgency"
)

// golden is 2^64 over the golden ratio, the step of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64: it maps different numbers to different
// numbers that look random.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// draw returns number i of the SplitMix64 sequence of a seed.
func draw(seed, i uint64) uint64 { return mix(seed + (i+1)*golden) }

// derive returns a seed for a role, by FNV-1a over the role's name.
func derive(seed uint64, role string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(role) {
		h = (h ^ uint64(role[i])) * 0x100000001b3
	}
	return mix(mix(seed+golden) ^ h)
}

// unit maps a random number to [0, 1).
func unit(r uint64) float64 { return float64(r>>11) * 0x1p-53 }

// open01 maps a random number to (0, 1).
func open01(r uint64) float64 { return (float64(r>>11) + 0.5) * 0x1p-53 }
