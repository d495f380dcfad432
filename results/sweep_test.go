package results

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tried returns a cell that a trial ran as: n operations of a latency, all ok.
func tried(n int64, latency time.Duration) *Cell {
	c := &Cell{
		Finished: true, Drained: true, Promise: "at most once",
		Load:    Load{Arrivals: "poisson", RatePerS: 100, Measured: time.Second, MaxInFlight: 512},
		Counts:  Counts{Due: n, OK: n},
		Latency: map[string]map[string]*Hist{"query": {"answered": NewHist()}},
		SendLag: NewHist(), Pressure: Pressure{Busy: -1},
	}
	c.Latency["query"]["answered"].recordN(latency, n)
	c.SendLag.recordN(100*time.Microsecond, n)
	return c
}

func testSLO() SLO { return SLO{Quantile: 0.99, Latency: 50 * time.Millisecond, Achieved: 0.99} }

func TestWhetherATrialMeetsItsObjective(t *testing.T) {
	for _, tt := range []struct {
		about  string
		n      int64
		change func(*Cell)
		want   TrialVerdict
		why    string
	}{
		{"all in time", 2000, func(*Cell) {}, TrialMet, ""},
		{"too slow", 2000, func(c *Cell) { c.Latency["query"]["answered"].recordN(time.Second, 50) }, TrialMissed,
			"p99 is"},
		{"one in a hundred too slow, but of a few", 100,
			func(c *Cell) { c.Latency["query"]["answered"].recordN(time.Second, 2) }, TrialMet, ""},
		{"many of a few too slow", 100, func(c *Cell) { c.Latency["query"]["answered"].recordN(time.Second, 30) },
			TrialMissed, "p90 is"},
		{"dropped", 2000, func(c *Cell) { c.Counts.Dropped, c.Counts.Due = 1, 2001 }, TrialMissed,
			"1 of 2001 operations were dropped: 512 were under way"},
		{"not all ok", 2000, func(c *Cell) { c.Counts.Due, c.Counts.Unknown = 2030, 30 }, TrialMissed,
			"2000 of 2030 operations were done, less than 99 %"},
		{"a few not ok", 2000, func(c *Cell) { c.Counts.Due, c.Counts.Unknown = 2010, 10 }, TrialMet, ""},
		{"not drained", 2000, func(c *Cell) { c.Drained = false }, TrialMissed, "some work had not ended"},
		{"a late generator", 2000, func(c *Cell) { c.SendLag.recordN(40*time.Millisecond, 500) }, TrialSpoilt,
			"send lag p99 is"},
		{"a late generator and too slow", 2000, func(c *Cell) {
			c.SendLag.recordN(80*time.Millisecond, 500)
			c.Latency["query"]["answered"].recordN(100*time.Millisecond, 500)
		}, TrialSpoilt, "send lag p99 is"},
		{"a generator that is late by little of what it took", 2000, func(c *Cell) {
			c.SendLag.recordN(80*time.Millisecond, 500)
			c.Latency["query"]["answered"].recordN(time.Second, 500)
		}, TrialMissed, "p99 is"},
		{"cut short", 2000, func(c *Cell) { c.Finished = false }, TrialCut, "it was cut short"},
		{"nothing due", 0, func(*Cell) {}, TrialSpoilt, "no operation was due"},
		{"told nothing, and applied", 0, func(c *Cell) {
			c.Counts = Counts{Due: 2000, OK: 2000}
			c.Latency = map[string]map[string]*Hist{"command": {"accepted": NewHist(), "applied": NewHist()}}
			c.Latency["command"]["accepted"].recordN(time.Millisecond, 2000)
			c.Latency["command"]["applied"].recordN(time.Second, 2000)
		}, TrialMissed, "p99 is"},
		{"told nothing, and never applied", 0, func(c *Cell) {
			c.Counts = Counts{Due: 2000, OK: 2000}
			c.Latency = map[string]map[string]*Hist{"command": {"accepted": NewHist(), "applied": NewHist()}}
			c.Latency["command"]["accepted"].recordN(time.Millisecond, 2000)
			c.Latency["command"]["applied"].recordN(time.Millisecond, 1000)
		}, TrialMissed, "1000 of 2000 operations were done"},
	} {
		c := tried(tt.n, time.Millisecond)
		tt.change(c)
		got := NewTrial(c, testSLO())
		if got.Verdict != tt.want || !strings.Contains(strings.Join(got.Why, "; "), tt.why) {
			t.Errorf("%s: got %s, %v; want %s, %s", tt.about, got.Verdict, got.Why, tt.want, tt.why)
		}
		if tt.want != TrialMet && len(got.Why) == 0 {
			t.Errorf("%s: nothing says why", tt.about)
		}
	}
}

func TestWhichPartsWereSaturated(t *testing.T) {
	share := func(v float64) *float64 { return &v }
	for _, tt := range []struct {
		about string
		trial Trial
		want  []string
	}{
		{"nothing", Trial{Use: &Use{Workers: 0.5}, Pressure: Pressure{Busy: 0.6}}, nil},
		{"nothing known", Trial{Pressure: Pressure{Busy: -1}}, nil},
		{"the service", Trial{Use: &Use{Workers: 0.97}, Pressure: Pressure{Busy: -1}},
			[]string{"service: the workers of the service were busy 97 % of the time"}},
		{"the machine", Trial{
			Use: &Use{Workers: 0.5, BrokerCores: share(0.5)}, Pressure: Pressure{Busy: 0.95, OwnCores: 1.2},
		}, []string{"machine: the CPUs of the machine were busy 95 % of the time (of 2: clients, front ends and " +
			"service 1.2, broker 0.5, all others 0.2)"}},
		{"the machine, with a broker elsewhere", Trial{Pressure: Pressure{Busy: 1, OwnCores: 2}},
			[]string{"machine: the CPUs of the machine were busy 100 % of the time (of 2: clients, front ends and " +
				"service 2)"}},
		{"the generator, before all others", Trial{
			Verdict: TrialSpoilt, Why: []string{"send lag p99 is 40 ms of a latency p99 of 50 ms"},
			Use: &Use{Workers: 0.9}, Pressure: Pressure{Busy: -1},
		}, []string{"generator: the generator was late (send lag p99 is 40 ms of a latency p99 of 50 ms)",
			"service: the workers of the service were busy 90 % of the time"}},
		{"the model of a broker", Trial{Use: &Use{BrokerServer: share(1)}, Pressure: Pressure{Busy: -1}},
			[]string{"broker: the model of the broker was busy 100 % of the time"}},
	} {
		var got []string
		for _, p := range tt.trial.SaturatedParts(2) {
			got = append(got, p.Name+": "+p.Text)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.about, d)
		}
	}
}

func TestWhatWasSaturatedIsSeenJustAboveTheKnee(t *testing.T) {
	s := &Sweep{KneePerS: 400, Trials: []*Trial{
		{Number: 1, RatePerS: 400, Verdict: TrialMet, Purpose: TrialSearch, Use: &Use{Workers: 0.99}},
		{Number: 2, RatePerS: 800, Verdict: TrialMissed, Purpose: TrialSearch, Pressure: Pressure{Busy: 1}},
		{Number: 3, RatePerS: 420, Verdict: TrialMissed, Purpose: TrialSearch, Use: &Use{Workers: 0.95}},
		{Number: 4, RatePerS: 400, Verdict: TrialMet, Purpose: TrialConfirm},
		{Number: 5, RatePerS: 410, Verdict: TrialMissed, Purpose: TrialCurve},
		{Number: 6, RatePerS: 40, Verdict: TrialMet, Purpose: TrialCurve},
	}, Own: 4}
	s.Find(2)
	if s.Seen != 3 || len(s.Saturated) != 1 || s.Saturated[0].Name != PartService {
		t.Errorf("in trial %d %+v were saturated; want the service in trial 3", s.Seen, s.Saturated)
	}
	var curve []int
	for _, trial := range s.Curve() {
		curve = append(curve, trial.Number)
	}
	if d := cmp.Diff([]int{6, 4, 5}, curve); d != "" {
		t.Errorf("the curve has other trials (-want +got):\n%s", d)
	}
}

func TestWhatASweepMeansForItsCell(t *testing.T) {
	for _, tt := range []struct {
		about string
		sweep Sweep
		valid bool
		want  string
	}{
		{"found", Sweep{State: SweepFound, KneePerS: 100}, true, ""},
		{"the generator was the limit", Sweep{State: SweepAtLeast, Limit: LimitGenerator, KneePerS: 100}, true,
			"the knee is at least 100/s: the generator was the limit"},
		{"nothing higher was to be tried", Sweep{State: SweepAtLeast, Limit: LimitMax, KneePerS: 100}, true,
			"the knee is at least 100/s: no higher rate"},
		{"not confirmed", Sweep{State: SweepUnsure, MissedPerS: 90}, true, "the knee is below 90/s"},
		{"a late generator throughout", Sweep{State: SweepUnmet, Limit: LimitGenerator}, false,
			"the generator was late at every rate"},
	} {
		c := tried(2000, time.Millisecond)
		c.Sweep = &tt.sweep
		c.Judge()
		said := strings.Join(append(c.Why, c.Warnings...), "; ")
		if c.Valid != tt.valid || !strings.Contains(said, tt.want) || tt.want == "" && said != "" {
			t.Errorf("%s: valid %v, %q; want %v, %q", tt.about, c.Valid, said, tt.valid, tt.want)
		}
	}
}
