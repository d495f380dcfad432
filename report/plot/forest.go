package plot

import (
	"fmt"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results/compare"
)

// Forests returns the figures of one new side of a comparison: for each quantile and
// for rates and costs, a row for each metric with its ratio and the interval.
func Forests(c *compare.Comparison, side int) []Figure {
	var all []Figure
	for _, f := range []struct {
		name, title string
		takes       func(compare.Metric) bool
	}{
		{"p50", "Medians", func(m compare.Metric) bool { return m.Quantile == 0.5 }},
		{"p90", "90th percentiles", func(m compare.Metric) bool { return m.Quantile == 0.9 }},
		{"p99", "99th percentiles", func(m compare.Metric) bool { return m.Quantile == 0.99 }},
		{"price", "Rates and costs", func(m compare.Metric) bool {
			return m.Family == compare.Rate || m.Family == compare.Cost
		}},
	} {
		if figure, ok := forest(c, side, f.name, f.title, f.takes); ok {
			all = append(all, figure)
		}
	}
	if c.Simulated {
		return stamped(all)
	}
	return all
}

func forest(c *compare.Comparison, side int, name, title string, takes func(compare.Metric) bool) (Figure, bool) {
	var rows []compare.Row
	extent := span{0.95, 1.05}
	var alt strings.Builder
	for _, r := range c.Rows {
		if r.Side != side || r.Estimate == nil || !takes(r.Metric) {
			continue
		}
		rows = append(rows, r)
		extent.add(r.Estimate.Ratio)
		extent.add(1 + min(r.Floor, 0.5))
		extent.add(1 / (1 + min(r.Floor, 0.5)))
		if r.Estimate.Confidence > 0 {
			extent.add(max(r.Estimate.Low, 0.05))
			extent.add(min(r.Estimate.High, 20))
		}
		fmt.Fprintf(&alt, "%s, %s: %s, %s. ", words.Clean(r.Cell), r.Metric.Name, words.Ratio(r), r.Word)
	}
	if len(rows) == 0 {
		return Figure{}, false
	}
	title += ": new against old"
	return Figure{
		Name: fmt.Sprintf("forest-%d-%s", side, name), Section: fmt.Sprintf("side-%d", side), Title: title,
		Caption: "Each row is the ratio of the new side to the old with its interval; right of the line is more. The " +
			"shaded part is the noise floor. Filled dots are changes, rings are none that was found, and dashed rows " +
			"are those about which nothing can be told.",
		Alt: alt.String(), height: intervalHeight(len(rows)),
		paint: func(sh *sheet) {
			sh.title(title, "Ratio with its interval; shaded: the noise floor")
			sh.forest(rows, ratioAxis(extent))
		},
	}, true
}

// ratioAxis returns a logarithmic axis of ratios with 1 in it.
func ratioAxis(s span) axis {
	a := axis{min: s.min * 0.97, max: s.max * 1.03, scale: plot.LogScale{}, name: "new / old"}
	for _, steps := range [][]float64{
		{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.3, 1.5, 2, 3, 5, 10, 20},
		{0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 5, 10}, {0.1, 0.2, 0.5, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10},
		{0.1, 0.5, 0.8, 1, 1.2, 2, 5, 10},
		{0.1, 0.5, 1, 2, 10}, {1},
	} {
		var marks []mark
		for _, v := range steps {
			if v >= a.min && v <= a.max {
				marks = append(marks, mark{v, strconv.FormatFloat(v, 'g', 3, 64) + " ×"})
			}
		}
		a.marks = append(a.marks, marks)
	}
	return a
}

// forest draws the rows below the title, with ratio and outcome beside them.
func (sh *sheet) forest(rows []compare.Row, x axis) {
	const most, ratioRoom, wordRoom = 285, 116, 94
	name := textStyle{ink: text, size: labelSize, side: leftwards}
	labels := make([]string, len(rows))
	for i, r := range rows {
		labels[i] = words.Clean(r.Cell) + "  " + r.Metric.Name
	}
	room := sh.widest(labels, name, most)
	top := sh.canvas.Max.Y - titleRoom - keyRoom
	right := figureWidth - margin - ratioRoom - wordRoom
	p := panel{over: 16, x: x, y: shareAxis(1), area: vg.Rectangle{
		Min: vg.Point{X: margin + room + 14, Y: top - vg.Length(len(rows))*rowPitch - 8},
		Max: vg.Point{X: right, Y: top},
	}}
	for i, r := range rows { // below the grid
		y := top - 4 - rowPitch*vg.Length(i)
		low, high := p.at(1/(1+r.Floor), 0).X, p.at(1+r.Floor, 0).X
		sh.box(shade, 0, vg.Rectangle{Min: vg.Point{X: low, Y: y - rowPitch}, Max: vg.Point{X: high, Y: y}})
	}
	sh.frame(p, true, false)
	sh.write(x.name, vg.Point{X: right, Y: margin / 2}, textStyle{ink: soft, size: labelSize, side: leftwards})
	one := p.at(1, 0).X
	sh.line(pen{ink: axisLine, width: 1.1}, vg.Point{X: one, Y: p.area.Min.Y}, vg.Point{X: one, Y: p.area.Max.Y})
	head := textStyle{ink: soft, size: labelSize, side: leftwards}
	sh.write("ratio (interval)", vg.Point{X: right + ratioRoom, Y: top + 5}, head)
	sh.write("outcome", vg.Point{X: right + ratioRoom + wordRoom, Y: top + 5}, head)
	for i, r := range rows {
		y := top - 4 - rowPitch*(vg.Length(i)+0.5)
		sh.write(sh.fit(labels[i], most, name), vg.Point{X: p.area.Min.X - 10, Y: y - 3.5}, name)
		sh.ratio(p, r, y)
		_, word := outcomeInks(r.Outcome)
		value := textStyle{ink: text, size: labelSize, side: leftwards}
		sh.write(words.Ratio(r), vg.Point{X: right + ratioRoom, Y: y - 3.5}, value)
		value.ink, value.bold = word, r.Outcome == compare.Worse || r.Outcome == compare.Better
		sh.write(r.Word, vg.Point{X: right + ratioRoom + wordRoom, Y: y - 3.5}, value)
	}
}

// outcomeInks returns what an outcome is drawn and written in.
func outcomeInks(o compare.Outcome) (line, word ink) {
	switch o {
	case compare.Worse:
		return vermillion, vermillionText
	case compare.Better:
		return blue, blueText
	}
	return axisLine, soft
}

// ratio draws the interval and the mark of one row.
func (sh *sheet) ratio(p panel, r compare.Row, y vg.Length) {
	line, _ := outcomeInks(r.Outcome)
	at := func(v float64) vg.Point { return vg.Point{X: p.at(v, 0).X, Y: y} }
	stroke := pen{ink: line, width: 2.2}
	if r.Outcome == compare.CannotTell {
		stroke = pen{ink: line, width: 1.4, dashes: []vg.Length{3, 3}}
	}
	if r.Estimate.Confidence > 0 {
		sh.line(stroke, at(r.Estimate.Low), at(r.Estimate.High))
	}
	switch r.Outcome {
	case compare.Worse, compare.Better:
		sh.dot(line, at(r.Estimate.Ratio), 4, 0)
	default:
		sh.ring(line, at(r.Estimate.Ratio), 3.4, 0)
	}
}
