package report

import (
	"cmp"
	"maps"
	"slices"

	"flowbench/report/words"
	"flowbench/results"
)

// A ruling is a class of the account, and how bad it is not to be 0.
type ruling struct {
	results.Class
	class string
}

// rulings returns the classes of the account in the order of its tables.
func rulings() []ruling {
	bad := map[string]string{
		"lost": "bad", "phantom": "bad", "unexpected": "bad", "unresolved": "bad",
		"vanished": "warn", "unknown_applied": "warn", "unknown_never": "warn", "duplicated": "warn", "extra": "warn",
		"stored_twice": "warn",
		"reordered":    "warn", "timed_out": "warn", "timed_out_applied": "warn", "replied_late": "warn",
		"reply_duplicated": "warn", "late_answers": "warn",
	}
	var all []ruling
	for _, c := range results.Classes() {
		all = append(all, ruling{c, bad[c.Key]})
	}
	return all
}

// account compares what clients were told with what services did.
func account(v view) section {
	s := section{
		ID: "account", Title: "The account of commands",
		Lead: "What clients were told is compared with what services did, command by command: in a sound cell " +
			"acknowledged equals applied, all commands are ok, and what is marked is 0.",
	}
	all := rulings()
	for _, r := range all {
		s.Terms = append(s.Terms, term{r.Name, r.Rule})
	}
	const perTable = 9
	for i, caption := range []string{
		"All commands of each cell, the warm-up included: what was acknowledged and applied",
		"The same commands: how the others turned out, and what came again or out of order",
		"The same commands: wrong bytes, and clients whose patience ended",
	} {
		s.Tables = append(s.Tables, v.ruled(caption, all[i*perTable:min((i+1)*perTable, len(all))]))
	}
	if classes := v.classTable(); len(classes.Rows) > 0 {
		s.Tables = append(s.Tables, classes)
	}
	return s
}

// ruled returns the table of some classes of the account.
func (v view) ruled(caption string, some []ruling) table {
	t := table{Caption: caption, Corner: "cell"}
	for _, r := range some {
		t.Heads = append(t.Heads, head{Text: r.Name, Title: r.Rule})
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		var cells []entry
		for _, r := range some {
			cells = append(cells, count(r.Of(c.Accounting), r.class))
		}
		return cells
	})
	return t
}

// classTable lists why operations were not ok, most frequent first.
func (v view) classTable() table {
	t := table{
		Caption: "Why operations of the measured time were not ok", Corner: "cell", Wide: true,
		Heads: []head{{Text: "reason"}, {Text: "operations", Class: "number"}, {Text: "of those due", Class: "number"}},
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
				{Text: words.Clean(name)}, {Text: words.Count(n), Class: "number"}, {Text: share, Class: "number"}}})
		}
	}
	return t
}
