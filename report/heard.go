package report

import (
	"strconv"

	"flowbench/report/words"
	"flowbench/results"
)

// heard shows how long it took until others than the client had heard of
// commands, and whether all of them did.
func heard(v view) section {
	times, sums := heardTimes(v), heardSums(v)
	if len(times.Rows) == 0 {
		return section{}
	}
	return section{
		ID: "heard", Title: "Who heard of it",
		Lead: "These flows tell others than the client that sent a command: from due is what a user waits for, " +
			"from applied is how far those who listen lag behind the state. The distance between the first and " +
			"the last is what it costs to tell many.",
		Tables: []table{times, sums},
	}
}

// tellers calls f for each cell that tells others, with its number.
func tellers(run *results.Run, f func(i int, c *results.Cell)) {
	for i, c := range run.Cells {
		if c.Heard != nil {
			f(i, c)
		}
	}
}

// heardTimes is the table of how long it took.
func heardTimes(v view) table {
	t := table{
		Caption: "Until the first, half and the last of the subscribers had heard of a command", Corner: "cell",
		Groups: []group{{"", 2}, {"from due", 6}, {"from applied", 6}},
		Heads:  []head{{Text: "n", Title: "commands that anybody has heard of"}},
	}
	for range 2 {
		for _, stage := range results.HeardStages() {
			for _, p := range heardQuantiles() {
				t.Heads = append(t.Heads, head{Text: stage + " " + words.Percentile(p)})
			}
		}
	}
	tellers(v.run, func(i int, c *results.Cell) {
		cells := []entry{sampleCount(c.Heard.FromDue.Of(results.HeardStages()[0]))}
		for _, from := range []results.HeardTimes{c.Heard.FromDue, c.Heard.FromApplied} {
			for _, stage := range results.HeardStages() {
				for _, p := range heardQuantiles() {
					cells = append(cells, quantile(from.Of(stage), p))
				}
			}
		}
		t.Rows = append(t.Rows, row{Label: v.labels[i], Marks: marks(c), Cells: cells})
	})
	return t
}

func heardQuantiles() []float64 { return []float64{0.5, 0.99} }

// heardSums is the table of who did not hear.
func heardSums(v view) table {
	t := table{
		Caption: "Commands that were applied, the warm-up included, and who had heard of them in the end",
		Corner:  "cell",
		Heads: []head{
			{Text: "subscribers", Title: "who want to hear of each command"}, {Text: "commands"},
			{Text: "by all", Title: "heard by every subscriber"},
			{Text: "by some", Title: "heard by some and not by others"},
			{Text: "by none", Title: "heard by nobody"},
			{Text: "missing", Title: "notices that never came"},
			{Text: "repeated", Title: "notices to a subscriber who had had them"},
		},
	}
	tellers(v.run, func(i int, c *results.Cell) {
		h := c.Heard
		t.Rows = append(t.Rows, row{Label: v.labels[i], Marks: marks(c), Cells: []entry{
			count(int64(h.Subscribers), ""), count(h.Commands, ""), share(h.ByAll, h.Commands, ""),
			count(h.BySome, "warn"), count(h.ByNone, "warn"), count(h.Missing, "warn"), count(h.Repeated, "warn"),
		}})
	})
	return t
}

// heardColumns is the table of the text report, of the cells that tell others.
func heardColumns(run *results.Run, labels []string) textTable {
	t := textTable{lead: textColumn{name: "cell"}}
	var cells []*results.Cell
	tellers(run, func(i int, c *results.Cell) {
		cells = append(cells, c)
		t.lead.values = append(t.lead.values, labels[i])
	})
	add := func(group, name string, value func(*results.Heard) (text, mark string)) {
		column := textColumn{group: group, name: name}
		for _, c := range cells {
			text, mark := value(c.Heard)
			column.values, column.marks = append(column.values, text), append(column.marks, mark)
		}
		column.balance()
		t.columns = append(t.columns, column)
	}
	quantiles := func(group string, of func(*results.Heard) *results.Hist) {
		for _, p := range heardQuantiles() {
			add(group, words.Percentile(p), func(h *results.Heard) (string, string) {
				q := words.QuantileOf(of(h), p)
				if !q.Resolved {
					return q.String(), faint
				}
				return q.String(), ""
			})
		}
	}
	quantiles("one has heard", func(h *results.Heard) *results.Hist { return h.FromDue.First })
	quantiles("all have heard", func(h *results.Heard) *results.Hist { return h.FromDue.Last })
	quantiles("all, from applied", func(h *results.Heard) *results.Hist { return h.FromApplied.Last })
	add("", "by all", func(h *results.Heard) (string, string) { return share(h.ByAll, h.Commands, "").Text, "" })
	count := func(name string, of func(*results.Heard) int64) {
		add("notices", name, func(h *results.Heard) (string, string) {
			if n := of(h); n > 0 {
				return words.Count(n), yellow
			}
			return "0", ""
		})
	}
	count("missing", func(h *results.Heard) int64 { return h.Missing })
	count("repeated", func(h *results.Heard) int64 { return h.Repeated })
	return t
}

// whoHeard says whether all subscribers heard of all commands, where there are
// any.
func whoHeard(run *results.Run, labels []string) []string {
	var sentences []string
	var commands int64
	tellers(run, func(i int, c *results.Cell) {
		h := c.Heard
		commands += h.Commands
		var s []string
		if h.Missing > 0 {
			s = append(s, words.Plural(h.Missing, "notice")+" of "+words.Plural(h.BySome+h.ByNone, "command")+
				" never came")
		}
		if h.Repeated > 0 {
			s = append(s, words.Plural(h.Repeated, "notice")+" came again")
		}
		if len(s) > 0 {
			sentences = append(sentences, labels[i]+": to those who want to hear of commands, "+words.List(s)+".")
		}
	})
	if len(sentences) == 0 && commands > 0 {
		return []string{"All who want to hear of commands heard of each of " + words.Count(commands) + ", once."}
	}
	return sentences
}

// heardRows returns the fields from kind to p99_9_resolved of the CSV, one for
// each of the times that a cell has.
func heardRows(c *results.Cell) [][]string {
	if c.Heard == nil {
		return nil
	}
	var rows [][]string
	for _, from := range []struct {
		suffix string
		times  results.HeardTimes
	}{{"", c.Heard.FromDue}, {"_from_applied", c.Heard.FromApplied}} {
		for _, stage := range results.HeardStages() {
			if h := from.times.Of(stage); h != nil {
				name := "heard_" + stage + from.suffix
				rows = append(rows, append([]string{results.Command.String(), name}, figures(h)...))
			}
		}
	}
	return rows
}

// figures returns the fields of the CSV that say what is in a histogram.
func figures(h *results.Hist) []string {
	fields := []string{strconv.FormatInt(h.N(), 10)}
	for _, p := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		fields = append(fields, strconv.FormatFloat(float64(h.Quantile(p).Nanoseconds())/1e3, 'f', 1, 64))
	}
	return append(fields, strconv.FormatBool(h.Resolved(0.99)), strconv.FormatBool(h.Resolved(0.999)))
}
