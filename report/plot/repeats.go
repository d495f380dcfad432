package plot

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// repeats draws what each repeat of each cell measured: a row for each cell, on it a
// dot for the median and a ring for the 99th percentile of every repeat. How wide a
// row's dots are apart is how far a single run is to be trusted.
func repeats(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	var rows []series
	var names []string
	var extent span
	var alts strings.Builder
	for _, s := range seriesOf(run, labels, k) {
		if len(s.cell.Observations) == 0 {
			continue
		}
		rows, names = append(rows, s), append(names, s.name)
		for _, p := range repeatQuantiles() {
			r := words.RangeOf(s.cell, k, s.stage, p)
			fmt.Fprintf(&alts, "%s: %s of %s from %s to %s. ", s.name, words.Percentile(p),
				words.Plural(int64(r.N), "repeat"), words.Duration(r.Lowest), words.Duration(r.Highest))
			extent.add(micros(r.Lowest))
			extent.add(micros(r.Highest))
		}
	}
	if len(rows) == 0 {
		return Figure{}, false
	}
	title := kindWord(k) + ": what each repeat measured"
	dot := "dot"
	if run.Simulated {
		dot = "square" // see quantileMark
	}
	return Figure{
		Name: "repeats-" + k.String(), Section: "repeats", Title: title,
		Caption: fmt.Sprintf("%s, latency %s. Each %s is the median of one repeat and each ring its 99th "+
			"percentile: cells whose %ss overlap are not told apart by one run. Faint rings have fewer than 10 "+
			"samples beyond them.",
			kindWord(k), toStage(rows), dot, dot),
		Alt: alts.String(), height: intervalHeight(len(rows)),
		paint: func(sh *sheet) {
			sh.title(title, "Latency "+toStage(rows)+", one mark for each repeat")
			sh.repeats(rows, names, k, latencyAxis(extent))
		},
	}, true
}

func repeatQuantiles() []float64 { return []float64{0.5, 0.99} }

// repeats draws the rows below the title, with the ranges as figures beside them.
func (sh *sheet) repeats(rows []series, names []string, k results.Kind, x axis) {
	const most, column = 230, 118
	name := textStyle{ink: text, size: labelSize, side: leftwards}
	room := sh.widest(names, name, most)
	top := sh.canvas.Max.Y - titleRoom - keyRoom
	right := figureWidth - margin - 2*column
	p := panel{over: 20, x: x, y: shareAxis(1), area: vg.Rectangle{
		Min: vg.Point{X: margin + room + 14, Y: top - vg.Length(len(rows))*rowPitch - 8},
		Max: vg.Point{X: right, Y: top},
	}}
	sh.frame(p, true, false)
	sh.write(x.name, vg.Point{X: right, Y: margin / 2}, textStyle{ink: soft, size: labelSize, side: leftwards})
	key := textStyle{ink: soft, size: labelSize, side: leftwards}
	for i, q := range repeatQuantiles() {
		end := right + column*vg.Length(i+1)
		word := words.Percentile(q) + " from … to"
		sh.write(word, vg.Point{X: end, Y: top + 5}, key)
		sh.quantileMark(i, blue, vg.Point{X: end - sh.width(word, key) - 9, Y: top + 8.5}, 0)
	}
	for i, r := range rows {
		y := top - 4 - rowPitch*(vg.Length(i)+0.5)
		st := name
		if !r.cell.Valid {
			st.ink = soft
		}
		sh.line(pen{ink: gridLine, width: 0.7}, vg.Point{X: p.area.Min.X, Y: y}, vg.Point{X: p.area.Max.X, Y: y})
		sh.write(sh.fit(r.name, most, st), vg.Point{X: p.area.Min.X - 10, Y: y - 3.5}, st)
		for j, q := range repeatQuantiles() {
			span := words.RangeOf(r.cell, k, r.stage, q)
			value := textStyle{ink: text, size: labelSize, side: leftwards}
			if !span.Resolved {
				value.ink = soft
			}
			sh.write(span.String(), vg.Point{X: right + column*vg.Length(j+1), Y: y - 3.5}, value)
			sh.repeatMarks(p, r, k, j, q, y)
		}
	}
}

// repeatMarks draws the mark of one quantile for every repeat of a row.
func (sh *sheet) repeatMarks(p panel, r series, k results.Kind, i int, q float64, y vg.Length) {
	for _, o := range r.cell.Observations {
		h := o.LatencyOf(k, r.stage)
		if h == nil {
			continue
		}
		c, opacity := blue, 0.7
		if !o.Valid {
			c = axisLine
		}
		if !h.Resolved(q) {
			opacity = unresolved
		}
		sh.quantileMark(i, c, vg.Point{X: p.at(micros(h.Quantile(q)), 0).X, Y: y}, opacity)
	}
}
