package scenarios

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Shape says how the rate of an open load changes in the measured time. The
// warm-up has the rate that the shape begins with. A steady load has none.
type Shape struct {
	Kind ShapeKind `json:"kind"`

	FromPerS float64 `json:"from_per_s,omitempty"` // ramp
	ToPerS   float64 `json:"to_per_s,omitempty"`

	RatesPerS []float64 `json:"rates_per_s,omitempty"` // steps

	BasePerS float64  `json:"base_per_s,omitempty"` // spike
	PeakPerS float64  `json:"peak_per_s,omitempty"`
	At       Duration `json:"at,omitempty"` // from the beginning of the measured time
	For      Duration `json:"for,omitempty"`

	MeanPerS      float64  `json:"mean_per_s,omitempty"` // sine
	AmplitudePerS float64  `json:"amplitude_per_s,omitempty"`
	Period        Duration `json:"period,omitempty"`
}

// A ShapeKind names the course that a rate takes.
type ShapeKind string

// The kinds of shapes.
const (
	Steady ShapeKind = "steady" // one rate throughout
	Ramp   ShapeKind = "ramp"   // from one rate to another, evenly
	Steps  ShapeKind = "steps"  // one rate after the other, each for the same time
	Spike  ShapeKind = "spike"  // a base rate, and once a peak
	Sine   ShapeKind = "sine"   // around a mean, in waves
)

const (
	shapePath = "load.shape"
	ratePath  = "load.rate_per_s"
	maxRate   = 200_000 // operations per second
	maxSteps  = 100
)

func (s *Scenario) shapeSettings() []setting {
	p := &Shape{Kind: Steady}
	s.Load.Shape = p
	kind := func(k ShapeKind) *when {
		return &when{"kind", func() string { return string(p.Kind) }, []string{string(k)}}
	}
	of := func(k ShapeKind, key string, v value, about string) setting {
		return setting{key: key, when: kind(k), required: true, value: v, about: about}
	}
	return []setting{
		{key: "kind", value: choice[ShapeKind]{&p.Kind, []ShapeKind{Steady, Ramp, Steps, Spike, Sine}},
			about: "steady: one rate; ramp: evenly from one to another; steps: one after the other, each for the " +
				"same time; spike: a base and once a peak; sine: waves around a mean, rising first"},
		of(Ramp, "from_per_s", float{&p.FromPerS, 0, maxRate}, "operations per second when a ramp begins"),
		of(Ramp, "to_per_s", float{&p.ToPerS, 0, maxRate}, "operations per second when a ramp ends"),
		of(Steps, "rates_per_s", floats{&p.RatesPerS, maxSteps, 0, maxRate},
			"operations per second of each step, such as [100, 200, 400]"),
		of(Spike, "base_per_s", float{&p.BasePerS, 0, maxRate}, "operations per second before and after a spike"),
		of(Spike, "peak_per_s", float{&p.PeakPerS, 0, maxRate}, "operations per second in a spike"),
		of(Spike, "at", span{&p.At, 0, 24 * hour},
			"when a spike begins, counted from the beginning of the measured time"),
		of(Spike, "for", span{&p.For, millisecond, 24 * hour},
			"how long a spike lasts; it ends within the measured time"),
		of(Sine, "mean_per_s", float{&p.MeanPerS, 0.1, maxRate}, "operations per second that waves go around"),
		of(Sine, "amplitude_per_s", float{&p.AmplitudePerS, 0, maxRate},
			"how far waves go above and below; at most the mean"),
		of(Sine, "period", span{&p.Period, 10 * millisecond, 24 * hour}, "length of a wave"),
	}
}

// settleShape takes out what does not apply, fits the rate to the shape, and
// reports settings that contradict each other. The rate of a load with a shape is
// its mean over the measured time.
func (s *Scenario) settleShape(r *reader) {
	l := &s.Load
	p := l.Shape
	if p == nil || p.Kind == Steady || l.Arrivals == Closed || l.Arrivals == Replay {
		l.Shape = nil
		return
	}
	if !r.sound("duration", "warmup") || !r.soundWithin(shapePath) || !p.complete() {
		return // what is wrong has been told
	}
	if r.wrote(ratePath) {
		r.add(r.where(ratePath), "%s does not go with %s.kind %s, which has rates of its own; want it taken out",
			ratePath, shapePath, p.Kind)
	}
	switch {
	case p.Kind == Spike && p.At+p.For > l.Duration:
		r.add(r.where(shapePath+".for", shapePath+".at", "duration"),
			"the spike ends at %s, after the measured time of %s; want it within", p.At+p.For, l.Duration)
	case p.Kind == Sine && p.AmplitudePerS > p.MeanPerS:
		r.add(r.where(shapePath+".amplitude_per_s", shapePath+".mean_per_s"),
			"%s.amplitude_per_s %s is more than mean_per_s %s, and the rate would fall below zero; want at most that",
			shapePath, formatFloat(p.AmplitudePerS), formatFloat(p.MeanPerS))
	}
	c := l.curve()
	end := (l.Warmup + l.Duration).seconds()
	n := c.count(end) - c.count(l.Warmup.seconds())
	if n < 1 {
		r.add(r.where(shapePath, "duration"), "the shape has less than one operation in the measured %s; want more",
			l.Duration)
	}
	l.RatePerS = n / l.Duration.seconds()
	if total := c.count(end); total > maxOperations {
		r.add(r.where(shapePath, "duration", "warmup"),
			"the shape has %.3g operations in each cell; want at most %d", total, maxOperations)
	}
}

// complete reports whether all is there that the kind of shape needs.
func (p *Shape) complete() bool {
	switch p.Kind {
	case Steps:
		return len(p.RatesPerS) > 0
	case Sine:
		return p.MeanPerS > 0 && p.Period > 0
	default:
		return true
	}
}

// String describes the shape in one phrase.
func (p *Shape) String() string {
	rate := func(v float64) string { return formatFloat(v) + "/s" }
	switch p.Kind {
	case Ramp:
		return "a ramp from " + rate(p.FromPerS) + " to " + rate(p.ToPerS)
	case Steps:
		all := make([]string, len(p.RatesPerS))
		for i, v := range p.RatesPerS {
			all[i] = formatFloat(v)
		}
		return "steps of " + strings.Join(all, ", ") + " per second"
	case Spike:
		return fmt.Sprintf("%s with a spike of %s after %s for %s", rate(p.BasePerS), rate(p.PeakPerS), p.At, p.For)
	case Sine:
		return fmt.Sprintf("waves of %s ± %s every %s", rate(p.MeanPerS), rate(p.AmplitudePerS), p.Period)
	default:
		return "one rate"
	}
}

// clone returns a copy that shares nothing.
func (p *Shape) clone() *Shape {
	if p == nil {
		return nil
	}
	own := *p
	own.RatesPerS = slices.Clone(p.RatesPerS)
	return &own
}

// A RatePoint is a point of a line that shows a rate over time. Two points at one
// time are a jump.
type RatePoint struct {
	At   time.Duration // since the load began
	PerS float64
}

// sinePoints is how many points a line through a wave has, and maxPoints a line.
const (
	sinePoints = 24
	maxPoints  = 2000
)

// Rates returns the line of the rate over time, warm-up included, or nil for a
// load without a shape. Between its points the rate is even; waves are drawn by
// points on them.
func (l Load) Rates() []RatePoint {
	if l.Shape == nil {
		return nil
	}
	warmup, end := time.Duration(l.Warmup), time.Duration(l.Warmup+l.Duration)
	if l.Shape.Kind == Sine {
		c := l.curve()
		line := []RatePoint{{0, c.rate(0)}}
		period := time.Duration(l.Shape.Period)
		step := max(period/sinePoints, (end-warmup)/maxPoints)
		for at := warmup; at < end; at += step {
			line = append(line, RatePoint{at, c.rate(at.Seconds())})
		}
		return append(line, RatePoint{end, c.rate(end.Seconds())})
	}
	var line []RatePoint
	all := l.pieces()
	from := time.Duration(0)
	for i, p := range all {
		to := end
		if i < len(all)-1 { // what rounding to a nanosecond would leave open is closed
			to = min(time.Duration(math.Round((p.from+p.length)*float64(time.Second))), end)
		}
		line = append(line, RatePoint{from, p.begin}, RatePoint{to, p.end})
		from = to
	}
	return line
}
