package words

import (
	"strconv"
	"time"

	"flowbench/results/compare"
)

// Ratio returns the ratio of a row with its interval, or [Absent].
func Ratio(r compare.Row) string {
	e := r.Estimate
	if e == nil {
		return Absent
	}
	s := Times(e.Ratio)
	if e.Confidence > 0 {
		s += " (" + Times(e.Low) + " … " + Times(e.High) + ")"
	}
	return s
}

// Times returns how many times more something is, with what a reader can use of it:
// three digits behind the point near 1 and fewer far from it.
func Times(v float64) string {
	switch {
	case v >= 100:
		return Digits(v)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 2 || v < 0.5:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// Measure returns a value of a metric with its unit.
func Measure(m compare.Metric, v float64) string {
	switch m.Unit {
	case "us":
		return Duration(time.Duration(v * float64(time.Microsecond)))
	case "share":
		return Share(v)
	case "bytes":
		return Bytes(v)
	case "per_s":
		return Digits(v) + "/s"
	}
	return Digits(v)
}
