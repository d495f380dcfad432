package expect

import (
	"fmt"
	"math"
	"slices"

	"flowbench/results"
	"flowbench/results/compare"
)

// An Asked is a statement that a run is judged by.
type Asked struct {
	Statement *Statement
	Abort     bool // the run is to end when the statement can no longer hold
}

// Judge says what became of statements in a run. Repeats of a cell are judged
// together. The baseline is nil where there is none; it must not be the run itself.
func Judge(run, baseline *results.Run, asked []Asked) []results.Expectation {
	var all []results.Expectation
	merged := run.Merged()
	if baseline != nil {
		baseline = baseline.Merged()
	}
	for _, a := range asked {
		e := results.Expectation{Statement: a.Statement.text, Abort: a.Abort, Findings: []results.ExpectationFinding{}}
		j := judge{statement: a.Statement, run: merged, baseline: baseline}
		switch reason := j.incomparable(); {
		case reason != "":
			e.Why = reason
		default:
			e.Findings = append(e.Findings, j.findings()...)
		}
		e.Verdict = together(e.Findings)
		if len(e.Findings) == 0 && e.Why == "" {
			e.Why = "no cell of this run has what it is about"
		}
		all = append(all, e)
	}
	return all
}

// together returns the verdict of findings: a failure counts most, and of nothing
// nothing can be told.
func together(findings []results.ExpectationFinding) string {
	verdict := results.ExpectationHeld
	for _, f := range findings {
		if f.Verdict == results.ExpectationFailed {
			return f.Verdict
		}
		if f.Verdict != results.ExpectationHeld {
			verdict = f.Verdict
		}
	}
	if len(findings) == 0 {
		return results.ExpectationCannotTell
	}
	return verdict
}

// A judge judges one statement.
type judge struct {
	statement     *Statement
	run, baseline *results.Run
}

// incomparable returns why the run cannot be compared with the baseline, if the
// statement wants that.
func (j judge) incomparable() string {
	b := j.baseline
	switch {
	case !j.statement.baseline:
		return ""
	case b == nil:
		return "there is no baseline to compare with"
	case b.Scenario != j.run.Scenario:
		return fmt.Sprintf("the baseline is of another scenario, %s", b.Scenario)
	case b.Simulated != j.run.Simulated:
		return "of run and baseline, one is simulated and the other is not"
	case !b.Simulated && !compare.SameMachine(b.Host, j.run.Host):
		return "the baseline was measured on another machine"
	}
	return ""
}

// findings judges the statement in every cell that it is about.
func (j judge) findings() []results.ExpectationFinding {
	var all []results.ExpectationFinding
	s := j.statement
	for _, c := range j.run.Cells {
		if !s.left.measure.cells.has(c) {
			continue
		}
		left := s.left.measure.of(c)
		if left.none {
			if named := s.left.measure.cells; named.flow != "" || len(named.names) > 0 {
				left.none, left.why = false, "the cell has nothing of the kind"
			} else {
				continue
			}
		}
		left.value *= s.left.factor
		switch {
		case s.baseline:
			all = append(all, j.againstBaseline(c, left))
		case s.right.measure == nil:
			all = append(all, j.finding(c, left, s.right.value.value))
		default:
			all = append(all, j.againstCells(c, left)...)
		}
	}
	return all
}

// finding compares the figure of a cell with a limit.
func (j judge) finding(c *results.Cell, left figure, limit float64) results.ExpectationFinding {
	s, m := j.statement, j.statement.left.measure.metric
	f := results.ExpectationFinding{Cell: cellID(c), N: left.n}
	f.Figure, f.Limit = m.Unit.apart(left.value, limit, !s.baseline && s.right.measure == nil)
	if left.why != "" && left.n == 0 {
		f.Figure = ""
	}
	holds := compared(left.value, s.compare, limit)
	switch {
	case left.why != "":
		f.Verdict, f.Why = results.ExpectationCannotTell, left.why
	case m.Exact && holds && unproven(c) != "":
		f.Verdict, f.Why = results.ExpectationCannotTell, unproven(c)
	case m.Exact && !holds && s.mayYetHold(c) != "":
		f.Verdict, f.Why = results.ExpectationCannotTell, s.mayYetHold(c)
	case holds:
		f.Verdict = results.ExpectationHeld
	default:
		f.Verdict = results.ExpectationFailed
	}
	return f
}

// againstCells compares a cell with those of the other side that differ from it in
// nothing but what the statement says.
func (j judge) againstCells(c *results.Cell, left figure) []results.ExpectationFinding {
	var all []results.ExpectationFinding
	right := j.statement.right
	for _, other := range j.run.Cells {
		if !right.measure.cells.has(other) || !paired(c, other, right.measure.cells) {
			continue
		}
		r := right.measure.of(other)
		if r.none {
			continue
		}
		limit := r.value * right.factor
		f := j.finding(c, left, limit)
		f.Against = cellID(other)
		if reason := r.why; reason != "" && left.why == "" {
			f.Verdict, f.Why = results.ExpectationCannotTell, "on the other side: "+reason
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		f := results.ExpectationFinding{Cell: cellID(c), Verdict: results.ExpectationCannotTell,
			Why: "there is no cell on the other side to compare it with"}
		all = append(all, f)
	}
	return all
}

// paired reports whether a cell can be compared with another of another flow: where
// both have a broker, an edge, a way of payloads and a store, they are the same,
// unless the statement names the other one.
func paired(c, other *results.Cell, named selector) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b || slices.Contains(named.names, b) }
	return same(c.Broker, other.Broker) && same(c.Edge, other.Edge) && same(c.Payload, other.Payload) &&
		same(c.Store, other.Store) && c.Load.PayloadBytes == other.Load.PayloadBytes &&
		(named.flow != "" || c.Flow == other.Flow)
}

// againstBaseline compares a cell with itself in the baseline.
func (j judge) againstBaseline(c *results.Cell, left figure) results.ExpectationFinding {
	s, m := j.statement, j.statement.left.measure
	i := slices.IndexFunc(j.baseline.Cells, func(b *results.Cell) bool { return cellID(b) == cellID(c) })
	if i < 0 {
		return results.ExpectationFinding{Cell: cellID(c), Verdict: results.ExpectationCannotTell,
			Why: "the baseline has no such cell"}
	}
	base := m.of(j.baseline.Cells[i])
	if base.none && base.why == "" {
		base.why = "it has nothing of the kind"
	}
	// What is allowed is the loosest of the allowances.
	limit, rising := math.Inf(1), s.compare == "<" || s.compare == "<="
	for n, a := range s.allow {
		to := base.value + a.by
		if a.relative {
			to = base.value * (1 + a.by)
		}
		switch {
		case n == 0:
			limit = to
		case rising:
			limit = max(limit, to)
		default:
			limit = min(limit, to)
		}
	}
	f := j.finding(c, left, limit)
	f.Limit += ", from a baseline of " + m.metric.Unit.format(base.value, measuredDigits)
	if base.why != "" && left.why == "" {
		f.Verdict, f.Why = results.ExpectationCannotTell, "in the baseline: "+base.why
	}
	return f
}

func compared(a float64, by string, b float64) bool {
	switch by {
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "==":
		return a == b
	}
	return a != b
}

// of returns what a cell says of the measure, and why nothing can be told from that.
func (m *measure) of(c *results.Cell) figure {
	w, f := m.windowOf(c)
	if f.none || f.why != "" {
		return f
	}
	if m.metric.hist == nil {
		f = m.metric.read(c, w)
	} else {
		f = m.percentile(c, w)
	}
	if f.why == "" && !f.none && !m.metric.Exact {
		f.why = m.spoilt(c)
	}
	return f
}

// windowOf returns the window of the measure in a cell, nil for the whole measured
// time. A cell without faults is steady all along.
func (m *measure) windowOf(c *results.Cell) (*results.Window, figure) {
	switch {
	case m.window == "" || len(c.Windows) == 0 && m.window == results.SteadyWindow:
		return nil, figure{}
	case len(c.Windows) == 0:
		return nil, figure{none: true}
	case c.Windows[m.window] == nil:
		return nil, figure{why: "no operation was due in the window " + m.window}
	}
	return c.Windows[m.window], figure{}
}

// percentile returns a percentile, if enough samples lie beyond it.
func (m *measure) percentile(c *results.Cell, w *results.Window) figure {
	h, q := m.metric.hist(c, w), m.metric.quantile
	switch {
	case h == nil || h.N() == 0:
		if c.Counts.OK == 0 || w != nil {
			return figure{why: "no operation got there"}
		}
		return figure{none: true}
	case q < 1 && !h.Resolved(q):
		return figure{value: float64(h.Quantile(q)), n: h.N(),
			why: fmt.Sprintf("of %d samples fewer than 10 lie beyond %s", h.N(), m.metric.Name)}
	}
	return figure{value: float64(h.Quantile(q)), n: h.N()}
}

// spoilt returns why a figure that is not exact says nothing, if so.
func (m *measure) spoilt(c *results.Cell) string {
	if len(c.Why) > 0 {
		return "the cell is not valid: " + c.Why[0]
	}
	if by := c.Disturbed(); len(by) > 0 && (m.metric.Unit == Time || m.metric.Unit == Rate) {
		return "the machine was busy with something else: " + by[0]
	}
	return ""
}

// unproven returns why it cannot be said that something did not happen in a cell, if
// so.
func unproven(c *results.Cell) string {
	for _, f := range c.Faults {
		if !f.Absent && f.Effect == "" {
			return "fault " + f.What + " on " + f.On + " had no effect"
		}
	}
	switch {
	case !c.Finished:
		return unfinished
	case !c.Drained:
		return undrained
	case c.Accounting.Unresolved > 0:
		return unresolved(c)
	}
	return ""
}

// Why what was counted is not all.
const (
	unfinished = "the cell was cut short"
	undrained  = "the drain is not proven: what is missing may only be late"
)

func unresolved(c *results.Cell) string {
	return fmt.Sprintf("the account gave up on %d commands", c.Accounting.Unresolved)
}

// mayYetHold returns why a statement that does not hold in a cell might have held if
// the cell had gone on, or nothing if it is proven that it does not: by a count that
// is beyond its bound and can but grow, whatever would have come.
func (s *Statement) mayYetHold(c *results.Cell) string {
	name := s.left.measure.metric.Name
	beyond := s.boundedAbove() && s.left.measure.metric.Unit == None && !fallible(name)
	switch {
	case beyond || name == brokenMetric:
		return ""
	case !c.Finished:
		return unfinished
	case !fallible(name):
		return ""
	case !c.Drained:
		return undrained
	case c.Accounting.Unresolved > 0:
		return unresolved(c)
	}
	return ""
}

// boundedAbove reports whether a statement says that something is no more than that.
func (s *Statement) boundedAbove() bool { return slices.Contains([]string{"<", "<=", "=="}, s.compare) }

// fallible reports whether a count of what is missing by now gets less when more
// comes: it is final only once the drain is proven.
func fallible(name string) bool {
	return slices.Contains([]string{
		"lost", "vanished", "unknown_never", "commands.ok", "commands.failed", "heard.missing", "orphaned",
	}, name)
}

// cellID returns the id of a cell, that of all its repeats if it has some.
func cellID(c *results.Cell) string {
	if c.Of != "" {
		return c.Of
	}
	return c.ID
}

// has reports whether the selector chooses a cell.
func (s selector) has(c *results.Cell) bool {
	return s.chooses(Named{c.Flow, []string{c.Broker, c.Edge, c.Payload, c.Store}})
}

// Exceeded returns a statement that what was counted so far in a cell has made
// impossible, or nil. Only counts that can but grow tell that before the end, and
// only of statements that bound them from above.
func Exceeded(asked []Asked, cell Named, counts results.Counts, account results.Accounting) *Statement {
	c := &results.Cell{Counts: counts, Accounting: account}
	for _, a := range asked {
		s := a.Statement
		m := s.left.measure
		plain := !s.baseline && s.right.measure == nil && m.window == ""
		if !a.Abort || !plain || !s.boundedAbove() || !growing(m.metric.Name) || !m.cells.chooses(cell) {
			continue
		}
		v, limit := m.metric.read(c, nil).value*s.left.factor, s.right.value.value
		if v > limit || v == limit && s.compare == "<" {
			return s
		}
	}
	return nil
}

// growing reports whether a metric is a count that is kept while a cell goes on and
// that nothing takes back.
func growing(name string) bool {
	return slices.Contains([]string{
		"failed", "unknown", "dropped", "unexpected", "duplicated", "extra", "phantom", "reordered", "timed_out",
		"redelivered", "reply_duplicated", "late_answers",
	}, name)
}
