package report

import (
	"strconv"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// faultColumns returns a table of the text report for each fault, with a row for
// each cell. The name of the fault is the head of the cells' column.
func faultColumns(run *results.Run, labels []string, width int) []textTable {
	var all []textTable
	for _, m := range mishaps(run) {
		title := m.name
		if d, ok := m.length(); ok {
			title += ", " + words.FaultTime(d)
		}
		t := textTable{lead: textColumn{name: words.Elide(title, 2*width/5)}}
		for _, e := range m.met {
			t.lead.values = append(t.lead.values, labels[e.cell])
		}
		for _, c := range faultValues() {
			column := textColumn{group: c.group, name: c.name}
			for _, e := range m.met {
				text, mark := c.value(e, run.Cells[e.cell])
				column.values, column.marks = append(column.values, text), append(column.marks, mark)
			}
			column.balance()
			t.columns = append(t.columns, column)
		}
		all = append(all, t)
	}
	return all
}

// A faultValue is one column of the text report about faults.
type faultValue struct {
	group, name string
	value       func(encounter, *results.Cell) (text, mark string)
}

// ofRecovery returns the value of a recovery, and nothing where there is none.
func ofRecovery(value func(*results.Recovery) (text, mark string)) func(encounter, *results.Cell) (string, string) {
	return func(e encounter, _ *results.Cell) (string, string) {
		if e.fault.Absent || e.fault.Recovery == nil {
			return words.Absent, faint
		}
		return value(e.fault.Recovery)
	}
}

// doubtful puts what is compared with no good base in parentheses.
func doubtful(r *results.Recovery, text, mark string) (string, string) {
	if r.Unsteady != "" {
		return "(" + text + ")", faint
	}
	return text, mark
}

// faultValues returns the columns of the text report.
func faultValues() []faultValue {
	of := ofRecovery
	columns := []faultValue{
		{"", "effect", func(e encounter, _ *results.Cell) (string, string) {
			switch {
			case e.fault.Absent:
				return "absent", faint
			case e.fault.Effect == "":
				return "NONE", red
			}
			return "yes", ""
		}},
		{"", "noticed", func(e encounter, c *results.Cell) (string, string) {
			return of(func(r *results.Recovery) (string, string) {
				if !words.Noticed(e.fault) {
					return "never", ""
				}
				return doubtful(r, words.FaultTime(r.Detect.After), "")
			})(e, c)
		}},
		{"", "down", of(func(r *results.Recovery) (string, string) {
			return doubtful(r, words.FaultTime(r.Down), "")
		})},
		{"", "recovered", of(func(r *results.Recovery) (string, string) {
			if !r.Recover.Seen {
				return doubtful(r, "not in "+words.FaultTime(r.Within), red)
			}
			text, _ := recovered(r)
			return doubtful(r, text, "")
		})},
		{"backlog", "peak", of(func(r *results.Recovery) (string, string) { return words.Count(r.Backlog), "" })},
		{"backlog", "drained", of(func(r *results.Recovery) (string, string) {
			switch {
			case r.Backlog == 0:
				return words.Absent, faint
			case !r.Drain.Seen:
				return "never", red
			}
			return words.FaultTime(r.Drain.After), ""
		})},
		{"operations", "due", of(func(r *results.Recovery) (string, string) { return words.Count(r.Offered), "" })},
		{"operations", "not ok", of(func(r *results.Recovery) (string, string) { return warned(r.Bad) })},
	}
	return append(append(columns, burdenValues()...), faultValue{
		"", "lost", func(e encounter, c *results.Cell) (string, string) {
			if !e.only {
				return words.Absent, faint
			}
			return warned(c.Accounting.Lost)
		},
	})
}

// warned returns a number that ought to be 0.
func warned(n int64) (text, mark string) {
	if n == 0 {
		return "0", ""
	}
	return words.Count(n), yellow
}

// faultNotes explains the columns about faults, where there are any, and what
// qualifies them.
func (p *printer) faultNotes(run *results.Run, labels []string) {
	all := mishaps(run)
	if len(all) == 0 {
		return
	}
	p.paragraph(faint, "", "Faults: noticed from when they began, recovered and drained from when they were undone, "+
		"to "+words.Span(results.BinWidth)+" and "+words.Span(results.TailWidth)+". Down: "+tooFew()+" "+
		"ended ok. Lost: acknowledged commands of the cell, where it had no other fault. Burn, used: "+
		"burn rate of the error budget with "+asked()+" asked for, and how much of that of the run the fault used. "+
		"Sent: how many times as much per operation as before. (…): the time before was no good base.")
	for _, m := range all {
		for _, e := range m.met {
			name := labels[e.cell] + ", " + m.name + ": "
			if !e.fault.Absent && e.fault.Effect == "" {
				p.paragraph(red, "· ", name+"no effect: it met nothing, so its row says nothing about it.")
			}
			if why := unsteady(e.fault); why != "" {
				p.paragraph(yellow, "· ", name+"the time before it is no good base, since "+why+".")
			}
		}
	}
}

// faultHeads returns the names of the columns of the CSV about faults.
func faultHeads() []string {
	return []string{
		"fault", "fault_on", "fault_params", "fault_effect", "fault_begin_ms", "fault_heal_ms", "detect_ms", "cut_ms",
		"down_ms", "gap_ms", "recover_ms", "within_ms", "backlog", "drain_ms", "drain_per_s", "fault_due",
		"fault_not_ok", "base_p99_us", "base_unsteady", "burn", "budget_used", "amplification", "sent_before",
		"sent_during",
	}
}

// faultRows returns the fields below these names, one row for each fault of a
// cell. What was not seen is empty.
func faultRows(c *results.Cell) [][]string {
	ms := func(d time.Duration) string { return strconv.FormatFloat(float64(d.Nanoseconds())/1e6, 'f', 1, 64) }
	moment := func(m results.Moment) string {
		if !m.Seen {
			return ""
		}
		return ms(m.After)
	}
	var rows [][]string
	for _, f := range c.Faults {
		effect := f.Effect
		switch {
		case f.Absent:
			effect = "absent"
		case effect == "":
			effect = "none"
		}
		row := []string{inert(f.What), inert(f.On), inert(params(f.Params)), inert(effect), "", ""}
		if !f.Absent {
			row[4], row[5] = ms(f.Begin), ms(f.Heal)
		}
		if r := f.Recovery; r != nil && !f.Absent {
			row = append(row, moment(r.Detect), moment(r.Cut), ms(r.Down), ms(r.Gap), moment(r.Recover), "",
				strconv.FormatInt(r.Backlog, 10), moment(r.Drain), perSecond(r.DrainPerS),
				strconv.FormatInt(r.Offered, 10), strconv.FormatInt(r.Bad, 10),
				strconv.FormatFloat(float64(r.BaseP99.Nanoseconds())/1e3, 'f', 1, 64), inert(r.Unsteady))
			if !r.Recover.Seen {
				row[11] = ms(r.Within)
			}
			row = append(row, burdenFields(r)...)
		}
		rows = append(rows, append(row, make([]string, len(faultHeads())-len(row))...))
	}
	return rows
}
