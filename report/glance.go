package report

import (
	"fmt"

	"flowbench/report/words"
	"flowbench/results"
)

// glance is the verdict in two tables: how fast each flow answers, and what that
// takes and loses.
func glance(v view) section {
	return section{
		ID: "glance", Title: "The flows at a glance",
		Lead: "Latencies count from when an operation was due to when its client knew the answer; n is how many " +
			"samples they are from, and values in parentheses have fewer than 10 samples beyond them.",
		Tables: []table{v.speed(), v.price()},
		Notes:  v.glanceNotes(),
	}
}

// speed is the table of answered latencies and rates.
func (v view) speed() table {
	ps := []float64{0.5, 0.99, 0.999}
	t := table{
		Caption: "How fast: latency to the answer, and operations per second",
		Corner:  "cell",
		Groups:  []group{{"", 1}, {"commands answered", 4}, {"queries answered", 4}, {"operations per second", 2}},
		Heads:   heads("p50", "p99", "p99.9", "n", "p50", "p99", "p99.9", "n", "offered", "ok"),
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		var cells []entry
		for _, k := range results.Kinds() {
			h := c.LatencyOf(k, results.AnsweredStage)
			for _, p := range ps {
				cells = append(cells, quantile(h, p))
			}
			cells = append(cells, sampleCount(h))
		}
		offered, achieved := c.OfferedPerS(), c.AchievedPerS()
		ok := entry{Text: words.Digits(achieved)}
		if achieved < 0.99*offered {
			ok.Class, ok.Title = "warn", "fewer than 99 % of the operations that were due ended ok"
		}
		return append(cells, entry{Text: words.Digits(offered)}, ok)
	})
	return t
}

// price is the table of outcomes, losses and cost.
func (v view) price() table {
	t := table{
		Caption: "At what price: how operations ended, what the account of commands shows, and what one operation " +
			"takes",
		Corner: "cell",
		Groups: []group{{"", 1}, {"operations", 4}, {"commands", 2}, {"each operation", 3}, {"", 1}},
		Heads: []head{
			{Text: "ok"}, {Text: "failed", Title: "certainly did not happen, or was refused"},
			{Text: "unknown", Title: "it may have happened, and may yet happen"},
			{Text: "dropped", Title: "due, and never started: too many were under way"},
			{Text: "lost", Title: "acknowledged, and never applied"}, {Text: "dup", Title: "applied more than once"},
			{Text: "messages", Title: "published to the broker, answers included"},
			{Text: "broker bytes", Title: "both ways, protocol included"},
			{Text: "HTTP requests", Title: "polls and hops behind a balancer included"}, {Text: "valid"},
		},
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		valid := entry{Text: "yes"}
		if !c.Valid {
			valid = entry{Text: "no", Title: words.List(cleaned(c.Why)), Class: "bad"}
		}
		return []entry{
			count(c.Counts.OK, ""), count(c.Counts.Failed, "warn"), count(c.Counts.Unknown, "warn"),
			count(c.Counts.Dropped, "bad"), count(c.Accounting.Lost, "bad"), count(c.Accounting.Duplicated, "warn"),
			optional(c.Cost.BrokerMsgs, words.Digits), optional(c.Cost.BrokerBytes, words.Bytes),
			optional(c.Cost.HTTPRequests, words.Digits), valid,
		}
	})
	return t
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
				notes = append(notes, v.labels[i]+", not valid: "+why+".")
			}
		}
		for _, warning := range cleaned(c.Warnings) {
			notes = append(notes, v.labels[i]+": "+warning+".")
		}
	}
	return notes
}
