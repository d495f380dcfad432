package words

import (
	"fmt"
	"time"

	"flowbench/results"
)

// A Quantile is one number of a histogram, together with whether it may be read
// as a finding.
type Quantile struct {
	P        float64
	Value    time.Duration
	N        int64 // 0 means that there is no value
	Resolved bool  // enough values lie beyond it; the largest value is what it is
}

// QuantileOf returns quantile p of h, which may be nil; p = 1 is the largest
// value.
func QuantileOf(h *results.Hist, p float64) Quantile {
	if h == nil || h.N() == 0 {
		return Quantile{P: p}
	}
	return Quantile{P: p, Value: h.Quantile(p), N: h.N(), Resolved: p >= 1 || h.Resolved(p)}
}

// String returns the value, in parentheses if it is not resolved, or [Absent].
func (q Quantile) String() string {
	switch {
	case q.N == 0:
		return Absent
	case !q.Resolved:
		return "(" + Duration(q.Value) + ")"
	}
	return Duration(q.Value)
}

// Why says why the value is not resolved, or how many values it is taken from.
func (q Quantile) Why() string {
	switch {
	case q.N == 0:
		return "no operation reached this stage"
	case !q.Resolved:
		return fmt.Sprintf("not resolved: of %s fewer than 10 lie beyond %s", Plural(q.N, "sample"), Percentile(q.P))
	}
	return "of " + Plural(q.N, "sample")
}
