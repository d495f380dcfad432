package drivers_test

import (
	"math"
	"testing"

	"flowbench/results"
)

// long skips a test of many seconds of computing where tests are to be short. Under the
// race detector they take five times as long, and one kernel runs one thing at a time.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it computes for long")
	}
}

// sweptCells runs a scenario with a sweep in virtual time.
func sweptCells(t *testing.T, text string) []*results.Cell {
	t.Helper()
	run, err := results.Read(simulate(t, text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		if c.Sweep == nil || !c.Finished || !c.Valid {
			t.Fatalf("cell %s is no sweep that ended: valid %v, %v", c.ID, c.Valid, c.Why)
		}
	}
	return run.Cells
}

// Four workers that take 10 ms for each request do 400 a second, whatever carries
// them. Arrivals are even, so that below that nothing waits.
func TestASweepFindsTheCapacityOfTheService(t *testing.T) {
	long(t)
	const capacity = 400
	for _, c := range sweptCells(t, `
name: capacity
flows: [async-no-reply, proxy-sync, direct]
brokers: [nats]
load:
  arrivals: constant
  rate_per_s: 30
  sweep: {precision: 0.02, confirm: 10s, curve: [0.5, 1.05], slo: {latency: 100ms}}
warmup: 500ms
duration: 4s
service: {instances: 2, workers: 2, time: {distribution: constant, mean: 10ms}}
model: {distribution: constant}
`) {
		s := c.Sweep
		if s.State != results.SweepFound || math.Abs(s.KneePerS/capacity-1) > 0.05 {
			t.Errorf("%s: the knee is %s, %.1f/s; want %d/s", c.ID, s.State, s.KneePerS, capacity)
		}
		if len(s.Saturated) != 1 || s.Saturated[0].Name != results.PartService {
			t.Errorf("%s: saturated are %+v; want the service", c.ID, s.Saturated)
		}
		if own := s.OwnTrial(); own == nil || own.Purpose != results.TrialConfirm || own.RatePerS != s.KneePerS ||
			own.Counts != c.Counts || c.Load.RatePerS != s.KneePerS {
			t.Errorf("%s: the cell's figures are not those of the knee: %+v", c.ID, own)
		}
		for _, trial := range s.Trials {
			// A hundred operations a second are a quarter of what four workers can do.
			if want := min(1, trial.RatePerS/capacity); math.Abs(trial.Use.Workers-want) > 0.05 {
				t.Errorf("%s at %.1f/s: workers are busy %.2f of the time; want %.2f", c.ID, trial.RatePerS,
					trial.Use.Workers, want)
			}
			if trial.RatePerS > capacity*1.05 && trial.Verdict == results.TrialMet {
				t.Errorf("%s at %.1f/s: %s", c.ID, trial.RatePerS, trial.Verdict)
			}
		}
		if len(c.Seconds) == 0 || c.Latency == nil {
			t.Errorf("%s: the trial that the cell stands for left no seconds", c.ID)
		}
	}
}

// With arrivals that come as they like, queues form below the capacity, and the knee
// is where the longest of them is as long as the objective allows. An objective of
// many service times is met until close to the capacity.
func TestASweepWithPoissonArrivalsStaysBelowTheCapacity(t *testing.T) {
	long(t)
	c := sweptCells(t, `
name: capacity
flows: [direct]
load:
  rate_per_s: 100
  sweep: {precision: 0.05, confirm: 30s, curve: [0.5], slo: {latency: 400ms}}
warmup: 2s
duration: 10s
service: {instances: 2, workers: 2, time: {distribution: constant, mean: 10ms}}
`)[0]
	if knee := c.Sweep.KneePerS; knee < 360 || knee > 405 {
		t.Errorf("the knee is %.1f/s; want a little below 400/s", knee)
	}
}

// A queue of the model works on one message at a time, for 1 ms here: 1,000 a
// second, and the workers have time left.
func TestASweepNamesABrokerThatIsSaturated(t *testing.T) {
	long(t)
	c := sweptCells(t, `
name: broker
flows: [async-reply-to]
brokers: [nats]
load:
  arrivals: constant
  rate_per_s: 100
  sweep: {precision: 0.05, confirm: 4s, curve: [0.5], slo: {latency: 100ms}}
warmup: 500ms
duration: 2s
service: {instances: 2, workers: 32, time: {distribution: constant, mean: 1ms}}
model: {broker: 1ms, distribution: constant}
`)[0]
	s := c.Sweep
	if math.Abs(s.KneePerS/1000-1) > 0.06 || len(s.Saturated) != 1 || s.Saturated[0].Name != results.PartBroker {
		t.Errorf("the knee is %.1f/s by %+v; want 1000/s by the broker", s.KneePerS, s.Saturated)
	}
}

// What can be had without any trouble is told as a lower bound.
func TestASweepThatReachesItsHighestRateSaysSo(t *testing.T) {
	c := sweptCells(t, `
name: easy
flows: [direct]
load:
  rate_per_s: 50
  sweep: {max_per_s: 300, confirm: 1s, curve: [0.5, 1.05]}
warmup: 100ms
duration: 1s
`)[0]
	s := c.Sweep
	if s.State != results.SweepAtLeast || s.Limit != results.LimitMax || s.KneePerS != 300 || len(c.Warnings) == 0 {
		t.Errorf("got %s, %g/s, limit %q; want at least 300/s by max_per_s", s.State, s.KneePerS, s.Limit)
	}
	if n := len(s.Trials); n != 6 { // 50, 100, 200, 300, 300 again, and one of the curve
		t.Errorf("it took %d trials; want 6", n)
	}
}

func TestASweepIsTheSameTwice(t *testing.T) {
	long(t)
	const text = `
name: twice
flows: [async-reply-to, direct]
brokers: [jetstream]
load: {rate_per_s: 200, sweep: {confirm: 1s, curve: [0.5]}}
warmup: 100ms
duration: 500ms
service: {instances: 1, workers: 2}
`
	if one, two := digest(t, simulate(t, text)), digest(t, simulate(t, text)); one != two {
		t.Error("the same seed gives other results")
	}
}
