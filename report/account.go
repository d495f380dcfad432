package report

import (
	"cmp"
	"maps"
	"slices"

	"flowbench/report/words"
	"flowbench/results"
)

// A ruling is a class of the account: its rule, and how bad it is not to be 0.
type ruling struct {
	name, rule, class string
	of                func(results.Accounting) int64
}

// rulings returns the classes of the account in the order of its table.
func rulings() []ruling {
	return []ruling{
		{"attempted", "a client started it", "", func(a results.Accounting) int64 { return a.Attempted }},
		{"acknowledged", "the client was told accepted or answered", "",
			func(a results.Accounting) int64 { return a.Acknowledged }},
		{"applied", "the service did it at least once", "", func(a results.Accounting) int64 { return a.Applied }},
		{"lost", "acknowledged, and never applied by the end of the drain", "bad",
			func(a results.Accounting) int64 { return a.Lost }},
		{"duplicated", "applied more than once", "warn", func(a results.Accounting) int64 { return a.Duplicated }},
		{"extra", "applications beyond the first, all together", "warn",
			func(a results.Accounting) int64 { return a.Extra }},
		{"reordered", "applied before one of the same key that was acknowledged before it started", "warn",
			func(a results.Accounting) int64 { return a.Reordered }},
		{"unexpected", "applied, answered or heard of and never attempted, or with other bytes than were sent", "bad",
			func(a results.Accounting) int64 { return a.Unexpected }},
		{"vanished", "handed over and never confirmed, and never applied", "warn",
			func(a results.Accounting) int64 { return a.Vanished }},
		{"refused", "refused by the service after its client had let go of it", "",
			func(a results.Accounting) int64 { return a.Refused }},
		{"phantom", "reported as failed, and yet applied", "bad",
			func(a results.Accounting) int64 { return a.Phantom }},
		{
			"recovered",
			"applied only after a fault had ended",
			"",
			func(a results.Accounting) int64 { return a.Recovered },
		},
		{"late answers", "answers that came when nobody waited any more", "warn",
			func(a results.Accounting) int64 { return a.LateAnswers }},
		{"unknown but applied", "unknown to the client, and applied", "warn",
			func(a results.Accounting) int64 { return a.UnknownApplied }},
		{"unknown and never", "unknown to the client, and never applied", "warn",
			func(a results.Accounting) int64 { return a.UnknownNever }},
		{"unresolved", "given up on, because more were undecided at once than the account holds", "bad",
			func(a results.Accounting) int64 { return a.Unresolved }},
	}
}

// account compares what clients were told with what services did.
func account(v view) section {
	s := section{
		ID: "account", Title: "The account of commands",
		Lead: "What clients were told is compared with what services did, command by command: in a sound cell " +
			"acknowledged " +
			"equals applied, and everything from lost to phantom is 0.",
	}
	all := rulings()
	for _, r := range all {
		s.Terms = append(s.Terms, term{r.name, r.rule})
	}
	half := len(all) / 2
	s.Tables = append(s.Tables,
		v.ruled("All commands of each cell, the warm-up included: what was acknowledged and applied", all[:half]),
		v.ruled("The same commands: what else came of them", all[half:]))
	if classes := v.classTable(); len(classes.Rows) > 0 {
		s.Tables = append(s.Tables, classes)
	}
	return s
}

// ruled returns the table of some classes of the account.
func (v view) ruled(caption string, some []ruling) table {
	t := table{Caption: caption, Corner: "cell"}
	for _, r := range some {
		t.Heads = append(t.Heads, head{Text: r.name, Title: r.rule})
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		var cells []entry
		for _, r := range some {
			cells = append(cells, count(r.of(c.Accounting), r.class))
		}
		return cells
	})
	return t
}

// classTable lists why operations were not ok, most frequent first.
func (v view) classTable() table {
	t := table{
		Caption: "Why operations of the measured time were not ok", Corner: "cell", Wide: true,
		Heads: heads("reason", "operations", "of those due"),
	}
	for i, c := range v.run.Cells {
		names := slices.Collect(maps.Keys(c.Classes))
		slices.SortFunc(names, func(a, b string) int {
			return cmp.Or(cmp.Compare(c.Classes[b], c.Classes[a]), cmp.Compare(a, b))
		})
		for _, name := range names {
			n := c.Classes[name]
			share := words.Absent
			if c.Counts.Due > 0 {
				share = words.Share(float64(n) / float64(c.Counts.Due))
			}
			t.Rows = append(t.Rows, row{Label: v.labels[i], Cells: []entry{
				{Text: words.Clean(name)}, {Text: words.Count(n)}, {Text: share}}})
		}
	}
	return t
}
