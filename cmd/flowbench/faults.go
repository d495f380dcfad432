package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"flowbench/scenarios"
	"flowbench/sim/fault"
)

// faultKinds tells scenarios what can go wrong.
func faultKinds() []scenarios.FaultKind {
	var kinds []scenarios.FaultKind
	for _, f := range fault.All() {
		k := scenarios.FaultKind{Name: f.Name, Summary: f.Summary}
		for _, place := range f.On {
			k.On = append(k.On, string(place))
		}
		for _, p := range f.Params {
			k.Params = append(k.Params, scenarios.Param{
				Name: p.Name, Summary: p.Summary, Default: p.Default, Span: p.Unit == fault.Duration,
				Min: int(p.Min), Max: int(p.Max),
			})
		}
		if f.Directed {
			ways := fault.Directions()
			k.Params = append(k.Params, scenarios.Param{
				Name: fault.DirectionParam, Summary: "which bytes it is about, seen from who opened the connection",
				Default: ways[0], Values: ways,
			})
		}
		kinds = append(kinds, k)
	}
	return kinds
}

// faultTargets tells scenarios what faults can befall.
func faultTargets() []scenarios.Target {
	var targets []scenarios.Target
	for _, s := range fault.Sites() {
		targets = append(targets, scenarios.Target{Name: string(s.Place), Summary: s.Summary, Indexed: s.Indexed})
	}
	return targets
}

// listFaults writes what can go wrong, and what it can befall.
func listFaults(w io.Writer) error {
	targets := make(map[string][]string)
	for _, f := range fault.All() {
		fmt.Fprintf(w, "%s\n    %s\n", f.Name, f.Summary)
		for _, place := range f.On {
			targets[f.Name] = append(targets[f.Name], string(place))
		}
		fmt.Fprintf(w, "    on: %s\n", strings.Join(targets[f.Name], ", "))
		for _, p := range f.Params {
			fmt.Fprintf(w, "    %s: %s, %s\n", p.Name, p.Summary, boundsOf(p))
		}
		if f.Directed {
			fmt.Fprintf(w, "    %s: %s\n", fault.DirectionParam, strings.Join(fault.Directions(), ", "))
		}
	}
	fmt.Fprint(w, "\nWhat faults befall; where there are several, name[n] is one of them:\n")
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, s := range fault.Sites() {
		name := string(s.Place)
		if s.Indexed {
			name += "[n]"
		}
		fmt.Fprintf(tw, "  %s\t%s\n", name, s.Summary)
	}
	return tw.Flush()
}

// boundsOf says what a parameter may be.
func boundsOf(p fault.Param) string {
	s := p.Bounds()
	if p.Default != "" {
		s += ", " + p.Default + " if not given"
	}
	return s
}
