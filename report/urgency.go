package report

import (
	"fmt"
	"slices"

	"flowbench/report/words"
	"flowbench/results"
)

// urgency shows side by side what urgent operations met and what the others did.
func urgency(v view) section {
	t := table{
		Caption: "Latency from due to answered, or to the stage that is named", Corner: "cell",
		Groups: []group{{"", 1}, {"", 2}, {"urgent", 3}, {"normal", 3}, {"normal/urgent", 2}},
		Heads: []head{
			{Text: "urgent ones overtake", Class: "word", Title: "how urgent operations overtake the others"},
			{Text: "kind", Class: "word"},
			{Text: "n"}, {Text: "p50"}, {Text: "p99"}, {Text: "n"}, {Text: "p50"}, {Text: "p99"},
			{Text: "p50", Title: "how many times longer the others took"},
			{Text: "p99", Title: "how many times longer the others took"},
		},
	}
	for i, c := range v.run.Cells {
		first := len(t.Rows)
		for _, k := range results.Kinds() {
			stage, h := words.End(c, k)
			if c.Urgency == nil || h == nil {
				continue
			}
			urgent, normal := c.Urgency.LatencyOf(true, k, stage), c.Urgency.LatencyOf(false, k, stage)
			kind := k.String()
			if stage != results.AnsweredStage {
				kind += ", " + stage.String()
			}
			t.Rows = append(t.Rows, row{Follows: len(t.Rows) > first, Cells: []entry{
				{Text: words.Clean(c.Urgency.Mechanism), Class: "word"}, {Text: kind, Class: "word"},
				sampleCount(urgent), quantile(urgent, 0.5), quantile(urgent, 0.99),
				sampleCount(normal), quantile(normal, 0.5), quantile(normal, 0.99),
				times(normal, urgent, 0.5), times(normal, urgent, 0.99),
			}})
		}
		if len(t.Rows) > first {
			lead := &t.Rows[first]
			lead.Label, lead.Marks, lead.Span = v.labels[i], marks(c), len(t.Rows)-first
		}
	}
	if len(t.Rows) == 0 {
		return section{}
	}
	return section{
		ID: "urgency", Title: "Urgent and normal",
		Lead: "Urgent operations overtake what still waits, so what they gain shows where there is a backlog, and " +
			"somebody else waits for it. Where the ratios are 1, nothing overtakes.",
		Figures: v.figures["urgency"], Tables: []table{t},
	}
}

// times returns how many times larger quantile p of a is than that of b.
func times(a, b *results.Hist, p float64) entry {
	if a == nil || b == nil || b.Quantile(p) <= 0 {
		return entry{Text: words.Absent, Class: "faint"}
	}
	e := entry{Text: words.Digits(float64(a.Quantile(p)) / float64(b.Quantile(p)))}
	if !a.Resolved(p) || !b.Resolved(p) {
		e.Text, e.Title, e.Class = "("+e.Text+")", "of quantiles that are no findings", "faint"
	}
	return e
}

// anyUrgent reports whether any cell of run has urgent operations.
func anyUrgent(run *results.Run) bool {
	return slices.ContainsFunc(run.Cells, func(c *results.Cell) bool { return c.Urgency != nil })
}

// urgencyWord returns what operations are called that are urgent, or not.
func urgencyWord(urgent bool) string {
	if urgent {
		return "urgent"
	}
	return "normal"
}

// overtake says how the urgent operations of c overtake, if they do.
func overtake(c *results.Cell) string {
	if c.Urgency.Mechanism == results.NoMechanism {
		return "urgent operations wait like the others"
	}
	return "urgent operations overtake " + words.Clean(c.Urgency.Mechanism)
}

// overtaking says what urgent operations gained, in the cells where they overtake.
func overtaking(run *results.Run, labels []string) []string {
	kind := comparedKind(run)
	var found []string
	for i, c := range run.Cells {
		urgent := c.Urgency.LatencyOf(true, kind, results.AnsweredStage)
		normal := c.Urgency.LatencyOf(false, kind, results.AnsweredStage)
		if !c.Valid || urgent == nil || normal == nil || c.Urgency.Mechanism == results.NoMechanism ||
			!urgent.Resolved(0.5) || !normal.Resolved(0.5) {
			continue
		}
		found = append(found, fmt.Sprintf("in %s, %s (p50 %s, of the others %s)", labels[i],
			words.Clean(c.Urgency.Mechanism), words.Duration(urgent.Quantile(0.5)),
			words.Duration(normal.Quantile(0.5))))
	}
	if len(found) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Urgent %s overtake %s.", plural(kind), words.List(found))}
}
