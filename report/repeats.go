package report

import (
	"fmt"
	"strconv"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// repeated reports whether cells of a merged run have repeats to show.
func repeated(run *results.Run) bool { return mostRepeats(run) > 1 }

// mostRepeats returns how many repeats the cell has that has most.
func mostRepeats(run *results.Run) int {
	n := 0
	for _, c := range run.Cells {
		n = max(n, len(c.Observations))
	}
	return n
}

// A repeatColumn is one figure of which the spread over repeats is shown.
type repeatColumn struct {
	group, name string
	of          func(*results.Cell) string
	faint       func(*results.Cell) bool
}

// repeatColumns returns the figures: the end of both kinds of operation, and the
// rate.
func repeatColumns() []repeatColumn {
	var all []repeatColumn
	for _, k := range results.Kinds() {
		for _, p := range []float64{0.5, 0.99} {
			of := func(c *results.Cell) words.Range {
				stage, _ := words.End(c, k)
				return words.RangeOf(c, k, stage, p)
			}
			all = append(all, repeatColumn{
				plural(k), words.Percentile(p), func(c *results.Cell) string { return of(c).String() },
				func(c *results.Cell) bool { r := of(c); return r.N == 0 || !r.Resolved },
			})
		}
	}
	return append(all, repeatColumn{"", "ok/s", words.Rates, func(*results.Cell) bool { return false }})
}

// repeats shows how far apart the repeats of each cell are.
func repeats(v view) section {
	if !repeated(v.run) {
		return section{}
	}
	t := table{
		Caption: "From the lowest to the highest of all repeats", Corner: "cell",
		Groups: []group{{"", 1}, {"", 1}},
		Heads:  heads("repeats"),
	}
	columns := repeatColumns()
	for _, c := range columns {
		if last := &t.Groups[len(t.Groups)-1]; last.Text == c.group {
			last.Span++
		} else {
			t.Groups = append(t.Groups, group{c.group, 1})
		}
		t.Heads = append(t.Heads, head{Text: c.name})
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		cells := []entry{{Text: strconv.Itoa(len(c.Observations))}}
		for _, col := range columns {
			e := entry{Text: col.of(c)}
			if col.faint(c) {
				e.Class = "faint"
			}
			cells = append(cells, e)
		}
		return cells
	})
	return section{
		ID: "repeats", Title: "Spread over repeats",
		Lead: "Each cell ran several times, in turns with the others, and everything above is of all of its repeats " +
			"together. What single repeats measured says how much of a difference is chance: two cells whose ranges " +
			"overlap are not told apart by one run.",
		Figures: v.figures["repeats"], Tables: []table{t},
	}
}

// repeatText returns the same for terminals.
func repeatText(run *results.Run, labels []string) textTable {
	t := textTable{lead: textColumn{name: "spread over repeats", values: labels}}
	n := textColumn{name: "repeats"}
	for _, c := range run.Cells {
		n.values = append(n.values, strconv.Itoa(len(c.Observations)))
	}
	t.columns = append(t.columns, n)
	for _, col := range repeatColumns() {
		tc := textColumn{group: col.group, name: col.name}
		for _, c := range run.Cells {
			mark := ""
			if col.faint(c) {
				mark = faint
			}
			tc.values, tc.marks = append(tc.values, col.of(c)), append(tc.marks, mark)
		}
		tc.balance()
		t.columns = append(t.columns, tc)
	}
	return t
}

// markdownRepeats writes the same as a table of a comment.
func markdownRepeats(b *strings.Builder, run *results.Run, labels []string) {
	if !repeated(run) {
		return
	}
	b.WriteString("\n#### Spread over repeats\n\n| cell | repeats |")
	rule := "|---|--:|"
	columns := repeatColumns()
	for _, c := range columns {
		b.WriteString(" " + strings.TrimSpace(c.group+" "+c.name) + " |")
		rule += "--:|"
	}
	b.WriteString("\n" + rule + "\n")
	var rows []string
	for i, c := range run.Cells {
		fields := []string{harmless(labels[i]), strconv.Itoa(len(c.Observations))}
		for _, col := range columns {
			fields = append(fields, col.of(c))
		}
		rows = append(rows, "| "+strings.Join(fields, " | ")+" |\n")
	}
	if n := fill(b, rows, repeatBytes); n > 0 {
		fmt.Fprintf(b, "\n%s left out of this table.\n", words.Plural(int64(n), "cell"))
	}
}

// repeatBytes is how many bytes the table of repeats may take in a comment.
const repeatBytes = 8 << 10

// often says how often cells ran, for the verdict.
func often(run *results.Run) string {
	if run.Simulated && !repeated(run) || len(run.Cells) < 2 && !repeated(run) {
		return ""
	}
	if !repeated(run) {
		return "This is one run: repeat it before you rest a decision on a small difference."
	}
	return fmt.Sprintf("Each cell ran %d times, in turns with the others; the numbers are of all repeats together, "+
		"and their spread is shown beside them.", mostRepeats(run))
}
