package main

import (
	"fmt"
	"io"
	"time"

	"flowbench/scenarios"
	"flowbench/sim"
)

// loadTime returns how long the load of a cell lasts, that of a sweep at its longest.
func loadTime(l scenarios.Load) time.Duration {
	if l.Sweep != nil {
		return time.Duration(l.Bound().Load)
	}
	return time.Duration(l.Warmup + l.Duration)
}

// measuredText says what of the load of a cell is measured.
func measuredText(l scenarios.Load) string {
	if l.Sweep != nil {
		return fmt.Sprintf("at most %d trials", l.Bound().Trials)
	}
	return fmt.Sprintf("%v after %v", l.Duration, l.Warmup)
}

// atMost begins what is said of how long a plan takes.
func atMost(p *scenarios.Plan) string {
	if sweepOf(p) != nil {
		return "at most "
	}
	return ""
}

// sweepOf returns the load of a plan whose cells are sweeps, or nil.
func sweepOf(p *scenarios.Plan) *scenarios.Load {
	for i := range p.Cells {
		if p.Cells[i].Load.Sweep != nil {
			return &p.Cells[i].Load
		}
	}
	return nil
}

// writeSweep says what each cell of a sweep does and how long that takes at most.
func writeSweep(w io.Writer, p *scenarios.Plan) {
	l := sweepOf(p)
	if l == nil {
		return
	}
	s, b := l.Sweep, l.Bound()
	o := s.SLO
	fmt.Fprintf(w, `
Each cell looks for its knee: the highest rate at which p%g is at most %v, at least
%g %% of what was due is done, and nothing is dropped.
  1. from %g/s the rate doubles, to %g/s at most, until that is missed (or halves until it is met)
  2. the interval is bisected until its ends differ by %g %%
  3. its lower end is confirmed: %v instead of %v, at most %d times
  4. latency at %s %% of the knee
Bound for each cell: %d trials, %v of load, %v if every drain takes its longest.
`, 100*o.Quantile, o.Latency, 100*o.Achieved, l.RatePerS, s.MaxPerS, 100*s.Precision, s.Confirm, l.Duration,
		scenarios.MaxConfirms, percentages(s.Curve), b.Trials, b.Load, b.All)
}

// percentages lists shares in percent.
func percentages(shares []float64) string {
	list := ""
	for i, v := range shares {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("%.4g", 100*v)
	}
	return list
}

// trialOf returns the number of the trial that progress is of, or 0.
func trialOf(p sim.Progress) int {
	if p.Trial == nil {
		return 0
	}
	return p.Trial.Number
}

// trialText says which trial runs.
func trialText(t *sim.TrialProgress) string {
	return fmt.Sprintf("trial %d of at most %d, %s %.4g/s", t.Number, t.Most, t.Purpose, t.RatePerS)
}

// nameOf returns what progress is of: a cell, or a trial of one.
func nameOf(p sim.Progress) string {
	if p.Trial == nil {
		return p.Cell
	}
	return p.Cell + ", " + trialText(p.Trial)
}

// extent returns how much of a cell is done, in units of which there are all in the
// cell. Those of a sweep count its trials, of which there are usually fewer.
func extent(p sim.Progress) (done, all int64) {
	load := min(p.Elapsed, p.Length).Milliseconds()
	if p.Trial == nil {
		return load, p.Length.Milliseconds()
	}
	const each = 1000
	return int64(p.Trial.Number-1)*each + load*each/max(1, p.Length.Milliseconds()), int64(p.Trial.Most) * each
}
