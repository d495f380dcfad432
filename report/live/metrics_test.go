package live

import (
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"flowbench/report/words"
	"flowbench/results"
)

// parsed returns an exposition as Prometheus reads it.
func parsed(t interface{ Fatalf(string, ...any) }, text string) map[string]*dto.MetricFamily {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("parse metrics: %v\n%s", err, text)
	}
	return families
}

// valueOf returns the number of the metric with the given labels, each NAME=VALUE.
func valueOf(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	for _, m := range families[name].GetMetric() {
		has := make(map[string]bool)
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		all := true
		for _, l := range labels {
			all = all && has[l]
		}
		switch {
		case !all:
		case m.Counter != nil:
			return m.Counter.GetValue()
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		default:
			return m.Gauge.GetValue()
		}
	}
	t.Fatalf("no %s has the labels %q", name, labels)
	return 0
}

func TestMetricsSayWhatTheRunDoes(t *testing.T) {
	f := NewFeed(&results.Run{ID: "r", Scenario: "s", CellIDs: []string{"one", "two"}})
	parsed(t, f.exposition()) // before anything began
	for i := range 10 {
		l := live(int64(i)+1, 3*time.Millisecond)
		l.Counts.Failed, l.Counts.Due = 2, int64(i)+3
		l.Account = results.Accounting{Attempted: int64(i), Duplicated: 1}
		if i > 3 && i < 8 {
			l.Active = []string{"outage on broker"}
		}
		elapsed := time.Duration(i) * time.Second
		f.Update(Progress{Cell: "one", Phase: "measured", Elapsed: elapsed, Live: l, InFlight: 7})
		if got := valueOf(t, parsed(t, f.exposition()), "flowbench_in_flight", "cell=one"); got != 7 {
			t.Fatalf("in flight is %v", got)
		}
		if i == 5 {
			got := valueOf(t, parsed(t, f.exposition()), "flowbench_fault_active", "fault=outage on broker")
			if got != 1 {
				t.Errorf("the fault is %v while it is in force", got)
			}
		}
	}
	before := parsed(t, f.exposition())
	f.Update(Progress{Cell: "two", Index: 1, Phase: "opening"})
	after := parsed(t, f.exposition())
	for name, c := range map[string]struct {
		metric string
		labels []string
		want   float64
	}{
		"due":       {"flowbench_operations_due_total", []string{"cell=one", "phase=measured"}, 12},
		"ok":        {"flowbench_operations_total", []string{"cell=one", "phase=measured", "outcome=ok"}, 10},
		"failed":    {"flowbench_operations_total", []string{"cell=one", "phase=measured", "outcome=failed"}, 2},
		"warm-up":   {"flowbench_operations_total", []string{"cell=one", "phase=warmup", "outcome=ok"}, 0},
		"account":   {"flowbench_commands_total", []string{"cell=one", "class=attempted"}, 9},
		"latency":   {"flowbench_latency_seconds", []string{"cell=one"}, 10},
		"send lag":  {"flowbench_send_lag_seconds", []string{"cell=one"}, 10},
		"the fault": {"flowbench_fault_active", []string{"cell=one", "fault=outage on broker"}, 0},
	} {
		for when, families := range map[string]map[string]*dto.MetricFamily{"in the cell": before, "after it": after} {
			if got := valueOf(t, families, c.metric, c.labels...); got != c.want {
				t.Errorf("%s, %s is %v; want %v", when, name, got, c.want)
			}
		}
	}
	if valueOf(t, after, "flowbench_cell_active", "cell=one") != 0 ||
		valueOf(t, after, "flowbench_cell_active", "cell=two") != 1 {
		t.Error("the cell under way is not the one that is active")
	}
	h := before["flowbench_latency_seconds"].GetMetric()[0].GetHistogram()
	for _, b := range h.GetBucket() {
		if want := uint64(10); (b.GetUpperBound() >= 0.005) != (b.GetCumulativeCount() == want) {
			t.Errorf("of ten of 3 ms, %d are at most %v s", b.GetCumulativeCount(), b.GetUpperBound())
		}
	}
	if sum := h.GetSampleSum(); sum < 0.029 || sum > 0.031 {
		t.Errorf("ten of 3 ms are %v s", sum)
	}
}

// TestAnyNameSurvivesBeingALabel gives cells and faults names of hostile people.
func TestAnyNameSurvivesBeingALabel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\\n{},= #]{0,12}`),
			rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }),
		).Draw(t, "name")
		f := NewFeed(&results.Run{ID: name, Scenario: name})
		l := live(1, time.Millisecond)
		l.Active = []string{name}
		f.Update(Progress{Cell: name, Phase: "measured", Live: l})
		families := parsed(t, f.exposition())
		got := families["flowbench_fault_active"].GetMetric()[0].GetLabel()
		for _, label := range got {
			if label.GetValue() != words.Clean(name) {
				t.Fatalf("%q came out as %q", name, label.GetValue())
			}
		}
	})
}
