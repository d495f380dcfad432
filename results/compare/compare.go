package compare

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"flowbench/results"
)

// Schema names the machine-readable form of a [Comparison].
const Schema = "flowbench.compare/1"

// A Comparison is what comparing one side with others came to.
type Comparison struct {
	Schema    string        `json:"schema"`
	Scenario  string        `json:"scenario"`
	Question  string        `json:"question"`
	Simulated bool          `json:"simulated"`
	Host      results.Host  `json:"host"`
	Old       Description   `json:"old"`
	New       []Description `json:"new"`
	Outcome   Outcome       `json:"outcome"` // of all rows: worse, else cannot tell, else better, else no change
	// Compared is how many comparisons the p-values are adjusted for.
	Compared int      `json:"compared"`
	Floor    string   `json:"floor"` // what the noise floor is from, in words
	Marks    []string `json:"marks"` // what a reader must know of before the rows
	Rows     []Row    `json:"rows"`
	LeftOut  []string `json:"left_out"` // what was not compared, and why
}

// A Row is one metric of one cell.
type Row struct {
	Side     int       `json:"side"` // which of New
	Cell     string    `json:"cell"`
	Metric   Metric    `json:"metric"`
	Old      float64   `json:"old"` // median of the observations
	New      float64   `json:"new"`
	OldAll   []float64 `json:"old_observations"` // in the order of time
	NewAll   []float64 `json:"new_observations"`
	Estimate *Estimate `json:"estimate,omitempty"` // absent where a value is 0
	// P is by Mann and Whitney's test, and Adjusted by Holm; absent where there was no
	// test: with one run on a side, and where all observations are equal.
	P        *float64 `json:"p,omitempty"`
	Adjusted *float64 `json:"p_adjusted,omitempty"`
	Floor    float64  `json:"floor"` // a share
	Assumed  bool     `json:"floor_assumed,omitempty"`
	Single   bool     `json:"single_runs,omitempty"` // the interval is of single runs, and nothing is called by it
	Outcome  Outcome  `json:"outcome"`
	Word     string   `json:"word"` // the outcome as one says it: slower, fewer, cannot tell
	Why      string   `json:"why,omitempty"`

	evidence evidence
}

// Size returns how large the change of a row is, whichever way it goes, as a share:
// 1 is twice or half as much. Counts have none, and count as the largest.
func (r Row) Size() float64 {
	if r.Metric.Family == Count {
		return math.Inf(1)
	}
	return size(r.evidence.change)
}

// Options say how to compare.
type Options struct {
	Force       bool      // compare what is not comparable, and mark it
	Noise       *Noise    // the floor of the machine; nil where nobody measured it
	Now         time.Time // what the age of the floor counts from
	Interleaved bool      // the sides ran in turns
}

// A RefusedError says why sides cannot be compared.
type RefusedError struct{ Reasons []string }

// Error implements error.
func (e *RefusedError) Error() string {
	return "these runs are not comparable: " + strings.Join(e.Reasons, "; ") +
		"; --force compares them all the same, and marks it"
}

// Compare compares the cells that the old side has in common with each new one.
func Compare(old Side, news []Side, o Options) (*Comparison, error) {
	empty := func(s Side) bool { return len(s.Runs) == 0 }
	if empty(old) || len(news) == 0 || slices.ContainsFunc(news, empty) {
		return nil, errors.New("compare runs: a side has none")
	}
	first := old.Runs[0]
	c := &Comparison{
		Schema: Schema, Scenario: first.Scenario, Question: first.Question, Simulated: first.Simulated,
		Host: first.Host, Old: old.describe(), Marks: []string{}, LeftOut: []string{}, Rows: []Row{},
	}
	before := newSide(old)
	reasons, differ := comparable(old, old, before, before)
	for i, s := range news {
		c.New = append(c.New, s.describe())
		after := newSide(s)
		why, also := comparable(old, s, before, after)
		reasons, differ = append(reasons, why...), append(differ, also...)
		c.compareSide(i, before, after)
	}
	reasons, differ = compacted(reasons), compacted(differ)
	if len(reasons) > 0 && !o.Force {
		return nil, &RefusedError{reasons}
	}
	for _, why := range reasons {
		c.Marks = append(c.Marks, "not comparable, and compared by force: "+why)
	}
	c.Marks = append(c.Marks, differ...)
	if len(c.Rows) == 0 {
		return nil, &RefusedError{append([]string{"they have no cell with a metric in common"}, c.LeftOut...)}
	}
	noise := c.useNoise(o)
	if !o.Interleaved && !c.Simulated {
		c.Marks = append(c.Marks, "the sides did not run in turns: what the machine did at other times counts as a "+
			"difference; flowbench ab runs them in turns")
	}
	c.decide(noise)
	return c, nil
}

// comparable says why two sides cannot be compared, and in what else they differ.
func comparable(old, recent Side, before, after observedSide) (reasons, differ []string) {
	a := old.Runs[0]
	for _, b := range recent.Runs {
		switch {
		case a.Scenario != b.Scenario:
			reasons = append(reasons, fmt.Sprintf("scenarios are %s and %s", a.Scenario, b.Scenario))
		case a.Simulated != b.Simulated:
			reasons = append(reasons, "one is simulated and the other is not")
		case !a.Simulated && !SameMachine(a.Host, b.Host):
			reasons = append(reasons, fmt.Sprintf("machines are %s and %s", hostText(a.Host), hostText(b.Host)))
		}
	}
	for _, id := range before.ids {
		x, y := before.cells[id], after.cells[id]
		if y == nil {
			continue
		}
		if !reflect.DeepEqual(x.cell.Load, y.cell.Load) {
			reasons = append(reasons, fmt.Sprintf("cell %s had another load", id))
		}
		for _, what := range []struct {
			name string
			a, b map[string]string
		}{
			{"setting", x.cell.Settings, y.cell.Settings}, {"guarantee", x.cell.Guarantees, y.cell.Guarantees},
		} {
			for _, key := range slices.Sorted(maps.Keys(merge(what.a, what.b))) {
				if what.a[key] != what.b[key] {
					differ = append(differ, fmt.Sprintf("%s %s differs: %s before, %s now", what.name, key,
						orNone(what.a[key]), orNone(what.b[key])))
				}
			}
		}
	}
	return reasons, differ
}

func merge(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, b)
	return all
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func hostText(h results.Host) string {
	cpu := h.CPU
	if cpu == "" {
		cpu = h.Arch
	}
	return fmt.Sprintf("%s with %d × %s and %d MB", h.OS, h.CPUs, cpu, h.MemoryMB)
}

// compacted returns texts without those that came before.
func compacted(texts []string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// useNoise decides which noise floor counts, and says so.
func (c *Comparison) useNoise(o Options) *Noise {
	n := o.Noise
	switch {
	case c.Simulated:
		c.Floor = "virtual time has no noise; 1 % and less is no change"
		return nil
	case n == nil:
		c.Floor = "nobody has measured the noise floor of this machine: it is assumed to be 10 % at p50, 20 % at p90 " +
			"and 50 % at p99; flowbench noise measures it"
		return nil
	case !SameMachine(n.Host, c.Host):
		c.Floor = "the noise floor that was measured is of another machine, and is not used: 10 % at p50, 20 % at " +
			"p90 and 50 % at p99 are assumed; flowbench noise measures it"
		return nil
	}
	c.Floor = fmt.Sprintf("noise floor measured on this machine at %s, with %d observations a side",
		n.Taken.UTC().Format("2006-01-02 15:04 UTC"), n.PerSide)
	if age := o.Now.Sub(n.Taken); age > Stale {
		c.Marks = append(c.Marks, fmt.Sprintf("the noise floor is %d days old: machines change; flowbench noise "+
			"measures it again", int(age/(24*time.Hour))))
	}
	if len(n.Disturbed) > 0 {
		c.Marks = append(c.Marks, "the noise floor was measured while the machine was not quiet, and may be higher "+
			"than it need be: "+n.Disturbed[0])
	}
	return n
}

// compareSide adds the rows of one new side, without their outcomes.
func (c *Comparison) compareSide(side int, before, after observedSide) {
	for _, id := range before.ids {
		if after.cells[id] == nil {
			c.LeftOut = append(c.LeftOut, id+": only the old side has it")
			continue
		}
		c.compareCell(side, id, before.cells[id], after.cells[id])
	}
	for _, id := range after.ids {
		if before.cells[id] == nil {
			c.LeftOut = append(c.LeftOut, id+": only the new side has it")
		}
	}
}

// compareCell adds the rows of one cell.
func (c *Comparison) compareCell(side int, id string, old, recent *sample) {
	if len(old.all) == 0 || len(recent.all) == 0 {
		c.LeftOut = append(c.LeftOut, id+": no observation of a side is valid")
		c.Rows = append(c.Rows, Row{
			Side: side, Cell: id, Metric: Metric{Name: "all", Family: Latency}, OldAll: []float64{},
			NewAll:   []float64{},
			evidence: evidence{disturbed: "no observation of a side is valid"},
		})
		return
	}
	disturbed := old.disturbed()
	if disturbed == "" {
		disturbed = recent.disturbed()
	}
	var unresolved []string
	for _, m := range old.metrics() {
		a, ok := old.values(m)
		b, too := recent.values(m)
		if !ok || !too {
			unresolved = append(unresolved, m.Name)
			continue
		}
		same := !slices.ContainsFunc(append(slices.Clone(a), b...), func(v float64) bool { return v != a[0] })
		if same && m.Family == Count && a[0] == 0 {
			continue // nothing of the kind happened anywhere
		}
		r := Row{
			Side: side, Cell: id, Metric: m, OldAll: a, NewAll: b, Old: medianOf(a), New: medianOf(b),
			Single: len(a) == 1 || len(b) == 1,
		}
		r.evidence = evidence{
			metric: m, old: len(a), new: len(b), disturbed: disturbed, same: same, single: r.Single,
			change: changeOf(m, a, b),
		}
		r.estimate(old, recent)
		c.Rows = append(c.Rows, r)
	}
	if len(unresolved) > 0 {
		c.LeftOut = append(c.LeftOut, id+": too few samples, or not on both sides: "+strings.Join(unresolved, ", "))
	}
}

// changeOf returns the factor of the new side to the old, or for counts the
// difference of their means: most of their values are 0.
func changeOf(m Metric, a, b []float64) float64 {
	if m.Family == Count {
		return mean(b) - mean(a)
	}
	e, _ := ratio(a, b)
	return e.Ratio
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// estimate sets the ratio of r, its interval and its p-value.
func (r *Row) estimate(old, recent *sample) {
	if r.Single {
		r.estimateSingle(old, recent)
		return
	}
	if e, ok := ratio(r.OldAll, r.NewAll); ok && r.Metric.Family != Count {
		r.Estimate = &e
	}
	if !r.evidence.same {
		p := pValue(r.OldAll, r.NewAll)
		r.P = &p
	}
}

// estimateSingle sets the interval of a latency from the seconds of the runs.
func (r *Row) estimateSingle(old, recent *sample) {
	e := Estimate{Ratio: r.evidence.change}
	if r.Metric.Family == Latency && len(old.all) == 1 && len(recent.all) == 1 {
		for _, k := range results.Kinds() {
			for _, s := range results.Stages() {
				if latencyMetric(k, s, r.Metric.Quantile) != r.Metric {
					continue
				}
				if all, ok := within(old.all[0], recent.all[0], k, s, 1); ok {
					if w, there := all[r.Metric.Quantile]; there {
						e = w
					}
				}
			}
		}
	}
	if e.Ratio > 0 && r.Metric.Family != Count {
		r.Estimate = &e
	}
	r.evidence.estimate = e
}

// decide adjusts the p-values of all rows for their number, and gives each row and
// the whole their outcomes.
func (c *Comparison) decide(n *Noise) {
	var p []float64
	var of []int
	for i, r := range c.Rows {
		if r.P != nil && r.evidence.disturbed == "" {
			p, of = append(p, *r.P), append(of, i)
		}
	}
	c.Compared = len(p)
	for i, adjusted := range holm(p) {
		c.Rows[of[i]].Adjusted = &adjusted
		c.Rows[of[i]].evidence.p = adjusted
	}
	seen := make(map[Outcome]bool)
	for i := range c.Rows {
		r := &c.Rows[i]
		r.evidence.comparisons = len(p)
		floor, measured := n.Of(r.Metric, min(len(r.OldAll), len(r.NewAll)))
		if c.Simulated {
			floor, measured = leastFloor, true
		}
		r.Floor, r.Assumed = floor, !measured
		r.evidence.floor = floor
		r.Outcome, r.Why = r.evidence.judge()
		r.Word = r.Outcome.Word(r.Metric)
		seen[r.Outcome] = true
	}
	c.Outcome = NoChange
	for _, o := range []Outcome{Better, CannotTell, Worse} { // the last that was seen counts
		if seen[o] {
			c.Outcome = o
		}
	}
}
