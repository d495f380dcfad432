package report

import (
	"fmt"
	"slices"

	"flowbench/report/words"
	"flowbench/results"
)

// served shows what share of the commands each instance of the service got, and
// what share of the calls each front end.
func served(v view) section {
	var tables []table
	for _, who := range []workers{
		{"instance", "commands", "Share of the commands that each instance applied, the warm-up included",
			func(c *results.Cell) []int64 { return c.Served }},
		{"front end", "calls", "Share of the calls that came to each front end, the warm-up included",
			func(c *results.Cell) []int64 { return c.FrontEnds }},
	} {
		if t, ok := who.table(v); ok {
			tables = append(tables, t)
		}
	}
	if len(tables) == 0 {
		return section{}
	}
	return section{
		ID: "served", Title: "Who did the work",
		Lead: "Instances of a service compete for requests or are given them by a load balancer: even shares mean " +
			"that none of them waits while another has too much, unless they are not equally fast.",
		Tables: tables,
	}
}

// workers are several who share the work of a cell.
type workers struct {
	name, unit, caption string
	shares              func(*results.Cell) []int64
}

// table returns what share each of them got, and false if no cell has several.
func (w workers) table(v view) (table, bool) {
	most := 0
	for _, c := range v.run.Cells {
		if n := w.shares(c); all(n) > 0 {
			most = max(most, len(n))
		}
	}
	if most < 2 {
		return table{}, false
	}
	t := table{
		Caption: w.caption, Corner: "cell",
		Heads: []head{{Text: w.unit}, {Text: "most/least", Title: "how many times more the busiest got than " +
			"the idlest"}},
	}
	shown := min(most, mostInstances)
	for i := range shown {
		t.Heads = append(t.Heads, head{Text: fmt.Sprintf("%s %d", w.name, i)})
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		n := w.shares(c)
		cells := []entry{count(all(n), ""), spread(n)}
		for i := range shown {
			if i < len(n) {
				cells = append(cells, share(n[i], all(n), ""))
			} else {
				cells = append(cells, entry{Text: words.Absent, Class: "faint"})
			}
		}
		return cells
	})
	return t, true
}

// mostInstances is how many instances, or front ends, have a column of their own.
const mostInstances = 8

func all(served []int64) int64 {
	var sum int64
	for _, n := range served {
		sum += n
	}
	return sum
}

// spread returns the ratio of the largest to the smallest share.
func spread(served []int64) entry {
	if len(served) < 2 || slices.Min(served) == 0 {
		return entry{Text: words.Absent, Class: "faint"}
	}
	return entry{Text: words.Digits(float64(slices.Max(served)) / float64(slices.Min(served)))}
}
