package sim_test

import (
	"testing"
	"time"

	"flowbench/results"
	"flowbench/scenarios"
)

// TestWhatIsSentIsCountedOnTheWallClock has the same counters read in real time,
// in which nothing can be said of when: all that was sent is in some bin.
func TestWhatIsSentIsCountedOnTheWallClock(t *testing.T) {
	p := plan(t, `
name: test
flows: [async-reply-to]
brokers: [mem]
load: {arrivals: constant, rate_per_s: 200, clients: 4, timeout: 2s}
warmup: 0s
duration: 1s
service: {instances: 2, workers: 8, time: {distribution: constant, mean: 200us}}
`)
	p.Cells[0].Faults = []scenarios.Fault{{
		What: "pause", On: "service",
		At: scenarios.Duration(600 * time.Millisecond), For: scenarios.Duration(100 * time.Millisecond),
	}}
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	c := run.Cells[0]
	var due, messages int64
	for i, n := range c.Timeline.Messages {
		due, messages = due+int64(c.Timeline.Due[i]), messages+int64(n)
	}
	// A request and an answer of each, but for what is under way when the load ends.
	if due != 200 || messages < due || messages > 2*due {
		t.Errorf("the timeline has %d messages for %d operations; want up to two for each of 200", messages, due)
	}
	if last := len(c.Timeline.Messages) - 1; time.Duration(last)*results.BinWidth < time.Second-results.BinWidth {
		t.Errorf("the last bin is %d; want those of the whole load", last)
	}
}
