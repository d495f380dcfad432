package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// minWidth is the narrowest terminal that the tables are laid out for.
const minWidth = 80

// WriteText writes run for a terminal of the given width in columns: what was
// asked, what was found, the tables, and what qualifies them. A width below 80
// counts as 80. Columns that do not fit beside each other continue in a further
// table. With colour, marks are also coloured; nothing is said by colour alone.
func WriteText(w io.Writer, run *results.Run, width int, colour bool) error {
	run = run.Merged()
	p := &printer{width: max(width, minWidth), colour: colour}
	p.head(run)
	labels, chart := words.Labels(run), crossover.Of(run)
	if len(run.Expectations) > 0 {
		for _, block := range expectationColumns(run).wrap(p.width) {
			p.table(block)
		}
	}
	if anySweep(run) {
		for _, block := range kneeColumns(run, labels).wrap(p.width) {
			p.table(block)
		}
	}
	if chart == nil {
		for _, block := range textColumns(run, labels).wrap(p.width) {
			p.table(block)
		}
	}
	p.payloads(chart)
	if repeated(run) && chart == nil {
		for _, block := range repeatText(run, labels).wrap(p.width) {
			p.table(block)
		}
	}
	for _, t := range faultColumns(run, labels, p.width) {
		for _, block := range t.wrap(p.width) {
			p.table(block)
		}
	}
	if t := windowColumns(run, labels, p.width); len(t.lead.values) > 0 {
		for _, block := range t.wrap(p.width) {
			p.table(block)
		}
	}
	if t := heardColumns(run, labels); len(t.lead.values) > 0 {
		for _, block := range t.wrap(p.width) {
			p.table(block)
		}
	}
	p.notes(run, labels, chart)
	if _, err := io.WriteString(w, p.out.String()); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}

// A printer collects lines for a terminal.
type printer struct {
	out    strings.Builder
	width  int
	colour bool
}

// The attributes of text, as a terminal takes them.
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	yellow = "33"
)

func (p *printer) paint(attribute, s string) string {
	if !p.colour || attribute == "" || s == "" {
		return s
	}
	return "\x1b[" + attribute + "m" + s + "\x1b[0m"
}

func (p *printer) head(run *results.Run) {
	title := "flowbench " + words.Clean(run.Scenario)
	fmt.Fprintln(&p.out, p.paint(bold, title)+"  "+p.paint(faint, "run "+words.Clean(run.ID)))
	if q := words.Clean(run.Question); q != "" {
		p.paragraph("", "", q)
	}
	fmt.Fprintln(&p.out)
	if s := unfinished(run); s != "" {
		p.paragraph(red, "! ", s)
	}
	if s := simulated(run); s != "" {
		p.paragraph(yellow, "~ ", s)
	}
	for _, s := range verdict(run) {
		p.paragraph("", "· ", s)
	}
}

// paragraph writes text in lines of the width, the first line after mark and the
// others below its text.
func (p *printer) paragraph(attribute, mark, text string) {
	indent := utf8.RuneCountInString(mark)
	line, length := "", 0
	flush := func() {
		fmt.Fprintln(&p.out, p.paint(attribute, mark+line))
		mark, line, length = strings.Repeat(" ", indent), "", 0
	}
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && indent+length+1+n > p.width {
			flush()
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	flush()
}

// A textTable is a table of the same rows in every column.
type textTable struct {
	lead    textColumn // repeated where the table is cut
	columns []textColumn
}

// A textColumn is one column: what group it belongs to, its name, and a value
// for each row.
type textColumn struct {
	group, name string
	values      []string
	marks       []string // attribute of each value; nil for none
}

// width returns how many characters the column needs.
func (c textColumn) width() int {
	w := utf8.RuneCountInString(c.name)
	for _, v := range c.values {
		w = max(w, utf8.RuneCountInString(v))
	}
	return w
}

// balance leaves room below a closing parenthesis, so that the figures of values
// with and without one stand below each other.
func (c textColumn) balance() {
	if !slices.ContainsFunc(c.values, func(v string) bool { return strings.HasSuffix(v, ")") }) {
		return
	}
	for i, v := range c.values {
		if !strings.HasSuffix(v, ")") {
			c.values[i] = v + " "
		}
	}
}

// gap is the space between two columns.
const gap = 2

// wrap cuts the table into tables that fit the width. Columns of one group stay
// together.
func (t textTable) wrap(width int) []textTable {
	t.lead = t.lead.shorten(2 * width / 5)
	var out []textTable
	rest := width
	for i := 0; i < len(t.columns); {
		n, need := 1, gap+t.columns[i].width()
		for i+n < len(t.columns) && t.columns[i].group != "" && t.columns[i+n].group == t.columns[i].group {
			need += gap + t.columns[i+n].width()
			n++
		}
		need = max(need, gap+utf8.RuneCountInString(t.columns[i].group))
		if len(out) == 0 || need > rest {
			out = append(out, textTable{lead: t.lead})
			rest = width - t.lead.width()
		}
		last := &out[len(out)-1]
		last.columns = append(last.columns, t.columns[i:i+n]...)
		rest -= need
		i += n
	}
	return out
}

// shorten elides values longer than n.
func (c textColumn) shorten(n int) textColumn {
	values := make([]string, len(c.values))
	for i, v := range c.values {
		values[i] = words.Elide(v, max(n, 20))
	}
	c.values = values
	return c
}

// table writes t: a line of groups, a line of names, and the rows.
func (p *printer) table(t textTable) {
	fmt.Fprintln(&p.out)
	lead := t.lead.width()
	groups, names := pad("", lead), pad(t.lead.name, lead)
	widths := make([]int, len(t.columns))
	for i := 0; i < len(t.columns); {
		n, span := 0, 0
		for i+n < len(t.columns) && (n == 0 || t.columns[i].group != "" && t.columns[i+n].group == t.columns[i].group) {
			widths[i+n] = t.columns[i+n].width()
			span += gap + widths[i+n]
			n++
		}
		group := t.columns[i].group
		if more := gap + utf8.RuneCountInString(group) - span; more > 0 {
			widths[i] += more
			span += more
		}
		groups += strings.Repeat(" ", gap) + pad(group, span-gap)
		i += n
	}
	for i, c := range t.columns {
		names += strings.Repeat(" ", gap) + padLeft(c.name, widths[i])
	}
	if g := strings.TrimRight(groups, " "); g != "" {
		fmt.Fprintln(&p.out, p.paint(faint, g))
	}
	fmt.Fprintln(&p.out, p.paint(bold, names))
	for row, label := range t.lead.values {
		line := pad(label, lead)
		for i, c := range t.columns {
			value := padLeft(c.values[row], widths[i])
			if i == len(t.columns)-1 {
				value = strings.TrimRight(value, " ") // within the colour, where there is one
			}
			if c.marks != nil {
				value = p.paint(c.marks[row], value)
			}
			line += strings.Repeat(" ", gap) + value
		}
		fmt.Fprintln(&p.out, strings.TrimRight(line, " "))
	}
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s))) }

func padLeft(s string, n int) string {
	return strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s))) + s
}

// textColumns returns the table of all cells of run.
func textColumns(run *results.Run, labels []string) textTable {
	t := textTable{lead: textColumn{name: "cell", values: labels}}
	add := func(group, name string, value func(*results.Cell) (text, mark string)) {
		c := textColumn{group: group, name: name}
		for _, cell := range run.Cells {
			text, mark := value(cell)
			c.values, c.marks = append(c.values, text), append(c.marks, mark)
		}
		c.balance()
		t.columns = append(t.columns, c)
	}
	quantiles := func(group string, of func(*results.Cell) *results.Hist, ps ...float64) {
		for _, p := range ps {
			add(group+" answered", words.Percentile(p), func(c *results.Cell) (string, string) {
				q := words.QuantileOf(of(c), p)
				if !q.Resolved {
					return q.String(), faint
				}
				return q.String(), ""
			})
		}
	}
	for k, ps := range [][]float64{results.Command: {0.5, 0.99, 0.999}, results.Query: {0.5, 0.99}} {
		kind := results.Kind(k)
		quantiles(kind.String(), func(c *results.Cell) *results.Hist {
			return c.LatencyOf(kind, results.AnsweredStage)
		}, ps...)
	}
	if anyUrgent(run) {
		for _, urgent := range []bool{true, false} {
			quantiles(urgencyWord(urgent), func(c *results.Cell) *results.Hist {
				return c.Urgency.LatencyOf(urgent, comparedKind(run), results.AnsweredStage)
			}, 0.5, 0.99)
		}
	}
	bulkColumns(run, add, quantiles)
	add("", "ok/s", func(c *results.Cell) (string, string) { return words.Digits(c.AchievedPerS()), "" })
	add("", "valid", func(c *results.Cell) (string, string) {
		if !c.Valid {
			return "NO", red
		}
		return "yes", ""
	})
	count := func(group, name string, bad bool, value func(*results.Cell) int64) {
		add(group, name, func(c *results.Cell) (string, string) {
			n := value(c)
			if bad && n > 0 {
				return words.Count(n), yellow
			}
			return words.Count(n), ""
		})
	}
	count("operations", "ok", false, func(c *results.Cell) int64 { return c.Counts.OK })
	count("operations", "failed", true, func(c *results.Cell) int64 { return c.Counts.Failed })
	count("operations", "unknown", true, func(c *results.Cell) int64 { return c.Counts.Unknown })
	count("operations", "dropped", true, func(c *results.Cell) int64 { return c.Counts.Dropped })
	count("commands", "lost", true, func(c *results.Cell) int64 { return c.Accounting.Lost })
	count("commands", "dup", true, func(c *results.Cell) int64 { return c.Accounting.Duplicated })
	add("per operation", "msgs", func(c *results.Cell) (string, string) {
		return words.Optional(c.Cost.BrokerMsgs, words.Digits), ""
	})
	add("per operation", "http", func(c *results.Cell) (string, string) {
		return words.Optional(c.Cost.HTTPRequests, words.Digits), ""
	})
	return t
}

// notes explains the marks of the tables and repeats what qualifies the cells.
func (p *printer) notes(run *results.Run, labels []string, chart *crossover.Chart) {
	fmt.Fprintln(&p.out)
	p.paragraph(faint, "", "Latencies count from when an operation was due. (…): fewer than 10 samples lie beyond, "+
		"so it is no finding. –: the flow has no such stage, or nothing reached it. Unknown: it may have happened.")
	if s := bulkNote(run); s != "" {
		p.paragraph(faint, "", s)
	}
	p.faultNotes(run, labels)
	p.payloadNotes(run, chart)
	if chart != nil && chart.Crowded {
		return
	}
	for i, c := range run.Cells {
		if c.Urgency != nil {
			p.paragraph("", "· ", labels[i]+": "+overtake(c)+".")
		}
		if stage, h := words.End(c, results.Command); h != nil && stage != results.AnsweredStage {
			p.paragraph("", "· ", fmt.Sprintf("%s: clients learn no result; commands were %s after p50 %s, p99 %s "+
				"(n = %s).", labels[i], stage,
				words.QuantileOf(h, 0.5), words.QuantileOf(h, 0.99), words.Count(h.N())))
		}
		for _, warning := range cleaned(c.Warnings) {
			p.paragraph(yellow, "· ", labels[i]+": "+warning)
		}
	}
}
