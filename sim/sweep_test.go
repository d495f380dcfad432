package sim_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"flowbench/results"
	"flowbench/sim"
)

const sweepText = `
name: sweep
flows: [async-reply-to]
brokers: [mem]
load:
  rate_per_s: 200
  sweep: {max_per_s: 400, confirm: 200ms, curve: [0.5]}
warmup: 50ms
duration: 150ms
`

func TestASweepRunsItsTrialsOneAfterTheOther(t *testing.T) {
	e := engine(t)
	var mu sync.Mutex
	var trials []sim.TrialProgress
	e.Progress = func(p sim.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Trial == nil || p.Cell != "async-reply-to-mem" {
			t.Errorf("progress is of %s and no trial; want a trial of the cell", p.Cell)
			return
		}
		if len(trials) == 0 || trials[len(trials)-1] != *p.Trial {
			trials = append(trials, *p.Trial)
		}
	}
	p := plan(t, sweepText)
	run, err := runPlan(t.Context(), t, e, p)
	if err != nil {
		t.Fatal(err)
	}
	c := run.Cells[0]
	s := c.Sweep
	if s == nil || !c.Finished || s.State == results.SweepCut || len(s.Trials) != len(trials) {
		t.Fatalf("the cell is %+v after progress of %d trials; want a sweep that ended", s, len(trials))
	}
	bound := p.Cells[0].Load.Bound()
	for i, trial := range s.Trials {
		told := trials[i]
		if trial.Number != i+1 || told.Number != i+1 || told.RatePerS != trial.RatePerS || told.Most != bound.Trials ||
			told.Purpose != string(trial.Purpose) {
			t.Errorf("trial %d is %d, %s at %g/s, and was told as %+v", i+1, trial.Number, trial.Purpose,
				trial.RatePerS, told)
		}
		if trial.Latency == nil || trial.Use == nil || trial.Counts.Due == 0 {
			t.Errorf("trial %d has no figures: %+v", i+1, trial)
		}
	}
	if own := s.OwnTrial(); own == nil || own.Counts != c.Counts || c.ID != "async-reply-to-mem" {
		t.Errorf("the figures of cell %s are not those of its trial %d", c.ID, s.Own)
	}
}

func TestASweepThatIsCutShortCanBeRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := engine(t)
	e.Progress = func(p sim.Progress) {
		if p.Trial.Number == 2 && p.Phase == sim.Measured {
			cancel()
		}
	}
	p := plan(t, strings.Replace(sweepText, "duration: 150ms", "duration: 1s", 1))
	run, err := runPlan(ctx, t, e, p)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the run ends with %v; want that it was canceled", err)
	}
	c := run.Cells[0]
	if c.Finished || c.Valid || c.Sweep == nil || c.Sweep.State != results.SweepCut || len(c.Sweep.Trials) != 2 {
		t.Fatalf("the cell is %+v, finished %v; want a sweep of two trials that was cut short", c.Sweep, c.Finished)
	}
	if last := c.Sweep.Trials[1]; last.Verdict != results.TrialCut {
		t.Errorf("the last trial is %s; want that it was cut short", last.Verdict)
	}
	if first := c.Sweep.Trials[0]; first.Verdict == results.TrialMet && c.Sweep.KneePerS != first.RatePerS {
		t.Errorf("the best rate so far is %g/s; want that of the trial that met the objective", c.Sweep.KneePerS)
	}
}

func TestASweepWhoseWorldCannotBeHadEndsTheRun(t *testing.T) {
	p := plan(t, strings.Replace(sweepText, "[mem]", "[absent]", 1))
	run, err := runPlan(t.Context(), t, engine(t), p)
	var environment *sim.EnvironmentError
	if !errors.As(err, &environment) || !strings.Contains(err.Error(), "trial 1 at 200/s") {
		t.Errorf("the run ends with %v; want an error of the environment in trial 1", err)
	}
	if len(run.Cells) != 0 {
		t.Errorf("%d cells were written; want none", len(run.Cells))
	}
}
