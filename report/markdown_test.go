package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

func markdownOf(t *testing.T, run *results.Run) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return WriteMarkdown(w, run) })
}

func TestTheCommentIsGolden(t *testing.T) {
	runs := fixtures()
	for _, name := range []string{"seven", "troubled", "empty"} {
		golden(t, name+".md", markdownOf(t, runs[name]))
	}
}

// TestNothingInACommentIsMarkupOfOthers puts into every place that others write
// what GitHub would make something of.
func TestNothingInACommentIsMarkupOfOthers(t *testing.T) {
	const evil = "a|b`c` <img src=x> @octocat https://evil.example www.evil.example me@evil.example " +
		"[x](y) ![x](y) #12 GH-12 o/r#3 **b** ~~s~~ \\| &lt;\n# head\n```\n$x$ <!-- @team/all"
	run := fixture.Run(fixture.Default()[:2], 2, 100)
	run.Scenario, run.Question, run.ID, run.Reason, run.Finished = evil, evil, evil, evil, false
	run.Command = []string{"flowbench", "run", evil + "```"}
	c := run.Cells[0]
	c.Flow, c.Broker, c.Valid, c.Why = evil, evil, false, []string{evil}
	text := markdownOf(t, run)
	prose, code, found := strings.Cut(text, "\n````sh\n")
	if !found || strings.Count(code, "\n````") != 1 || !strings.HasSuffix(code, "\n````\n") {
		t.Fatalf("the block of code does not hold its text:\n%s", text)
	}
	for _, pattern := range []string{
		`<`, "(^|[^\\\\])`", `@[a-z]`, `https?://`, `www\.[a-z]`, `[^\\]\[`, `#[0-9]`, `GH-[0-9]`, `(?m)^# `,
		`[^\\]\$`, `[^\\]~~`, `[^\\]!\[`, `\*\*b`,
	} {
		if at := regexp.MustCompile(pattern).FindString(prose); at != "" {
			t.Errorf("the comment has %q, found by %q", at, pattern)
		}
	}
	for _, line := range strings.Split(prose, "\n") {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		bars := strings.Count(regexp.MustCompile(`\\[\\|]`).ReplaceAllString(line, ""), "|")
		if bars != 10 {
			t.Errorf("a row has %d bars; want 10: %s", bars, line)
		}
	}
}

// TestACommentIsNoLongerThanGitHubTakes has far too many cells with names that
// grow as much as they can.
func TestACommentIsNoLongerThanGitHubTakes(t *testing.T) {
	for _, name := range []string{"flow", strings.Repeat("#", 800), strings.Repeat("🛰<", 400)} {
		run := fixture.Run(fixture.Default()[:1], 1, 20)
		one := *run.Cells[0]
		run.Cells, run.Question, run.Scenario, run.ID = nil, name, name, name
		run.Command = []string{strings.Repeat("'", 70000)}
		run.Finished, run.Reason = false, name
		for i := range 600 {
			c := one
			c.ID, c.Flow, c.Broker = fmt.Sprint(i), fmt.Sprint(i, name), fmt.Sprint(name, i)
			c.Valid, c.Why = false, []string{name}
			c.Accounting.Lost = 3
			run.Cells = append(run.Cells, &c)
		}
		text := markdownOf(t, run)
		if len(text) > maxComment {
			t.Errorf("the comment has %d bytes; GitHub takes %d", len(text), maxComment)
		}
		rows := strings.Count(text, "| **no** |\n")
		want := fmt.Sprintf("%d of 600 cells left out of this table", 600-rows)
		if rows == 0 || !strings.Contains(text, want) {
			t.Errorf("%d rows are there, and the comment does not say %q", rows, want)
		}
		for _, want := range []string{"further sentences left out", "further cells left out", "--format html"} {
			if !strings.Contains(text, want) {
				t.Errorf("the comment does not say %q", want)
			}
		}
	}
}
