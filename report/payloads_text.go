package report

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// payloads writes the median time of each way and size, flow by flow and broker by
// broker.
func (p *printer) payloads(c *crossover.Chart) {
	if c == nil {
		return
	}
	fmt.Fprintln(&p.out)
	p.paragraph(faint, "", "Median time from due to "+stageOf(c)+", by way and size of the payload; the fastest way "+
		"of each size has a *, and so have those that are alike. The name of a store stands for the way by reference "+
		"over it. (…): fewer than 5 operations.")
	for _, g := range c.Groups {
		fmt.Fprintln(&p.out)
		p.paragraph(bold, "", groupName(c, g))
		if s := crossoverSentence(c, g); len(c.Groups) > mostGroupsTold && s != "" {
			p.paragraph("", "", strings.TrimPrefix(s, groupName(c, g)+": "))
		}
		for _, block := range groupColumns(c, g).wrap(p.width) {
			p.table(block)
		}
		if c.Crowded {
			continue
		}
		for _, block := range textColumns(c.Cells(g)).wrap(p.width) {
			p.table(block)
		}
	}
}

// groupColumns is the table of one flow on one broker: a row for each way, a column
// for each size.
func groupColumns(c *crossover.Chart, g crossover.Group) textTable {
	t := textTable{lead: textColumn{name: "way"}}
	ways := slices.DeleteFunc(slices.Clone(c.Ways), func(w crossover.Way) bool { return !g.Has(w) })
	for _, w := range ways {
		t.lead.values = append(t.lead.values, w.Short())
	}
	for _, bytes := range c.Sizes {
		column := textColumn{name: words.Size(bytes)}
		leaders := c.Leaders(g, bytes)
		for _, w := range ways {
			e := pointEntry(g, w, bytes, func(p crossover.Point) entry { return entry{Text: words.Duration(p.Median)} })
			mark := map[string]string{"bad": red, "warn": yellow, "faint": faint}[e.Class]
			if slices.Contains(leaders, w) {
				e.Text, mark = "*"+e.Text, bold
			}
			column.values, column.marks = append(column.values, e.Text), append(column.marks, mark)
		}
		t.columns = append(t.columns, column)
	}
	return t
}

// payloadNotes says what was left out, what happened to payloads that ought not to,
// and, where cells are not shown one by one, what is not said of them here.
func (p *printer) payloadNotes(run *results.Run, c *crossover.Chart) {
	if c != nil {
		for _, s := range mishapsOf(run) {
			p.paragraph(yellow, "· ", s)
		}
		if n := warnedCells(run); c.Crowded && n > 0 {
			p.paragraph(yellow, "· ", words.Plural(n, "cell")+" of "+words.Count(int64(len(run.Cells)))+
				" with warnings, which the page lists.")
		}
	}
	for _, h := range leftOutOf(run) {
		p.paragraph(faint, "· ", fmt.Sprintf("left out (%s): %s: %s", words.Plural(int64(len(h.cells)), "cell"), h.why,
			some(h.cells)))
	}
}

// warnedCells returns how many cells have warnings.
func warnedCells(run *results.Run) int64 {
	var n int64
	for _, c := range run.Cells {
		if len(c.Warnings) > 0 {
			n++
		}
	}
	return n
}

// mishapsOf says how often something happened to payloads that ought not to.
func mishapsOf(run *results.Run) []string {
	var s []string
	for _, h := range happenings() {
		var n, cells int64
		for _, c := range run.Cells {
			if t := h.of(c); t.N > 0 {
				n, cells = n+t.N, cells+1
			}
		}
		if h.class != "" && n > 0 {
			where := words.Plural(cells, "cell")
			s = append(s, fmt.Sprintf("%s in %s: %s (%s)", h.event, where, words.Count(n), h.rule))
		}
	}
	return s
}
