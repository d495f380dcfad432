package compare

import (
	"strings"
	"testing"
)

func TestAMetricIsJudgedByRules(t *testing.T) {
	latency, rate := Metric{Name: "answered p99", Family: Latency, Quantile: 0.99}, Metric{Family: Rate}
	lost := Metric{Name: "lost commands", Family: Count}
	for _, tt := range []struct {
		name string
		e    evidence
		want Outcome
		why  string
	}{
		{"more latency is worse", evidence{metric: latency, old: 10, new: 10, comparisons: 20, p: 0.001, change: 1.2,
			floor: 0.1}, Worse, ""},
		{"less latency is better", evidence{metric: latency, old: 10, new: 10, comparisons: 20, p: 0.001, change: 0.8,
			floor: 0.1}, Better, ""},
		{"a higher rate is better", evidence{metric: rate, old: 10, new: 10, comparisons: 20, p: 0.001, change: 1.2,
			floor: 0.1}, Better, ""},
		{"a lower rate is worse", evidence{metric: rate, old: 10, new: 10, comparisons: 20, p: 0.001, change: 0.8,
			floor: 0.1}, Worse, ""},
		{"more losses are worse", evidence{metric: lost, old: 10, new: 10, comparisons: 20, p: 0.001, change: 0.01},
			Worse, ""},
		{"fewer losses are better", evidence{metric: lost, old: 10, new: 10, comparisons: 20, p: 0.001, change: -0.01},
			Better, ""},
		{"what is certain and within the noise is no change", evidence{metric: latency, old: 10, new: 10,
			comparisons: 20, p: 0.001, change: 1.2, floor: 0.25}, NoChange, "less than the noise floor of 25 %"},
		{"the floor holds both ways: 0.82 is 1/1.22", evidence{metric: latency, old: 10, new: 10, comparisons: 20,
			p: 0.001, change: 0.82, floor: 0.25}, NoChange, "noise floor"},
		{"what may be chance is no change, however large", evidence{metric: latency, old: 10, new: 10,
			comparisons: 20, p: 0.05, change: 3, floor: 0.1}, NoChange, ""},
		{"too few observations for so many comparisons cannot tell", evidence{metric: latency, old: 5, new: 5,
			comparisons: 20, p: 0.16, change: 3, floor: 0.1}, CannotTell, "want 6 each"},
		{"as many are enough for fewer", evidence{metric: latency, old: 5, new: 5, comparisons: 5, p: 0.04, change: 3,
			floor: 0.1}, Worse, ""},
		{"a machine that was not quiet cannot tell, whatever the figures say", evidence{metric: latency, old: 10,
			new: 10, comparisons: 20, p: 0.001, change: 3, floor: 0.1, disturbed: "busy"}, CannotTell, "busy"},
		{"equal observations are no change, however few", evidence{metric: rate, old: 2, new: 2, same: true, change: 1},
			NoChange, "equal"},
		{"one run cannot tell even of equal figures", evidence{metric: rate, old: 1, new: 1, same: true, single: true,
			change: 1}, CannotTell, "one run on a side"},
		{"one run never calls a change, but may lean", evidence{metric: latency, old: 1, new: 1, single: true,
			change: 3, floor: 0.1, estimate: Estimate{Ratio: 3, Low: 2, High: 4, Confidence: 0.95}}, CannotTell,
			"it seems slower"},
		{"one run leans the other way", evidence{metric: latency, old: 1, new: 1, single: true,
			change: 0.3, floor: 0.1, estimate: Estimate{Ratio: 0.3, Low: 0.2, High: 0.4, Confidence: 0.95}}, CannotTell,
			"it seems faster"},
		{"one run does not lean within its interval", evidence{metric: latency, old: 1, new: 1, single: true,
			change: 3, floor: 0.1, estimate: Estimate{Ratio: 3, Low: 0.9, High: 9, Confidence: 0.95}}, CannotTell, ""},
		{"one run without an interval does not lean", evidence{metric: rate, old: 1, new: 1, single: true, change: 3,
			floor: 0.1, estimate: Estimate{Ratio: 3}}, CannotTell, "one run on a side"},
	} {
		got, why := tt.e.judge()
		if got != tt.want || !strings.Contains(why, tt.why) {
			t.Errorf("%s: got %s (%s); want %s (%s)", tt.name, got, why, tt.want, tt.why)
		}
		if tt.name == "one run does not lean within its interval" && strings.Contains(why, "seems") {
			t.Errorf("%s: it says %q", tt.name, why)
		}
	}
}
