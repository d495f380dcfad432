package report

import (
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// openFalls is how many flows have their waterfalls in sight; those of more are shown
// on demand.
const openFalls = 3

// hops shows in which part, and between which, operations spent their time.
func hops(v view) section {
	s := section{
		ID: "hops", Title: "Where the time goes",
		Lead: "A sample of the operations is followed from part to part, by stamps that are kept beside them and " +
			"never in what is sent. The hops of each operation add up to its latency from due, exactly; so do the " +
			"means and their shares, and quantiles do not. No broker tells when it had a message, so a hop through a " +
			"broker is all the time from sending to receiving. Figures leave out what is less than 0.5 % of the whole.",
		Figures: v.figures["hops"],
	}
	flows, last := 0, ""
	for i, f := range s.Figures {
		if f.Of != last {
			flows, last = flows+1, f.Of
		}
		s.Figures[i].Folded = flows > openFalls
	}
	for _, k := range results.Kinds() {
		if t := hopTable(v, k); len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	if len(s.Tables) > 0 {
		s.Terms = hopTerms()
	}
	return s
}

// hopTable is the table of the hops of one kind of operation.
func hopTable(v view, k results.Kind) table {
	t := table{
		Caption: strings.ToUpper(plural(k)[:1]) + plural(k)[1:] + ": time in each hop", Corner: "cell",
		Folded: true,
		Heads: []head{
			{Text: "hop", Class: "word"},
			{Text: "n", Title: "operations that passed it, of those that were followed and ended ok"},
			{Text: "each", Title: "how often an operation passes it"},
			{Text: "p50", Title: "of the operations that passed it; the sum of all passages of an operation"},
			{Text: "p99", Title: "of the operations that passed it; the sum of all passages of an operation"},
			{Text: "mean", Title: "over all operations, those counted that did not pass it"},
			{Text: "share", Title: "of the mean of the whole"},
		},
	}
	for i, c := range v.run.Cells {
		way := c.HopsOf(k)
		if way == nil {
			continue
		}
		rows := hopRows(way)
		rows[0].Label, rows[0].Marks, rows[0].Span = v.labels[i], marks(c), len(rows)
		t.Rows = append(t.Rows, rows...)
	}
	return t
}

// hopRows returns the rows of one cell: its hops, and all of them together.
func hopRows(way *results.KindHops) []row {
	var rows []row
	for _, h := range way.Hops {
		mean := way.MeanOf(h)
		name := entry{Text: words.Hop(h.Hop), Class: "word"}
		part := shareEntry(float64(h.Sum) / float64(max(1, way.Sum)))
		if h.Beside {
			name.Text, name.Title = name.Text+" (beside)", "nobody waits for it"
			part = entry{Text: words.Absent, Title: "nobody waits for it", Class: "faint"}
		}
		rows = append(rows, row{Follows: len(rows) > 0, Cells: []entry{
			name, sampleCount(h.Hist), {Text: words.Digits(way.PerOp(h))},
			hopQuantile(h.Hist, 0.5), hopQuantile(h.Hist, 0.99),
			{Text: words.Duration(time.Duration(mean))}, part,
		}})
	}
	return append(rows, row{Follows: len(rows) > 0, Cells: []entry{
		{Text: "until " + words.Clean(way.Ends), Class: "word best"}, sampleCount(way.Total),
		{Text: words.Absent, Class: "faint"},
		hopQuantile(way.Total, 0.5), hopQuantile(way.Total, 0.99),
		{Text: words.Duration(time.Duration(way.Mean())), Class: "best"}, shareEntry(1),
	}})
}

// hopQuantile is quantile without the number of samples, which has a column of its own
// here: there are hundreds of rows.
func hopQuantile(h *results.Hist, p float64) entry {
	e := quantile(h, p)
	if e.Class == "" {
		e.Title = ""
	}
	return e
}

func hopTerms() []term {
	return []term{
		{"send lag", "the generator's own lateness, from due to started"},
		{"its own work", "time in a part between what it got and what it sent on, the scheduling of its threads " +
			"included"},
		{"wait for a worker", "time at the service until one of its workers took up the request; before that, " +
			"requests wait at the broker, which is part of the hop through it"},
		{"confirmed", "until the broker had said that it has the message; beside the way where the answer came " +
			"first or nobody waited for the confirm"},
		{"(poll)", "part of asking what became of a command"},
		{"beside", "it happened while the operation waited for something else, and is part of no sum"},
	}
}
