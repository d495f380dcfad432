package report

import (
	"fmt"
	"strconv"

	"flowbench/report/words"
	"flowbench/results"
)

// burdenTable is the table of what a mishap cost beyond its length: how much of
// the error budget, and how much more was sent. It has no rows where nothing is
// known of either.
func (v view) burdenTable(m mishap) table {
	t := table{
		Caption: "Error budget, and what was sent per operation: " + m.title(), Corner: "cell",
		Groups: []group{{"", 1}, {"error budget", 2}, {"", 1}, {"messages", 2}, {"redelivered", 2}, {"requests", 2}},
		Heads: []head{
			{Text: "burn rate", Title: "1 where as many operations end badly as may"},
			{Text: "used", Title: "of the budget of the whole run"},
			{Text: "sent", Title: "how many times as much as before, all together"},
		},
	}
	for range 3 {
		t.Heads = append(t.Heads, head{Text: "before"}, head{Text: "during"})
	}
	for _, e := range m.met {
		if r := e.fault.Recovery; r != nil && !e.fault.Absent && e.fault.Effect != "" {
			t.Rows = append(t.Rows, row{
				Label: v.labels[e.cell], Marks: marks(v.run.Cells[e.cell]), Cells: burdenCells(r),
			})
		}
	}
	return t
}

// burdenCells returns the entries of a row.
func burdenCells(r *results.Recovery) []entry {
	none := entry{Text: words.Absent, Class: "faint"}
	rate, used := burnt(r)
	of := fmt.Sprintf("%s of %s operations were not ok", words.Count(r.Bad), words.Count(r.Offered))
	cells := []entry{{Text: rate, Title: of}, {Text: used}}
	if share, ok := r.BudgetUsed(); ok {
		cells[1].Title = fmt.Sprintf("%s were not ok, of %s in the run", words.Count(r.Bad), words.Count(r.Measured))
		if share > 1 {
			cells[1].Class = "warn"
		}
	}
	factor, why := r.Traffic.Amplification()
	switch {
	case why != "":
		cells = append(cells, entry{Text: words.Absent, Title: why, Class: "faint"})
	case r.Unsteady != "":
		cells = append(cells, entry{
			Text: "(× " + words.Digits(factor) + ")", Title: words.Clean(r.Unsteady), Class: "faint",
		})
	default:
		cells = append(cells, entry{Text: "× " + words.Digits(factor), Title: fmt.Sprintf(
			"%s operations before, %s during", words.Count(r.Traffic.Before.Due), words.Count(r.Traffic.During.Due))})
	}
	for _, part := range []func(results.Sent) int64{
		func(s results.Sent) int64 { return s.Messages }, func(s results.Sent) int64 { return s.Redelivered },
		func(s results.Sent) int64 { return s.Requests },
	} {
		if why != "" || part(r.Traffic.Before)+part(r.Traffic.During) == 0 {
			cells = append(cells, none, none)
			continue
		}
		for _, s := range []results.Sent{r.Traffic.Before, r.Traffic.During} {
			cells = append(cells, entry{Text: words.Digits(s.PerOp(part(s)))})
		}
	}
	return cells
}

// burnt returns the burn rate of the error budget, and how much of that of the
// run was used.
func burnt(r *results.Recovery) (rate, used string) {
	rate, used = words.Absent, words.Absent
	if v, ok := r.Burn(); ok {
		rate = words.Digits(v)
	}
	if v, ok := r.BudgetUsed(); ok {
		if used = words.Share(v); v > 1 {
			used = words.Digits(100*v) + " %" // a budget can be used up many times over
		}
	}
	return rate, used
}

// burdenValues returns the columns of the text report about the same.
func burdenValues() []faultValue {
	return []faultValue{
		{"budget", "burn", ofRecovery(func(r *results.Recovery) (string, string) {
			rate, _ := burnt(r)
			return rate, ""
		})},
		{"budget", "used", ofRecovery(func(r *results.Recovery) (string, string) {
			_, used := burnt(r)
			return used, ""
		})},
		{"", "sent", ofRecovery(func(r *results.Recovery) (string, string) {
			factor, why := r.Traffic.Amplification()
			if why != "" {
				return words.Absent, faint
			}
			return doubtful(r, "× "+words.Digits(factor), "")
		})},
	}
}

// burdenTerms explains the columns of these tables.
func burdenTerms() []term {
	return []term{
		{"error budget", fmt.Sprintf("the %s of the operations that may end otherwise than ok, since %s are to end ok",
			percent(1-results.WellShare), asked())},
		{"burn rate", "how many times as many operations as may did not end ok, from when the fault began until all " +
			"was well again; " + words.Digits(1/(1-results.WellShare)) + " where none of them ended ok"},
		{"used", "of the error budget of all that was due in the measured time; over 100 %, the fault alone used " +
			"more than the run had"},
		{"sent", fmt.Sprintf("messages, redeliveries and requests per operation due, from when the fault began until "+
			"all was well again, against before; below 1 where operations failed before all of theirs were sent, and "+
			"\u201c%s\u201d where fewer than %d operations were due", words.Absent, results.MinShare)},
		{"messages, redelivered, requests", "the parts of it, per operation: handed to the broker, answers included; " +
			"delivered to a service again, by the broker's word; and sent by web clients and balancers, polls " +
			"included"},
	}
}

// burdenFields returns the fields of the CSV about it.
func burdenFields(r *results.Recovery) []string {
	fields := make([]string, 5)
	number := func(i int, v float64) { fields[i] = strconv.FormatFloat(v, 'f', 3, 64) }
	if v, ok := r.Burn(); ok {
		number(0, v)
	}
	if v, ok := r.BudgetUsed(); ok {
		number(1, v)
	}
	if v, why := r.Traffic.Amplification(); why == "" {
		number(2, v)
	}
	if t := r.Traffic; t != nil {
		number(3, t.Before.PerOp(t.Before.All()))
		number(4, t.During.PerOp(t.During.All()))
	}
	return fields
}
