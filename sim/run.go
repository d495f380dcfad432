package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/edge"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

// A Runner runs a plan and writes what happens. The engine in this process is
// one.
type Runner interface {
	Run(ctx context.Context, p *scenarios.Plan, w *results.Writer) error
}

// An Engine runs plans in this process: on the wall clock, or in virtual time if
// it has models.
type Engine struct {
	RunID   string // lower-case letters and digits; begins the name of everything at a broker
	Flows   []flows.Flow
	Drivers []broker.Driver
	Edges   []edge.Driver
	Stores  []store.Driver
	Models  Models // if set, cells run in virtual time and on these, and on nothing else
	Sources *Sources
	Dial    wire.Dialer

	StoreSources map[string]StoreSource // of stores that are not started here, by name
	TempDir      string                 // where stores that are started here keep objects; the system's if empty

	Progress func(Progress) // told how the run goes, several times a second; may be nil
	Log      *slog.Logger

	// AllowExec lets faults run commands. Scenarios are data, often of others, so
	// that it is for the user to say.
	AllowExec bool
}

// Progress is how a run is doing.
type Progress struct {
	Cell    string
	Index   int // of the cell, counting from 0
	Cells   int
	Phase   Phase
	Elapsed time.Duration // since the load of the cell began
	Length  time.Duration // of the load of the cell
	Left    time.Duration // estimate for the whole run; 0 in virtual time, which takes as long as it takes
	Live    results.Live

	InFlight int64          // operations under way
	Trial    *TrialProgress // nil where a cell is no sweep
}

// A Phase is what a cell is doing.
type Phase string

// The phases of a cell, in order.
const (
	Opening  Phase = "opening"
	WarmUp   Phase = "warm-up"
	Measured Phase = "measured"
	Draining Phase = "draining"
	Closing  Phase = "closing"
	Done     Phase = "done"
)

// An EnvironmentError says that something outside of flowbench is not as it
// must be: a broker that cannot be reached, a port that cannot be had.
type EnvironmentError struct{ Err error }

// Error implements error.
func (e *EnvironmentError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *EnvironmentError) Unwrap() error { return e.Err }

// checkTime is how long a broker has to answer when a run begins.
const checkTime = 4 * time.Second

// Check opens and closes a session on every broker of the plan, so that a run
// begins only if all of them are there.
func (e *Engine) Check(ctx context.Context, p *scenarios.Plan) error {
	if e.Models != nil {
		return checkModelled(p)
	}
	actual, seen := realm{drivers: e.Drivers}, make(map[string]bool)
	for _, c := range p.Cells {
		d, err := actual.driverOf(c.Broker)
		if err != nil {
			return err
		}
		if d == nil {
			continue
		}
		key := fmt.Sprint(d.Name, c.BrokerParams) // maps print in the order of their keys
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := checkPartable(d, c); err != nil { // before a broker is started in vain
			return &EnvironmentError{err}
		}
		if err := e.checkBroker(ctx, d, c); err != nil {
			return &EnvironmentError{err}
		}
		if err := errors.Join(e.checkProcesses(d, c), e.checkParted(d, c)); err != nil {
			return &EnvironmentError{err}
		}
	}
	return e.checkStores(ctx, p)
}

// checkBroker opens and closes a session of a cell. A broker that is started here
// takes the time that it takes.
func (e *Engine) checkBroker(ctx context.Context, d *broker.Driver, c scenarios.Cell) error {
	if _, err := e.Sources.Of(ctx, d, c.BrokerParams); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	s, err := e.openSession(ctx, d, c, &broker.Meter{}, nil, func(broker.Event) {})
	if err == nil {
		err = s.Close(ctx)
	}
	if _, class := flows.OutcomeOf(err); err != nil && class != flows.Rejected { // else it is there, and says why not
		return fmt.Errorf("%w; is it running? --broker-url %s=URL names another", err, d.Server)
	}
	return err
}

// Run implements [Runner]. It returns the context's error if that ended the run.
func (e *Engine) Run(ctx context.Context, p *scenarios.Plan, w *results.Writer) error {
	if e.Models != nil {
		return e.simulate(ctx, p, w)
	}
	for i := range p.Cells {
		if err := ctx.Err(); err != nil {
			return err
		}
		debug.FreeOSMemory() // no cell is to pay for the garbage of the one before it
		if err := e.perform(ctx, p, i, w); err != nil {
			return fmt.Errorf("run cell %s: %w", p.Cells[i].ID, err)
		}
	}
	return nil
}

// cell runs one cell from opening its world to closing it.
func (e *Engine) cell(ctx context.Context, r realm, p *scenarios.Plan, index int, w *results.Writer) (err error) {
	report := e.reporter(p, index)
	report(Progress{Phase: Opening})
	world, err := e.open(ctx, r, p.Cells[index])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.close(ctx)) }()
	result := world.describe()
	file, err := w.BeginCell(result)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if world.cell.History {
		history, failed := w.BeginHistory(result.ID)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, history.Close()) }()
		world.history = history
	}
	if err := noteVersion(w, world); err != nil {
		return err
	}
	cut := world.drive(ctx, result, file, report)
	if err := errors.Join(w.WriteCell(result), w.WriteHops(result.ID, world.began, world.followed)); err != nil {
		return err
	}
	report(Progress{Phase: Closing})
	return cut
}

// reporter returns a function that completes and passes on progress.
func (e *Engine) reporter(p *scenarios.Plan, index int) func(Progress) {
	load := p.Cells[index].Load
	length := time.Duration(load.Warmup + load.Duration)
	rest := restOf(p, index)
	return func(pr Progress) {
		if e.Progress == nil {
			return
		}
		pr.Cell, pr.Index, pr.Cells, pr.Length = p.Cells[index].ID, index, len(p.Cells), length
		if e.Models == nil {
			pr.Left = rest + max(length-pr.Elapsed, 0)
		}
		e.Progress(pr)
	}
}

// restOf returns about how long the cells behind one take, sweeps at their longest.
func restOf(p *scenarios.Plan, index int) (rest time.Duration) {
	for _, c := range p.Cells[index+1:] {
		rest += closingTime
		if c.Load.Sweep != nil {
			rest += time.Duration(c.Load.Bound().Load)
		} else {
			rest += time.Duration(c.Load.Warmup + c.Load.Duration)
		}
	}
	return rest
}

// closingTime is about how long a cell takes besides its load.
const closingTime = 500 * time.Millisecond
