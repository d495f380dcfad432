package results

import (
	"fmt"
	"strings"
	"time"
)

// The limits beyond which a cell's numbers say more about the generator or the
// machine than about the flow. They are printed in docs/results.md.
const (
	// Send lag is part of every latency. It spoils a cell where it is both more
	// than a client would notice and a substantial part of what was measured.
	// Both are judged at the 99th percentile, or at the highest that is resolved.
	lagFloor = 2 * time.Millisecond
	lagShare = 0.25 // of the latency of the answered (or last) stage

	canaryLimit = 5 * time.Millisecond // of the 99th percentile, for a warning
	psiLimit    = 0.40                 // share of time in which tasks waited for a CPU, for a warning
	stealLimit  = 0.05                 // share of CPU time that was stolen, for a warning
	busyLimit   = 0.90                 // share of CPU time that was used, for a warning
)

// Judge decides whether the numbers of c may be trusted, and says why not.
func (c *Cell) Judge() {
	c.Why, c.Warnings = []string{}, []string{}
	c.judgeOperations()
	c.judgeGenerator()
	c.judgeFaults()
	c.warnOfMachine()
	c.warnOfOutcomes()
	c.judgeHeard()
	c.judgePayloads()
	c.judgeBulk()
	c.judgeSweep()
	c.Valid = len(c.Why) == 0
	c.Verdict, c.Broken = JudgePromise(PromiseOf(c.Promise, c.Idempotent), c.Accounting, c.Drained && c.Finished)
}

func (c *Cell) judgeOperations() {
	n := c.Counts
	switch {
	case !c.Finished:
		c.why("it was cut short")
	case n.Due == 0:
		c.why("no operation was due in the measured time")
	case !n.Closes():
		c.why(
			"%d operations were due but %d ended: this is a defect of flowbench",
			n.Due,
			n.OK+n.Failed+n.Unknown+n.Dropped,
		)
	}
	if n.Dropped > 0 {
		c.why("%d of %d operations were dropped: %d were under way at once, the limit (max_in_flight)%s",
			n.Dropped, n.Due, c.Load.MaxInFlight, c.meanwhile())
	}
	if c.Finished && !c.Drained {
		c.why("the drain ended before all work had: what seems lost may only have been late")
	}
	if c.Accounting.Unresolved > 0 {
		c.why("the account gave up on %d commands", c.Accounting.Unresolved)
	}
	if c.Finished && !c.Accounting.Closes() {
		c.why("the account does not close: this is a defect of flowbench")
	}
}

// judgeFaults looks whether the faults did anything. A cell whose fault did
// nothing shows how the flow does without, under the name of a cell that shows
// how it does with it.
func (c *Cell) judgeFaults() {
	for _, f := range c.Faults {
		switch {
		case f.Absent:
			c.warn("fault %s is absent: the flow has no %s that it could befall", f.What, f.On)
		case f.Effect == "":
			c.why("fault %s on %s had no effect", f.What, f.On)
		}
	}
}

func (c *Cell) judgeGenerator() {
	if late := c.lateness(); late != "" {
		c.why("operations started late: %s%s", late, c.meanwhile())
	}
}

// meanwhile says what the machine lacked, if anything: a generator that gets no CPU is
// late and drops operations through no fault of the flow.
func (c *Cell) meanwhile() string {
	switch p := c.Pressure; {
	case p.CPUSome > psiLimit:
		return fmt.Sprintf(", while tasks waited for a CPU in %.0f %% of the time", 100*p.CPUSome)
	case p.Steal > stealLimit:
		return fmt.Sprintf(", while the hypervisor took %.0f %% of the CPU time", 100*p.Steal)
	case p.Busy > busyLimit:
		return fmt.Sprintf(", while the CPUs were busy %.0f %% of the time", 100*p.Busy)
	}
	return ""
}

// lateness says how late the generator was, or nothing if it was in time.
func (c *Cell) lateness() string {
	if c.SendLag == nil || !c.Load.Open() {
		return ""
	}
	last := c.LatencyOfAll(AnsweredStage)
	if last == nil {
		last = c.LatencyOfAll(AcceptedStage)
	}
	p := judgedQuantile(c.SendLag.N())
	if last == nil || p == 0 {
		return ""
	}
	lag, of := c.SendLag.Quantile(p), last.Quantile(p)
	if lag <= lagFloor || float64(lag) <= lagShare*float64(of) {
		return ""
	}
	return fmt.Sprintf("send lag p%g is %s of a latency p%g of %s", 100*p, short(lag), 100*p, short(of))
}

// judgedQuantile returns the highest quantile that n values resolve, of those
// that a cell is judged by, and 0 if they resolve none: one late operation among
// a hundred says nothing about the generator.
func judgedQuantile(n int64) float64 {
	for _, p := range []float64{0.99, 0.9, 0.5} {
		if Resolved(n, p) {
			return p
		}
	}
	return 0
}

// Disturbed says what else the machine was busy with while c was measured: how late
// the canary woke, how much tasks waited for a CPU, and how much of it was stolen,
// where these are beyond their limits. It is empty on a quiet machine.
func (c *Cell) Disturbed() []string {
	var by []string
	if c.Canary != nil && c.Canary.N() > 0 {
		if p99 := c.Canary.Quantile(0.99); p99 > canaryLimit {
			by = append(by, fmt.Sprintf(
				"the machine was not quiet: a goroutine that sleeps 1 ms woke up to %s late (p99)", short(p99)))
		}
	}
	if c.Pressure.CPUSome > psiLimit {
		by = append(by, fmt.Sprintf("tasks waited for a CPU in %.0f %% of the time", 100*c.Pressure.CPUSome))
	}
	if c.Pressure.Steal > stealLimit {
		by = append(by, fmt.Sprintf("the hypervisor took %.0f %% of the CPU time", 100*c.Pressure.Steal))
	}
	return by
}

func (c *Cell) warnOfMachine() {
	c.Warnings = append(c.Warnings, c.Disturbed()...)
	if c.Pressure.Busy > busyLimit {
		c.warn(
			"the CPUs were busy %.0f %% of the time: the numbers are those of a saturated machine",
			100*c.Pressure.Busy,
		)
	}
}

// warnOfOutcomes says whose latencies are not in the numbers. With faults that is
// what the cell is about, and when the operations were due tells why.
func (c *Cell) warnOfOutcomes() {
	bad := c.Counts.Failed + c.Counts.Unknown
	if !c.Load.Open() || !c.Counts.Closes() || bad == 0 {
		return
	}
	if len(c.Windows) == 0 {
		c.warn("%d of %d operations did not end ok: the latencies are of those that did", bad, c.Counts.Due)
		return
	}
	var parts []string
	for _, w := range []struct{ name, when string }{
		{SteadyWindow, "in the steady time"},
		{FaultWindow, "while a fault was on"},
		{RecoveryWindow, "in the recovery"},
	} {
		if in := c.Windows[w.name]; in != nil && in.Counts.Failed+in.Counts.Unknown > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d operations due %s",
				in.Counts.Failed+in.Counts.Unknown, in.Counts.Due, w.when))
		}
	}
	c.warn("did not end ok: %s; the latencies are of those that did", strings.Join(parts, ", "))
}

func (c *Cell) why(format string, args ...any) { c.Why = append(c.Why, fmt.Sprintf(format, args...)) }
func (c *Cell) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

// short returns d with three significant digits, as reports write it.
func short(d time.Duration) string {
	switch us := float64(d.Nanoseconds()) / 1e3; {
	case us < 1e3:
		return fmt.Sprintf("%.3g µs", us)
	case us < 1e6:
		return fmt.Sprintf("%.3g ms", us/1e3)
	default:
		return fmt.Sprintf("%.3g s", us/1e6)
	}
}

// Sound reports whether every cell of r ran to its end and is valid.
func (r *Run) Sound() bool {
	if !r.Finished || len(r.Cells) != len(r.CellIDs) {
		return false
	}
	for _, c := range r.Cells {
		if !c.Valid {
			return false
		}
	}
	return true
}
