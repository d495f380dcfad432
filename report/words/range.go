package words

import (
	"strings"
	"time"

	"flowbench/results"
)

// A Range is how far apart the repeats of a cell are in one quantile.
type Range struct {
	N               int // repeats that have the quantile
	Lowest, Highest time.Duration
	Resolved        bool // in each of them
}

// RangeOf returns how far apart the repeats of a merged cell are in quantile p of
// the latency to a stage.
func RangeOf(c *results.Cell, k results.Kind, s results.Stage, p float64) Range {
	r := Range{Resolved: true}
	for _, o := range c.Observations {
		h := o.LatencyOf(k, s)
		if h == nil {
			continue
		}
		v := h.Quantile(p)
		if r.N == 0 {
			r.Lowest, r.Highest = v, v
		}
		r.N++
		r.Lowest, r.Highest = min(r.Lowest, v), max(r.Highest, v)
		r.Resolved = r.Resolved && h.Resolved(p)
	}
	return r
}

// String returns the range with its unit once where both ends have the same, in
// parentheses if one of them is not resolved, or [Absent].
func (r Range) String() string {
	if r.N == 0 {
		return Absent
	}
	lo, hi := Duration(r.Lowest), Duration(r.Highest)
	if number, unit, _ := strings.Cut(lo, " "); strings.HasSuffix(hi, " "+unit) {
		lo = number
	}
	s := lo + " … " + hi
	if !r.Resolved {
		return "(" + s + ")"
	}
	return s
}

// RateRange returns from which to which rate the repeats of a merged cell ended
// operations ok.
func RateRange(c *results.Cell) (lowest, highest float64) {
	for i, o := range c.Observations {
		v := o.AchievedPerS()
		if i == 0 {
			lowest, highest = v, v
		}
		lowest, highest = min(lowest, v), max(highest, v)
	}
	return lowest, highest
}

// Rates returns the range of [RateRange] as text, or [Absent] for a cell without
// repeats.
func Rates(c *results.Cell) string {
	if len(c.Observations) == 0 {
		return Absent
	}
	lo, hi := RateRange(c)
	return Digits(lo) + " … " + Digits(hi)
}
