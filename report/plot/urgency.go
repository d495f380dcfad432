package plot

import (
	"fmt"

	"flowbench/report/words"
	"flowbench/results"
)

// urgency draws two rows for each cell in which operations are urgent, one above
// the other: the urgent ones and the others.
func urgency(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	var all []series
	for _, s := range seriesOf(run, labels, k) {
		for _, urgent := range []bool{true, false} {
			part := s
			part.hist = s.cell.Urgency.LatencyOf(urgent, k, s.stage)
			if part.name += ", normal"; urgent {
				part.name = s.name + ", urgent"
			}
			if part.hist != nil {
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
	title := kindWord(k) + ": what the urgent ones gain"
	return Figure{
		Name: "urgency-" + k.String(), Section: "urgency", Title: title, Alt: alt(all),
		height: intervalHeight(len(all)),
		Caption: fmt.Sprintf("%s, latency %s, urgent and normal ones of each cell; further left is better. Values in "+
			"parentheses have fewer than 10 samples beyond them.", kindWord(k), toStage(all)),
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
