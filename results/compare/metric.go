package compare

import (
	"strconv"

	"flowbench/results"
)

// A Family is a kind of metric: metrics of a family are worded alike and have alike
// floors.
type Family string

// The families.
const (
	Latency Family = "latency" // in microseconds
	Rate    Family = "rate"    // operations per second that ended ok
	Cost    Family = "cost"    // of one operation
	Count   Family = "count"   // operations or commands that something became of, as a share of those that were due
)

// A Metric is something that each observation has a value of.
type Metric struct {
	Name   string `json:"name"` // such as "command answered p99"
	Family Family `json:"family"`
	Unit   string `json:"unit"` // us, per_s, share; per_op for what is counted
	// Quantile is which one it is, of a latency, between 0 and 1.
	Quantile float64 `json:"quantile,omitempty"`
}

// Better reports whether a larger value is a better one.
func (m Metric) Better() bool { return m.Family == Rate }

// An observed is the value of a metric in one observation.
type observed struct {
	Metric
	value    float64
	resolved bool // a quantile with enough samples beyond it; always true of others
}

// quantiles are those that are compared. Beyond them, runs of minutes have too few
// samples.
func quantiles() []float64 { return []float64{0.5, 0.9, 0.99} }

// observe returns the metrics of a cell.
func observe(c *results.Cell) []observed {
	var all []observed
	for _, k := range results.Kinds() {
		for _, s := range results.Stages() {
			h := c.LatencyOf(k, s)
			if h == nil {
				continue
			}
			for _, q := range quantiles() {
				all = append(all, observed{latencyMetric(k, s, q), micros(h, q), h.Resolved(q)})
			}
		}
	}
	add := func(name string, f Family, unit string, value float64) {
		all = append(all, observed{Metric{Name: name, Family: f, Unit: unit}, value, true})
	}
	add("ok per second", Rate, "per_s", c.AchievedPerS())
	for _, cost := range []struct {
		name, unit string
		of         *float64
	}{
		{"CPU per operation", "us", c.Cost.CPUus}, {"messages per operation", "per_op", c.Cost.BrokerMsgs},
		{"broker bytes per operation", "bytes", c.Cost.BrokerBytes},
		{"HTTP requests per operation", "per_op", c.Cost.HTTPRequests},
		{"HTTP bytes per operation", "bytes", c.Cost.HTTPBytes},
	} {
		if cost.of != nil {
			add(cost.name, Cost, cost.unit, *cost.of)
		}
	}
	share := func(n, of int64) float64 { return float64(n) / float64(max(1, of)) }
	n, a := c.Counts, c.Accounting
	add("failed operations", Count, "share", share(n.Failed, n.Due))
	add("unknown operations", Count, "share", share(n.Unknown, n.Due))
	add("dropped operations", Count, "share", share(n.Dropped, n.Due))
	add("lost commands", Count, "share", share(a.Lost, a.Attempted))
	add("vanished commands", Count, "share", share(a.Vanished, a.Attempted))
	add("duplicated commands", Count, "share", share(a.Duplicated, a.Attempted))
	add("reordered commands", Count, "share", share(a.Reordered, a.Attempted))
	add("unexpected results", Count, "share", share(a.Unexpected+a.Phantom, a.Attempted))
	return all
}

func latencyMetric(k results.Kind, s results.Stage, q float64) Metric {
	name := k.String() + " " + s.String() + " p" + strconv.FormatFloat(100*q, 'f', -1, 64)
	return Metric{Name: name, Family: Latency, Unit: "us", Quantile: q}
}

func micros(h *results.Hist, q float64) float64 { return float64(h.Quantile(q).Nanoseconds()) / 1e3 }
