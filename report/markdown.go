package report

import (
	"fmt"
	"io"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// maxComment is how long a comment on GitHub may be, in characters. It is held in
// bytes here, which are never fewer.
const maxComment = 65536

// How many bytes of a comment its parts may take. What is above them and below
// them, the headings and the sentences that say what was cut, is bounded and fits
// into the rest.
const (
	verdictBytes = 12 << 10
	tableBytes   = 18 << 10
	doubtBytes   = 8 << 10
	commandBytes = 4 << 10
)

// maxPhrase bounds each text of others in a comment, in characters before they are
// made harmless.
const maxPhrase = 500

// WriteMarkdown writes run as a comment on a pull request: what was asked, what
// was found, one table, which cells are not valid and why, and how to make the
// page. It is GitHub's Markdown and never longer than GitHub takes; what does not
// fit is cut by whole sentences and cells, and the comment says how many.
func WriteMarkdown(w io.Writer, run *results.Run) error {
	run = run.Merged()
	labels := words.Labels(run)
	for i := range labels {
		labels[i] = words.Elide(labels[i], maxPhrase)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### flowbench %s\n", harmless(run.Scenario))
	if words.Clean(run.Question) != "" {
		fmt.Fprintf(&b, "\n%s\n", harmless(run.Question))
	}
	if s := unfinished(run); s != "" {
		fmt.Fprintf(&b, "\n**%s**\n", harmless(s))
	}
	if s := simulated(run); s != "" {
		fmt.Fprintf(&b, "\n*%s*\n", harmless(s))
	}
	var sentences []string
	for _, s := range verdict(run) {
		sentences = append(sentences, "- "+harmless(s)+"\n")
	}
	b.WriteString("\n")
	if n := fill(&b, sentences, verdictBytes); n > 0 {
		fmt.Fprintf(&b, "- %s left out here.\n", words.Plural(int64(n), "further sentence"))
	}
	markdownExpectations(&b, run)
	markdownKnees(&b, run, labels)
	markdownTable(&b, run, labels)
	markdownRepeats(&b, run, labels)
	markdownDoubts(&b, run, labels)
	markdownAgain(&b, run)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}

// fill appends lines to b until they have taken a number of bytes, and returns how
// many it left out.
func fill(b *strings.Builder, lines []string, bytes int) (leftOut int) {
	for i, l := range lines {
		if bytes -= len(l); bytes < 0 {
			return len(lines) - i
		}
		b.WriteString(l)
	}
	return 0
}

// markdownTable writes the one table: how fast and at what price, cell by cell.
func markdownTable(b *strings.Builder, run *results.Run, labels []string) {
	if len(run.Cells) == 0 {
		b.WriteString("\nNo cell began.\n")
		return
	}
	kind := comparedKind(run)
	b.WriteString("\n| cell | accepted p50 | accepted p99 | answered p50 | answered p99 | " +
		"ok/s | lost | dup | valid |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n")
	var rows []string
	for i, c := range run.Cells {
		fields := []string{harmless(labels[i])}
		for _, stage := range []results.Stage{results.AcceptedStage, results.AnsweredStage} {
			for _, p := range []float64{0.5, 0.99} {
				fields = append(fields, words.QuantileOf(c.LatencyOf(kind, stage), p).String())
			}
		}
		valid := "yes"
		if !c.Valid {
			valid = "**no**"
		}
		fields = append(fields, words.Digits(c.AchievedPerS()), strikingCount(c.Accounting.Lost),
			strikingCount(c.Accounting.Duplicated), valid)
		rows = append(rows, "| "+strings.Join(fields, " | ")+" |\n")
	}
	left := fill(b, rows, tableBytes)
	fmt.Fprintf(b, "\nLatencies are of %s and count from when they were due. (…): fewer than 10 samples lie beyond, "+
		"so it is no finding. –: the flow has no such stage, or nothing reached it.\n", plural(kind))
	if left > 0 {
		fmt.Fprintf(b, "\n%s of %s left out of this table: a comment has no room for them.\n",
			words.Count(int64(left)), words.Plural(int64(len(rows)), "cell"))
	}
}

// strikingCount returns n so that it is seen in a table unless it is 0.
func strikingCount(n int64) string {
	if n == 0 {
		return "0"
	}
	return "**" + words.Count(n) + "**"
}

// markdownDoubts lists the cells that are not valid, with the reasons.
func markdownDoubts(b *strings.Builder, run *results.Run, labels []string) {
	var lines []string
	for i, c := range run.Cells {
		if !c.Valid {
			lines = append(lines, "- "+harmless(labels[i])+": "+harmless(words.List(cleaned(c.Why)))+"\n")
		}
	}
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n#### Not valid\n\n")
	if n := fill(b, lines, doubtBytes); n > 0 {
		fmt.Fprintf(b, "- %s left out here.\n", words.Plural(int64(n), "further cell"))
	}
}

// markdownAgain says how to make the page of this run, and how to run it again.
// The commands stand in a block of code, which is fenced by more backticks than
// there are in it.
func markdownAgain(b *strings.Builder, run *results.Run) {
	code := "flowbench report DIR --format html > report.html  # DIR is where the run was written"
	if again := commandLine(run.Command); again != "" && len(again) <= commandBytes {
		code += "\n" + again + "  # the same again"
	}
	fence := "```"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "\n#### The whole page\n\nRun %s, seed %d:\n\n%ssh\n%s\n%s\n",
		harmless(run.ID), run.Seed, fence, code, fence)
}

// harmless returns s, cleaned and bounded, as text that GitHub shows as it is:
// nothing in it is markup, ends a table's cell, or notifies or links to anybody.
// Mentions, references and addresses are looked for in the text after its markup
// was read, so escaping does not stop them: an invisible character does.
func harmless(s string) string {
	const apart = "\u200b"
	r := []rune(words.Elide(words.Clean(s), maxPhrase))
	var b strings.Builder
	for i, c := range r {
		switch {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '@' || c == '#' && i+1 < len(r):
			b.WriteString(escapedRune(c) + apart)
		case c == ':' && i+1 < len(r) && r[i+1] == '/':
			b.WriteString(":" + apart)
		case c == '.' && i >= 3 && strings.EqualFold(string(r[i-3:i]), "www"):
			b.WriteString("." + apart)
		case c == '-' && i >= 2 && strings.EqualFold(string(r[i-2:i]), "gh"):
			b.WriteString("-" + apart)
		default:
			b.WriteString(escapedRune(c))
		}
	}
	return b.String()
}

// escapedRune returns c with a backslash before it where Markdown would take it
// for markup.
func escapedRune(c rune) string {
	if strings.ContainsRune("\\`*_{}[]#|~$!", c) {
		return `\` + string(c)
	}
	return string(c)
}
