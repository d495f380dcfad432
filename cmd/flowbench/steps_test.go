package main

import (
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
)

// TestARunKnowsTheStepsOfEveryFlow looks for both kinds of every flow, each from
// what the client tells first to what it knows in the end.
func TestARunKnowsTheStepsOfEveryFlow(t *testing.T) {
	plan := &scenarios.Plan{}
	for _, f := range flows.All() {
		plan.Cells = append(plan.Cells, scenarios.Cell{Flow: f.Spec().Name})
	}
	plan.Cells = append(plan.Cells, plan.Cells[0], scenarios.Cell{Flow: "unheard-of"})
	all := stepsOf(plan)
	if len(all) != len(flows.All()) {
		t.Errorf("%d flows have steps; want all %d, and no other", len(all), len(flows.All()))
	}
	for flow, kinds := range all {
		for _, k := range results.Kinds() {
			steps := kinds[k.String()]
			if len(steps) < 5 {
				t.Errorf("a %v of %s has %d steps; want all that it takes", k, flow, len(steps))
				continue
			}
			if first := steps[0]; first.From != "client-0" || first.To == "" || first.Reply {
				t.Errorf("a %v of %s begins with %+v; want the client to tell somebody", k, flow, first)
			}
			outcomes, replies := 0, 0
			for _, s := range steps {
				if s.Reply {
					replies++
				}
				if strings.HasPrefix(s.Text, "outcome: ok") && s.To == "" {
					outcomes++
				}
			}
			if outcomes != 1 || replies == 0 {
				t.Errorf("a %v of %s has %d outcomes and %d replies; want one outcome, and replies", k, flow, outcomes,
					replies)
			}
		}
	}
}
