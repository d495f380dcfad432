// Package knee decides at which rates a flow is tried in order to find its knee: the
// highest rate at which it still meets an objective. It runs nothing. Its caller
// asks what to try next, tries it, and tells how that went; the same answers lead
// to the same trials.
//
// The rate is doubled from the first one until the objective is missed, or halved if
// the first one misses it. The interval is then bisected by the geometric mean, which
// halves it in the measure that its precision is given in, until its ends are close.
// The lower end is confirmed over a longer time, since a flow that is a little over
// its limit slows down only as its queue grows; if it is not confirmed, the next
// lower rates are, each lower by the precision. Last come the shares of the knee at which
// latency is measured.
//
// A trial that the generator spoilt tells nothing about the flow. It is repeated
// once; spoilt again, its rate bounds the search from above like a rate that was
// missed, but the knee below it is then only a lower bound, and says so.
//
// However the trials go, there are no more of them than [scenarios.Load.Bound]
// tells.
package knee

import (
	"math"
	"time"

	"flowbench/results"
	"flowbench/scenarios"
)

// A Step is a trial to be run.
type Step struct {
	Purpose  results.TrialPurpose
	RatePerS float64
	Share    float64 // of the knee, on the curve
	Long     bool    // it takes as long as those that confirm
}

// A Search is a sweep under way. It is not safe for concurrent use.
type Search struct {
	sweep scenarios.Sweep
	least float64 // no trial has a lower rate

	lo, hi   float64 // highest rate met and lowest not met above it; 0 for none
	hiSpoilt bool    // hi was not missed; nobody knows
	met      float64 // lo, unless a longer time contradicted it
	missed   float64 // lowest rate that was missed; 0 for none

	step     Step
	purpose  results.TrialPurpose
	halvings int
	confirms int
	repeats  int
	again    bool // the step is the repetition of one that was spoilt
	curve    int  // index of the next share
	state    results.SweepState
}

// New returns the search that a load asks for. The load has a sweep.
func New(l scenarios.Load) *Search {
	s := &Search{
		sweep: *l.Sweep, least: max(0.1, 1/time.Duration(l.Duration).Seconds()),
		step: Step{Purpose: results.TrialSearch, RatePerS: l.RatePerS}, purpose: results.TrialSearch,
		state: results.SweepCut,
	}
	return s
}

// Next returns the trial to run, and false if the sweep is over. It returns the same
// one until [Search.Tell] was called.
func (s *Search) Next() (Step, bool) { return s.step, s.step.RatePerS > 0 }

// State returns what is known of the knee: the highest rate that met the objective
// and the lowest that missed it, 0 for none, and what limits a knee that is a lower
// bound only.
func (s *Search) State() (state results.SweepState, met, missed float64, limit string) {
	switch {
	case s.hiSpoilt:
		limit = results.LimitGenerator
	case s.state == results.SweepAtLeast:
		limit = results.LimitMax
	}
	return s.state, s.met, s.missed, limit
}

// Tell says how the trial went that Next returned.
func (s *Search) Tell(v results.TrialVerdict) {
	if v == results.TrialSpoilt && !s.again && s.repeats < scenarios.MaxRepeats {
		s.repeats++
		s.again = true
		return
	}
	s.again = false
	if v == results.TrialMissed && s.purpose != results.TrialCurve {
		s.missed = s.step.RatePerS // each is lower than those before it
	}
	switch s.purpose {
	case results.TrialSearch:
		s.searched(v)
	case results.TrialConfirm:
		s.confirmed(v)
	default:
		s.curve++
		s.onCurve()
	}
}

// searched goes on after a trial of the search.
func (s *Search) searched(v results.TrialVerdict) {
	if v == results.TrialMet {
		s.lo, s.met = s.step.RatePerS, s.step.RatePerS
	} else {
		s.hi, s.hiSpoilt = s.step.RatePerS, v == results.TrialSpoilt
	}
	switch {
	case s.hi == 0 && s.lo >= s.sweep.MaxPerS:
		s.confirm()
	case s.hi == 0:
		s.step.RatePerS = min(2*s.lo, s.sweep.MaxPerS)
	case s.lo == 0:
		if s.halvings++; s.halvings > scenarios.MaxHalvings || s.hi/2 < s.least {
			s.end(results.SweepUnmet)
			return
		}
		s.step.RatePerS = s.hi / 2
	case s.close():
		s.confirm()
	default:
		s.step.RatePerS = math.Sqrt(s.lo * s.hi)
	}
}

// close reports whether the interval is as narrow as it was asked for, but for what
// rounding adds.
func (s *Search) close() bool { return s.hi <= s.lo*(1+s.sweep.Precision)*(1+1e-9) }

// confirm tries the lower end of the interval over a longer time.
func (s *Search) confirm() {
	s.purpose = results.TrialConfirm
	s.step = Step{Purpose: results.TrialConfirm, RatePerS: s.lo, Long: true}
}

// confirmed goes on after a trial that was to confirm.
func (s *Search) confirmed(v results.TrialVerdict) {
	if s.met = 0; v == results.TrialMet {
		s.met, s.state = s.lo, results.SweepFound
		if s.hi == 0 || s.hiSpoilt {
			s.state = results.SweepAtLeast
		}
		s.purpose = results.TrialCurve
		s.onCurve()
		return
	}
	s.confirms++
	s.hi, s.hiSpoilt = s.lo, v == results.TrialSpoilt
	lower := s.lo / (1 + s.sweep.Precision)
	if s.confirms >= scenarios.MaxConfirms || lower < s.least {
		s.end(results.SweepUnsure)
		return
	}
	s.lo = lower
	s.confirm()
}

// onCurve goes on with the next share of the knee that has a rate to be tried.
func (s *Search) onCurve() {
	for ; s.curve < len(s.sweep.Curve); s.curve++ {
		share := s.sweep.Curve[s.curve]
		if rate := share * s.lo; share != 1 && rate >= s.least && rate <= s.sweep.MaxPerS {
			s.step = Step{Purpose: results.TrialCurve, RatePerS: rate, Share: share, Long: s.sweep.Long(share)}
			return
		}
	}
	s.step = Step{}
}

// end ends a sweep that found no knee that it could confirm.
func (s *Search) end(state results.SweepState) {
	s.state = state
	s.step = Step{}
}
