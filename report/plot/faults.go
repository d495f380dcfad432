package plot

import (
	"fmt"
	"slices"
	"time"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// faultRows is how many rows of names of faults there are at most above a panel,
// and faultRow how high one is.
const (
	faultRows           = 2
	faultRow  vg.Length = 11
)

// A faultLabel is the name of a fault above a panel.
type faultLabel struct {
	text     string
	row      int
	from, to vg.Length
}

// befell returns the faults that were brought about in a cell, in their order.
func befell(c *results.Cell) []results.Fault {
	var all []results.Fault
	for _, f := range c.Faults {
		if !f.Absent {
			all = append(all, f)
		}
	}
	return all
}

// faultSpan returns from where to where a fault lies in a panel. One that was not
// undone lasts to its end.
func (p panel) faultSpan(f results.Fault) (from, to vg.Length) {
	end := p.x.max
	if f.Heal > f.Begin {
		end = f.Heal.Seconds()
	}
	return p.at(f.Begin.Seconds(), p.y.min).X, p.at(end, p.y.min).X
}

// faultLabels lays out the names of the faults of a cell above its panel, with
// what came of them where there is room for it, and shorter where there is not.
func (r ruler) faultLabels(p panel, c *results.Cell) []faultLabel {
	faults := befell(c)
	var labels []faultLabel
	for _, name := range []func(i int, f results.Fault) string{
		func(_ int, f results.Fault) string { return words.Fault(f) + ": " + words.FaultOutcome(f) },
		func(_ int, f results.Fault) string { return words.Fault(f) },
		func(_ int, f results.Fault) string { return words.Clean(f.What) },
		func(i int, _ results.Fault) string { return fmt.Sprint(i + 1) },
	} {
		labels = labels[:0]
		for i, f := range faults {
			if l, ok := r.faultLabel(p, f, name(i, f), labels); ok {
				labels = append(labels, l)
			}
		}
		if len(labels) == len(faults) {
			break
		}
	}
	return labels
}

// faultLabel finds room for the name of one fault beside those that are there:
// over its middle, but within the panel.
func (r ruler) faultLabel(p panel, f results.Fault, name string, there []faultLabel) (faultLabel, bool) {
	w := r.width(name, textStyle{size: tickSize})
	begin, end := p.faultSpan(f)
	from := min(max((begin+end-w)/2, p.area.Min.X), p.area.Max.X-w)
	l := faultLabel{text: name, from: from, to: from + w}
	if from < p.area.Min.X {
		return l, false
	}
	for ; l.row < faultRows; l.row++ {
		if !slices.ContainsFunc(there, func(o faultLabel) bool {
			return o.row == l.row && l.from < o.to+8 && o.from < l.to+8
		}) {
			return l, true
		}
	}
	return l, false
}

// faultRoom returns the room that the names of faults need above the panels of a
// grid, and whether in some there are numbers instead.
func faultRoom(cells []*results.Cell, spec gridSpec, x axis) (room vg.Length, numbered bool) {
	g, _ := newGrid(spec)
	p := panel{area: g.area(0), x: x, y: shareAxis(1)}
	rows, r := 0, newRuler()
	for _, c := range cells {
		labels := r.faultLabels(p, c)
		for _, l := range labels {
			rows = max(rows, l.row+1)
		}
		numbered = numbered || len(labels) > 0 && labels[0].text == "1"
	}
	return vg.Length(rows) * faultRow, numbered
}

// faultBands hatches the times in which something was made to go wrong.
func (sh *sheet) faultBands(p panel, c *results.Cell) {
	for _, f := range befell(c) {
		r := p.area
		r.Min.X, r.Max.X = p.faultSpan(f)
		sh.hatch(r)
	}
}

// faultNames writes above a panel what was made to go wrong.
func (sh *sheet) faultNames(p panel, c *results.Cell) {
	for _, l := range sh.faultLabels(p, c) {
		at := vg.Point{X: l.from, Y: p.area.Max.Y + 3.5 + vg.Length(l.row)*faultRow}
		sh.write(l.text, at, textStyle{ink: soft, size: tickSize})
	}
}

// hatch fills a rectangle with slanted lines, which are seen by those who do not
// see a tint, between two upright ones.
func (sh *sheet) hatch(r vg.Rectangle) {
	const pitch = 5
	sh.box(shade, 0, r)
	edge := pen{ink: axisLine, width: 0.8}
	w, h := r.Max.X-r.Min.X, r.Max.Y-r.Min.Y
	var path vg.Path
	for d := vg.Length(pitch); d < w+h; d += pitch {
		path.Move(vg.Point{X: r.Min.X + max(0, d-h), Y: r.Min.Y + min(d, h)})
		path.Line(vg.Point{X: r.Min.X + min(d, w), Y: r.Min.Y + max(0, d-w)})
	}
	if len(path) > 0 {
		sh.canvas.SetLineStyle(pen{ink: rest, width: 0.5}.style())
		sh.canvas.Stroke(path)
	}
	sh.line(edge, r.Min, vg.Point{X: r.Min.X, Y: r.Max.Y})
	sh.line(edge, vg.Point{X: r.Max.X, Y: r.Min.Y}, r.Max)
}

// faultMarks marks when clients noticed a fault with a ring, and when all was well
// again with a dot.
func (sh *sheet) faultMarks(p panel, c *results.Cell) {
	upright := func(seconds float64, dashes ...vg.Length) vg.Point {
		top := p.at(seconds, p.y.max)
		sh.line(pen{ink: text, width: 1, dashes: dashes}, p.at(seconds, p.y.min), top)
		return vg.Point{X: top.X, Y: top.Y - 4}
	}
	for _, f := range befell(c) {
		noticed, well := faultMoments(f)
		if well > 0 {
			at := upright(well.Seconds())
			sh.dot(text, vg.Point{X: at.X, Y: at.Y - 8}, 3.4, 0) // lower, so that none hides the other
		}
		if noticed > 0 {
			sh.ring(text, upright(noticed.Seconds(), 2, 2), 2.8, 0)
		}
	}
}

// faultMoments returns when clients noticed a fault and when all was well again, since
// the load began; 0 for what nobody saw.
func faultMoments(f results.Fault) (noticed, well time.Duration) {
	r := f.Recovery
	if r == nil || f.Effect == "" {
		return 0, 0
	}
	if words.Noticed(f) {
		noticed = f.Begin + r.Detect.After
	}
	if r.Recover.Seen && f.Heal > f.Begin {
		well = f.Heal + r.Recover.After
	}
	return noticed, well
}

// anyFaults reports whether something was brought about in any of the cells.
func anyFaults(cells []*results.Cell) bool {
	return slices.ContainsFunc(cells, func(c *results.Cell) bool { return len(befell(c)) > 0 })
}

// faultHint says in the line below a title how faults are shown.
const faultHint = "; faults hatched, ring: noticed, dot: well again"

// faultCaption says the same below the figure.
func faultCaption(numbered bool) string {
	s := " Faults are hatched from when they began until they were undone; a ring on a dashed line is when clients " +
		"noticed, a dot on a line is when all was well again."
	return s + faultNumbers(numbered)
}

// faultNumbers says what numbers stand for where faults are numbered.
func faultNumbers(numbered bool) string {
	if !numbered {
		return ""
	}
	return " Where there is no room for their names, faults of a cell are numbered in the order in which they began."
}
