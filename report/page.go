package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"flowbench/report/crossover"
	"flowbench/report/plot"
	"flowbench/report/words"
	"flowbench/results"
)

//go:embed page.html.tmpl
var pageTemplate string

// tableScript makes tables sort and compares with another reference. The page says all
// that it says without it as well.
//
//go:embed page.js
var tableScript string

// chartScript makes charts that can be explored out of the figures.
//
//go:embed chart.js
var chartScript string

// pageScript is the one script of the page.
func pageScript() string { return tableScript + chartScript }

// WriteHTML writes run as one page that needs nothing else: no network and no other
// file. Its one script is its own, and it is whole where scripts are off.
func WriteHTML(w io.Writer, run *results.Run) error { return WriteHTMLAgainst(w, run, "") }

// WriteHTMLAgainst is WriteHTML with the flow that the others are compared with, as long
// as the reader chooses no other. Without any it is direct or else the first one.
func WriteHTMLAgainst(w io.Writer, run *results.Run, flow string) error {
	run = run.Merged()
	if err := CheckReference(run, flow); err != nil {
		return err
	}
	return writePage(w, run, plot.All(run), flow)
}

// CheckReference returns an error that names the flows of run if flow is none of them.
func CheckReference(run *results.Run, flow string) error {
	_, err := referenceOf(run, flow)
	return err
}

// writePage writes the page with figures that were made before.
func writePage(w io.Writer, run *results.Run, figures []plot.Figure, flow string) error {
	return writePageWith(w, run, figures, flow, nil)
}

// writePageWith writes the page with something else at its top, unless that is nil.
func writePageWith(w io.Writer, run *results.Run, figures []plot.Figure, flow string, top *Insert) error {
	p, err := newPage(run, figures, flow)
	if err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	if top != nil {
		p.Insert, p.Unfinished, p.Policy = top, "", policy(pageScript(), string(top.Script))
	}
	return p.write(w)
}

// write renders the page.
func (p page) write(w io.Writer) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parse page: %w", err)
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
	Ended                     string // failed, untold, or nothing: the style of the verdict
	Sections                  []section
	Light                     template.CSS // the figures' colours on white
	FigureStyle               template.CSS
	Policy                    template.HTMLAttr
	Script                    template.JS
	Data                      template.JS // what the script needs to know of the run, as JSON
	Insert                    *Insert     // at the top of the page of a run that goes on, or nil
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
	SVG       template.HTML
	Of, Title string
	Caption   string
	Data      template.JS // what it shows, as JSON, where it can be explored
	Folded    bool        // shown on demand, under its title
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
	Folded  bool // shown on demand, for those who ask further
	Sorts   bool // by any column, at the reader's wish

	Compared bool // its rows are the cells of the run, and entries say how they differ from the reference
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

	Numbered  bool // it is of one cell of the run
	Cell      int  // its index
	Reference bool // others are compared with it
}

// An entry is one value. Its class says how it is set: faint, soft, bad, warn, or
// word for text among figures. Its value is the number that tables sort by, and
// empty where there is none.
type entry struct {
	Text, Title, Class, Value string

	number   float64
	Compared bool
	Against  string // how it differs from the reference
}

// valued returns e with the number that it is sorted by.
func (e entry) valued(v float64) entry {
	e.Value, e.number = strconv.FormatFloat(v, 'g', -1, 64), v
	return e
}

func newPage(run *results.Run, figures []plot.Figure, flow string) (page, error) {
	v := view{
		run: run, labels: words.Labels(run), chart: crossover.Of(run),
	}
	var err error
	if v.reference, err = referenceOf(run, flow); err != nil {
		return page{}, err
	}
	p := frame()
	if v.figures, p.FigureStyle, err = inlined(figures); err != nil {
		return page{}, err
	}
	p.Scenario, p.Question, p.RunID = words.Clean(run.Scenario), words.Clean(run.Question), words.Clean(run.ID)
	p.When, p.Unfinished, p.Simulated, p.Verdict = when(run), unfinished(run), simulated(run), verdict(run)
	p.Ended = ended(run)
	if p.Data, err = v.data(); err != nil {
		return page{}, err
	}
	for _, compose := range v.sections() {
		if s := compose(v); len(s.Figures)+len(s.Tables) > 0 {
			p.Sections = append(p.Sections, s)
		}
	}
	return p, nil
}

// inlined returns figures for a page, by section, and the styles that they share.
func inlined(figures []plot.Figure) (map[string][]figure, template.CSS, error) {
	all, styles := make(map[string][]figure), &styles{rule: make(map[string]string)}
	for _, f := range figures {
		shown, err := figureOf(f, styles)
		if err != nil {
			return nil, "", err
		}
		all[f.Section] = append(all[f.Section], shown)
	}
	return all, template.CSS(plot.Style + styles.sheet.String()), nil
}

// frame returns a page with what all pages have: the colours of figures, and what
// they may do.
func frame() page {
	var light strings.Builder
	for _, variable := range plot.Variables() {
		fmt.Fprintf(&light, "%s:%s;", variable.Name, variable.Light)
	}
	return page{
		Light: template.CSS(light.String()), Policy: policy(pageScript()), Script: template.JS(pageScript()),
	}
}

// figureOf returns f as the page has it.
func figureOf(f plot.Figure, styles *styles) (figure, error) {
	svg, err := f.Inline()
	if err != nil {
		return figure{}, err
	}
	svg = styles.named(svg)
	// The SVG is this program's own drawing; names in it were escaped when it was drawn.
	shown := figure{SVG: template.HTML(svg), Of: f.Of, Title: f.Title, Caption: f.Caption}
	if f.Chart != nil {
		shown.Data, err = asData(f.Chart)
	}
	return shown, err
}

// asData returns v as JSON that can stand in a script element: what could end it is
// escaped.
func asData(v any) (template.JS, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode data of the page: %w", err)
	}
	return template.JS(b), nil
}

// data returns what the script needs to know of the run.
func (v view) data() (template.JS, error) {
	names := make(map[string]string)
	for flow := range v.reference.cells {
		names[flow] = words.Clean(flow)
	}
	return asData(struct {
		Cells      []plot.ChartCell  `json:"cells"`
		Hues       []plot.Hue        `json:"hues"`
		Reference  string            `json:"reference"`
		References map[string][]int  `json:"references"`
		Names      map[string]string `json:"names"`
		Alike      float64           `json:"alike"`
	}{plot.Cells(v.run), plot.Hues(), v.reference.flow, v.reference.cells, names, alike})
}

// policy is what the page may do, as the attribute that says so: be styled as it is
// written, and run the scripts that have the right hash. It may load nothing, unless
// it has a second script: then from where it came from.
func policy(scripts ...string) template.HTMLAttr {
	var hashes, connect string
	for i, s := range scripts {
		hash := sha256.Sum256([]byte(s))
		hashes += " 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
		if i > 0 {
			connect = " connect-src 'self';"
		}
	}
	return template.HTMLAttr(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; ` +
		`script-src` + hashes + `;` + connect + ` base-uri 'none'; form-action 'none'"`)
}

// sections returns the sections of the page in their order.
func (v view) sections() []func(view) section {
	if v.crowded() {
		return []func(view) section{
			expectations, knee, crossing, burden, happened, bytesInTime, deviating, faults, windows, guarantees,
			repeats, urgency, bulk, heard, trustSummed, accountSummed, leftOut, walkthroughs, environment,
		}
	}
	return []func(view) section{
		expectations, knee, glance, guarantees, intervals, repeats, percentiles, histograms, overTime, faults, windows,
		heat, hops, stages, urgency, bulk, heard, cost, account, stale, served, crossing, burden, happened, bytesInTime,
		leftOut, walkthroughs, trust, environment,
	}
}

// A view is a run with what all sections need of it.
type view struct {
	run     *results.Run
	labels  []string
	chart   *crossover.Chart    // nil where all payloads are alike
	figures map[string][]figure // by section

	reference reference
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
	if doubt := words.Doubt(c); doubt != "" {
		m = append(m, entry{Text: doubt, Title: strings.Join(cleaned(c.Why), "; "), Class: doubtClass(c)})
	}
	if !c.Load.Open() {
		m = append(m, entry{
			Text: "closed load", Title: "users wait for an answer before they ask again", Class: "warn",
		})
	}
	if n := len(c.Warnings); n > 0 {
		m = append(m, entry{
			Text: words.Plural(int64(n), "warning"), Title: strings.Join(cleaned(c.Warnings), "; "), Class: "warn",
		})
	}
	return m
}

// doubtClass returns the class of what says that a cell is not valid or still runs.
func doubtClass(c *results.Cell) string {
	if c.Running {
		return "warn"
	}
	return "bad"
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
	if q.N > 0 {
		e = e.valued(float64(h.Quantile(p)))
	}
	return e
}

// sampleCount returns the entry that says how many samples quantiles are from.
func sampleCount(h *results.Hist) entry {
	if h == nil {
		return entry{Text: words.Absent, Class: "faint"}
	}
	return entry{Text: words.Count(h.N()), Class: "soft"}.valued(float64(h.N()))
}

// count returns the entry of a number that ought to be 0 if class is not empty.
func count(n int64, class string) entry {
	if n == 0 {
		class = ""
	}
	return entry{Text: words.Count(n), Class: class}.valued(float64(n))
}

// optional returns the entry of a number that a cell may not have.
func optional(v *float64, f func(float64) string) entry {
	if v == nil {
		return entry{Text: words.Absent, Title: "the flow does not use it", Class: "faint"}
	}
	return entry{Text: f(*v)}.valued(*v)
}

// heads returns the heads of columns without titles.
func heads(names ...string) []head {
	h := make([]head, len(names))
	for i, n := range names {
		h[i].Text = n
	}
	return h
}
