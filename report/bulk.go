package report

import (
	"cmp"
	"fmt"
	"slices"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// bulk shows side by side what small operations met while no large payload was
// under way and while one was.
func bulk(v view) section {
	t := table{
		Caption: "Latency from due to answered, or to the stage that is named", Corner: "cell",
		Groups: []group{
			{"", 1}, {"", 1}, {"small, no large one under way", 3}, {"small, beside a large one", 3},
			{"beside/alone", 2}, {"large", 3},
		},
		Heads: []head{
			{Text: "kind", Class: "word"},
			{Text: "n"}, {Text: "p50"}, {Text: "p99"}, {Text: "n"}, {Text: "p50"}, {Text: "p99"},
			{Text: "p50", Title: "how many times longer than alone"},
			{Text: "p99", Title: "how many times longer than alone"},
			{Text: "size"}, {Text: "n", Title: "commands that ended ok"}, {Text: "p50"},
		},
	}
	for i, c := range v.run.Cells {
		first := len(t.Rows)
		for _, k := range results.Kinds() {
			stage, h := words.End(c, k)
			if c.Bulk == nil || h == nil {
				continue
			}
			alone, beside := c.Bulk.SmallOf(false, k, stage), c.Bulk.SmallOf(true, k, stage)
			kind := k.String()
			if stage != results.AnsweredStage {
				kind += ", " + stage.String()
			}
			cells := []entry{
				{Text: kind, Class: "word"},
				sampleCount(alone), quantile(alone, 0.5), quantile(alone, 0.99),
				sampleCount(beside), quantile(beside, 0.5), quantile(beside, 0.99),
				times(beside, alone, 0.5), times(beside, alone, 0.99),
			}
			cells = append(cells, largeEntries(c, k)...)
			t.Rows = append(t.Rows, row{Follows: len(t.Rows) > first, Cells: cells})
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
		ID: "bulk", Title: "Small beside large",
		Lead: "A few commands have a large payload, and what carries it carries the small ones as well. Where the " +
			"ratios are 1, a large one is no burden to the others; a way that takes longer for it is one for longer.",
		Figures: v.figures["bulk"], Tables: []table{t},
		Notes: []string{"A small operation is beside a large one if that was under way when the small one started. " +
			"All other sections are about small operations where they tell latencies, and about all where they count."},
	}
}

// largeEntries returns the entries of the large operations of a cell, in the row
// of commands, which they are.
func largeEntries(c *results.Cell, k results.Kind) []entry {
	if k != results.Command {
		return []entry{{}, {}, {}}
	}
	h := largeEnd(c)
	return []entry{{Text: words.Size(c.Bulk.Bytes)}, sampleCount(h), quantile(h, 0.5)}
}

// largeEnd returns the times of the large operations of a cell to the last stage
// that they reached, or nil.
func largeEnd(c *results.Cell) *results.Hist {
	stages := results.Stages()
	for i := len(stages) - 1; i >= 0; i-- {
		if h := c.Bulk.LargeOf(stages[i]); h != nil {
			return h
		}
	}
	return nil
}

// anyBulk reports whether any cell of run has large payloads beside small ones.
func anyBulk(run *results.Run) bool {
	return slices.ContainsFunc(run.Cells, func(c *results.Cell) bool { return c.Bulk != nil })
}

// bulkWord returns what small operations are called that were beside a large one,
// or not.
func bulkWord(beside bool) string {
	if beside {
		return "beside"
	}
	return "alone"
}

// A neighbour is a cell in which large payloads stood beside small operations,
// with enough of both to say what that did.
type neighbour struct {
	way           string
	alone, beside *results.Hist
	large         *results.Hist
}

// times returns how many times as long the p99 of small operations was beside a
// large one.
func (n neighbour) times() float64 {
	return float64(n.beside.Quantile(0.99)) / float64(n.alone.Quantile(0.99))
}

// besides says for each flow and broker what a large payload does to the small
// operations beside it, way by way, the gentlest first.
func besides(run *results.Run) []string {
	if !anyBulk(run) {
		return nil
	}
	kind := comparedKind(run)
	names, of := flowNames(run)
	groups := make(map[string][]neighbour)
	var order []string
	sizes := make(map[string]int)
	for _, c := range run.Cells {
		n, ok := neighbourOf(c, kind)
		if !ok {
			continue
		}
		// Cells of other sizes are no way of doing the same.
		key := fmt.Sprintf("%s beside %s", of[c], words.Size(c.Bulk.Bytes))
		if groups[key] == nil {
			order = append(order, key)
			names[key], sizes[key] = names[of[c]], c.Bulk.Bytes
		}
		groups[key] = append(groups[key], n)
	}
	if len(order) == 0 {
		return []string{fmt.Sprintf("No valid cell has enough small %s both beside a large payload and without one "+
			"(1,000 of each, and %d large ones) to compare their p99.", plural(kind), crossover.Enough)}
	}
	var sentences []string
	for _, key := range order {
		sentences = append(sentences, neighbourhood(names[key], sizes[key], plural(kind), groups[key]))
	}
	return sentences
}

// neighbourOf returns what is known of a cell, and whether it is enough.
func neighbourOf(c *results.Cell, kind results.Kind) (neighbour, bool) {
	stage, h := words.End(c, kind)
	if c.Bulk == nil || !c.Valid || h == nil {
		return neighbour{}, false
	}
	n := neighbour{
		way:   travelling(c),
		alone: c.Bulk.SmallOf(false, kind, stage), beside: c.Bulk.SmallOf(true, kind, stage), large: largeEnd(c),
	}
	return n, n.large != nil && n.large.N() >= crossover.Enough && n.alone != nil && n.beside != nil &&
		n.alone.Resolved(0.99) && n.beside.Resolved(0.99) && n.alone.Quantile(0.99) > 0
}

// neighbourhood says what the ways of one flow on one broker do.
func neighbourhood(name string, bytes int, operations string, ways []neighbour) string {
	slices.SortStableFunc(ways, func(a, b neighbour) int { return cmp.Compare(a.times(), b.times()) })
	var told []string
	for _, n := range ways {
		what := words.Digits(n.times()) + " times as long"
		if t := n.times(); t < alike && t*alike > 1 {
			what = "about as long"
		}
		told = append(told, fmt.Sprintf("%s %s (%s, else %s; %s took %s to %s)", what, n.way,
			words.Duration(n.beside.Quantile(0.99)), words.Duration(n.alone.Quantile(0.99)),
			words.Plural(n.large.N(), "large one"), words.Duration(n.large.Min()), words.Duration(n.large.Max())))
	}
	return fmt.Sprintf("%s: while a payload of %s was under way, the p99 of small %s was %s.", name, words.Size(bytes),
		operations, words.List(told))
}

// travelling says how the payloads of a cell travel, as part of a sentence.
func travelling(c *results.Cell) string {
	w := crossover.Way{Mode: words.Clean(c.Payload), Store: words.Clean(c.Store)}
	switch {
	case w.ByReference():
		return "by " + w.String()
	case w == crossover.Stream():
		return "in a stream"
	}
	return w.String()
}

// flowNames returns the name of each flow, broker and edge by the stem of its
// cells, and the stem of each cell.
func flowNames(run *results.Run) (names map[string]string, of map[*results.Cell]string) {
	names, of = make(map[string]string), make(map[*results.Cell]string)
	var bare results.Run
	for _, c := range run.Cells {
		stem := words.Stem(c)
		if of[c] = stem; names[stem] == "" {
			names[stem] = stem
			bare.Cells = append(bare.Cells, &results.Cell{
				ID: stem, Flow: c.Flow, Broker: c.Broker, Edge: c.Edge, Load: c.Load,
			})
		}
	}
	for i, label := range words.Labels(&bare) {
		names[bare.Cells[i].ID] = label
	}
	return names, of
}
