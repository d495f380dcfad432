package plot

import (
	"fmt"

	"flowbench/report/words"
	"flowbench/results"
)

// urgency draws two rows for each cell in which operations are urgent, one above
// the other: the urgent ones and the others.
func urgency(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	return split{
		name: "urgency", title: "what the urgent ones gain", caption: "urgent and normal ones of each cell",
		parts: []string{"urgent", "normal"},
		of: func(s series, part int) *results.Hist {
			return s.cell.Urgency.LatencyOf(part == 0, k, s.stage)
		},
	}.draw(run, labels, k)
}

// bulk draws two rows for each cell in which a few payloads are large: the small
// operations while none of those was under way, and while one was.
func bulk(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	return split{
		name: "bulk", title: "small ones beside a large one",
		caption: "small ones of each cell while no large one was under way (alone) and while one was (beside)",
		parts:   []string{"alone", "beside"},
		of: func(s series, part int) *results.Hist {
			return s.cell.Bulk.SmallOf(part == 1, k, s.stage)
		},
	}.draw(run, labels, k)
}

// A split is a figure of the parts that the operations of each cell fall into.
type split struct {
	name, title, caption string
	parts                []string
	of                   func(s series, part int) *results.Hist
}

func (f split) draw(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	var all []series
	for _, s := range seriesOf(run, labels, k) {
		for i, name := range f.parts {
			part := s
			part.name += ", " + name
			if part.hist = f.of(s, i); part.hist != nil {
				all = append(all, part)
			}
		}
	}
	if len(all) == 0 {
		return Figure{}, false
	}
	quantiles := []float64{0.5, 0.99, 0.999}
	var extent span
	var names []string
	for _, s := range all {
		names = append(names, s.name)
		for _, p := range quantiles {
			extent.add(micros(s.hist.Quantile(p)))
		}
	}
	title := kindWord(k) + ": " + f.title
	return Figure{
		Name: f.name + "-" + k.String(), Section: f.name, Title: title, Alt: alt(all),
		height: intervalHeight(len(all)), Chart: rowsChart(run, all, quantiles, latencyAxis(extent)),
		Caption: fmt.Sprintf("%s, latency %s, %s; further left is better. Values in "+
			"parentheses have fewer than 10 samples beyond them.", kindWord(k), toStage(all), f.caption),
		paint: func(sh *sheet) {
			sh.title(title, "Latency "+toStage(all)+", in the order of the cells")
			sh.intervals(inOrder(all, quantiles), names, latencyAxis(extent))
		},
	}, true
}

// inOrder returns the rows in the order of the series.
func inOrder(all []series, quantiles []float64) []row {
	rows := make([]row, 0, len(all))
	for _, s := range all {
		r := row{name: s.name, n: s.hist.N(), faint: !s.cell.Valid}
		for _, p := range quantiles {
			r.values = append(r.values, words.QuantileOf(s.hist, p))
		}
		rows = append(rows, r)
	}
	return rows
}
