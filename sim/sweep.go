package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"time"

	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/knee"
)

// perform runs one cell of a plan: once, or in the trials of a sweep.
func (e *Engine) perform(ctx context.Context, p *scenarios.Plan, index int, w *results.Writer) error {
	c := p.Cells[index]
	if c.Load.Sweep != nil {
		s := &sweep{engine: e, plan: p, index: index, cell: c, writer: w}
		return s.run(ctx)
	}
	return e.enter(ctx, c, func(ctx context.Context, r realm) error { return e.cell(ctx, r, p, index, w) })
}

// A sweep is a cell that looks for its knee. Each trial has a realm and a world of
// its own, so that none pays for what another left behind.
type sweep struct {
	engine *Engine
	plan   *scenarios.Plan
	index  int
	cell   scenarios.Cell
	writer *results.Writer

	found  results.Sweep
	own    *results.Cell // the trial whose figures are the cell's; nil before the first
	spent  time.Duration // load of the trials that have ended
	noted  bool          // the broker's version
	search *knee.Search
}

// run runs trials until the search ends or ctx does. After each of them what is known
// is written, so that a run that is cut short can be read.
func (s *sweep) run(ctx context.Context) error {
	load := s.cell.Load
	s.search = knee.New(load)
	s.found = results.Sweep{
		SLO: results.SLO{
			Quantile: load.Sweep.SLO.Quantile, Latency: time.Duration(load.Sweep.SLO.Latency),
			Achieved: load.Sweep.SLO.Achieved,
		},
		MaxPerS: load.Sweep.MaxPerS, Precision: load.Sweep.Precision, Most: load.Bound().Trials,
		State: results.SweepCut, Saturated: []results.Part{},
	}
	for {
		step, more := s.search.Next()
		if !more {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.trial(ctx, step); err != nil {
			return fmt.Errorf("trial %d at %.4g/s: %w", len(s.found.Trials)+1, step.RatePerS, err)
		}
	}
}

// trialCell returns the cell of a trial: with a rate of its own, and names at the
// broker that no other trial has.
func (s *sweep) trialCell(step knee.Step) scenarios.Cell {
	c := s.cell
	c.ID = fmt.Sprintf("%s-t%d", c.ID, len(s.found.Trials)+1)
	c.Load.RatePerS, c.Load.Sweep, c.History = step.RatePerS, nil, false
	if step.Long {
		c.Load.Duration = s.cell.Load.Sweep.Confirm
	}
	return c
}

// trial runs one trial and writes what is known after it.
func (s *sweep) trial(ctx context.Context, step knee.Step) error {
	c := s.trialCell(step)
	if s.engine.Models == nil {
		debug.FreeOSMemory() // no trial is to pay for the garbage of the one before it
	}
	var result *results.Cell
	var seconds bytes.Buffer
	cut := s.engine.enter(ctx, c, func(ctx context.Context, r realm) (err error) {
		result, err = s.engine.trial(ctx, r, c, &seconds, s.reporter(c, step), s.note)
		return err
	})
	if result == nil {
		return cut
	}
	t := results.NewTrial(result, s.found.SLO)
	t.Number, t.Purpose, t.Share = len(s.found.Trials)+1, step.Purpose, step.Share
	s.found.Trials = append(s.found.Trials, t)
	s.spent += time.Duration(c.Load.Warmup + c.Load.Duration)
	if cut == nil {
		s.search.Tell(t.Verdict)
	}
	if err := s.keep(result, t, seconds.Bytes()); err != nil {
		return errors.Join(cut, err)
	}
	return cut
}

// note writes the version of the broker into the run's description, once.
func (s *sweep) note(w *world) error {
	if s.noted {
		return nil
	}
	s.noted = true
	return noteVersion(s.writer, w)
}

// keep writes the cell as it is known after a trial. Its figures are those of the
// latest trial that confirmed the knee, else of the latest that met the objective in
// the search, else of the first.
func (s *sweep) keep(result *results.Cell, t *results.Trial, seconds []byte) error {
	f := &s.found
	state, met, missed, limit := s.search.State()
	f.State, f.KneePerS, f.MissedPerS, f.Limit = state, met, missed, limit
	if s.own == nil || t.Purpose != results.TrialCurve && t.Verdict == results.TrialMet {
		result.ID, s.own, f.Own = s.cell.ID, result, t.Number
		file, err := s.writer.BeginCell(result)
		if err != nil {
			return err
		}
		_, err = file.Write(seconds)
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write seconds of a trial: %w", err)
		}
	}
	_, more := s.search.Next()
	s.own.Finished = !more
	s.own.Sweep = f
	f.Find(goruntime.NumCPU())
	s.own.Judge()
	return s.writer.WriteCell(s.own)
}

// trial runs one trial from opening its world to closing it. The result is nil if the
// world could not be opened.
func (e *Engine) trial(
	ctx context.Context, r realm, c scenarios.Cell, seconds *bytes.Buffer, report func(Progress),
	opened func(*world) error,
) (result *results.Cell, err error) {
	report(Progress{Phase: Opening})
	world, err := e.open(ctx, r, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, world.close(ctx)) }()
	if err := opened(world); err != nil {
		return nil, err
	}
	result = world.describe()
	err = world.drive(ctx, result, seconds, report)
	report(Progress{Phase: Closing})
	return result, err
}

// noteVersion writes the version of a world's broker into the run's description.
func noteVersion(w *results.Writer, world *world) error {
	if world.session == nil {
		return nil
	}
	version := world.session.Version()
	return w.Update(func(r *results.Run) { r.Versions[world.cell.Broker] = version })
}

// reporter returns a function that completes and passes on the progress of a trial.
// Elapsed and length are those of the trial.
func (s *sweep) reporter(c scenarios.Cell, step knee.Step) func(Progress) {
	bound := s.cell.Load.Bound()
	length := time.Duration(c.Load.Warmup + c.Load.Duration)
	rest := restOf(s.plan, s.index)
	number := len(s.found.Trials) + 1
	return func(pr Progress) {
		if s.engine.Progress == nil {
			return
		}
		pr.Cell, pr.Index, pr.Cells, pr.Length = s.cell.ID, s.index, len(s.plan.Cells), length
		pr.Trial = &TrialProgress{
			Number: number, Most: bound.Trials, Purpose: string(step.Purpose), RatePerS: step.RatePerS,
		}
		if s.engine.Models == nil {
			pr.Left = rest + max(time.Duration(bound.Load)-s.spent-pr.Elapsed, 0)
		}
		s.engine.Progress(pr)
	}
}

// TrialProgress says which trial of a sweep runs.
type TrialProgress struct {
	Number   int
	Most     int // trials that the sweep takes at most
	Purpose  string
	RatePerS float64
}
