package report

import (
	"fmt"
	"slices"

	"flowbench/report/words"
	"flowbench/results"
)

// served shows what share of the commands each instance of the service got.
func served(v view) section {
	instances := 0
	for _, c := range v.run.Cells {
		if all(c.Served) > 0 {
			instances = max(instances, len(c.Served))
		}
	}
	if instances < 2 {
		return section{}
	}
	t := table{
		Caption: "Share of the commands that each instance applied, the warm-up included", Corner: "cell",
		Heads: []head{{Text: "commands"}, {Text: "most/least", Title: "how many times more the busiest got than " +
			"the idlest"}},
	}
	shown := min(instances, mostInstances)
	for i := range shown {
		t.Heads = append(t.Heads, head{Text: fmt.Sprintf("instance %d", i)})
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		cells := []entry{count(all(c.Served), ""), spread(c.Served)}
		for i := range shown {
			if i < len(c.Served) {
				cells = append(cells, share(c.Served[i], all(c.Served), ""))
			} else {
				cells = append(cells, entry{Text: words.Absent, Class: "faint"})
			}
		}
		return cells
	})
	return section{
		ID: "served", Title: "Who did the work",
		Lead: "Instances of a service compete for requests or are given them in turn: even shares mean that none of " +
			"them waits while another has too much, unless they are not equally fast.",
		Tables: []table{t},
	}
}

// mostInstances is how many instances have a column of their own.
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
