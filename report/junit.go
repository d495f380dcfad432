package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// The elements of JUnit's XML, as far as the servers agree on them that show it.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}

	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}

	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}

	junitCase struct {
		ClassName string       `xml:"classname,attr"`
		Name      string       `xml:"name,attr"`
		Time      string       `xml:"time,attr"`
		Failure   *junitReason `xml:"failure"`
		Error     *junitReason `xml:"error"`
		Skipped   *junitReason `xml:"skipped"`
		Out       string       `xml:"system-out,omitempty"`
	}

	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes run as JUnit's XML, for servers that show tests: the scenario
// is a suite and each cell of the plan a case. A case passes where the cell is
// valid and its promise was not broken. A broken promise is a failure, also in a
// cell that is not valid, since nothing that comes can mend it; any other cell
// that is not valid, or never began, is an error: there is no verdict. A cell that
// was left out of the plan is skipped.
func WriteJUnit(w io.Writer, run *results.Run) error {
	run = run.Merged()
	s := junitSuite{Name: words.Clean(run.Scenario), Cases: junitCases(run)}
	if !run.Started.IsZero() {
		s.Timestamp = run.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, p := range []junitProperty{
		{"run", run.ID}, {"seed", strconv.FormatUint(run.Seed, 10)}, {"question", run.Question},
		{"command", commandLine(run.Command)},
	} {
		if p.Value = words.Clean(p.Value); p.Value != "" {
			s.Properties = append(s.Properties, p)
		}
	}
	var measured time.Duration
	for _, c := range run.Cells {
		measured += c.Load.Measured
	}
	s.Time = seconds(measured)
	for _, c := range s.Cases {
		s.Tests++
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	b, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s%s\n", xml.Header, b); err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	return nil
}

// junitCases returns the cases of run: the cells that began, those that did not,
// and those that cannot be.
func junitCases(run *results.Run) []junitCase {
	class := "flowbench." + words.Clean(run.Scenario)
	var cases []junitCase
	began := make(map[string]bool)
	for i, label := range words.Labels(run) {
		c := run.Cells[i]
		began[c.ID] = true
		made := cellCase(c)
		made.ClassName, made.Name = class, label
		cases = append(cases, made)
	}
	for _, id := range run.CellIDs {
		if !began[id] {
			why := "it never began"
			if run.Reason != "" {
				why += ": " + words.Clean(run.Reason)
			}
			cases = append(cases, junitCase{
				ClassName: class, Name: words.Clean(id), Time: seconds(0), Error: reasonOf("no verdict", []string{why}),
			})
		}
	}
	for _, h := range leftOutOf(run) {
		for _, id := range h.cells {
			cases = append(cases, junitCase{
				ClassName: class, Name: id, Time: seconds(0), Skipped: &junitReason{Message: h.why},
			})
		}
	}
	return append(cases, junitExpectations(run)...)
}

// cellCase returns the case of one cell, without its names.
func cellCase(c *results.Cell) junitCase {
	made := junitCase{Time: seconds(c.Load.Measured)}
	warnings := cleaned(c.Warnings)
	for i := range warnings {
		warnings[i] = "warning: " + warnings[i]
	}
	made.Out = strings.Join(warnings, "\n")
	verdict, broken := c.Verdict, c.Broken
	if verdict == "" { // of a run that was recorded before there were verdicts
		verdict, broken = results.JudgePromise(results.PromiseOf(c.Promise, c.Idempotent), c.Accounting,
			c.Drained && c.Finished)
	}
	why := cleaned(c.Why)
	for i := range why {
		why[i] = "not valid: " + why[i]
	}
	switch {
	case verdict == results.PromiseBroken:
		made.Failure = reasonOf("promise broken", slices.Concat(cleaned(broken), why))
	case !c.Valid:
		made.Error = reasonOf("no verdict", why)
	}
	return made
}

// reasonOf returns a reason of a type: the first one as the message, and all of
// them as the text.
func reasonOf(kind string, why []string) *junitReason {
	r := &junitReason{Type: kind, Message: kind, Text: strings.Join(why, "\n")}
	if len(why) > 0 {
		r.Message = why[0]
	}
	return r
}

// seconds returns d as JUnit has times.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
