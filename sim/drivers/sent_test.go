package drivers_test

import (
	"math"
	"testing"

	"flowbench/results"
)

// TestWhatIsSentIsCountedWhenItIs pauses the service for a while, in virtual time:
// clients go on and send their requests, and the answers come when it is over.
func TestWhatIsSentIsCountedWhenItIs(t *testing.T) {
	run, err := results.Read(simulate(t, `
name: sent
flows: [proxy-async, async-reply-to]
brokers: [nats]
load: {arrivals: constant, rate_per_s: 400, clients: 4, timeout: 2s}
warmup: 200ms
duration: 6s
service: {instances: 2, workers: 8, time: {distribution: constant, mean: 200us}}
faults:
  - {what: pause, on: service, at: 3s, for: 1s}
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Cells) != 2 {
		t.Fatalf("there are %d cells; want 2", len(run.Cells))
	}
	perOp := map[string][2]float64{"async-reply-to": {2, 0}, "proxy-async": {2.5, 1.5}}
	for _, c := range run.Cells {
		if len(c.Faults) != 1 || c.Faults[0].Recovery == nil || c.Faults[0].Recovery.Traffic == nil {
			t.Fatalf("%s: faults are %+v; want one with traffic", c.ID, c.Faults)
		}
		f := c.Faults[0]
		sent := f.Recovery.Traffic
		got := [2]float64{sent.Before.PerOp(sent.Before.Messages), sent.Before.PerOp(sent.Before.Requests)}
		for i, want := range perOp[c.Flow] {
			if math.Abs(got[i]-want) > 0.03*want {
				t.Errorf("%s: sent %g messages and requests per operation before; want %g", c.ID, got, perOp[c.Flow])
			}
		}
		if factor, why := sent.Amplification(); why != "" || factor < 0.95 || factor > 1.1 {
			t.Errorf("%s: %g times as much was sent (%s), %+v; want about as much", c.ID, factor, why, sent)
		}
		// All of these bins are in the pause.
		from, to := f.Begun/results.BinWidth+1, f.Heal/results.BinWidth
		due, during := total(c.Timeline.Due[from:to]), total(c.Timeline.Messages[from:to])
		if c.Flow == "async-reply-to" && (during < due-2 || during > due+2) {
			t.Errorf("%s: %d messages for %d operations in the pause; want no answers", c.ID, during, due)
		}
		// The bins of the measured time are what the costs are of, too.
		measured := float64(total(c.Timeline.Messages[c.Load.Warmup/results.BinWidth:]))
		if cost := *c.Cost.BrokerMsgs * float64(c.Counts.Due); math.Abs(cost-measured) > 5 {
			t.Errorf("%s: the timeline has %g messages; want the %g of the costs", c.ID, measured, cost)
		}
	}
}

func total(bins []int32) (n int64) {
	for _, v := range bins {
		n += int64(v)
	}
	return n
}
