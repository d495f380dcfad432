package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"flowbench/report"
	"flowbench/results"
	"flowbench/results/check"
)

func checkVerb() verb {
	return verb{
		name: "check", args: "DIR", minArgs: 1, maxArgs: 1,
		summary: "judge a run again, from the histories that it kept",
		long: `
Reads every single event of a run from its histories, counts all of it again with
code that shares nothing with that which counted while the run went, and says for
each cell what became of its commands and whether its promise was kept. Where the
two counts differ, one of them is wrong: that is a defect of flowbench, and shown.

Cells with faults keep a history; others do if the scenario says history: on. What
was expected of the run is shown as well, and --expect adds to it.

The exit code is 1 if a promise was broken, the counts differ or an expectation
failed, 2 if a cell did not end, was not drained or has no history, or an
expectation cannot be told, and else 0.`,
		flags: func(f *pflag.FlagSet, c *call) { c.report.expect.add(f) },
		run:   runCheck,
	}
}

func runCheck(ctx context.Context, sh shell, c *call) (exitCode, error) {
	findings, err := check.Run(c.args[0])
	if err != nil {
		return exitUsage, err
	}
	r, err := results.Read(c.args[0])
	if err != nil {
		return exitUsage, err
	}
	if err := c.report.expect.expectAgain(ctx, r); err != nil {
		return exitUsage, err
	}
	code := exitOK
	for i, f := range findings {
		if i > 0 {
			fmt.Fprintln(sh.stdout)
		}
		if err := writeFinding(sh.stdout, f); err != nil {
			return exitEnvironment, err
		}
		switch {
		case len(f.Differences) > 0 || f.Judgement != nil && f.Judgement.Verdict == results.PromiseBroken:
			code = exitExpectation
		case code == exitOK && (f.Problem != "" || f.Judgement.Verdict != results.PromiseKept):
			code = exitNoVerdict
		}
	}
	switch end := r.ExpectationsEnd(); {
	case end == results.ExpectationFailed:
		code = exitExpectation
	case end == results.ExpectationCannotTell && code == exitOK:
		code = exitNoVerdict
	}
	if err := report.WriteExpectations(sh.stdout, r); err != nil {
		return exitEnvironment, err
	}
	return code, nil
}

// writeFinding shows one cell.
func writeFinding(w io.Writer, f check.Finding) error {
	if f.Judgement == nil {
		_, err := fmt.Fprintf(w, "%s: no verdict: %s\n", f.Cell, f.Problem)
		return err
	}
	j := f.Judgement
	fmt.Fprintf(w, "%s: %s: %s\n", f.Cell, j.Promise, verdictText(j, f.Problem))
	for _, b := range j.Broken {
		fmt.Fprintf(w, "  broken: %s\n", b)
	}
	for _, d := range f.Differences {
		fmt.Fprintf(w, "  a defect of flowbench: %s\n", d)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, class := range results.Classes() {
		fmt.Fprintf(tw, "  %s\t%d\t%s\n", class.Name, class.Of(j.Accounting), class.Rule)
	}
	return tw.Flush()
}

func verdictText(j *check.Judgement, problem string) string {
	switch {
	case problem != "":
		return j.Verdict + ": " + problem
	case j.Verdict != results.PromiseUnknown:
		return j.Verdict
	case !j.Drained:
		return "unknown: the drain is not proven; what seems lost may only have been late"
	default:
		return "unknown: no command was attempted"
	}
}
