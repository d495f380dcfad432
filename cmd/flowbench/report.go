package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"flowbench/report"
	"flowbench/results"
)

// reportFlags are the flags of the verb report.
type reportFlags struct{ format string }

// reportFormats are what a run can be shown as.
const reportFormats = "text, json, csv or html"

func reportVerb() verb {
	return verb{
		name: "report", args: "DIR", minArgs: 1, maxArgs: 1,
		summary: "show a run again, finished or not",
		long: `
Reads a run directory and prints it. The JSON form is for programs and keeps its
names and meanings; docs/results.md describes it. The exit code is that of the
run: 0 if every cell is valid, 2 if not or if it is unfinished.`,
		flags: func(f *pflag.FlagSet, c *call) {
			f.StringVar(&c.report.format, "format", "text", "`FORMAT`: "+reportFormats)
		},
		run: runReport,
	}
}

func runReport(_ context.Context, sh shell, c *call) (exitCode, error) {
	format := strings.ToLower(c.report.format)
	if !slices.Contains([]string{"text", "json", "csv", "html"}, format) {
		return exitUsage, fmt.Errorf("--format is %q; want %s", c.report.format, reportFormats)
	}
	r, err := results.Read(c.args[0])
	if err != nil {
		return exitUsage, err
	}
	switch format {
	case "text":
		err = report.WriteText(sh.stdout, r, sh.width, sh.colour)
	case "csv":
		err = report.WriteCSV(sh.stdout, r)
	case "html":
		err = report.WriteHTML(sh.stdout, r)
	case "json":
		e := json.NewEncoder(sh.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(r.Summary())
	}
	if err == nil && !r.Sound() {
		return exitNoVerdict, nil
	}
	return exitOK, err
}
