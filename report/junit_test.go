package report

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

func junitOf(t *testing.T, run *results.Run) junitSuite {
	t.Helper()
	var s junitSuites
	text := render(t, func(w io.Writer) error { return WriteJUnit(w, run) })
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	if len(s.Suites) != 1 {
		t.Fatalf("there are %d suites; want 1", len(s.Suites))
	}
	return s.Suites[0]
}

func TestTheSuiteIsGolden(t *testing.T) {
	runs := fixtures()
	for _, name := range []string{"seven", "troubled", "empty"} {
		golden(t, name+".junit.xml", render(t, func(w io.Writer) error { return WriteJUnit(w, runs[name]) }))
	}
}

// TestACaseIsWhatItsCellIs has one cell of each kind, told apart by its promise
// and by whether it is valid.
func TestACaseIsWhatItsCellIs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*results.Cell)
		want   string // passed, failed, error
		reason string
	}{
		"valid and kept": {func(*results.Cell) {}, "passed", ""},
		"valid and no command to keep a promise to": {func(c *results.Cell) {
			c.Verdict = results.PromiseUnknown
		}, "passed", ""},
		"broken": {func(c *results.Cell) {
			c.Verdict, c.Broken = results.PromiseBroken, []string{"at least once: 3 of 9 lost"}
		}, "failed", "at least once: 3 of 9 lost"},
		"broken, by a run without verdicts": {func(c *results.Cell) { c.Accounting.Lost = 3 }, "failed", "are lost"},
		"not valid": {func(c *results.Cell) {
			c.Valid, c.Why = false, []string{"it was cut short", "and late"}
		}, "error", "not valid: it was cut short"},
		"broken and not valid": {func(c *results.Cell) {
			c.Valid, c.Why, c.Accounting.Phantom = false, []string{"it was cut short"}, 1
		}, "failed", "phantoms"},
		"not valid, and nobody says why": {func(c *results.Cell) { c.Valid = false }, "error", "no verdict"},
	} {
		run := fixture.Run(fixture.Default()[:1], 2, 50)
		c.change(run.Cells[0])
		s := junitOf(t, run)
		if len(s.Cases) != 1 || s.Tests != 1 || s.Cases[0].Time != "2.000" || s.Cases[0].Skipped != nil {
			t.Fatalf("%s: got %+v; want one case of 2 s", name, s)
		}
		got, reason := "passed", ""
		switch f, e := s.Cases[0].Failure, s.Cases[0].Error; {
		case f != nil && e != nil:
			t.Errorf("%s: the case failed and is an error as well", name)
		case f != nil:
			got, reason = "failed", f.Message
		case e != nil:
			got, reason = "error", e.Message
		}
		if got != c.want || !strings.Contains(reason, c.reason) {
			t.Errorf("%s: got %s because of %q; want %s because of %q", name, got, reason, c.want, c.reason)
		}
		sums := map[string][2]int{"passed": {0, 0}, "failed": {1, 0}, "error": {0, 1}}[c.want]
		if [2]int{s.Failures, s.Errors} != sums {
			t.Errorf("%s: the suite counts %d failures and %d errors", name, s.Failures, s.Errors)
		}
	}
}

func TestCellsThatNeverWereAreCasesToo(t *testing.T) {
	run := fixture.Run(fixture.Default()[:1], 2, 50)
	run.CellIDs = append(run.CellIDs, "never")
	run.LeftOut, run.Reason = []string{"huge: it does not fit"}, "interrupted"
	s := junitOf(t, run)
	if s.Tests != 3 || s.Errors != 1 || s.Skipped != 1 || s.Failures != 0 {
		t.Fatalf("got %+v", s)
	}
	if e := s.Cases[1]; e.Name != "never" || e.Error == nil || e.Error.Message != "it never began: interrupted" {
		t.Errorf("got %+v", e)
	}
	if e := s.Cases[2]; e.Name != "huge" || e.Skipped == nil || e.Skipped.Message != "it does not fit" {
		t.Errorf("got %+v", e)
	}
}

func TestNamesOfOthersStayWithinTheirAttributes(t *testing.T) {
	const evil = "\"/><failure message='x'/>]]>&amp;\x00\x1b[31m\uffff\xff\n"
	run := fixture.Run(fixture.Default()[:1], 2, 50)
	run.Scenario, run.Question, run.ID, run.Command = evil, evil, evil, []string{evil}
	c := run.Cells[0]
	c.Flow, c.Broker, c.Warnings, c.Valid, c.Why = evil, evil, []string{evil}, false, []string{evil}
	s := junitOf(t, run)
	if len(s.Cases) != 1 || s.Cases[0].Failure != nil || s.Cases[0].Error == nil {
		t.Errorf("got %+v; want one case with an error", s)
	}
	const shown = `"/><failure message='x'/>]]>&amp;`
	if !strings.HasPrefix(s.Name, shown) || !strings.HasPrefix(s.Cases[0].Name, shown) ||
		!strings.Contains(s.Cases[0].Error.Text, shown) {
		t.Errorf("a name is lost: %+v", s)
	}
}
