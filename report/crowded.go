package report

import (
	"slices"

	"flowbench/report/words"
	"flowbench/results"
)

// deviating lists the cells of a crowded page that must not be read like the others.
func deviating(v view) section {
	invalid := table{Caption: "Cells that are not valid", Corner: "cell", Heads: heads("why"), Wide: true}
	warned := table{Caption: "Cells with warnings", Corner: "cell", Heads: heads("warnings"), Wide: true, Folded: true}
	for i, c := range v.run.Cells {
		if !c.Valid {
			invalid.Rows = append(invalid.Rows, row{
				Label: v.labels[i], Cells: []entry{{Text: words.List(cleaned(c.Why))}},
			})
		}
		if len(c.Warnings) > 0 {
			warned.Rows = append(warned.Rows, row{
				Label: v.labels[i], Cells: []entry{{Text: words.List(cleaned(c.Warnings))}},
			})
		}
	}
	s := section{
		ID: "deviating", Title: "Cells to be read with care",
		Lead: "All other cells are valid and without warnings.",
	}
	for _, t := range []table{invalid, warned} {
		if len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	return s
}

// accountSummed is the account of all cells together, and of those that deviate from
// what a sound cell has.
func accountSummed(v view) section {
	s := section{
		ID: "account", Title: "The account of commands",
		Lead: "What clients were told is compared with what services did, command by command. Below the sum of all " +
			"cells stand those in which anything that is marked is not 0.",
	}
	all := rulings()
	for _, r := range all {
		s.Terms = append(s.Terms, term{r.Name, r.Rule})
	}
	const perTable = 9
	for i, caption := range []string{
		"All commands, the warm-up included: what was acknowledged and applied",
		"The same commands: how the others turned out, and what came again or out of order",
		"The same commands: wrong bytes, and clients whose patience ended",
	} {
		s.Tables = append(s.Tables, v.ruledSum(caption, all[i*perTable:min((i+1)*perTable, len(all))]))
	}
	if classes := v.classTable(); len(classes.Rows) > 0 {
		s.Tables = append(s.Tables, classes)
	}
	return s
}

// ruledSum returns the table of some classes of the account for all cells together,
// and for each cell in which one of them is marked.
func (v view) ruledSum(caption string, some []ruling) table {
	t := table{Caption: caption, Corner: "cell"}
	sum := row{Label: "all " + words.Plural(int64(len(v.run.Cells)), "cell")}
	for _, r := range some {
		t.Heads = append(t.Heads, head{Text: r.Name, Title: r.Rule})
		var n int64
		for _, c := range v.run.Cells {
			n += r.Of(c.Accounting)
		}
		sum.Cells = append(sum.Cells, count(n, r.class))
	}
	t.Rows = []row{sum}
	for i, c := range v.run.Cells {
		if !slices.ContainsFunc(some, func(r ruling) bool { return r.class != "" && r.Of(c.Accounting) != 0 }) {
			continue
		}
		cell := row{Label: v.labels[i], Marks: marks(c)}
		for _, r := range some {
			cell.Cells = append(cell.Cells, count(r.Of(c.Accounting), r.class))
		}
		t.Rows = append(t.Rows, cell)
	}
	return t
}

// trustSummed shows the worst that generator and machine did to any cell of a flow
// on a broker.
func trustSummed(v view) section {
	if v.run.Simulated {
		return section{}
	}
	t := table{
		Caption: "The worst of any cell", Corner: "flow and broker",
		Heads: []head{
			{Text: "send lag p99"}, {Text: "canary p99"},
			{Text: "waiting for CPU", Title: "some task waited for a CPU (Linux PSI)"},
			{Text: "waiting for I/O", Title: "some task waited for I/O (Linux PSI)"},
			{Text: "stolen", Title: "CPU time that the hypervisor took away"},
			{Text: "busy", Title: "CPU time of the machine that was not idle"},
			{Text: "GC pause", Title: "the garbage collector stopped the process"},
		},
	}
	for _, g := range v.chart.Groups {
		r := row{Label: g.Name}
		group, _ := v.chart.Cells(g)
		for _, of := range []func(*results.Cell) *results.Hist{
			func(c *results.Cell) *results.Hist { return c.SendLag },
			func(c *results.Cell) *results.Hist { return c.Canary },
		} {
			var worst *results.Hist
			for _, c := range group.Cells {
				if h := of(c); h != nil && h.N() > 0 && (worst == nil || h.Quantile(0.99) > worst.Quantile(0.99)) {
					worst = h
				}
			}
			r.Cells = append(r.Cells, quantile(worst, 0.99))
		}
		for _, of := range []func(results.Pressure) float64{
			func(p results.Pressure) float64 { return p.CPUSome }, func(p results.Pressure) float64 { return p.IOSome },
			func(p results.Pressure) float64 { return p.Steal }, func(p results.Pressure) float64 { return p.Busy },
			func(p results.Pressure) float64 { return p.GCPause },
		} {
			worst := -1.0
			for _, c := range group.Cells {
				worst = max(worst, of(c.Pressure))
			}
			r.Cells = append(r.Cells, shareEntry(worst))
		}
		t.Rows = append(t.Rows, r)
	}
	return section{
		ID: "trust", Title: "May this be trusted?",
		Lead: "Send lag is how late the generator itself started operations, the canary how late a goroutine woke " +
			"from a sleep of 1 ms: where either comes near a time above, that time is the machine's and not the way's.",
		Tables: []table{t},
	}
}

// setups is the table of loads and settings that cells have in common.
func (v view) setups() table {
	t := table{
		Caption: "Loads and settings, but for the payloads", Corner: "cells", Wide: true,
		Heads: heads("load", "settings"),
	}
	type same struct{ load, settings string }
	var seen []same
	cells := make(map[same][]string)
	for i, c := range v.run.Cells {
		load := c.Load
		load.PayloadBytes = 0
		settings := make(map[string]string)
		for k, s := range c.Settings {
			if k != "payload" {
				settings[k] = s
			}
		}
		s := same{words.Load(load), settingsOf(settings)}
		if cells[s] == nil {
			seen = append(seen, s)
		}
		cells[s] = append(cells[s], v.labels[i])
	}
	for _, s := range seen {
		label := some(cells[s])
		if len(cells[s]) == len(v.run.Cells) {
			label = "all " + words.Plural(int64(len(v.run.Cells)), "cell")
		}
		t.Rows = append(t.Rows, row{Label: label, Cells: []entry{{Text: s.load}, orAbsent(s.settings)}})
	}
	return t
}
