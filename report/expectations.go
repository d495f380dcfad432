package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// expected says how the expectations of run ended, in one sentence for those that
// held and one for each that did not.
func expected(run *results.Run) []string {
	var sentences []string
	held := 0
	for _, e := range run.Expectations {
		switch e.Verdict {
		case results.ExpectationHeld:
			held++
		case results.ExpectationFailed:
			sentences = append(sentences, "Not as expected: "+statementText(e)+"; "+decided(run, e)+".")
		default:
			sentences = append(sentences, "It cannot be told whether "+statementText(e)+": "+decided(run, e)+".")
		}
	}
	all := len(run.Expectations)
	switch {
	case all == 0:
	case held == all && all == 1:
		sentences = append(sentences, "The expectation held: "+statementText(run.Expectations[0])+".")
	case held == all:
		sentences = append(sentences, fmt.Sprintf("All %d expectations held.", all))
	case held > 0:
		sentences = append(sentences, fmt.Sprintf("Of %d expectations, %d held.", all, held))
	}
	return sentences
}

func statementText(e results.Expectation) string { return "“" + words.Clean(e.Statement) + "”" }

// decided says what decided an expectation that did not hold, and in how many cells
// it was so.
func decided(run *results.Run, e results.Expectation) string {
	f := e.Deciding()
	if f == nil {
		return words.Clean(e.Why)
	}
	s := "in " + labelOf(run, f.Cell)
	switch {
	case f.Why != "":
		s += ", " + words.Clean(f.Why)
	default:
		s += " it is " + words.Clean(f.Figure)
		if strings.Contains(f.Limit, "baseline") {
			s += ", beyond " + words.Clean(f.Limit)
		}
	}
	if f.Against != "" {
		s += " (" + labelOf(run, f.Against) + " allows " + words.Clean(f.Limit) + ")"
	}
	others := 0
	for _, o := range e.Findings {
		if o.Verdict == e.Verdict {
			others++
		}
	}
	if others > 1 {
		s += fmt.Sprintf(", and likewise in %s", words.Plural(int64(others-1), "other"))
	}
	return s
}

// labelOf returns the label of a cell by its id.
func labelOf(run *results.Run, id string) string {
	labels := words.Labels(run)
	for i, c := range run.Cells {
		if c.ID == id || c.Of == id && c.Of != "" {
			return labels[i]
		}
	}
	return words.Clean(id)
}

// WriteExpectations writes a line for each expectation of run, with what decided it
// unless it held. Nothing is written where nothing was expected.
func WriteExpectations(w io.Writer, run *results.Run) error {
	for i, e := range run.Expectations {
		line := words.Clean(e.Statement) + ": " + e.Verdict
		if e.Verdict != results.ExpectationHeld {
			line += ": " + decided(run, e)
		}
		if i == 0 {
			line = "\nexpected:\n  " + line
		} else {
			line = "  " + line
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("write expectations: %w", err)
		}
	}
	return nil
}

// expectationHeads are the names of what CSV has of expectations.
func expectationHeads() []string {
	return []string{"expectation", "verdict", "figure", "limit", "against", "why"}
}

// expectationRows returns the fields below these names behind so many others, of which
// only those are set that say where it was and from how many samples.
func expectationRows(run *results.Run, behind int) (rows [][]string) {
	for _, e := range run.Expectations {
		findings := e.Findings
		if len(findings) == 0 {
			findings = []results.ExpectationFinding{{Verdict: e.Verdict, Why: e.Why}}
		}
		for _, f := range findings {
			row := make([]string, behind)
			row[0], row[1], row[4], row[6] = inert(run.ID), inert(f.Cell), "expectation", strconv.FormatInt(f.N, 10)
			if i := slices.IndexFunc(run.Cells, func(c *results.Cell) bool { return c.ID == f.Cell }); i >= 0 {
				row[2], row[3] = inert(run.Cells[i].Flow), inert(run.Cells[i].Broker)
			}
			rows = append(rows, append(row,
				inert(e.Statement), inert(f.Verdict), inert(f.Figure), inert(f.Limit), inert(f.Against), inert(f.Why)))
		}
	}
	return rows
}

// verdictClass is how a verdict is set.
func verdictClass(verdict string) string {
	return map[string]string{results.ExpectationFailed: "bad", results.ExpectationCannotTell: "warn"}[verdict]
}

// expectations shows each statement with what decided it, and all cells on demand.
func expectations(v view) section {
	s := section{
		ID: "expectations", Title: "What was expected",
		Lead: "Each statement was judged in every cell that it is about. It failed if it failed in one; it cannot " +
			"be told " +
			"where the numbers do not carry it.",
	}
	if len(v.run.Expectations) == 0 {
		return s
	}
	all := table{Caption: "Statements, each with the cell that decided it", Corner: "expected", Wide: true,
		Heads: heads("verdict", "in", "measured", "of n", "limit", "why")}
	each := table{Caption: "All cells that each statement is about", Corner: "expected", Wide: true, Folded: true,
		Heads: all.Heads}
	for _, e := range v.run.Expectations {
		f := results.ExpectationFinding{Why: e.Why}
		if d := e.Deciding(); d != nil {
			f = *d
		}
		f.Verdict = e.Verdict
		all.Rows = append(all.Rows, row{Label: words.Clean(e.Statement), Cells: v.findingEntries(f)})
		for i, f := range e.Findings {
			each.Rows = append(each.Rows, row{
				Label: words.Clean(e.Statement), Span: spanOf(i, len(e.Findings)), Follows: i > 0,
				Cells: v.findingEntries(f),
			})
		}
	}
	s.Tables = append(s.Tables, all)
	if len(each.Rows) > len(all.Rows) {
		s.Tables = append(s.Tables, each)
	}
	return s
}

// spanOf returns how many rows the label of the first of n rows stands for.
func spanOf(i, n int) int {
	if i > 0 || n < 2 {
		return 0
	}
	return n
}

func (v view) findingEntries(f results.ExpectationFinding) []entry {
	where := words.Absent
	if f.Cell != "" {
		where = labelOf(v.run, f.Cell)
		if f.Against != "" {
			where += ", against " + labelOf(v.run, f.Against)
		}
	}
	n := words.Absent
	if f.N > 0 {
		n = words.Count(f.N)
	}
	return []entry{
		{Text: f.Verdict, Class: verdictClass(f.Verdict)}, {Text: where}, {Text: whole(f.Figure)}, {Text: n},
		{Text: whole(f.Limit)}, {Text: words.Clean(f.Why)},
	}
}

// whole returns a figure whose unit stays on the line of its number. What is said
// behind a comma may go to the next one.
func whole(figure string) string {
	number, more, _ := strings.Cut(cleanOrAbsent(figure), ",")
	number = strings.ReplaceAll(number, " ", "\u00a0")
	if more == "" {
		return number
	}
	return number + "," + more
}

func cleanOrAbsent(s string) string {
	if s == "" {
		return words.Absent
	}
	return words.Clean(s)
}

// expectationColumns is the table of statements for terminals.
func expectationColumns(run *results.Run) textTable {
	t := textTable{lead: textColumn{name: "expected"}}
	columns := []textColumn{{name: "verdict"}, {name: "measured"}, {name: "limit"}, {name: "n"}, {name: "in"}}
	for _, e := range run.Expectations {
		f := results.ExpectationFinding{}
		if d := e.Deciding(); d != nil {
			f = *d
		}
		where, n := words.Absent, words.Absent
		if f.Cell != "" {
			where = labelOf(run, f.Cell)
		}
		if f.N > 0 {
			n = words.Count(f.N)
		}
		t.lead.values = append(t.lead.values, words.Clean(e.Statement))
		mark := map[string]string{"bad": red, "warn": yellow}[verdictClass(e.Verdict)]
		limit, _, _ := strings.Cut(cleanOrAbsent(f.Limit), ",") // where a baseline's comes from is said on the page
		for i, text := range []string{strings.ToUpper(e.Verdict), cleanOrAbsent(f.Figure), limit, n, where} {
			if i == 0 && e.Verdict == results.ExpectationHeld {
				text = e.Verdict
			}
			columns[i].values = append(columns[i].values, text)
			if i > 0 {
				mark = ""
			}
			columns[i].marks = append(columns[i].marks, mark)
		}
	}
	t.columns = columns
	return t
}

// markdownExpectations writes the statements as a table.
func markdownExpectations(b *strings.Builder, run *results.Run) {
	if len(run.Expectations) == 0 {
		return
	}
	b.WriteString("\n| expected | verdict | measured | limit | in |\n|---|---|--:|--:|---|\n")
	var rows []string
	for _, e := range run.Expectations {
		f := results.ExpectationFinding{Why: e.Why}
		if d := e.Deciding(); d != nil {
			f = *d
		}
		where := harmless(words.Elide(labelOf(run, f.Cell), maxPhrase))
		verdict := e.Verdict
		if verdict != results.ExpectationHeld {
			verdict = "**" + verdict + "**"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s |\n", harmless(words.Elide(e.Statement, maxPhrase)),
			verdict, harmless(cleanOrAbsent(f.Figure)), harmless(cleanOrAbsent(f.Limit)), where))
	}
	if n := fill(b, rows, expectBytes); n > 0 {
		fmt.Fprintf(b, "\n%s left out here.\n", words.Plural(int64(n), "further expectation"))
	}
}

// expectBytes is how much of a comment the expectations may take.
const expectBytes = 8 << 10

// junitExpectations returns a case for each statement.
func junitExpectations(run *results.Run) []junitCase {
	var cases []junitCase
	for _, e := range run.Expectations {
		c := junitCase{
			ClassName: "flowbench." + words.Clean(run.Scenario) + ".expectations", Name: words.Clean(e.Statement),
			Time: seconds(0),
		}
		switch e.Verdict {
		case results.ExpectationFailed:
			c.Failure = reasonOf("expectation failed", []string{decided(run, e)})
		case results.ExpectationCannotTell:
			c.Error = reasonOf("cannot tell", []string{decided(run, e)})
		}
		cases = append(cases, c)
	}
	return cases
}
