package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// anySweep reports whether any cell of run looked for its knee.
func anySweep(run *results.Run) bool {
	return slices.ContainsFunc(run.Cells, func(c *results.Cell) bool { return c.Sweep != nil })
}

// knee shows how many operations each cell carries, how fast it is below that, and
// what was saturated above.
func knee(v view) section {
	if !anySweep(v.run) {
		return section{}
	}
	return section{
		ID: "knee", Title: "The knee",
		Lead: "Each cell was tried at rates of its own, each time for a while and with a fresh start, until the " +
			"highest was found at which it " + objective(v.run) + ". All other sections show one trial of each " +
			"cell, the one that confirmed its knee: each at a rate of its own.",
		Figures: v.figures["knee"],
		Tables:  []table{v.kneeTable(), v.trialTable()},
		Terms: []term{
			{"knee", "highest rate that met the objective, confirmed over a longer time"},
			{"missed", "lowest rate above it that did not meet the objective"},
			{"done", "answered; or applied, for operations whose clients learn no result"},
			{"saturated", "at least 90 % in use at the lowest rate above the knee that was missed. Front ends and " +
				"clients are part of the CPU time of flowbench's own process"},
			{"met", "the trial met the objective; missed: it did not; spoilt: the generator was late, so that it " +
				"says nothing about the flow"},
		},
	}
}

// objective says what cells had to do at a rate.
func objective(run *results.Run) string {
	for _, c := range run.Cells {
		if s := c.Sweep; s != nil {
			return fmt.Sprintf("had done %s of the operations within %s and %s of them in all, and dropped none",
				percent(s.SLO.Quantile), words.Span(s.SLO.Latency), percent(s.SLO.Achieved))
		}
	}
	return ""
}

// kneeRate returns the knee of a sweep as tables show it.
func kneeRate(s *results.Sweep) string {
	switch {
	case s.KneePerS == 0:
		return words.Absent
	case s.State == results.SweepAtLeast:
		return "≥ " + words.Digits(s.KneePerS)
	case s.State == results.SweepCut:
		return "(" + words.Digits(s.KneePerS) + ")"
	}
	return words.Digits(s.KneePerS)
}

// missedRate returns the lowest rate that was missed.
func missedRate(s *results.Sweep) string {
	if s.MissedPerS == 0 {
		return words.Absent
	}
	return words.Digits(s.MissedPerS)
}

// limitOf says in a word or two what kept a sweep from going higher.
func limitOf(s *results.Sweep) string {
	switch {
	case s.Limit == results.LimitGenerator:
		return "the generator"
	case s.Limit == results.LimitMax:
		return "max_per_s"
	case s.State == results.SweepCut:
		return "cut short"
	case len(s.Saturated) > 0:
		var names []string
		for _, p := range s.Saturated {
			names = append(names, words.Clean(p.Name))
		}
		return words.List(names)
	case s.MissedPerS == 0:
		return words.Absent
	}
	return "nothing measured"
}

// halfway returns the trial of a sweep that is nearest to half the knee, or nil.
func halfway(s *results.Sweep) *results.Trial {
	var best *results.Trial
	for _, t := range s.Curve() {
		if t.Share > 0 && t.Latency != nil && (best == nil || max(t.Share, 1-t.Share) < max(best.Share, 1-best.Share)) {
			best = t
		}
	}
	return best
}

// latencyOf returns the latency of a trial that may not have run.
func latencyOf(t *results.Trial) *results.Hist {
	if t == nil {
		return nil
	}
	return t.Latency
}

// kneeTable is a row for each cell.
func (v view) kneeTable() table {
	t := table{
		Caption: "What each cell carries", Corner: "cell", Sorts: true,
		Groups: []group{{"", 1}, {"operations per second", 2}, {"at the knee", 2}, {"at half of it", 2}, {"", 2}},
		Heads: []head{
			{Text: "knee"}, {Text: "missed"}, {Text: "p50"}, {Text: "p99"}, {Text: "p50"}, {Text: "p99"},
			{Text: "saturated above it", Class: "word"}, {Text: "trials"},
		},
	}
	for i, c := range v.run.Cells {
		s := c.Sweep
		if s == nil {
			continue
		}
		own, half := latencyOf(s.OwnTrial()), latencyOf(halfway(s))
		why := ""
		for _, p := range s.Saturated {
			why += words.Clean(p.Text) + "; "
		}
		t.Rows = append(t.Rows, row{Label: v.labels[i], Marks: marks(c), Cells: []entry{
			entry{Text: kneeRate(s)}.valued(s.KneePerS), entry{Text: missedRate(s)}.valued(s.MissedPerS),
			quantile(own, 0.5), quantile(own, 0.99), quantile(half, 0.5), quantile(half, 0.99),
			{Text: limitOf(s), Title: why, Class: "word"}, count(int64(len(s.Trials)), ""),
		}})
	}
	return t
}

// trialTable is a row for each trial.
func (v view) trialTable() table {
	t := table{
		Caption: "All trials, in the order in which they ran", Corner: "cell", Folded: true,
		Groups: []group{{"", 1}, {"", 3}, {"operations per second", 2}, {"until done", 2}, {"", 1}, {"in use", 4}},
		Heads: []head{
			{Text: "trial"}, {Text: "for", Class: "word"}, {Text: "verdict", Class: "word"},
			{Text: "due"}, {Text: "done"}, {Text: "p50"}, {Text: "p99"},
			{Text: "send lag p99", Title: "how late the generator was"},
			{Text: "workers", Title: "share of the time of the service's workers"},
			{Text: "machine", Title: "share of the CPU time of the machine"},
			{Text: "own cores", Title: "CPU time per second of flowbench: clients, front ends and service"},
			{Text: "broker cores", Title: "CPU time per second of the broker's processes, if they were started here"},
		},
	}
	for i, c := range v.run.Cells {
		if c.Sweep == nil {
			continue
		}
		for n, trial := range c.Sweep.Trials {
			r := row{Follows: n > 0, Cells: trialEntries(trial)}
			if n == 0 {
				r.Label, r.Marks, r.Span = v.labels[i], marks(c), len(c.Sweep.Trials)
			}
			t.Rows = append(t.Rows, r)
		}
	}
	return t
}

// trialEntries returns the entries of one trial.
func trialEntries(t *results.Trial) []entry {
	purpose := words.Clean(string(t.Purpose))
	if t.Share > 0 {
		purpose = words.Share(t.Share)
	}
	verdict := entry{Text: words.Clean(string(t.Verdict)), Title: words.List(cleaned(t.Why)), Class: "word"}
	e := []entry{
		count(int64(t.Number), ""), {Text: purpose, Class: "word"}, verdict,
		{Text: words.Digits(t.OfferedPerS())}, {Text: words.Digits(t.AchievedPerS())},
		quantile(t.Latency, 0.5), quantile(t.Latency, 0.99), quantile(t.SendLag, 0.99),
	}
	use := func(v *float64, f func(float64) string) entry {
		if v == nil || *v < 0 {
			return entry{Text: words.Absent, Title: "it was not measured", Class: "faint"}
		}
		return entry{Text: f(*v)}
	}
	var workers, broker, own *float64
	if t.Use != nil {
		workers, broker = &t.Use.Workers, t.Use.BrokerCores
	}
	if t.Pressure.Busy >= 0 {
		own = &t.Pressure.OwnCores
	}
	return append(e, use(workers, words.Share), use(&t.Pressure.Busy, words.Share), use(own, words.Digits),
		use(broker, words.Digits))
}

// knees says how many operations each cell carries, the most first.
func knees(run *results.Run, labels []string) []string {
	type found struct {
		text string
		knee float64
	}
	var all []found
	for i, c := range run.Cells {
		if c.Sweep != nil {
			all = append(all, found{kneeSentence(labels[i], c.Sweep, c.Running), c.Sweep.KneePerS})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return cmp.Compare(b.knee, a.knee) })
	var sentences []string
	for _, f := range all {
		sentences = append(sentences, f.text)
	}
	return sentences
}

// kneeSentence says what was found of one cell.
func kneeSentence(label string, s *results.Sweep, running bool) string {
	rate := words.Digits(s.KneePerS) + " operations per second"
	within := fmt.Sprintf("%s of them done within %s", percent(s.SLO.Quantile), words.Span(s.SLO.Latency))
	cut := "was cut short"
	if running {
		cut = "goes on"
	}
	switch {
	case s.State == results.SweepUnmet && s.Limit == results.LimitGenerator:
		return label + " could not be judged: the generator was late at every rate that was tried."
	case s.State == results.SweepUnmet:
		return fmt.Sprintf("%s did not have %s even at %s per second; %s.", label, within, missedRate(s), aboveKnee(s))
	case s.State == results.SweepUnsure:
		return fmt.Sprintf("%s met the objective in short trials and at no rate over a longer time: it carries less "+
			"than %s operations per second with %s; %s.", label, missedRate(s), within, aboveKnee(s))
	case s.State == results.SweepCut && s.KneePerS == 0:
		return label + ": the sweep " + cut + "; no rate was found yet that holds."
	case s.State == results.SweepCut:
		return fmt.Sprintf("%s: the sweep %s; it carries about %s, to be confirmed, with %s.", label, cut, rate,
			within)
	case s.Limit == results.LimitGenerator:
		return fmt.Sprintf("%s carries at least %s with %s: the generator was the limit, so nothing is known of what "+
			"the flow does above that.", label, rate, within)
	case s.State == results.SweepAtLeast:
		return fmt.Sprintf("%s carries at least %s with %s, the highest rate that was to be tried.", label, rate,
			within)
	}
	return fmt.Sprintf("%s carries %s with %s; at %s it did not, and %s.", label, rate, within, missedRate(s),
		aboveKnee(s))
}

// aboveKnee says what was saturated, as the end of a sentence.
func aboveKnee(s *results.Sweep) string {
	if len(s.Saturated) == 0 {
		return "none of the parts whose use is measured was saturated"
	}
	var texts []string
	for _, p := range s.Saturated {
		texts = append(texts, words.Clean(p.Text))
	}
	return words.List(texts)
}

// kneeColumns is the table of the text report.
func kneeColumns(run *results.Run, labels []string) textTable {
	t := textTable{lead: textColumn{name: "knee"}}
	var all []*results.Sweep
	for i, c := range run.Cells {
		if c.Sweep != nil {
			t.lead.values, all = append(t.lead.values, labels[i]), append(all, c.Sweep)
		}
	}
	add := func(group, name string, value func(*results.Sweep) (string, string)) {
		c := textColumn{group: group, name: name}
		for _, s := range all {
			text, mark := value(s)
			c.values, c.marks = append(c.values, text), append(c.marks, mark)
		}
		c.balance()
		t.columns = append(t.columns, c)
	}
	add("per second", "knee", func(s *results.Sweep) (string, string) { return kneeRate(s), "" })
	add("per second", "missed", func(s *results.Sweep) (string, string) { return missedRate(s), "" })
	for _, at := range []struct {
		name string
		of   func(*results.Sweep) *results.Trial
	}{{"at the knee", (*results.Sweep).OwnTrial}, {"at half of it", halfway}} {
		for _, p := range []float64{0.5, 0.99} {
			add(at.name, words.Percentile(p), func(s *results.Sweep) (string, string) {
				q := words.QuantileOf(latencyOf(at.of(s)), p)
				if !q.Resolved {
					return q.String(), faint
				}
				return q.String(), ""
			})
		}
	}
	add("", "saturated", func(s *results.Sweep) (string, string) {
		if s.Limit == results.LimitGenerator {
			return limitOf(s), yellow
		}
		return limitOf(s), ""
	})
	return t
}

// trialHeads are the columns of a CSV that only runs with a sweep have.
func trialHeads() []string {
	return []string{"trial", "trial_for", "trial_share", "trial_rate_per_s", "trial_verdict"}
}

// trialRows returns a row for each trial of a cell: its latency until done, counts of
// its own, and the fields of [trialHeads]. A sweep goes with no fault, so that they
// stand where those of faults would.
func trialRows(c *results.Cell, head []string) (rows [][]string) {
	if c.Sweep == nil {
		return nil
	}
	for _, t := range c.Sweep.Trials {
		figures := []string{"0", "", "", "", "", "", "", ""}
		if t.Latency != nil && t.Latency.N() > 0 {
			figures = figuresOf(t.Latency)
		}
		row := slices.Concat(head, []string{"all", "done"}, figures,
			[]string{perSecond(t.OfferedPerS()), perSecond(t.AchievedPerS())})
		n := t.Counts
		for _, v := range []int64{n.Due, n.OK, n.Failed, n.Unknown, n.Dropped} {
			row = append(row, strconv.FormatInt(v, 10))
		}
		row = append(row, "", strconv.FormatInt(t.Lost, 10), strconv.FormatInt(t.Duplicated, 10),
			strconv.FormatBool(t.Verdict != results.TrialSpoilt), strconv.FormatBool(t.Verdict != results.TrialCut),
			"", inert(c.Payload), inert(c.Store), strconv.Itoa(c.Load.PayloadBytes), "",
			strconv.Itoa(t.Number), inert(string(t.Purpose)), strconv.FormatFloat(t.Share, 'f', -1, 64),
			perSecond(t.RatePerS), inert(string(t.Verdict)))
		rows = append(rows, row)
	}
	return rows
}

// markdownKnees writes the table of knees into a comment.
func markdownKnees(b *strings.Builder, run *results.Run, labels []string) {
	if !anySweep(run) {
		return
	}
	b.WriteString("\n| cell | knee per s | missed at | p50 at the knee | p99 at the knee | p99 at half of it | " +
		"saturated above it |\n|---|--:|--:|--:|--:|--:|---|\n")
	var rows []string
	for i, c := range run.Cells {
		s := c.Sweep
		if s == nil {
			continue
		}
		own := latencyOf(s.OwnTrial())
		rows = append(rows, "| "+strings.Join([]string{
			harmless(labels[i]), kneeRate(s), missedRate(s), words.QuantileOf(own, 0.5).String(),
			words.QuantileOf(own, 0.99).String(), words.QuantileOf(latencyOf(halfway(s)), 0.99).String(),
			harmless(limitOf(s)),
		}, " | ")+" |\n")
	}
	if n := fill(b, rows, kneeBytes); n > 0 {
		fmt.Fprintf(b, "\n%s left out of this table: a comment has no room for them.\n", words.Plural(int64(n), "cell"))
	}
}

// kneeBytes is how many bytes of a comment the table of knees may take.
const kneeBytes = 8 << 10
