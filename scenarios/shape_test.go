package scenarios

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// shapedLoads draws open loads with a shape, of some ten thousand operations at most.
func shapedLoads(t *rapid.T) Load {
	l := Load{
		Arrivals: rapid.SampledFrom([]Arrivals{Constant, Poisson}).Draw(t, "arrivals"),
		Warmup:   Duration(rapid.Int64Range(0, int64(2*second)).Draw(t, "warmup")),
		Duration: Duration(rapid.Int64Range(int64(100*millisecond), int64(8*second)).Draw(t, "duration")),
	}
	rate := func(name string) float64 {
		return rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 2000)).Draw(t, name)
	}
	p := &Shape{Kind: rapid.SampledFrom([]ShapeKind{Ramp, Steps, Spike, Sine}).Draw(t, "kind")}
	switch p.Kind {
	case Ramp:
		p.FromPerS, p.ToPerS = rate("from"), rate("to")
	case Steps:
		p.RatesPerS = rapid.SliceOfN(rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 2000)), 1, 8).Draw(t, "rates")
	case Spike:
		p.BasePerS, p.PeakPerS = rate("base"), rate("peak")
		p.At = Duration(rapid.Int64Range(0, int64(l.Duration)).Draw(t, "at"))
		p.For = Duration(rapid.Int64Range(0, int64(l.Duration-p.At)).Draw(t, "for"))
	case Sine:
		p.MeanPerS = rapid.Float64Range(0.1, 2000).Draw(t, "mean")
		p.AmplitudePerS = p.MeanPerS * rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(t, "amplitude")
		p.Period = Duration(rapid.Int64Range(int64(10*millisecond), int64(20*second)).Draw(t, "period"))
	}
	l.Shape = p
	return l
}

func TestShapedSchedulesAreSortedCompleteAndRepeatable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, seed := shapedLoads(t), rapid.Uint64().Draw(t, "seed")
		span := time.Duration(l.Warmup + l.Duration)
		n := int(math.Round(l.curve().count(span.Seconds())))
		all := instants(l.Schedule(seed), n)
		if len(all) != n {
			t.Fatalf("got %d instants; want %d, the rounded integral of the rate", len(all), n)
		}
		if !slices.IsSorted(all) {
			t.Fatal("the instants are not in order")
		}
		if n > 0 && (all[0] < 0 || all[n-1] >= span) {
			t.Fatalf("instants are from %s to %s; want from 0 to below %s", all[0], all[n-1], span)
		}
		if !slices.Equal(all, instants(l.Schedule(seed), n)) {
			t.Fatal("the same seed makes another schedule")
		}
	})
}

// The integral is checked against a sum over a fine grid, which knows nothing of its
// closed form.
func TestTheCountOfACurveIsTheIntegralOfItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := shapedLoads(t)
		c, end := l.curve(), (l.Warmup + l.Duration).seconds()
		until := rapid.Float64Range(0, end).Draw(t, "until")
		const parts = 20_000
		sum, most := 0.0, 0.0
		for i := range parts {
			sum += c.rate((float64(i)+0.5)/parts*until) * until / parts
		}
		for _, p := range l.Rates() {
			most = max(most, p.PerS)
		}
		// A jump within a part of the grid is off by no more than that part.
		if got, slack := c.count(until), 1e-6+10*most*until/parts; math.Abs(got-sum) > slack {
			t.Fatalf("the count after %g s is %g; the rates add up to %g", until, got, sum)
		}
	})
}

func TestTheInverseOfACurveInvertsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := shapedLoads(t)
		c, end := l.curve(), (l.Warmup + l.Duration).seconds()
		total := c.count(end)
		if total < 1 {
			return
		}
		n := rapid.Float64Range(0, total*(1-1e-9)).Draw(t, "n")
		at := c.when(n)
		if at < 0 || at > end*(1+1e-12) {
			t.Fatalf("operation %g is due after %g s; want within %g s", n, at, end)
		}
		if got := c.count(at); math.Abs(got-n) > 1e-7*(1+n) {
			t.Fatalf("operation %g is due after %g s, when %g have been", n, at, got)
		}
	})
}

// Instants that are evenly spaced in the integral are what a constant schedule is.
func TestAConstantScheduleWithAShapeHasOneOperationForEachUnitOfItsIntegral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := shapedLoads(t)
		l.Arrivals = Constant
		c := l.curve()
		for i, at := range instants(l.Schedule(1), 100_000) {
			if got := c.count(at.Seconds()); math.Abs(got-float64(i)) > 1e-3 {
				t.Fatalf("operation %d is due at %s, when %g have been", i, at, got)
			}
		}
	})
}

// Under the integral of the rate the instants of a Poisson process are uniform:
// forty bins of equal expectation have a chi-square of 39 degrees of freedom, which
// is below 72.1 but for one in a thousand. The seeds are fixed.
func TestPoissonInstantsFollowTheRateOfTheirShape(t *testing.T) {
	for name, shape := range map[string]*Shape{
		"ramp up":   {Kind: Ramp, FromPerS: 100, ToPerS: 3000},
		"ramp down": {Kind: Ramp, FromPerS: 3000, ToPerS: 0},
		"steps":     {Kind: Steps, RatesPerS: []float64{500, 0, 4000, 1000}},
		"spike":     {Kind: Spike, BasePerS: 1000, PeakPerS: 9000, At: 3 * second, For: second},
		"waves":     {Kind: Sine, MeanPerS: 2000, AmplitudePerS: 2000, Period: 3 * second},
	} {
		l := Load{Arrivals: Poisson, Shape: shape, Warmup: second, Duration: 10 * second}
		c := l.curve()
		total := c.count(11)
		for seed := range uint64(5) {
			const bins = 40
			var count [bins]float64
			n := 0
			for _, at := range instants(l.Schedule(seed), 100_000) {
				count[min(bins-1, int(c.count(at.Seconds())/total*bins))]++
				n++
			}
			chi := 0.0
			for _, k := range count {
				d := k - float64(n)/bins
				chi += d * d / (float64(n) / bins)
			}
			if chi > 72.1 {
				t.Errorf("%s, seed %d: chi-square of %d operations is %.1f; want at most 72.1", name, seed, n, chi)
			}
			// Instants that are too even are no Poisson process either.
			if chi < 15 {
				t.Errorf("%s, seed %d: chi-square is %.1f; want at least 15", name, seed, chi)
			}
		}
	}
}

// The transcript holds the instants still: a run of today can be repeated by the
// program of tomorrow.
func TestShapesMeanTheSameForEver(t *testing.T) {
	var b strings.Builder
	for _, shape := range []*Shape{
		{Kind: Ramp, FromPerS: 0, ToPerS: 8},
		{Kind: Steps, RatesPerS: []float64{2, 6, 0, 4}},
		{Kind: Spike, BasePerS: 1, PeakPerS: 10, At: second, For: 500 * millisecond},
		{Kind: Sine, MeanPerS: 4, AmplitudePerS: 4, Period: 2 * second},
	} {
		for _, a := range []Arrivals{Constant, Poisson} {
			l := Load{Arrivals: a, Shape: shape, Warmup: second / 2, Duration: 4 * second}
			fmt.Fprintf(&b, "%s, %s\n", shape, a)
			for _, at := range instants(l.Schedule(7), 1000) {
				// Microseconds are what other processors agree on in every last digit.
				fmt.Fprintf(&b, "  %s\n", at.Round(time.Microsecond))
			}
		}
	}
	matches(t, "testdata/shapes.txt", []byte(b.String()))
}

func TestTheLineOfARateIsThatOfItsCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := shapedLoads(t)
		line := l.Rates()
		end := time.Duration(l.Warmup + l.Duration)
		if len(line) < 2 || line[0].At != 0 || line[len(line)-1].At != end || len(line) > maxPoints+300 {
			t.Fatalf("the line has %d points, from %s to %s; want it from 0 to %s", len(line), line[0].At,
				line[len(line)-1].At, end)
		}
		c, sum := l.curve(), 0.0
		for i, p := range line[1:] {
			if p.At < line[i].At {
				t.Fatal("the points are not in order")
			}
			sum += (p.At - line[i].At).Seconds() * (p.PerS + line[i].PerS) / 2
		}
		want := c.count(end.Seconds())
		tolerance := 1e-3
		if l.Shape.Kind == Sine {
			tolerance = 0.05 // chords of an arc
			if l.Shape.Period < Duration(end) {
				tolerance = 0.1
			}
		}
		if math.Abs(sum-want) > tolerance*(1+want) {
			t.Fatalf("the area below the line is %g; want %g", sum, want)
		}
	})
	if (Load{Arrivals: Poisson, RatePerS: 3, Duration: second}).Rates() != nil {
		t.Error("a steady load has a line; want none")
	}
}

func TestALoadWithAShapeHasTheMeanRateOfItsMeasuredTime(t *testing.T) {
	for text, want := range map[string]float64{
		"{kind: ramp, from_per_s: 100, to_per_s: 300}":                      200,
		"{kind: steps, rates_per_s: [100, 200, 600]}":                       300,
		"{kind: spike, base_per_s: 100, peak_per_s: 900, at: 2s, for: 1s}":  180,
		"{kind: sine, mean_per_s: 250, amplitude_per_s: 100, period: 5s}":   250,
		"{kind: sine, mean_per_s: 250, amplitude_per_s: 250, period: 40s}":  250 + 250*2/math.Pi,
		"{kind: ramp, from_per_s: 0, to_per_s: 300}":                        150,
		"{kind: spike, base_per_s: 0, peak_per_s: 1000, at: 9s, for: 1s}":   100,
		"{kind: steps, rates_per_s: [5]}":                                   5,
		"{kind: steady}":                                                    300,
		"{kind: spike, base_per_s: 100, peak_per_s: 900, at: 0s, for: 10s}": 900,
		"{kind: steps, rates_per_s: [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]}":       1,
		"{kind: sine, mean_per_s: 250, amplitude_per_s: 0, period: 100ms}":  250,
	} {
		p := planOf(t, "name: x\nflows: [direct]\nduration: 10s\nload:\n  shape: "+text+"\n")
		if got := p.Cells[0].Load.RatePerS; math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: the rate is %g/s; want %g/s", text, got, want)
		}
	}
}

func TestQuickShortensAShapeAndASweepWithTheMeasuredTime(t *testing.T) {
	p := planOf(t, "name: x\nflows: [direct]\nduration: 20s\nload: {shape: {kind: spike, base_per_s: 10, "+
		"peak_per_s: 90, at: 10s, for: 5s}}\n", Quick()...)
	if s := p.Cells[0].Load.Shape; s.At != second || s.For != 500*millisecond {
		t.Errorf("the spike is at %s for %s; want at 1s for 500ms", s.At, s.For)
	}
	p = planOf(t, "name: x\nflows: [direct]\nduration: 8s\nload: {sweep: {confirm: 20s}}\n", Quick()...)
	if got := p.Cells[0].Load.Sweep.Confirm; got != 5*second {
		t.Errorf("a sweep confirms for %s; want 5s", got)
	}
}

func TestShapedSchedulesDoNotAllocate(t *testing.T) {
	for _, kind := range []string{
		"{kind: ramp, from_per_s: 0, to_per_s: 9000}",
		"{kind: sine, mean_per_s: 5000, amplitude_per_s: 5000, period: 1s}",
	} {
		c := planOf(t, "name: x\nflows: [direct]\nload: {shape: "+kind+"}\n").Cells[0]
		s := c.Load.Schedule(c.Seed)
		if n := testing.AllocsPerRun(1000, func() { s.Next() }); n != 0 {
			t.Errorf("%s: an instant allocates %g times; want 0", kind, n)
		}
	}
}

func BenchmarkRampNext(b *testing.B) {
	l := Load{Arrivals: Poisson, Duration: 24 * hour, Shape: &Shape{Kind: Ramp, ToPerS: 20_000}}
	s := l.Schedule(5)
	for b.Loop() {
		s.Next()
	}
}

func BenchmarkSineNext(b *testing.B) {
	l := Load{Arrivals: Poisson, Duration: 24 * hour,
		Shape: &Shape{Kind: Sine, MeanPerS: 10_000, AmplitudePerS: 10_000, Period: minute}}
	s := l.Schedule(5)
	for b.Loop() {
		s.Next()
	}
}
