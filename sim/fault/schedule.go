package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowbench/sim/link"
)

// An Entry is one fault of a schedule.
type Entry struct {
	At        time.Duration // from the origin of the run
	For       time.Duration // how long it lasts; 0 for one that ends as soon as it has begun
	On        string        // the name of what it happens to
	What      string        // the name of the fault
	Direction link.Direction
	Params    map[string]string
}

// A Schedule is a checked list of entries. It does not change, and may be run any
// number of times.
type Schedule struct {
	entries []planned
	acts    []act
}

type planned struct {
	Entry
	harms []Harm
}

// An act begins an entry or ends it, or both if it lasts for no time.
type act struct {
	at         time.Duration
	entry      int
	begin, end bool
}

// Plan checks entries and puts them in order. There must be a target of the name
// of each. A direction of 0 stands for both ways.
func Plan(entries []Entry, known func(target string) bool) (*Schedule, error) {
	s := &Schedule{}
	var errs []error
	for i, e := range entries {
		p, err := plan(e, known)
		if err != nil {
			errs = append(errs, fmt.Errorf("fault %d: %w", i+1, err))
			continue
		}
		s.entries = append(s.entries, p)
		if e.For == 0 {
			s.acts = append(s.acts, act{at: e.At, entry: i, begin: true, end: true})
			continue
		}
		s.acts = append(s.acts, act{at: e.At, entry: i, begin: true}, act{at: e.At + e.For, entry: i, end: true})
	}
	// What ends at a moment ends before something else begins: faults that follow
	// each other do not overlap.
	slices.SortStableFunc(s.acts, func(a, b act) int {
		if d := a.at - b.at; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return begins(a) - begins(b)
	})
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

func begins(a act) int {
	if a.begin {
		return 1
	}
	return 0
}

func plan(e Entry, known func(string) bool) (planned, error) {
	if e.At < 0 || e.For < 0 {
		return planned{}, fmt.Errorf("it begins at %v and lasts for %v; want neither below 0", e.At, e.For)
	}
	if !known(e.On) {
		return planned{}, fmt.Errorf("nothing is named %q that it could happen to", e.On)
	}
	f, err := Find(e.What)
	if err != nil {
		return planned{}, err
	}
	if e.Direction == 0 {
		e.Direction = link.BothWays
	}
	if e.Direction != link.BothWays && !f.Directed {
		return planned{}, fmt.Errorf("%s has no direction", f.Name)
	}
	h, err := f.Harms(e.Params)
	return planned{e, h}, err
}

// End returns when the last entry has ended.
func (s *Schedule) End() time.Duration {
	if len(s.acts) == 0 {
		return 0
	}
	return s.acts[len(s.acts)-1].at
}

// A Clock is what a schedule needs of a flows.Runtime.
type Clock interface {
	Now() time.Duration
	Sleep(ctx context.Context, d time.Duration) error
}

// A Target is something that can be harmed.
type Target interface {
	// Arm does h to the target. Directions are for links only. What is armed with
	// an error was done in part, and is healed like the rest.
	Arm(d link.Direction, h Harm) (Armed, error)
}

// Armed is a harm in force. Heal may be called again, whether or not it failed.
type Armed interface {
	Heal() error
	Effect() Effect
}

// Effect is what a harm has done.
type Effect struct {
	link.Effect       // to links
	Requests    int64 // that an instance of the service did not treat as it should
	Processes   int64 // that were stopped
	Commands    int64 // of the user that have run to do it
}

// None reports whether nothing has happened.
func (e Effect) None() bool { return e == Effect{} }

// Plus returns the sum of two effects.
func (e Effect) Plus(o Effect) Effect {
	e.Bytes += o.Bytes
	e.Connections += o.Connections
	e.Requests += o.Requests
	e.Processes += o.Processes
	e.Commands += o.Commands
	return e
}

// String returns the effect in words, and nothing for none.
func (e Effect) String() string {
	var words []string
	for _, part := range []struct {
		n    int64
		one  string
		many string
	}{
		{e.Commands, "command run", "commands run"},
		{e.Processes, "process stopped", "processes stopped"},
		{e.Connections, "connection touched", "connections touched"},
		{e.Bytes, "byte touched", "bytes touched"},
		{e.Requests, "request touched", "requests touched"},
	} {
		switch part.n {
		case 0:
		case 1:
			words = append(words, "1 "+part.one)
		default:
			words = append(words, fmt.Sprintf("%d %s", part.n, part.many))
		}
	}
	return strings.Join(words, ", ")
}

// Link makes a target of a link.
func Link(l *link.Link) Target { return linkTarget{l} }

type linkTarget struct{ link *link.Link }

func (t linkTarget) Arm(d link.Direction, h Harm) (Armed, error) {
	i, ok := h.(link.Impairment)
	if !ok {
		return nil, fmt.Errorf("a link cannot be harmed by %v", h)
	}
	a, err := t.link.Arm(d, i)
	if err != nil {
		return nil, err // not a: it would be an Armed that is not nil
	}
	return linkArmed{a}, nil
}

type linkArmed struct{ *link.Armed }

func (a linkArmed) Effect() Effect { return Effect{Effect: a.Armed.Effect()} }

// A Span encloses the moment of an act.
type Span struct{ Before, After time.Duration }

// A Report says what became of an entry. Times count from the origin of the run.
type Report struct {
	Entry
	Begun, Ended bool // whether it was tried; an error says whether it worked
	Begin, End   Span
	Effect       Effect
}

// NoEffect reports whether the fault was there and met nothing.
func (r Report) NoEffect() bool { return r.Begun && r.Effect.None() }

// Run works the schedule off. Times count from origin on the clock. It returns
// when the last entry has ended or ctx is done, and everything has been healed
// in either case. The reports are in the order of the entries. The error joins
// that of ctx, of a fault that could not begin, which ends the run, and of those
// that could not be healed.
//
// notify, if not nil, is called after every act with the report as it is then.
func (s *Schedule) Run(
	ctx context.Context, clock Clock, origin time.Duration, targets map[string][]Target, notify func(Report),
) ([]Report, error) {
	r := &running{
		schedule: s, clock: clock, origin: origin, targets: targets, notify: notify,
		armed: make([][]Armed, len(s.entries)), reports: make([]Report, len(s.entries)),
		open: make([]bool, len(s.entries)),
	}
	for i, e := range s.entries {
		r.reports[i].Entry = e.Entry
	}
	err := r.work(ctx)
	return r.reports, errors.Join(err, r.healAll())
}

// running is one run of a schedule.
type running struct {
	schedule *Schedule
	clock    Clock
	origin   time.Duration
	targets  map[string][]Target
	notify   func(Report)
	armed    [][]Armed // of each entry, in the order in which they were armed
	open     []bool    // whether each entry has begun and not been healed
	reports  []Report
}

func (r *running) now() time.Duration { return r.clock.Now() - r.origin }

func (r *running) work(ctx context.Context) error {
	for _, a := range r.schedule.acts {
		if err := r.clock.Sleep(ctx, a.at-r.now()); err != nil {
			return err
		}
		if a.begin {
			if err := r.begin(a.entry); err != nil {
				return err
			}
		}
		if a.end {
			if err := r.end(a.entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin arms an entry on all of its targets. What it could not arm it leaves to
// be healed with the rest.
func (r *running) begin(i int) error {
	e, report := r.schedule.entries[i], &r.reports[i]
	report.Begun, r.open[i] = true, true
	report.Begin.Before = r.now()
	var err error
	for _, t := range r.targets[e.On] {
		for _, what := range e.harms {
			var a Armed
			if a, err = t.Arm(e.Direction, what); a != nil {
				r.armed[i] = append(r.armed[i], a)
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	report.Begin.After = r.now()
	r.tell(i)
	if err != nil {
		return fmt.Errorf("begin fault %d (%s on %s): %w", i+1, e.What, e.On, err)
	}
	return nil
}

// end heals an entry, the last that was armed first. All of it is tried.
func (r *running) end(i int) error {
	report := &r.reports[i]
	report.Ended = true
	report.End.Before = r.now()
	report.Effect = Effect{}
	var errs []error
	for _, a := range slices.Backward(r.armed[i]) {
		errs = append(errs, a.Heal())
		report.Effect = report.Effect.Plus(a.Effect())
	}
	report.End.After = r.now()
	r.tell(i)
	if err := errors.Join(errs...); err != nil {
		e := r.schedule.entries[i]
		return fmt.Errorf("end fault %d (%s on %s): %w", i+1, e.What, e.On, err)
	}
	r.open[i] = false
	return nil
}

// attempts is how often healing is tried at the end.
const attempts = 3

// healAll ends what has begun and has not ended, the last first.
func (r *running) healAll() error {
	var errs []error
	for i := range slices.Backward(r.open) {
		if !r.open[i] {
			continue
		}
		var err error
		for range attempts {
			if err = r.end(i); err == nil {
				break
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (r *running) tell(i int) {
	if r.notify != nil {
		r.notify(r.reports[i])
	}
}
