package scenarios

import (
	"math"
	"sort"
)

// A curve is the rate of a load over time. Times are in seconds since the load
// began, rates in operations per second.
//
// Operation number i is due when the integral of the rate reaches i, and the
// instants of a Poisson process of which the count is known are those at which the
// integral reaches sorted uniform numbers times its total (the order statistics of
// the process; Cox and Lewis 1966, section 2.3). So each instant follows from its
// own number, and no error adds up.
type curve interface {
	rate(at float64) float64
	count(at float64) float64 // the integral of the rate from 0
	when(n float64) float64   // its inverse; the latest such instant, where the rate is 0 for a while
}

// curve returns the rate over time of a load that has a shape.
func (l Load) curve() curve {
	if p := l.Shape; p.Kind == Sine {
		return wave{l.Warmup.seconds(), p.MeanPerS, p.AmplitudePerS, p.Period.seconds()}
	}
	return l.pieces()
}

// A piece is a part of a curve in which the rate changes evenly.
type piece struct {
	from, length float64
	begin, end   float64 // rates
	before       float64 // the integral until then
}

// count returns the integral over the first t seconds of the piece.
func (p piece) count(t float64) float64 {
	if p.length == 0 {
		return 0
	}
	return t * (p.begin + (p.end-p.begin)*(t/p.length)/2)
}

// when returns after how many seconds of the piece the integral reaches n. It is
// the root of a quadratic in the form that does not cancel, and is as good where
// the rate does not change or begins at 0.
func (p piece) when(n float64) float64 {
	if n <= 0 || p.length == 0 {
		return 0
	}
	slope := (p.end - p.begin) / p.length
	root := math.Sqrt(max(0, p.begin*p.begin+2*slope*n))
	return min(2*n/(p.begin+root), p.length)
}

// pieces are a curve of which all parts are even, in order.
type pieces []piece

// pieces returns the curve of a load whose shape is no wave.
func (l Load) pieces() pieces {
	var all pieces
	at, total := 0.0, 0.0
	add := func(length, begin, end float64) {
		p := piece{at, length, begin, end, total}
		all = append(all, p)
		at, total = at+length, total+p.count(length)
	}
	p, warmup, measured := l.Shape, l.Warmup.seconds(), l.Duration.seconds()
	switch p.Kind {
	case Ramp:
		add(warmup, p.FromPerS, p.FromPerS)
		add(measured, p.FromPerS, p.ToPerS)
	case Steps:
		add(warmup, p.RatesPerS[0], p.RatesPerS[0])
		for i, rate := range p.RatesPerS {
			at = warmup + measured*float64(i)/float64(len(p.RatesPerS))
			add(measured/float64(len(p.RatesPerS)), rate, rate)
		}
	case Spike:
		add(warmup+p.At.seconds(), p.BasePerS, p.BasePerS)
		add(p.For.seconds(), p.PeakPerS, p.PeakPerS)
		add((l.Duration - p.At - p.For).seconds(), p.BasePerS, p.BasePerS)
	}
	return all
}

// piece returns the last of all pieces for which within holds.
func (ps pieces) piece(within func(piece) bool) piece {
	i := sort.Search(len(ps), func(i int) bool { return !within(ps[i]) })
	return ps[max(0, i-1)]
}

func (ps pieces) at(t float64) piece { return ps.piece(func(p piece) bool { return p.from <= t }) }

func (ps pieces) rate(t float64) float64 {
	p := ps.at(t)
	if p.length == 0 {
		return p.end
	}
	return p.begin + (p.end-p.begin)*min(1, (t-p.from)/p.length)
}

func (ps pieces) count(t float64) float64 {
	p := ps.at(t)
	return p.before + p.count(min(t-p.from, p.length))
}

func (ps pieces) when(n float64) float64 {
	p := ps.piece(func(p piece) bool { return p.before <= n })
	return p.from + p.when(n-p.before)
}

// A wave is a curve that is steady in the warm-up and then goes up and down.
type wave struct{ warmup, mean, amplitude, period float64 }

func (w wave) rate(t float64) float64 {
	if t < w.warmup {
		return w.mean
	}
	return w.mean + w.amplitude*math.Sin(2*math.Pi*math.Mod(t-w.warmup, w.period)/w.period)
}

// over returns the integral over the first t seconds of a wave. What the sine adds
// is a·p/2π·(1-cos 2πt/p), written so that nothing cancels.
func (w wave) over(t float64) float64 {
	half := math.Sin(math.Pi * t / w.period)
	return w.mean*t + w.amplitude*w.period/math.Pi*half*half
}

func (w wave) count(t float64) float64 {
	if t <= w.warmup {
		return w.mean * t
	}
	waves := math.Floor((t - w.warmup) / w.period)
	return w.mean*(w.warmup+waves*w.period) + w.over(t-w.warmup-waves*w.period)
}

// when inverts the integral numerically within one wave: Newton's method, held in a
// bracket that every step narrows, since the rate may be 0 at the bottom of a wave.
func (w wave) when(n float64) float64 {
	if n <= w.mean*w.warmup {
		return n / w.mean
	}
	n -= w.mean * w.warmup
	waves := math.Floor(n / (w.mean * w.period))
	n -= waves * w.mean * w.period
	lo, hi := 0.0, w.period
	t := n / w.mean
	for range 200 { // each halves the bracket at least; 60 are enough, and 10 the rule
		miss := w.over(t) - n
		if miss > 0 {
			hi = t
		} else {
			lo = t
		}
		next := t - miss/(w.mean+w.amplitude*math.Sin(2*math.Pi*t/w.period))
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if math.Abs(next-t) < 1e-12 || next == lo || next == hi {
			t = next
			break
		}
		t = next
	}
	return w.warmup + waves*w.period + t
}
