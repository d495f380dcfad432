package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"flowbench/report/plot"
	"flowbench/report/words"
	"flowbench/results"
)

//go:embed page.html.tmpl
var pageTemplate string

// WriteHTML writes run as one page that needs nothing else: no network, no
// script, no other file.
func WriteHTML(w io.Writer, run *results.Run) error { return writePage(w, run, plot.All(run)) }

// writePage writes the page with figures that were made before.
func writePage(w io.Writer, run *results.Run, figures []plot.Figure) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
	}
	p, err := newPage(run, figures)
	if err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	return nil
}

// A page is what the template shows, in its order.
type page struct {
	Scenario, Question, RunID string
	When                      string
	Unfinished                string
	Simulated                 string
	Verdict                   []string
	Sections                  []section
	Light                     template.CSS // the figures' colours on white
}

// A section is one part of the page. Its lead says how to read it.
type section struct {
	ID, Title, Lead string
	Figures         []figure
	Tables          []table
	Terms           []term   // below the tables: what their words mean
	Notes           []string // below that: what qualifies the numbers
	Code            string   // a command line
}

// A figure is a plot with its caption.
type figure struct {
	SVG     template.HTML
	Caption string
}

// A term is a word and its meaning.
type term struct{ Word, Meaning string }

// A table is a table with a row head in its first column.
type table struct {
	Caption string
	Corner  string // the head of the first column
	Groups  []group
	Heads   []head
	Rows    []row
	Wide    bool // text columns, which are set to the left
}

// A group is a head over several columns.
type group struct {
	Text string
	Span int
}

// A head is the head of one column.
type head struct{ Text, Title, Class string }

// A row is one line of a table. Its label has marks of what qualifies the whole
// row, such as "not valid".
type row struct {
	Label   string
	Marks   []entry
	Cells   []entry
	Span    int  // of the label, in rows; 0 for this one alone
	Follows bool // the label of an earlier row stands for this one as well
}

// An entry is one value. Its class says how it is set: faint, soft, bad, warn, or
// word for text among figures.
type entry struct{ Text, Title, Class string }

func newPage(run *results.Run, figures []plot.Figure) (page, error) {
	v := view{run: run, labels: words.Labels(run), figures: make(map[string][]figure)}
	for _, f := range figures {
		svg, err := f.Inline()
		if err != nil {
			return page{}, err
		}
		// The SVG is this program's own drawing; names in it were escaped when it
		// was drawn.
		v.figures[f.Section] = append(v.figures[f.Section], figure{template.HTML(svg), f.Caption})
	}
	p := page{
		Scenario: words.Clean(run.Scenario), Question: words.Clean(run.Question), RunID: words.Clean(run.ID),
		When: when(run), Unfinished: unfinished(run), Simulated: simulated(run), Verdict: verdict(run),
	}
	var light strings.Builder
	for _, variable := range plot.Variables() {
		fmt.Fprintf(&light, "%s:%s;", variable.Name, variable.Light)
	}
	p.Light = template.CSS(light.String())
	for _, compose := range []func(view) section{
		glance, faults, guarantees, intervals, percentiles, histograms, overTime, stages, urgency, heard, stale, served,
		trust, cost, account, environment,
	} {
		if s := compose(v); len(s.Figures)+len(s.Tables) > 0 {
			p.Sections = append(p.Sections, s)
		}
	}
	return p, nil
}

// A view is a run with what all sections need of it.
type view struct {
	run     *results.Run
	labels  []string
	figures map[string][]figure // by section
}

// rows returns a row for each cell of the run, with the marks that qualify it.
func (v view) rows(entries func(*results.Cell) []entry) []row {
	rows := make([]row, 0, len(v.run.Cells))
	for i, c := range v.run.Cells {
		rows = append(rows, row{Label: v.labels[i], Marks: marks(c), Cells: entries(c)})
	}
	return rows
}

// marks says what qualifies all numbers of a cell.
func marks(c *results.Cell) []entry {
	var m []entry
	if !c.Valid {
		m = append(m, entry{"not valid", strings.Join(cleaned(c.Why), "; "), "bad"})
	}
	if !c.Load.Open() {
		m = append(m, entry{"closed load", "users wait for an answer before they ask again", "warn"})
	}
	if n := len(c.Warnings); n > 0 {
		m = append(m, entry{words.Plural(int64(n), "warning"), strings.Join(cleaned(c.Warnings), "; "), "warn"})
	}
	return m
}

// when says when a run ran and for how long.
func when(run *results.Run) string {
	if run.Simulated {
		return "in virtual time"
	}
	s := run.Started.UTC().Format("2006-01-02 15:04:05 UTC")
	if !run.Ended.IsZero() {
		s += ", took " + took(run.Ended.Sub(run.Started))
	}
	return s
}

// took returns the length of a run in minutes and seconds.
func took(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s < 60 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

// quantile returns the entry of quantile p of h.
func quantile(h *results.Hist, p float64) entry {
	q := words.QuantileOf(h, p)
	e := entry{Text: q.String(), Title: q.Why()}
	if q.N == 0 || !q.Resolved {
		e.Class = "faint"
	}
	return e
}

// sampleCount returns the entry that says how many samples quantiles are from.
func sampleCount(h *results.Hist) entry {
	if h == nil {
		return entry{Text: words.Absent, Class: "faint"}
	}
	return entry{Text: words.Count(h.N()), Class: "soft"}
}

// count returns the entry of a number that ought to be 0 if class is not empty.
func count(n int64, class string) entry {
	if n == 0 {
		class = ""
	}
	return entry{Text: words.Count(n), Class: class}
}

// optional returns the entry of a number that a cell may not have.
func optional(v *float64, f func(float64) string) entry {
	if v == nil {
		return entry{Text: words.Absent, Title: "the flow does not use it", Class: "faint"}
	}
	return entry{Text: f(*v)}
}

// heads returns the heads of columns without titles.
func heads(names ...string) []head {
	h := make([]head, len(names))
	for i, n := range names {
		h[i].Text = n
	}
	return h
}
