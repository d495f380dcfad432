package sim_test

import (
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/results"
)

const someLargePayloads = `
name: test
flows: [%FLOWS%]
brokers: [mem]
load: {arrivals: constant, rate_per_s: 400, clients: 3, keys: 20, command_share: 0.5, timeout: 1s}
payloads: {%MODES%inline_up_to: 1KiB, bulk: {bytes: 300KiB, every: 40}}
warmup: 100ms
duration: 500ms
drain: 30s
service: {instances: 2, workers: 2, time: {distribution: constant, mean: %TIME%}}
`

// largePayloads returns a scenario of some flows, modes and a time of service.
func largePayloads(flows, modes, time string) string {
	return strings.NewReplacer("%FLOWS%", flows, "%MODES%", modes, "%TIME%", time).Replace(someLargePayloads)
}

// TestLargePayloadsTravelBesideSmallOnes runs two flows in three modes: every
// operation is where it belongs, and the account knows of all.
func TestLargePayloadsTravelBesideSmallOnes(t *testing.T) {
	const modes = "modes: [inline, stream, reference], stores: [mem], "
	p := plan(t, largePayloads("async-reply-to, proxy-sync", modes, "200us"))
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Cells) != 6 {
		t.Fatalf("there are %d cells; want 6", len(run.Cells))
	}
	for i, c := range run.Cells {
		b := c.Bulk
		if b == nil || b.Bytes != 300<<10 {
			t.Fatalf("%s: large payloads are %+v", c.ID, b)
		}
		var due int64
		first := uint64(c.WarmupOps.Due) + 1
		for id := range uint64(c.Counts.Due) {
			if p.Cells[i].Large(first + id) {
				due++
			}
		}
		if b.Counts.Due+b.Instead != due || b.Counts.OK == 0 || b.Counts.OK != b.Counts.Due {
			t.Errorf("%s: of %d large payloads %+v ended, %d were small instead", c.ID, due, b.Counts, b.Instead)
		}
		var small int64
		for _, k := range results.Kinds() {
			for _, beside := range []bool{false, true} {
				if h := b.SmallOf(beside, k, results.AnsweredStage); h != nil {
					small += h.N()
				}
			}
		}
		large := b.LargeOf(results.AnsweredStage)
		if large == nil || large.N() != b.Counts.OK || small+large.N() != c.Counts.OK ||
			c.LatencyOfAll(results.AnsweredStage).N() != small {
			t.Errorf("%s: %d small ones and %+v large ones; want all of %+v", c.ID, small, large, c.Counts)
		}
		if a := c.Accounting; a.Lost+a.Duplicated+a.Unexpected > 0 || c.Payloads.Corrupt > 0 {
			t.Errorf("%s: the account is %+v, %d payloads were damaged", c.ID, a, c.Payloads.Corrupt)
		}
		// How the large ones travelled; those of the warm-up are among these events.
		ways := map[string]flows.CarryingEvent{"stream": flows.Sent, "reference": flows.Fetched}
		if e, ok := ways[c.Payload]; ok && c.Payloads.Events[string(e)].Bytes < b.Counts.OK*int64(b.Bytes) {
			t.Errorf("%s: %+v; want %d large payloads among what was %s", c.ID, c.Payloads.Events, b.Counts.OK, e)
		}
	}
}

// TestLargePayloadsTravelOneAtATime has a service so slow that the next is due
// while one is under way.
func TestLargePayloadsTravelOneAtATime(t *testing.T) {
	text := largePayloads("proxy-sync", "", "150ms")
	text = strings.ReplaceAll(text, "rate_per_s: 400", "rate_per_s: 20")
	text = strings.ReplaceAll(text, "every: 40", "every: 2")
	run, err := runPlan(t.Context(), t, engine(t), plan(t, text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		b := c.Bulk
		// One takes 150 ms of the 500, so there cannot be more than four of them.
		if b.Instead == 0 || b.Counts.Due > 4 || b.Counts.Due == 0 {
			t.Errorf("%s: %+v large payloads, and %d that were small instead", c.ID, b.Counts, b.Instead)
		}
		var beside int64
		for _, k := range results.Kinds() {
			if h := b.SmallOf(true, k, results.AnsweredStage); h != nil {
				beside += h.N()
			}
		}
		if beside < b.Instead {
			t.Errorf("%s: %d small ones were beside a large one; want at least the %d that took the place of one",
				c.ID, beside, b.Instead)
		}
		if !strings.Contains(strings.Join(c.Warnings, "; "), "since another was still under way") {
			t.Errorf("%s: the warnings are %q; want one about those", c.ID, c.Warnings)
		}
	}
}

// TestWhatIsDroppedIsCountedAmongTheLargeOnes has room for one operation only.
func TestWhatIsDroppedIsCountedAmongTheLargeOnes(t *testing.T) {
	text := largePayloads("async-reply-to", "", "400ms")
	text = strings.ReplaceAll(text, "every: 40", "every: 2")
	text = strings.ReplaceAll(text, "keys: 20", "keys: 20, max_in_flight: 1")
	run, err := runPlan(t.Context(), t, engine(t), plan(t, text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		if b := c.Bulk.Counts; b.Dropped == 0 || b.Dropped >= c.Counts.Dropped || !b.Closes() {
			t.Errorf("%s: large ones are %+v of %+v; want some of those that were dropped", c.ID, b, c.Counts)
		}
	}
}
