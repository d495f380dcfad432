package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"flowbench/flows"
	"flowbench/report/words"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
	"flowbench/sim/host"
	"flowbench/sim/installed"
)

// The verbs in this file only tell: they run nothing and write nothing.

func listVerb() verb {
	return verb{
		name: "list", args: "flows|brokers|edges|stores|faults|metrics|scenarios", minArgs: 1, maxArgs: 1,
		summary: "list what there is",
		run: func(_ context.Context, sh shell, c *call) (exitCode, error) {
			switch c.args[0] {
			case "flows":
				return exitOK, listFlows(sh.stdout)
			case "brokers":
				return exitOK, listBrokers(sh.stdout)
			case "edges":
				return exitOK, listEdges(sh.stdout)
			case "stores":
				return exitOK, listStores(sh.stdout)
			case "faults":
				return exitOK, listFaults(sh.stdout)
			case "metrics":
				return exitOK, listMetrics(sh.stdout, sh.width)
			case "scenarios":
				return exitOK, listScenarios(sh.stdout)
			}
			return exitUsage, fmt.Errorf("there is no list of %q; "+
				"want flows, brokers, edges, stores, faults, metrics or scenarios", c.args[0])
		},
	}
}

func listFlows(w io.Writer) error {
	for i, f := range flows.All() {
		s := f.Spec()
		if i > 0 {
			fmt.Fprintln(w)
		}
		var axes []string
		for _, a := range s.Axes {
			axes = append(axes, a.Key+"="+a.Value)
		}
		fmt.Fprintf(w, "%s\n    %s\n    %s\n    promise: %v", s.Name, s.Summary, strings.Join(axes, ", "), s.Promise)
		fmt.Fprintf(w, "\n    needs: %s", needsOf(s))
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

func listBrokers(w io.Writer) error {
	for i, d := range drivers.All() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		params := make(map[string]string)
		for _, p := range d.Params {
			params[p.Name] = p.Default
		}
		fmt.Fprintf(w, "%s\n    %s\n    offers: %v\n", d.Name, d.Summary, d.Traits(params))
		switch {
		case d.Source == broker.Embedded:
			fmt.Fprintf(w, "    runs: embedded, with --broker-source %s=embedded:3 as a cluster, "+
				"or external by --broker-url %s=URL\n", d.Server, d.Server)
		case d.Source == broker.Local:
			fmt.Fprintf(w, "    runs: at its usual local address, external by --broker-url %s=URL, or started from "+
				"what is installed by --broker-source %s=local:1 or local:3\n", d.Server, d.Server)
			fmt.Fprintf(w, "    three started so, for faults on broker-node, have: %s\n",
				strings.Join(installed.PartedSettings(), ", "))
		case d.Server != "":
			fmt.Fprintf(w, "    runs: external, by --broker-url %s=URL or at its usual local address\n", d.Server)
		default:
			fmt.Fprintf(w, "    runs: in this process\n")
		}
		tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, p := range d.Params {
			allowed := strings.Join(p.Values, "|")
			if allowed == "" {
				allowed = fmt.Sprintf("%d to %d", p.Min, p.Max)
			}
			fmt.Fprintf(tw, "    %s\t%s\t%s\t(default %s)\n", p.Name, p.Summary, allowed, p.Default)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// needsOf says what a flow needs to run.
func needsOf(s flows.Spec) string {
	var needs []string
	if s.Uses.Has(flows.UsesBroker) {
		broker := "a broker"
		if s.Needs != 0 {
			broker += " with " + s.Needs.String()
		}
		needs = append(needs, broker)
	}
	switch {
	case s.Uses.Has(flows.UsesSocket):
		needs = append(needs, "an edge with sockets")
	case s.Uses.Has(flows.UsesEdge):
		needs = append(needs, "an edge")
	}
	if s.Tells == flows.Everyone {
		needs = append(needs, "load.subscribers of at least 1")
	}
	return strings.Join(needs, ", ")
}

func listEdges(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, e := range drivers.Edges() {
		sockets := "no sockets"
		if e.Sockets {
			sockets = "sockets"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", e.Name, sockets, e.Summary)
	}
	return tw.Flush()
}

func listScenarios(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, e := range scenarios.Library() {
		fmt.Fprintf(tw, "%s\t%s\n", e.Name, e.Question)
	}
	return tw.Flush()
}

func planVerb() verb {
	return verb{
		name: "plan", args: "[SCENARIO|FILE]", maxArgs: 1,
		summary: "show what a run would do, with every choice made",
		flags: func(f *pflag.FlagSet, c *call) {
			c.run.scenario.add(f)
			f.BoolVar(&c.asJSON, "json", false, "the whole plan as JSON")
		},
		run: func(_ context.Context, sh shell, c *call) (exitCode, error) {
			plan, _, err := c.loadScenario()
			if err != nil {
				return exitUsage, err
			}
			if !c.asJSON {
				return exitOK, writePlan(sh.stdout, plan)
			}
			e := json.NewEncoder(sh.stdout)
			e.SetIndent("", "  ")
			return exitOK, e.Encode(plan)
		},
	}
}

// loadScenario makes the plan of the scenario that the call names.
func (c *call) loadScenario() (*scenarios.Plan, []byte, error) {
	name := defaultScenario
	if len(c.args) > 0 {
		name = c.args[0]
	}
	return c.run.scenario.load(name)
}

func writePlan(w io.Writer, p *scenarios.Plan) error {
	fmt.Fprintf(w, "%s: %s\nfrom %s, seed %d\n\n", p.Scenario, p.Question, p.Source, p.Seed)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "CELL\tFLOW\tBROKER\tEDGE\tLOAD\tMEASURED\tSERVICE")
	var total time.Duration
	for _, c := range p.Cells {
		total += loadTime(c.Load)
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%d × %d workers, %v\n", c.ID, c.Flow, orDash(c.Broker),
			orDash(c.Edge), loadText(c.Load), measuredText(c.Load), c.Service.Instances, c.Service.Workers,
			c.Service.Time.Mean)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	writeSweep(w, p)
	for i, why := range p.LeftOut {
		if i == 0 {
			fmt.Fprintln(w, "\nLeft out, since they cannot be:")
		}
		fmt.Fprintf(w, "  %s\n", why)
	}
	for i, e := range p.Expect {
		if i == 0 {
			fmt.Fprintln(w, "\nExpected of it:")
		}
		fmt.Fprintf(w, "  %s\n", words.Clean(e.Statement))
	}
	_, err := fmt.Fprintf(w, "\n%d cells, %s%v of load in all. --json shows every setting.\n",
		len(p.Cells), atMost(p), total)
	return err
}

func loadText(l scenarios.Load) string {
	if l.Arrivals == scenarios.Closed {
		return fmt.Sprintf("%d users, closed", l.Users)
	}
	switch {
	case l.Shape != nil:
		return fmt.Sprintf("%v, %s", l.Shape, l.Arrivals)
	case l.Trace != nil:
		return l.Trace.String()
	case l.Sweep != nil:
		return fmt.Sprintf("sweep from %g/s, %s", l.RatePerS, l.Arrivals)
	}
	return fmt.Sprintf("%g/s, %s", l.RatePerS, l.Arrivals)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func validateVerb() verb {
	return verb{
		name: "validate", args: "SCENARIO|FILE", minArgs: 1, maxArgs: 1,
		summary: "check a scenario without running it",
		flags:   func(f *pflag.FlagSet, c *call) { c.run.scenario.add(f) },
		run: func(_ context.Context, sh shell, c *call) (exitCode, error) {
			plan, _, err := c.loadScenario()
			if err != nil {
				return exitUsage, err
			}
			left := ""
			if n := len(plan.LeftOut); n > 0 {
				left = fmt.Sprintf(", and %d that cannot be; flowbench plan says why", n)
			}
			fmt.Fprintf(sh.stdout, "%s is valid: %d cells%s\n", c.args[0], len(plan.Cells), left)
			return exitOK, nil
		},
	}
}

func schemaVerb() verb {
	return verb{
		name:    "schema",
		summary: "print the JSON Schema of scenarios, for editors",
		run: func(_ context.Context, sh shell, _ *call) (exitCode, error) {
			_, err := sh.stdout.Write(scenarios.Schema(catalog()))
			return exitOK, err
		},
	}
}

func versionVerb() verb {
	return verb{
		name:    "version",
		summary: "print the versions of flowbench and of what it is built with",
		run: func(_ context.Context, sh shell, _ *call) (exitCode, error) {
			v := host.Versions()
			_, err := fmt.Fprintf(sh.stdout, "flowbench %s (%s)\n", v["flowbench"], v["go"])
			return exitOK, err
		},
	}
}
