package knee

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"flowbench/results"
	"flowbench/scenarios"
)

// loads draws loads with a sweep.
func loads(t *rapid.T) scenarios.Load {
	rate := rapid.Float64Range(0.1, 5000).Draw(t, "rate")
	return scenarios.Load{
		RatePerS: rate, Warmup: scenarios.Duration(time.Second), Duration: scenarios.Duration(20 * time.Second),
		Sweep: &scenarios.Sweep{
			MaxPerS: rate * rapid.Float64Range(1, 1000).Draw(t, "most"), Confirm: scenarios.Duration(time.Minute),
			Precision: rapid.SampledFrom([]float64{0.01, 0.05, 0.2, 0.5}).Draw(t, "precision"),
			Curve:     rapid.SliceOfN(rapid.Float64Range(0.01, 2), 1, 8).Draw(t, "curve"),
		},
	}
}

// run answers a search until it ends, and returns its trials.
func run(t interface{ Fatalf(string, ...any) }, l scenarios.Load, answer func(Step) results.TrialVerdict) (
	*Search, []Step,
) {
	s := New(l)
	var steps []Step
	for {
		step, more := s.Next()
		if !more {
			return s, steps
		}
		if again, _ := s.Next(); again != step {
			t.Fatalf("asked twice, the search wants %v and %v", step, again)
		}
		if steps = append(steps, step); len(steps) > l.Bound().Trials {
			t.Fatalf("the search has more than %d trials", l.Bound().Trials)
		}
		s.Tell(answer(step))
	}
}

// below answers as a flow does that carries a rate, however long it is tried.
func below(capacity float64) func(Step) results.TrialVerdict {
	return func(s Step) results.TrialVerdict {
		if s.RatePerS <= capacity {
			return results.TrialMet
		}
		return results.TrialMissed
	}
}

func TestTheKneeIsFoundToThePrecisionThatIsAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := loads(t)
		capacity := l.RatePerS * rapid.Float64Range(0.01, 1200).Draw(t, "capacity")
		s, steps := run(t, l, below(capacity))
		state, met, missed, limit := s.State()
		least := max(0.1, 0.05)
		switch {
		case capacity >= l.Sweep.MaxPerS:
			if state != results.SweepAtLeast || met != l.Sweep.MaxPerS || missed != 0 || limit != results.LimitMax {
				t.Fatalf("got %s, %g to %g, %s; want at least the highest rate", state, met, missed, limit)
			}
		case state == results.SweepUnmet:
			if lowest := steps[len(steps)-1].RatePerS; met != 0 || missed != lowest || lowest/2 > capacity &&
				lowest/2 >= least && lowest > l.RatePerS/(1<<scenarios.MaxHalvings)*1.001 {
				t.Fatalf("gave up at %g/s", lowest)
			}
		default:
			if state != results.SweepFound || met > capacity || missed <= capacity || limit != "" ||
				missed > met*(1+l.Sweep.Precision)*(1+1e-6) {
				t.Fatalf("got %s, %g to %g, for a capacity of %g and a precision of %g", state, met, missed, capacity,
					l.Sweep.Precision)
			}
			for _, share := range l.Sweep.Curve {
				rate := share * met
				tried := slices.ContainsFunc(steps, func(s Step) bool {
					return s.Purpose == results.TrialCurve && s.Share == share && s.RatePerS == rate
				})
				if possible := rate >= least && rate <= l.Sweep.MaxPerS && share != 1; tried != possible {
					t.Fatalf("a share of %g was tried: %v; want %v", share, tried, possible)
				}
			}
		}
	})
}

func TestWhateverTrialsSayTheSearchEndsWithinItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := loads(t)
		verdicts := rapid.SampledFrom([]results.TrialVerdict{
			results.TrialMet, results.TrialMissed, results.TrialSpoilt,
		})
		var spent scenarios.Duration
		met, contradicted := map[float64]bool{}, map[float64]bool{}
		s, steps := run(t, l, func(step Step) results.TrialVerdict {
			spent += l.Warmup + l.Duration
			if step.Long {
				spent += l.Sweep.Confirm - l.Duration
			}
			v := verdicts.Draw(t, "verdict")
			if step.Purpose == results.TrialConfirm {
				met[step.RatePerS], contradicted[step.RatePerS] = v == results.TrialMet, v != results.TrialMet
			}
			return v
		})
		if b := l.Bound(); spent > b.Load || len(steps) > b.Trials {
			t.Fatalf("%d trials took %s; want at most %d and %s", len(steps), spent, b.Trials, b.Load)
		}
		for _, step := range steps {
			if step.RatePerS > l.Sweep.MaxPerS || step.RatePerS < 0.05 {
				t.Fatalf("a rate of %g was tried", step.RatePerS)
			}
		}
		state, knee, missed, limit := s.State()
		switch state {
		case results.SweepFound, results.SweepAtLeast:
			if !met[knee] || contradicted[knee] || missed > 0 && missed <= knee {
				t.Fatalf("the knee is %g, missed at %g, and was not confirmed", knee, missed)
			}
			if (state == results.SweepFound) != (limit == "") {
				t.Fatalf("a knee that is %s has the limit %q", state, limit)
			}
		case results.SweepUnmet, results.SweepUnsure:
			if knee != 0 {
				t.Fatalf("there is a knee of %g in a sweep that is %s", knee, state)
			}
		default:
			t.Fatalf("the sweep ends as %q", state)
		}
	})
}

// A generator that is late must never make a flow look slow.
func TestALateGeneratorMakesTheKneeALowerBound(t *testing.T) {
	l := scenarios.Load{RatePerS: 100, Duration: scenarios.Duration(time.Second), Sweep: &scenarios.Sweep{
		MaxPerS: 10_000, Precision: 0.05, Confirm: scenarios.Duration(time.Second),
	}}
	s, steps := run(t, l, func(s Step) results.TrialVerdict {
		if s.RatePerS > 1000 {
			return results.TrialSpoilt
		}
		return results.TrialMet
	})
	state, met, missed, limit := s.State()
	if state != results.SweepAtLeast || limit != results.LimitGenerator || missed != 0 || met > 1000 || met < 950 {
		t.Errorf("got %s, %g to %g, limit %q; want at least 950 to 1000, by the generator", state, met, missed, limit)
	}
	repeated := 0
	for i, step := range steps[1:] {
		if step == steps[i] {
			repeated++
		}
	}
	if repeated == 0 || repeated > scenarios.MaxRepeats {
		t.Errorf("%d trials were repeated; want some and at most %d", repeated, scenarios.MaxRepeats)
	}
}

func TestATrialThatWasSpoiltOnceIsForgotten(t *testing.T) {
	l := scenarios.Load{RatePerS: 100, Duration: scenarios.Duration(time.Second), Sweep: &scenarios.Sweep{
		MaxPerS: 10_000, Precision: 0.05, Confirm: scenarios.Duration(time.Second),
	}}
	spoilt := map[float64]bool{}
	s, _ := run(t, l, func(s Step) results.TrialVerdict {
		if s.RatePerS > 350 && !spoilt[s.RatePerS] && len(spoilt) < 3 {
			spoilt[s.RatePerS] = true
			return results.TrialSpoilt
		}
		return below(500)(s)
	})
	if state, met, missed, _ := s.State(); state != results.SweepFound || met > 500 || missed < 500 {
		t.Errorf("got %s, %g to %g; want that 500 was found", state, met, missed)
	}
}

// The transcript is what somebody sees who watches a sweep.
func TestTheCourseOfASweep(t *testing.T) {
	l := scenarios.Load{RatePerS: 100, Duration: scenarios.Duration(time.Second), Sweep: &scenarios.Sweep{
		MaxPerS: 10_000, Precision: 0.05, Confirm: scenarios.Duration(time.Second), Curve: []float64{0.1, 0.9, 1, 1.05},
	}}
	var b strings.Builder
	s, _ := run(t, l, func(s Step) results.TrialVerdict {
		v := below(430)(s)
		if s.Purpose == results.TrialSearch {
			v = below(450)(s) // it is too short to tell
		}
		fmt.Fprintf(&b, "%s %.1f %s\n", s.Purpose, s.RatePerS, v)
		return v
	})
	const want = `search 100.0 met
search 200.0 met
search 400.0 met
search 800.0 missed
search 565.7 missed
search 475.7 missed
search 436.2 met
search 455.5 missed
confirm 436.2 missed
confirm 415.4 met
curve 41.5 met
curve 373.9 met
curve 436.2 missed
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("the course is another (-want +got):\n%s", d)
	}
	if state, met, missed, _ := s.State(); state != results.SweepFound || math.Round(met) != 415 ||
		math.Round(missed) != 436 {
		t.Errorf("got %s, %g to %g; want 415 to 436", state, met, missed)
	}
}
