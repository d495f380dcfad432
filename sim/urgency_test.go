package sim_test

import (
	"strings"
	"testing"

	"flowbench/results"
)

const someUrgent = `
name: test
flows: [async-reply-to, priority]
brokers: [mem]
load: {arrivals: constant, rate_per_s: 400, clients: 3, keys: 20, urgent_share: %SHARE%}
warmup: 100ms
duration: 500ms
service: {instances: 2, workers: 2, time: {distribution: constant, mean: 200us}}
`

// TestUrgentOperationsAreToldApart runs a flow with and one without priorities:
// each cell knows its mechanism, and has as many urgent operations as the plan.
func TestUrgentOperationsAreToldApart(t *testing.T) {
	p := plan(t, strings.ReplaceAll(someUrgent, "%SHARE%", "0.25"))
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for i, mechanism := range []string{results.NoMechanism, "by a subject for each priority"} {
		c := run.Cells[i]
		if c.Urgency == nil || c.Urgency.Mechanism != mechanism {
			t.Fatalf("%s: got %+v; want the mechanism %q", c.ID, c.Urgency, mechanism)
		}
		var want [2]int64
		first := uint64(c.WarmupOps.Due) + 1
		for id := range uint64(c.Counts.Due) {
			if p.Cells[i].Urgent(first + id) {
				want[1]++
			} else {
				want[0]++
			}
		}
		var got [2]int64
		for _, k := range results.Kinds() {
			got[0] += c.Urgency.LatencyOf(false, k, results.AnsweredStage).N()
			got[1] += c.Urgency.LatencyOf(true, k, results.AnsweredStage).N()
		}
		if got != want || want[1] == 0 {
			t.Errorf("%s: %d normal and urgent operations were answered; want %d", c.ID, got, want)
		}
		if a := c.Accounting; a.Lost+a.Duplicated+a.Unexpected > 0 {
			t.Errorf("%s: the account is %+v", c.ID, a)
		}
	}
	run, err = runPlan(t.Context(), t, engine(t), plan(t, strings.ReplaceAll(someUrgent, "%SHARE%", "0")))
	if err != nil {
		t.Fatal(err)
	}
	if u := run.Cells[0].Urgency; u != nil {
		t.Errorf("a cell without urgent operations has %+v", u)
	}
}
