package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// mostNamed is how many cells the verdict on a fault describes: the worst ones,
// and the best.
const mostNamed = 3

// underFaults says for each fault how the cells fared, the worst first.
func underFaults(run *results.Run, labels []string) []string {
	var sentences []string
	for _, m := range mishaps(run) {
		sentences = append(sentences, m.verdict(run, labels)...)
	}
	return sentences
}

// verdict says how the cells fared: first those that it hurt, then those that did
// not notice, and last those of which the run can say nothing.
func (m mishap) verdict(run *results.Run, labels []string) []string {
	var hurt []encounter
	var unhurt, unmet, absent, untold []string
	for _, e := range m.met {
		name := nameIn(run, labels, e.cell)
		switch f := e.fault; {
		case f.Absent:
			absent = append(absent, name)
		case f.Effect == "":
			unmet = append(unmet, name)
		case f.Recovery == nil:
			untold = append(untold, name)
		case e.hurts(run.Cells[e.cell]):
			hurt = append(hurt, e)
		default:
			unhurt = append(unhurt, name)
		}
	}
	clauses := m.fates(run, labels, hurt)
	if len(unhurt) > 0 {
		clauses = append(clauses, some(unhurt)+" did not notice")
	}
	var sentences []string
	if len(clauses) > 0 {
		sentences = append(sentences, m.during()+": "+strings.Join(clauses, "; ")+".")
	}
	if s := m.without(unmet, untold, absent); s != "" {
		sentences = append(sentences, s)
	}
	return sentences
}

// without names the cells of which the run can say nothing, and why.
func (m mishap) without(unmet, untold, absent []string) string {
	var clauses []string
	if len(unmet) > 0 {
		clauses = append(clauses, "it met nothing in "+some(unmet)+", so the numbers say nothing about it there")
	}
	if len(untold) > 0 {
		clauses = append(clauses, "in "+some(untold)+" too little was before it to compare with")
	}
	switch len(absent) {
	case 0:
	case 1:
		clauses = append(clauses, absent[0]+" has no such part")
	default:
		clauses = append(clauses, some(absent)+" have no such part")
	}
	if len(clauses) == 0 {
		return ""
	}
	return "Of " + m.name + ": " + strings.Join(clauses, "; ") + "."
}

// during returns the words that a verdict on the mishap begins with.
func (m mishap) during() string {
	if d, ok := m.length(); ok {
		return "During " + m.name + " (" + words.FaultTime(d) + ")"
	}
	return "From " + m.name + " on"
}

// some lists names, or the first of them and the number of the others.
func some(names []string) string {
	if len(names) > mostNamed {
		names = append(slices.Clone(names[:mostNamed-1]), fmt.Sprintf("%d others", len(names)-mostNamed+1))
	}
	return words.List(names)
}

// lost returns the acknowledged commands of the cell that were lost, as far as
// they can be laid to this fault: where there was no other.
func (e encounter) lost(c *results.Cell) int64 {
	if !e.only {
		return 0
	}
	return c.Accounting.Lost
}

// hurts reports whether anybody noticed the fault.
func (e encounter) hurts(c *results.Cell) bool {
	r := e.fault.Recovery
	return words.Noticed(e.fault) || r.Bad > 0 || !r.Recover.Seen || r.Recover.After >= results.TailWidth ||
		e.lost(c) > 0
}

// worse compares two encounters: those that never recovered come first, then those
// that lost most, left most operations not ok, or took longest.
func worse(run *results.Run, a, b encounter) int {
	x, y := a.fault.Recovery, b.fault.Recovery
	never := func(r *results.Recovery) int {
		if r.Recover.Seen {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(never(x), never(y)),
		cmp.Compare(b.lost(run.Cells[b.cell]), a.lost(run.Cells[a.cell])),
		cmp.Compare(y.Bad, x.Bad), cmp.Compare(y.Recover.After, x.Recover.After), cmp.Compare(a.cell, b.cell))
}

// fates says how the cells fared that a fault hurt, the worst first. Cells with
// the same fate share a clause. Of many, it names the worst and the best.
func (m mishap) fates(run *results.Run, labels []string, hurt []encounter) []string {
	slices.SortStableFunc(hurt, func(a, b encounter) int { return worse(run, a, b) })
	type group struct {
		names []string
		first encounter
	}
	var groups []group
	for _, e := range hurt {
		fate := func(e encounter) string { return e.fate(run.Cells[e.cell], "", "") }
		if n := len(groups); n == 0 || fate(groups[n-1].first) != fate(e) {
			groups = append(groups, group{first: e})
		}
		last := &groups[len(groups)-1]
		last.names = append(last.names, nameIn(run, labels, e.cell))
	}
	var clauses []string
	between := 0
	for i, g := range groups {
		if i >= mostNamed-1 && i < len(groups)-1 {
			between += len(g.names)
			continue
		}
		if between > 0 {
			clauses = append(clauses, words.Plural(int64(between), "other")+" fared between these and the next")
		}
		commands, operations := "", ""
		if i == 0 {
			commands, operations = " acknowledged commands", " operations"
		}
		fate := g.first.fate(run.Cells[g.first.cell], commands, operations)
		if len(g.names) > 1 && !strings.HasPrefix(fate, "recovered") {
			fate = "each " + strings.Replace(fate, "was down", "were down", 1)
		}
		clauses = append(clauses, some(g.names)+" "+fate)
	}
	return clauses
}

// nameIn returns the name of a cell in a verdict, which says if it is not valid.
func nameIn(run *results.Run, labels []string, cell int) string {
	return words.Doubted(labels[cell], run.Cells[cell])
}

// fate says what the fault did in a cell, with names for what is counted: "lost
// none of 1,234 acknowledged commands, was down for 4.65 s, left 812 of 3,000
// operations not ok and recovered 750 ms after its end".
func (e encounter) fate(c *results.Cell, commands, operations string) string {
	r := e.fault.Recovery
	var s []string
	if all := c.Accounting.Acknowledged; e.only && all > 0 {
		n := "none"
		if lost := e.lost(c); lost > 0 {
			n = words.Count(lost)
		}
		s = append(s, "lost "+n+" of "+words.Count(all)+commands)
	}
	if r.Down > 0 {
		s = append(s, "was down for "+words.FaultTime(r.Down))
	}
	if r.Bad > 0 {
		s = append(s, "left "+words.Count(r.Bad)+" of "+words.Count(r.Offered)+operations+" not ok")
	}
	var well string
	switch {
	case !r.Recover.Seen:
		well = "did not recover within " + words.FaultTime(r.Within) + " of its end"
	case r.Recover.After < results.TailWidth:
		well = "recovered as soon as it ended"
	default:
		well = "recovered " + words.FaultTime(r.Recover.After) + " after its end"
	}
	if r.Unsteady != "" {
		well += " (with an unsteady time before it)"
	}
	return words.List(append(s, well))
}
