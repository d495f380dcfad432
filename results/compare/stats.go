package compare

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchmath"
)

// alpha is the chance that a comparison with no change in it calls one.
const alpha = 0.05

// confidence is the level of the intervals.
const confidence = 0.95

// pValue returns how likely observations as different as these are if both sides are
// the same, by Mann and Whitney's test, two-sided.
func pValue(a, b []float64) float64 {
	t := benchmath.DefaultThresholds
	t.CompareAlpha = alpha
	x := benchmath.NewSample(slices.Clone(a), &t) // it sorts what it is given
	y := benchmath.NewSample(slices.Clone(b), &t)
	return min(1, benchmath.AssumeNothing.Compare(x, y).P) // with ties, twice a one-sided chance may be above 1
}

// attainable returns the lowest p-value that so many observations on each side can
// come to: that of all on one side being below all on the other, 2 / (a+b over a).
func attainable(a, b int) float64 {
	if a < 1 || b < 1 {
		return 1
	}
	ways := 1.0
	for i := 1; i <= a; i++ {
		ways = ways * float64(b+i) / float64(i)
	}
	return min(1, 2/ways)
}

// needed returns how many observations on each side are the fewest that can show a
// change among so many comparisons.
func needed(comparisons int) int {
	n := 2
	for attainable(n, n)*float64(max(1, comparisons)) >= alpha {
		n++
	}
	return n
}

// holm returns p-values adjusted for their number: the ith smallest of m times
// m-i+1, and no smaller than any before it. Calling those below alpha is wrong
// anywhere with a chance of alpha at most, however the comparisons depend on each
// other.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted, highest := make([]float64, len(p)), 0.0
	for rank, i := range order {
		highest = max(highest, min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = highest
	}
	return adjusted
}

// An Estimate is a ratio of the new side to the old, with an interval.
type Estimate struct {
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	// Confidence is the level of the interval. It is below 0.95 where there are too
	// few observations for that.
	Confidence float64 `json:"confidence"`
}

// ratio estimates how many times larger the new observations are than the old: the
// median of the ratios of all pairs, by Hodges and Lehmann, and the interval that
// holds all ratios by which Mann and Whitney's test would not tell the sides apart.
// It returns false where an observation is not positive.
func ratio(old, recent []float64) (Estimate, bool) {
	ratios := make([]float64, 0, len(old)*len(recent))
	for _, o := range old {
		for _, n := range recent {
			if o <= 0 || n <= 0 || math.IsInf(o, 0) || math.IsInf(n, 0) {
				return Estimate{}, false
			}
			ratios = append(ratios, n/o)
		}
	}
	if len(ratios) == 0 {
		return Estimate{}, false
	}
	slices.Sort(ratios)
	c, level := depth(len(old), len(recent))
	return Estimate{
		Ratio: median(ratios), Low: ratios[c-1], High: ratios[len(ratios)-c], Confidence: level,
	}, true
}

// depth returns which of the sorted ratios, from either end, bounds the interval,
// counting from 1, and the level of the interval.
func depth(a, b int) (c int, level float64) {
	most := a * b
	tail := func(c int) float64 { return tailOf(a, b, c-1) } // that fewer than c pairs are inverted
	lo, hi := 1, max(1, (most+1)/2)
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if 2*tail(mid) <= 1-confidence {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo, 1 - min(1, 2*tail(lo))
}

// exactly is up to how many observations on a side the distribution is computed;
// beyond, it is near enough to the normal one.
const exactly = 30

// tailOf returns the chance that Mann and Whitney's U is at most u, both sides being
// the same and no two observations equal.
func tailOf(a, b, u int) float64 {
	if a <= exactly && b <= exactly {
		return stats.UDist{N1: a, N2: b}.CDF(float64(u))
	}
	n, m := float64(a), float64(b)
	z := (float64(u) + 0.5 - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(-z/math.Sqrt2) / 2
}

// median returns the middle of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// medianOf returns the median of values in any order.
func medianOf(values []float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	return median(values)
}
