package report

import (
	"flowbench/report/words"
	"flowbench/results"
)

// windows shows how operations ended by when they were due, in cells with faults.
func windows(v view) section {
	t := table{
		Caption: "Operations by the window that they were due in", Corner: "cell",
		Groups: []group{{"", 2}, {"", 1}, {"operations", 5}, {"latency of those that ended ok", 4}},
		Heads: []head{
			{Text: "window", Class: "word"}, {Text: "for", Title: "its length, all its pieces together"},
			{Text: "n", Title: "due in it"}, {Text: "ok"}, {Text: "failed"}, {Text: "unknown"},
			{Text: "dropped", Title: "never started, since too many were under way"},
			{Text: "until", Class: "word"}, {Text: "n", Title: "that got so far"}, {Text: "p50"}, {Text: "p99"},
		},
	}
	eachWindow(v.run, func(cell int, names []string) {
		c := v.run.Cells[cell]
		stage := windowStage(c)
		for i, name := range names {
			w := c.Windows[name]
			r := row{Follows: i > 0, Cells: []entry{
				{Text: name, Class: "word"}, {Text: words.FaultTime(w.For)}, count(w.Counts.Due, "soft"),
				count(w.Counts.OK, ""), count(w.Counts.Failed, "warn"), count(w.Counts.Unknown, "warn"),
				count(w.Counts.Dropped, "warn"), {Text: stage, Class: "word"}, sampleCount(w.Latency[stage]),
				quantile(w.Latency[stage], 0.5), quantile(w.Latency[stage], 0.99),
			}}
			if i == 0 {
				r.Label, r.Marks, r.Span = v.labels[cell], marks(c), len(names)
			}
			t.Rows = append(t.Rows, r)
		}
	})
	if len(t.Rows) == 0 {
		return section{}
	}
	return section{
		ID: "windows", Title: "By window",
		Lead: "Each operation counts in the window that it was due in, whatever became of it later: what waited for " +
			"the end of a fault is slow in the window of the fault.",
		Tables: []table{t}, Terms: []term{
			{"steady", "the measured time but for the two below"},
			{"fault", "while any fault was on, to " + words.Span(results.BinWidth)},
			{"recovery", "from then until all was well again, or until the load ended"},
			{"until", "answered; or accepted where clients learn no result. Commands and queries together, as far as " +
				"they get there"},
		},
	}
}

// eachWindow calls f for each cell that has windows, with their names in order.
func eachWindow(run *results.Run, f func(cell int, names []string)) {
	for i, c := range run.Cells {
		var names []string
		for _, name := range results.WindowNames() {
			if c.Windows[name] != nil {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			f(i, names)
		}
	}
}

// windowStage returns the stage whose latency stands for the cell in all of its
// windows.
func windowStage(c *results.Cell) string {
	for _, s := range []results.Stage{results.AnsweredStage, results.AcceptedStage} {
		for _, w := range c.Windows {
			if w != nil && w.Latency[s.String()] != nil && w.Latency[s.String()].N() > 0 {
				return s.String()
			}
		}
	}
	return results.AnsweredStage.String()
}

// windowColumns is the same table of the text report, in fewer columns.
func windowColumns(run *results.Run, labels []string, width int) textTable {
	t := textTable{lead: textColumn{name: "by window"}}
	type windowOf struct {
		window *results.Window
		stage  string
	}
	var all []windowOf
	dropped := false
	eachWindow(run, func(cell int, names []string) {
		c := run.Cells[cell]
		for _, name := range names {
			// What stands in the first column is cut to a share of the width.
			label := words.Elide(labels[cell], 2*width/5-len(", "+results.RecoveryWindow))
			t.lead.values = append(t.lead.values, label+", "+name)
			all = append(all, windowOf{c.Windows[name], windowStage(c)})
			dropped = dropped || c.Windows[name].Counts.Dropped > 0
		}
	})
	add := func(group, name string, value func(windowOf) (text, mark string)) {
		c := textColumn{group: group, name: name}
		for _, w := range all {
			text, mark := value(w)
			c.values, c.marks = append(c.values, text), append(c.marks, mark)
		}
		c.balance()
		t.columns = append(t.columns, c)
	}
	add("operations", "n", func(w windowOf) (string, string) { return words.Count(w.window.Counts.Due), "" })
	add("operations", "ok", func(w windowOf) (string, string) { return words.Count(w.window.Counts.OK), "" })
	add("operations", "failed", func(w windowOf) (string, string) { return warned(w.window.Counts.Failed) })
	add("operations", "unknown", func(w windowOf) (string, string) { return warned(w.window.Counts.Unknown) })
	if dropped {
		add("operations", "dropped", func(w windowOf) (string, string) { return warned(w.window.Counts.Dropped) })
	}
	for _, p := range []float64{0.5, 0.99} {
		add("of those ok", words.Percentile(p), func(w windowOf) (string, string) {
			q := words.QuantileOf(w.window.Latency[w.stage], p)
			if !q.Resolved {
				return q.String(), faint
			}
			return q.String(), ""
		})
	}
	return t
}
