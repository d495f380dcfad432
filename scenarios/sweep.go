package scenarios

import (
	"math"
)

// A Sweep looks for the knee of a flow: the highest rate at which it still meets an
// objective. It does so by trials, each a short run of its own with a fresh world.
// The rate begins at that of the load and is doubled until the objective is missed;
// then the interval is bisected, and what was found is confirmed over a longer
// time. Then latency is measured at shares of that rate.
type Sweep struct {
	MaxPerS   float64   `json:"max_per_s"` // no trial has a higher rate
	Precision float64   `json:"precision"` // the highest rate met and the lowest missed differ by this share at most
	Confirm   Duration  `json:"confirm"`   // measured time of the trials that confirm
	Curve     []float64 `json:"curve"`     // shares of the knee at which latency is measured
	SLO       SLO       `json:"slo"`
}

// An SLO is what a flow must do at a rate to meet it: of the operations that were
// due, none was dropped, a share ended ok, and of those a share did so in time.
// Time counts from due to answered; to applied, for operations whose clients learn
// no result.
type SLO struct {
	Quantile float64  `json:"quantile"` // such as 0.99
	Latency  Duration `json:"latency"`  // of that quantile, at most
	Achieved float64  `json:"achieved"` // share of the operations due that ended ok, at least
}

const sweepPath = "load.sweep"

func defaultSweep() *Sweep {
	return &Sweep{
		MaxPerS: 20_000, Precision: 0.05, Confirm: 8 * second,
		Curve: []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.05},
		SLO:   SLO{Quantile: 0.99, Latency: 50 * millisecond, Achieved: 0.99},
	}
}

func (s *Scenario) sweepSettings() []setting {
	w := defaultSweep()
	s.Load.Sweep = w
	return []setting{
		{key: "max_per_s", value: float{&w.MaxPerS, 0.2, maxRate},
			about: "no trial has a higher rate; the first has rate_per_s, and each further one twice the rate until " +
				"the objective is missed"},
		{key: "precision", value: float{&w.Precision, 0.01, 0.5},
			about: "the interval between the highest rate that met the objective and the lowest that missed it is " +
				"halved until it is no wider than this share of the rate"},
		{key: "confirm", value: span{&w.Confirm, 10 * millisecond, hour},
			about: "measured time of the trials that confirm what was found, and of those at 0.8 of it and more; " +
				"duration is that of all others, and each has the warm-up before it"},
		{key: "curve", value: floats{&w.Curve, 32, 0.01, 2},
			about: "shares of the rate that was found, at which latency is measured after that"},
		{key: "slo", value: section{s.sloSettings},
			about: "what a flow must do to meet the objective at a rate"},
	}
}

func (s *Scenario) sloSettings() []setting {
	o := &s.Load.Sweep.SLO
	return []setting{
		{key: "quantile", value: float{&o.Quantile, 0.5, 0.999},
			about: "share of the operations that must end in time; where fewer than ten would be slower, the next " +
				"lower of 0.99, 0.9 and 0.5 is judged"},
		{key: "latency", value: span{&o.Latency, 100 * microsecond, hour},
			about: "time from due to answered that is in time, or to applied where clients learn no result; less " +
				"than the timeout"},
		{key: "achieved", value: float{&o.Achieved, 0.5, 1},
			about: "share of the operations due that must end ok; none may be dropped"},
	}
}

// settleSweep reports what a sweep does not go with.
func (s *Scenario) settleSweep(r *reader) {
	l, w := &s.Load, s.Load.Sweep
	if w == nil || !r.soundWithin(sweepPath) || l.Arrivals == Closed || l.Arrivals == Replay {
		return
	}
	at := r.where(sweepPath)
	switch {
	case l.Shape != nil:
		r.add(at, "%s does not go with %s; want one of them", sweepPath, shapePath)
	case len(s.Faults) > 0:
		r.add(at, "%s does not go with faults, which would befall every trial; want one of them", sweepPath)
	case s.Payloads.Bulk != nil:
		r.add(at, "%s does not go with payloads.bulk; want one of them", sweepPath)
	case s.History == KeepOn:
		r.add(r.where("history", sweepPath), "%s does not go with history on: trials keep no events; want auto or off",
			sweepPath)
	}
	if l.RatePerS > w.MaxPerS && r.sound(ratePath) {
		r.add(r.where(ratePath, sweepPath+".max_per_s"), "%s %s is more than %s.max_per_s %s; want at most that",
			ratePath, formatFloat(l.RatePerS), sweepPath, formatFloat(w.MaxPerS))
	}
	if w.SLO.Latency >= l.Timeout && r.sound("load.timeout") {
		r.add(r.where(sweepPath+".slo.latency", "load.timeout"),
			"%s.slo.latency %s is not less than load.timeout %s, and would never be missed; want less",
			sweepPath, w.SLO.Latency, l.Timeout)
	}
	if n := w.MaxPerS * (l.Warmup + max(l.Duration, w.Confirm)).seconds(); n > maxOperations {
		r.add(r.where(sweepPath+".max_per_s", sweepPath+".confirm", "duration"),
			"%s.max_per_s %s for %s is %.3g operations in one trial; want at most %d", sweepPath,
			formatFloat(w.MaxPerS), l.Warmup+max(l.Duration, w.Confirm), n, maxOperations)
	}
}

// clone returns a copy that shares nothing.
func (w *Sweep) clone() *Sweep {
	if w == nil {
		return nil
	}
	own := *w
	own.Curve = append([]float64(nil), w.Curve...)
	return &own
}

// The bounds on what a sweep tries beside what its precision asks for.
const (
	MaxHalvings = 10 // downwards, if the first rate misses the objective
	MaxConfirms = 6  // rates that confirmation is tried at
	MaxRepeats  = 4  // trials that are repeated, since the generator spoilt them
)

// A Bound is what a sweep takes at most, in each cell.
type Bound struct {
	Trials int
	Load   Duration // warm-ups and measured times
	All    Duration // drains at their longest included
}

// Bound returns what the sweep of a load takes at most. Drains end as soon as
// nothing is left, so that a sweep usually takes little more than its load.
func (l Load) Bound() Bound {
	w := l.Sweep
	// It goes up, or down; not both.
	search := 1 + max(MaxHalvings, int(math.Ceil(math.Log2(max(1, w.MaxPerS/l.RatePerS)))))
	search += Bisections(w.Precision) + MaxRepeats
	n := search + MaxConfirms + len(w.Curve)
	load := Duration(n)*l.Warmup + Duration(search)*l.Duration + MaxConfirms*w.Confirm
	for _, share := range w.Curve {
		if w.Long(share) {
			load += w.Confirm
		} else {
			load += l.Duration
		}
	}
	return Bound{Trials: n, Load: load, All: load + Duration(n)*l.Drain}
}

// Long reports whether the trial at a share of the knee takes as long as those that
// confirm it: near the knee a queue takes its time to show.
func (w *Sweep) Long(share float64) bool { return share >= 0.8 }

// Bisections returns in how many steps an interval from a rate to twice the rate is
// bisected until its ends differ by a share.
func Bisections(precision float64) int {
	return max(0, int(math.Ceil(math.Log2(math.Ln2/math.Log1p(precision)))))
}
