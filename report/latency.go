package report

import (
	"flowbench/results"
)

// intervals shows the flows in order.
func intervals(v view) section {
	dot := "dot"
	if v.run.Simulated {
		dot = "square"
	}
	return section{
		ID: "intervals", Title: "Flows in order",
		Lead: "One row is one cell: the " + dot + " is what half of the operations stay below, the ring what 99 % " +
			"stay below, the bar what 99.9 % stay below. A short row far to the left is fast and steady.",
		Figures: v.figures["intervals"],
	}
}

// percentiles shows the tails.
func percentiles(v view) section {
	return section{
		ID: "percentiles", Title: "Latency by percentile",
		Lead: "Follow a curve to the right to see how bad the rare cases get; where two curves cross, one flow is " +
			"faster " +
			"for most operations and slower for a few.",
		Figures: v.figures["percentiles"],
	}
}

// histograms shows the shapes.
func histograms(v view) section {
	return section{
		ID: "histograms", Title: "Distribution of latency",
		Lead: "One narrow hump is a flow that always takes the same way; a second hump is a second way, such as a " +
			"poll " +
			"that came too early.",
		Figures: v.figures["histograms"],
	}
}

// overTime shows what changed during the run.
func overTime(v view) section {
	return section{
		ID: "over-time", Title: "Latency over time",
		Lead: "Level lines mean that the figures above hold for any part of the run; a slope means that a longer " +
			"run would " +
			"have given others.",
		Figures: v.figures["over-time"],
	}
}

// heat shows all latencies over time.
func heat(v view) section {
	return section{
		ID: "heat", Title: "Every latency over time",
		Lead: "One band is a flow that always takes the same way; a second band is a second way, a stripe upwards is " +
			"a stall, and a gap is a time in which nothing that was due ended well.",
		Figures: v.figures["heat"],
	}
}

// stages is the full table of latencies: every stage of every kind.
func stages(v view) section {
	t := table{
		Caption: "Latency from due to each stage", Corner: "cell",
		Heads: heads("kind", "stage", "p50", "p90", "p99", "p99.9", "max", "n"),
	}
	t.Heads[0].Class, t.Heads[1].Class = "word", "word"
	for i, c := range v.run.Cells {
		first := len(t.Rows)
		for _, k := range results.Kinds() {
			for _, s := range results.Stages() {
				h := c.LatencyOf(k, s)
				if h == nil && (k == results.Query || s != results.AnsweredStage) {
					continue
				}
				cells := append([]entry{{Text: k.String(), Class: "word"}, {Text: s.String(), Class: "word"}},
					besideN(h, 0.5, 0.9, 0.99, 0.999, 1)...)
				t.Rows = append(t.Rows, row{Cells: cells, Follows: len(t.Rows) > first})
			}
		}
		lead := &t.Rows[first]
		lead.Label, lead.Marks, lead.Span = v.labels[i], marks(c), len(t.Rows)-first
	}
	return section{
		ID: "stages", Title: "Every stage",
		Lead: "Accepted is when somebody took responsibility, applied when the service had done the work, answered " +
			"when the client knew: compare flows at the stage that your users wait for.",
		Tables: []table{t},
	}
}
