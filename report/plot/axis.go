package plot

import (
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// An axis maps values to positions between 0 and 1.
type axis struct {
	min, max float64
	scale    plot.Normalizer
	marks    [][]mark // candidates for its marks, most detailed first
	name     string
}

// A mark is a place on an axis that has a label.
type mark struct {
	at   float64
	text string
}

// norm returns where v lies, held within the axis.
func (a axis) norm(v float64) vg.Length {
	return vg.Length(a.scale.Normalize(a.min, a.max, min(max(v, a.min), a.max)))
}

// micros returns d in microseconds, at least one: what a logarithmic axis of
// latencies can show.
func micros(d time.Duration) float64 { return max(1, float64(d)/float64(time.Microsecond)) }

// A span collects the range of values that an axis must show.
type span struct{ min, max float64 }

func (s *span) add(v float64) {
	if s.max == 0 {
		s.min, s.max = v, v
	}
	s.min, s.max = min(s.min, v), max(s.max, v)
}

// latencyAxis returns a logarithmic axis over s, in microseconds, rounded
// outwards to 1, 2 or 5 times a power of ten.
func latencyAxis(s span) axis {
	if s.max == 0 {
		s = span{100, 10_000}
	}
	a := axis{min: roundDown(s.min * 0.999), max: roundUp(s.max * 1.001), scale: plot.LogScale{}, name: "latency"}
	for _, steps := range [][]float64{{1, 2, 5}, {1}} {
		a.marks = append(a.marks, decades(a.min, a.max, 1, steps...))
	}
	a.marks = append(a.marks, decades(a.min, a.max, 2, 1), decades(a.min, a.max, 3, 1))
	return a
}

// lagAxis returns the axis of latencies, named for the send lag.
func lagAxis(s span) axis {
	a := latencyAxis(s)
	a.name = "send lag"
	return a
}

// decades returns marks at steps of every nth power of ten.
func decades(lo, hi float64, nth int, steps ...float64) []mark {
	var marks []mark
	for d := int(math.Floor(math.Log10(lo) + 1e-9)); d <= int(math.Ceil(math.Log10(hi)-1e-9)); d++ {
		if d%nth != 0 {
			continue
		}
		for _, step := range steps {
			if v := step * math.Pow10(d); v >= lo*(1-1e-9) && v <= hi*(1+1e-9) {
				marks = append(marks, mark{v, round(v)})
			}
		}
	}
	return marks
}

// round returns a round latency in the unit that makes it short.
func round(us float64) string {
	switch {
	case us >= 1e6:
		return strconv.FormatFloat(us/1e6, 'g', 4, 64) + " s"
	case us >= 1e3:
		return strconv.FormatFloat(us/1e3, 'g', 4, 64) + " ms"
	}
	return strconv.FormatFloat(us, 'g', 4, 64) + " µs"
}

func roundDown(v float64) float64 {
	d := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, step := range []float64{5, 2} {
		if step*d <= v {
			return step * d
		}
	}
	return d
}

func roundUp(v float64) float64 {
	d := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, step := range []float64{1, 2, 5} {
		if step*d >= v {
			return step * d
		}
	}
	return 10 * d
}

// ninesAxis returns the axis of percentile curves: 1/(1-p) on a logarithmic
// scale, so that each further nine takes the same room.
func ninesAxis(n int64) axis {
	a := axis{min: 1, max: max(20, float64(n)), scale: plot.LogScale{}, name: "percentile"}
	all := []mark{{1, "0 %"}, {2, "50 %"}, {10, "90 %"}, {100, "99 %"}, {1e3, "99.9 %"}, {1e4, "99.99 %"},
		{1e5, "99.999 %"}, {1e6, "99.9999 %"}}
	var marks []mark
	for _, m := range all {
		if m.at <= a.max {
			marks = append(marks, m)
		}
	}
	a.marks = append(a.marks, marks, marks[1:])
	if len(marks) > 3 {
		a.marks = append(a.marks, marks[2:])
	}
	if len(marks) > 4 {
		a.marks = append(a.marks, []mark{marks[2], marks[4]})
	}
	return a
}

// timeAxis returns the axis of seconds since the load began.
func timeAxis(seconds float64) axis {
	a := axis{min: 0, max: max(1, seconds), scale: plot.LinearScale{}, name: "seconds since the load began"}
	for _, step := range []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600,
		1200, 1800, 3600, 7200, 14400, 43200, 86400} {
		if a.max/step > 13 {
			continue
		}
		var marks []mark
		for v := 0.0; v <= a.max; v += step {
			marks = append(marks, mark{v, strconv.FormatFloat(v, 'f', -1, 64)})
		}
		a.marks = append(a.marks, marks)
	}
	return a
}

// shareAxis returns an axis from 0 to hi without marks.
func shareAxis(hi float64) axis {
	return axis{min: 0, max: hi, scale: plot.LinearScale{}, marks: [][]mark{nil}}
}

// sizeAxis returns a logarithmic axis of sizes in bytes with marks at those that
// were measured.
func sizeAxis(sizes []int) axis {
	a := axis{
		min: max(1, float64(sizes[0])), max: max(1, float64(sizes[len(sizes)-1])), scale: plot.LogScale{},
		name: "size of the payload",
	}
	if len(sizes) == 1 {
		a.min, a.max = a.min/2, a.max*2
	}
	for _, nth := range []int{1, 2, 4, 8, len(sizes)} {
		var marks []mark
		for i := 0; i < len(sizes); i += nth {
			marks = append(marks, mark{float64(sizes[i]), words.Size(sizes[i])})
		}
		a.marks = append(a.marks, marks)
	}
	return a
}

// timesAxis returns a logarithmic axis of how many times larger something is.
func timesAxis(s span) axis {
	if s.max == 0 {
		s = span{0.1, 10}
	}
	a := axis{min: roundDown(s.min * 0.999), max: roundUp(s.max * 1.001), scale: plot.LogScale{}}
	for _, steps := range [][]float64{{1, 2, 5}, {1}} {
		marks := decades(a.min, a.max, 1, steps...)
		for i, m := range marks {
			marks[i].text = strconv.FormatFloat(m.at, 'g', 4, 64) + " ×"
		}
		a.marks = append(a.marks, marks)
	}
	return a
}

// plural returns the plural of a kind.
func plural(k results.Kind) string {
	if k == results.Query {
		return "queries"
	}
	return "commands"
}

// kindWord returns the plural of a kind, as titles begin with it.
func kindWord(k results.Kind) string {
	if k == results.Query {
		return "Queries"
	}
	return "Commands"
}
