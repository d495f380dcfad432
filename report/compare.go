package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"flowbench/report/plot"
	"flowbench/report/words"
	"flowbench/results/compare"
)

// WriteComparisonHTML writes a comparison as one page that needs nothing else.
func WriteComparisonHTML(w io.Writer, c *compare.Comparison) error {
	var figures []plot.Figure
	for side := range c.New {
		figures = append(figures, plot.Forests(c, side)...)
	}
	shown, style, err := inlined(figures)
	if err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	p := frame()
	p.FigureStyle = style
	p.Scenario = words.Clean(c.Scenario)
	p.Question = "What changed from " + words.Clean(c.Old.Name) + " to " + newNames(c) + "?"
	p.RunID, p.When = "compared with "+words.Plural(int64(len(c.New)), "run or set of runs"), comparedWhen(c)
	p.Verdict = comparisonVerdict(c)
	if c.Simulated {
		p.Simulated = "Simulated in virtual time: brokers and networks are models, and so is what differs."
	}
	for side, d := range c.New {
		s := section{
			ID: fmt.Sprintf("side-%d", side), Title: "From " + words.Clean(c.Old.Name) + " to " + words.Clean(d.Name),
			Lead: "A row is a change only if it would come about by chance in less than 5 % of all such comparisons " +
				"together, and is larger than what two sets of runs of one program differ by.",
			Figures: shown[fmt.Sprintf("side-%d", side)], Tables: []table{comparisonTable(c, side)},
		}
		for i := range s.Figures {
			s.Figures[i].Folded = strings.HasPrefix(s.Figures[i].Title, "90th")
		}
		p.Sections = append(p.Sections, s)
	}
	p.Sections = append(p.Sections, comparisonSides(c))
	return p.write(w)
}

func newNames(c *compare.Comparison) string {
	var names []string
	for _, d := range c.New {
		names = append(names, words.Clean(d.Name))
	}
	return words.List(names)
}

func comparedWhen(c *compare.Comparison) string {
	if c.Old.Started == "" {
		return "in virtual time"
	}
	return "old since " + c.Old.Started
}

// comparisonVerdict says what a comparison came to, in sentences.
func comparisonVerdict(c *compare.Comparison) []string {
	var sentences []string
	for side, d := range c.New {
		name := words.Clean(d.Name)
		var changes [2][]compare.Row
		told := make(map[compare.Outcome]int64)
		why := make(map[string]int64)
		var reasons []string
		for _, r := range c.Rows {
			if r.Side != side {
				continue
			}
			told[r.Outcome]++
			switch r.Outcome {
			case compare.Worse:
				changes[0] = append(changes[0], r)
			case compare.Better:
				changes[1] = append(changes[1], r)
			case compare.CannotTell:
				if why[r.Why]++; why[r.Why] == 1 {
					reasons = append(reasons, r.Why)
				}
			}
		}
		sentences = append(sentences, outcomeSentence(name, told))
		for i, word := range []string{"For the worse: ", "For the better: "} {
			if n := len(changes[i]); n > 0 {
				sentences = append(sentences, word+foremost(changes[i])+".")
			}
		}
		for _, reason := range reasons {
			sentences = append(sentences, fmt.Sprintf("Cannot tell of %s: %s.", words.Plural(why[reason], "metric"),
				words.Clean(reason)))
		}
	}
	for _, m := range c.Marks {
		sentences = append(sentences, "Mind: "+words.Clean(m)+".")
	}
	return append(sentences, sentence(c.Floor))
}

// foremost names the changes, the largest first, and how many more there are.
func foremost(changes []compare.Row) string {
	slices.SortStableFunc(changes, func(a, b compare.Row) int { return cmp.Compare(b.Size(), a.Size()) })
	var texts []string
	for _, r := range changes[:min(len(changes), mostChanges)] {
		texts = append(texts, changeText(r))
	}
	s := strings.Join(texts, "; ")
	if n := len(changes) - len(texts); n > 0 {
		s += fmt.Sprintf("; and %d more", n)
	}
	return s
}

// mostChanges is how many changes a sentence names; the table has all.
const mostChanges = 6

func sentence(s string) string {
	s = words.Clean(s)
	if s == "" {
		return ""
	}
	r := []rune(s)
	return strings.ToUpper(string(r[:1])) + string(r[1:]) + "."
}

func changeText(r compare.Row) string {
	s := words.Clean(r.Cell) + " " + r.Metric.Name + " " + r.Word + ", " + words.Measure(r.Metric, r.Old) + " to " +
		words.Measure(r.Metric, r.New)
	if r.Estimate != nil {
		s += ", × " + words.Ratio(r)
	}
	return s
}

func outcomeSentence(name string, told map[compare.Outcome]int64) string {
	n := told[compare.Worse] + told[compare.Better] + told[compare.NoChange] + told[compare.CannotTell]
	switch {
	case told[compare.CannotTell] == n:
		return fmt.Sprintf("%s: cannot tell whether anything changed.", name)
	case told[compare.Worse]+told[compare.Better] == 0 && told[compare.CannotTell] == 0:
		return fmt.Sprintf("%s: no change found in %s.", name, words.Plural(n, "metric"))
	}
	s := fmt.Sprintf("%s: of %s, %s are worse and %s are better", name, words.Plural(n, "metric"),
		words.Count(told[compare.Worse]), words.Count(told[compare.Better]))
	if told[compare.CannotTell] > 0 {
		s += fmt.Sprintf("; of %s nothing can be told", words.Count(told[compare.CannotTell]))
	}
	return s + "."
}

// comparisonTable has all rows of one side.
func comparisonTable(c *compare.Comparison, side int) table {
	t := table{
		Caption: "Every metric", Corner: "cell", Sorts: true,
		Heads: []head{
			{Text: "metric", Class: "word"}, {Text: "old", Title: "median of the observations"}, {Text: "new"},
			{Text: "ratio (interval)", Title: "new to old, by Hodges and Lehmann, with its 95 % interval"},
			{Text: "p", Title: "by Mann and Whitney's test, adjusted by Holm"},
			{Text: "floor", Title: "the noise floor: what the ratio must be beyond"},
			{Text: "n", Title: "observations, old and new"}, {Text: "outcome", Class: "word"},
		},
	}
	for _, r := range c.Rows {
		if r.Side != side {
			continue
		}
		outcome := entry{Text: r.Word, Title: words.Clean(r.Why), Class: "word"}
		switch r.Outcome {
		case compare.Worse:
			outcome.Class = "word bad"
		case compare.CannotTell:
			outcome.Class = "word faint"
		case compare.Better:
			outcome.Class = "word best"
		}
		estimate := entry{Text: words.Ratio(r)}
		if r.Estimate != nil {
			estimate = estimate.valued(r.Estimate.Ratio)
		}
		t.Rows = append(t.Rows, row{Label: words.Clean(r.Cell), Cells: []entry{
			{Text: r.Metric.Name, Class: "word"}, {Text: words.Measure(r.Metric, r.Old)},
			{Text: words.Measure(r.Metric, r.New)}, estimate, {Text: chance(r)}, {Text: floorText(r)},
			{Text: strconv.Itoa(len(r.OldAll)) + " + " + strconv.Itoa(len(r.NewAll))}, outcome,
		}})
	}
	return t
}

// chance returns the adjusted p-value of a row.
func chance(r compare.Row) string {
	switch {
	case r.Adjusted == nil:
		return words.Absent
	case *r.Adjusted < 0.001:
		return "< 0.001"
	}
	return strconv.FormatFloat(*r.Adjusted, 'f', 3, 64)
}

// floorText returns the noise floor of a row, in parentheses where it is assumed.
func floorText(r compare.Row) string {
	s := strconv.FormatFloat(100*r.Floor, 'g', 2, 64) + " %"
	if r.Assumed {
		return "(" + s + ")"
	}
	return s
}

// comparisonSides says what was compared.
func comparisonSides(c *compare.Comparison) section {
	t := table{
		Caption: "The sides", Corner: "side", Wide: true,
		Heads: heads("runs", "flowbench", "Go", "since"),
	}
	for i, d := range append([]compare.Description{c.Old}, c.New...) {
		label := "new: " + words.Clean(d.Name)
		if i == 0 {
			label = "old: " + words.Clean(d.Name)
		}
		var runs []string
		for _, r := range d.Runs {
			runs = append(runs, words.Clean(r))
		}
		t.Rows = append(t.Rows, row{Label: label, Cells: []entry{
			{Text: strings.Join(runs, ", ")}, {Text: words.Clean(d.Versions["flowbench"])},
			{Text: words.Clean(d.Versions["go"])}, {Text: words.Clean(d.Started)},
		}})
	}
	var notes []string
	for _, s := range c.LeftOut {
		notes = append(notes, words.Clean(s)+".")
	}
	return section{
		ID: "sides", Title: "What was compared",
		Lead: "Every repeat of a cell, and every run of a side, is one observation of each metric: it is runs that " +
			"are compared, and not the latencies within them, which depend on each other.",
		Tables: []table{t}, Notes: notes,
	}
}

// WriteComparisonJSON writes a comparison for programs.
func WriteComparisonJSON(w io.Writer, c *compare.Comparison) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// WriteComparisonFiles writes a comparison into root: compare.html and compare.json.
func WriteComparisonFiles(root *os.Root, c *compare.Comparison) error {
	return writeFiles(root, []file{
		{"compare.html", func(w io.Writer) error { return WriteComparisonHTML(w, c) }},
		{"compare.json", func(w io.Writer) error { return WriteComparisonJSON(w, c) }},
	})
}

// WriteComparisonText writes a comparison for a terminal, as [WriteText] does a run.
func WriteComparisonText(w io.Writer, c *compare.Comparison, width int, colour bool) error {
	p := &printer{width: max(width, minWidth), colour: colour}
	fmt.Fprintln(&p.out, p.paint(bold, "flowbench compare "+words.Clean(c.Old.Name)+" "+newNames(c)))
	fmt.Fprintln(&p.out)
	for _, s := range comparisonVerdict(c) {
		attribute := ""
		if strings.HasPrefix(s, "For the worse") {
			attribute = red
		}
		p.paragraph(attribute, "· ", s)
	}
	for side := range c.New {
		for _, t := range comparisonText(c, side) {
			for _, block := range t.wrap(p.width) {
				p.table(block)
			}
		}
	}
	fmt.Fprintln(&p.out)
	for _, s := range c.LeftOut {
		p.paragraph(faint, "· ", words.Clean(s)+".")
	}
	p.paragraph(faint, "", "Ratios are new to old, by Hodges and Lehmann, with their intervals. p is by Mann and "+
		"Whitney's test, adjusted by Holm for the number of comparisons.")
	if _, err := io.WriteString(w, p.out.String()); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}

// comparisonText has a table for each cell of one side.
func comparisonText(c *compare.Comparison, side int) []textTable {
	columns := []struct {
		name  string
		value func(compare.Row) string
	}{
		{"outcome", func(r compare.Row) string { return r.Word }},
		{"old", func(r compare.Row) string { return words.Measure(r.Metric, r.Old) }},
		{"new", func(r compare.Row) string { return words.Measure(r.Metric, r.New) }},
		{"ratio (interval)", words.Ratio}, {"p", chance},
	}
	var all []textTable
	for _, r := range c.Rows {
		if r.Side != side {
			continue
		}
		cell := words.Clean(r.Cell)
		if len(all) == 0 || all[len(all)-1].lead.name != cell {
			t := textTable{lead: textColumn{name: cell}}
			for _, col := range columns {
				t.columns = append(t.columns, textColumn{name: col.name})
			}
			all = append(all, t)
		}
		mark := ""
		switch r.Outcome {
		case compare.Worse:
			mark = red
		case compare.CannotTell:
			mark = faint
		}
		t := &all[len(all)-1]
		t.lead.values = append(t.lead.values, r.Metric.Name)
		for i, col := range columns {
			t.columns[i].values = append(t.columns[i].values, col.value(r))
			t.columns[i].marks = append(t.columns[i].marks, mark)
		}
	}
	return all
}

// WriteComparisonMarkdown writes a comparison as a comment on a pull request, as
// [WriteMarkdown] does a run: what changed, and all rows folded below.
func WriteComparisonMarkdown(w io.Writer, c *compare.Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### flowbench %s: %s against %s\n\n", harmless(c.Scenario), harmless(newNames(c)),
		harmless(c.Old.Name))
	var sentences []string
	for _, s := range comparisonVerdict(c) {
		sentences = append(sentences, "- "+harmless(s)+"\n")
	}
	if n := fill(&b, sentences, verdictBytes); n > 0 {
		fmt.Fprintf(&b, "- %s left out here.\n", words.Plural(int64(n), "further sentence"))
	}
	b.WriteString("\n<details><summary>Every metric</summary>\n\n| cell | metric | old | new | ratio (interval) | " +
		"p | floor | outcome |\n|---|---|--:|--:|--:|--:|--:|---|\n")
	var rows []string
	for _, r := range c.Rows {
		outcome := harmless(r.Word)
		if r.Outcome == compare.Worse || r.Outcome == compare.Better {
			outcome = "**" + outcome + "**"
		}
		rows = append(rows, "| "+strings.Join([]string{
			harmless(r.Cell), harmless(r.Metric.Name), words.Measure(r.Metric, r.Old), words.Measure(r.Metric, r.New),
			words.Ratio(r), harmless(chance(r)), floorText(r), outcome,
		}, " | ")+" |\n")
	}
	if n := fill(&b, rows, tableBytes+doubtBytes); n > 0 {
		fmt.Fprintf(&b, "\n%s left out of this table.\n", words.Plural(int64(n), "row"))
	}
	b.WriteString("\n</details>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}
