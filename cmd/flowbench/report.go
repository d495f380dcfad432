package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"flowbench/report"
	"flowbench/results"
)

// reportFlags are the flags of the verb report.
type reportFlags struct {
	format      string
	expect      expectFlags
	reference   string
	traces      traceTarget
	allowRemote bool
}

// A reportFormat is one form that a run can be shown in.
type reportFormat struct {
	name  string
	write func(io.Writer, *results.Run) error
}

// reportFormats returns what a run can be shown as: for eyes first, then for
// programs.
func reportFormats(sh shell, reference string) []reportFormat {
	return []reportFormat{
		{"text", func(w io.Writer, r *results.Run) error { return report.WriteText(w, r, sh.width, sh.colour) }},
		{"html", func(w io.Writer, r *results.Run) error { return report.WriteHTMLAgainst(w, r, reference) }},
		{"markdown", report.WriteMarkdown},
		{"json", writeSummary},
		{"csv", report.WriteCSV},
		{"hlog", results.WriteHistogramLog},
		{"benchfmt", report.WriteBenchmarks},
		{"junit", report.WriteJUnit},
	}
}

func writeSummary(w io.Writer, r *results.Run) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r.Summary())
}

// formatNames returns the names of all formats as a sentence has them.
func formatNames() string {
	var names []string
	for _, f := range reportFormats(shell{}, "") {
		names = append(names, f.name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func reportVerb() verb {
	return verb{
		name: "report", args: "DIR", minArgs: 1, maxArgs: 1,
		summary: "show a run again, finished or not",
		long: `
Reads a run directory and prints it: text and html for reading, markdown for a
comment on a pull request, json and csv for programs, hlog, HdrHistogram's log
format, for its tools, benchfmt, Go's benchmark format, for benchstat, and junit
for servers that show tests. The JSON form keeps its names and meanings;
docs/results.md describes all of them. The exit code is that of the run.

--otlp exports traces in place of that: each operation that was followed, with a
span for every hop on its way. FILE has one OTLP message in JSON on each line, as
collectors read it; to a URL they are posted, to the path /v1/traces unless it
has another.`,
		flags: func(f *pflag.FlagSet, c *call) {
			c.report.expect.add(f)
			f.StringVar(&c.report.format, "format", "text", "`FORMAT`: "+formatNames())
			f.StringVar(&c.report.reference, "reference", "",
				"`FLOW` that the page compares the others with (default direct, or else the first one)")
			c.report.traces.add(f)
			f.BoolVar(&c.report.allowRemote, "allow-remote", false,
				"allow a collector beyond this machine; be sure that it is yours")
		},
		run: runReport,
	}
}

func runReport(ctx context.Context, sh shell, c *call) (exitCode, error) {
	formats, name := reportFormats(sh, c.report.reference), strings.ToLower(c.report.format)
	i := slices.IndexFunc(formats, func(f reportFormat) bool { return f.name == name })
	if i < 0 {
		return exitUsage, fmt.Errorf("--format is %q; want %s", c.report.format, formatNames())
	}
	if c.report.reference != "" && name != "html" {
		return exitUsage, fmt.Errorf("--reference is for --format html, and --format is %s", name)
	}
	if err := c.report.traces.parse(c.report.allowRemote); err != nil {
		return exitUsage, err
	}
	root, err := os.OpenRoot(c.args[0])
	if err != nil {
		return exitUsage, fmt.Errorf("open run directory: %w", err)
	}
	defer root.Close() // nothing is written into it
	r, err := results.ReadRoot(root)
	if err != nil {
		return exitUsage, err
	}
	if err := report.CheckReference(r, c.report.reference); err != nil {
		return exitUsage, err
	}
	if c.report.traces.to != "" { // in place of showing the run
		return exitOK, c.report.traces.export(ctx, sh, root, r)
	}
	if err := c.report.expect.expectAgain(ctx, r); err != nil {
		return exitUsage, err
	}
	if err := formats[i].write(sh.stdout, r); err != nil {
		return exitEnvironment, err
	}
	code, _ := expectationError(r) // what it says is in the report
	return code, nil
}
