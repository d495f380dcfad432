package report

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// glance is the verdict in tables: how fast each flow is at each stage, and what that
// takes and loses.
func glance(v view) section {
	s := section{
		ID: "glance", Title: "The flows at a glance",
		Lead: "Latencies count from when an operation was due; n is how many samples they are from, and values in " +
			"parentheses have fewer than 10 samples beyond them. " + v.comparedWith(),
		Tables: []table{v.commands(), v.rates(), v.price()},
		Notes:  v.glanceNotes(),
	}
	if len(v.run.Cells) == 1 {
		for i := range s.Tables {
			s.Tables[i].Sorts = false
		}
	}
	return s
}

// comparedWith says how to read the differences from the reference.
func (v view) comparedWith() string {
	if len(v.run.Cells) < 2 {
		return ""
	}
	return "Below a number stands how many times that of the reference it is, which is marked and is taken on the " +
		"same broker where it has one; = is the same, and ≈ is too close to tell apart in one run."
}

// commands is the table of the latencies of commands.
func (v view) commands() table {
	t := table{
		Caption: "Commands: latency from due to each stage", Corner: "cell", Sorts: true,
		Groups: []group{{"", 1}},
	}
	var compared []bool
	for _, s := range results.Stages() {
		t.Groups = append(t.Groups, group{s.String(), 4})
		t.Heads = append(t.Heads, heads("p50", "p99", "p99.9", "n")...)
		compared = append(compared, true, true, true, false)
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		var cells []entry
		for _, s := range results.Stages() {
			cells = append(cells, quantiles(c.LatencyOf(results.Command, s))...)
		}
		return cells
	})
	v.against(&t, compared)
	return t
}

// quantiles returns the entries of p50, p99, p99.9 and n.
func quantiles(h *results.Hist) []entry { return besideN(h, 0.5, 0.99, 0.999) }

// besideN returns the entries of quantiles and of n, which need not say it then.
func besideN(h *results.Hist, ps ...float64) []entry {
	var cells []entry
	for _, p := range ps {
		e := quantile(h, p)
		if e.Class == "" {
			e.Title = ""
		}
		cells = append(cells, e)
	}
	return append(cells, sampleCount(h))
}

// rates is the table of the latencies of queries, of rates and of outcomes.
func (v view) rates() table {
	t := table{
		Caption: "Queries, rates, and how operations ended", Corner: "cell", Sorts: true,
		Groups: []group{{"", 1}, {"queries answered", 4}, {"operations per second", 2}, {"operations", 4}},
		Heads: append(heads("p50", "p99", "p99.9", "n", "offered", "ok", "ok"), []head{
			{Text: "failed", Title: "certainly did not happen, or was refused"},
			{Text: "unknown", Title: "it may have happened, and may yet happen"},
			{Text: "dropped", Title: "due, and never started: too many were under way"},
		}...),
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		cells := quantiles(c.LatencyOf(results.Query, results.AnsweredStage))
		offered, achieved := c.OfferedPerS(), c.AchievedPerS()
		ok := entry{Text: words.Digits(achieved)}.valued(achieved)
		if achieved < 0.99*offered {
			ok.Class, ok.Title = "warn", "fewer than 99 % of the operations that were due ended ok"
		}
		return append(cells, entry{Text: words.Digits(offered)}.valued(offered), ok,
			count(c.Counts.OK, ""), count(c.Counts.Failed, "warn"), count(c.Counts.Unknown, "warn"),
			count(c.Counts.Dropped, "bad"))
	})
	v.against(&t, []bool{true, true, true, false, false, true, false, false, false, false})
	return t
}

// price is the table of losses, cost and promises.
func (v view) price() table {
	t := table{
		Caption: "At what price: what the account of commands shows, what one operation takes, and what was promised",
		Corner:  "cell", Sorts: true,
		Groups: []group{{"", 1}, {"commands", 2}, {"each operation", 4}, {"promise", 2}, {"", 1}},
		Heads: []head{
			{Text: "lost", Title: "acknowledged, and never applied"}, {Text: "dup", Title: "applied more than once"},
			{Text: "messages", Title: "published to the broker, answers included"},
			{Text: "broker bytes", Title: "both ways, protocol included"},
			{Text: "HTTP requests", Title: "polls and hops behind a balancer included"},
			{Text: "CPU", Title: "of the flowbench process, the load generator included"},
			{Text: "commands are applied", Class: "word"}, {Text: "which was", Class: "word"}, {Text: "valid"},
		},
	}
	told := slices.ContainsFunc(v.run.Cells, func(c *results.Cell) bool { return c.Verdict != "" })
	if !told { // a run of an older program
		t.Groups[3].Span, t.Heads = 1, slices.Delete(t.Heads, 7, 8)
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		valid := entry{Text: "yes"}.valued(1)
		if !c.Valid {
			valid = entry{Text: "no", Title: words.List(cleaned(c.Why)), Class: doubtClass(c)}.valued(0)
			if c.Running {
				valid.Text = words.Doubt(c)
			}
		}
		cells := []entry{
			count(c.Accounting.Lost, "bad"), count(c.Accounting.Duplicated, "warn"),
			optional(c.Cost.BrokerMsgs, words.Digits), optional(c.Cost.BrokerBytes, words.Bytes),
			optional(c.Cost.HTTPRequests, words.Digits), optional(c.Cost.CPUus, microseconds),
			wordEntry(c.Promise),
		}
		if told {
			cells = append(cells, keptEntry(c))
		}
		return append(cells, valid)
	})
	v.against(&t, []bool{false, false, true, true, true, true, false, false, false})
	return t
}

// wordEntry returns a word among figures.
func wordEntry(s string) entry {
	e := orAbsent(words.Clean(s))
	e.Class = strings.TrimSpace("word " + e.Class)
	return e
}

// keptEntry says whether the promise of a cell was kept.
func keptEntry(c *results.Cell) entry {
	e := wordEntry(c.Verdict)
	if len(c.Broken) > 0 {
		e.Title, e.Class = words.List(cleaned(c.Broken)), "word bad"
	}
	return e
}

// glanceNotes says in words what the tables' marks stand for, cell by cell.
func (v view) glanceNotes() []string {
	var notes []string
	for i, c := range v.run.Cells {
		if stage, h := words.End(c, results.Command); h != nil && stage != results.AnsweredStage {
			notes = append(notes, fmt.Sprintf("%s: commands end at %s, with p50 %s and p99 %s of %s. Nobody tells the "+
				"client the result.", v.labels[i], stage, words.QuantileOf(h, 0.5), words.QuantileOf(h, 0.99),
				words.Plural(h.N(), "sample")))
		}
		for _, why := range cleaned(c.Why) {
			if !c.Valid {
				notes = append(notes, v.labels[i]+", "+words.Doubt(c)+": "+why+".")
			}
		}
		for _, warning := range cleaned(c.Warnings) {
			notes = append(notes, v.labels[i]+": "+warning+".")
		}
	}
	return notes
}
