package plot

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// intervals draws a row for each cell, fastest first: the median, the 99th and
// the 99.9th percentile on one scale, and the same as figures beside them. The
// figures for commands and for queries share their scale.
func intervals(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	all := seriesOf(run, labels, k)
	if len(all) == 0 {
		return Figure{}, false
	}
	quantiles := []float64{0.5, 0.99, 0.999}
	var extent span
	var names []string
	for _, kind := range results.Kinds() {
		for _, s := range seriesOf(run, labels, kind) {
			names = append(names, s.name)
			for _, p := range quantiles {
				extent.add(micros(s.hist.Quantile(p)))
			}
		}
	}
	return Figure{
		Name: "intervals-" + k.String(), Section: "intervals",
		Title: kindWord(k) + ": how long they take",
		Caption: fmt.Sprintf("%s, latency %s, sorted by p99; further left is better. The figures for commands and "+
			"queries share one scale. Values in parentheses have fewer than 10 samples beyond them.%s",
			kindWord(k), toStage(all), missing(run, labels, k)),
		Alt: alt(all), height: intervalHeight(len(all)),
		Chart: rowsChart(run, all, quantiles, latencyAxis(extent)),
		paint: func(sh *sheet) {
			sh.title(kindWord(k)+": how long they take", "Latency "+toStage(all)+", fastest p99 first")
			sh.intervals(rowsOf(all, quantiles), names, latencyAxis(extent))
		},
	}, true
}

// missing names the cells that have no sample of kind k although their load has
// such operations.
func missing(run *results.Run, labels []string, k results.Kind) string {
	var names []string
	for i, c := range run.Cells {
		share := c.Load.CommandShare
		if k == results.Query {
			share = 1 - share
		}
		if _, h := words.End(c, k); h == nil && share > 0 {
			names = append(names, labels[i])
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " Without any sample, and so not shown: " + words.List(names) + "."
}

// sendLag draws how late operations started, for each cell.
func sendLag(run *results.Run, labels []string) (Figure, bool) {
	all := lagSeries(run, labels)
	if len(all) == 0 {
		return Figure{}, false
	}
	var extent span
	quantiles := []float64{0.5, 0.99, 1}
	var text string
	var names []string
	for _, s := range all {
		names = append(names, s.name)
		for _, p := range quantiles {
			extent.add(micros(s.hist.Quantile(p)))
		}
		text += fmt.Sprintf("%s: p50 %s, p99 %s, max %s, n = %s. ", s.name, words.QuantileOf(s.hist, 0.5),
			words.QuantileOf(s.hist, 0.99), words.Duration(s.hist.Max()), words.Count(s.hist.N()))
	}
	const title = "Send lag: did the generator keep up?"
	return Figure{
		Name: "send-lag", Section: "send-lag", Title: title, Alt: text, height: intervalHeight(len(all)),
		Caption: "Time from when an operation was due to when its client took it up. It is part of every latency " +
			"above. " +
			"Where it is a large part, the figures are the generator's and not the flow's.",
		Chart: rowsChart(run, all, quantiles, lagAxis(extent)),
		paint: func(sh *sheet) {
			sh.title(title, "Time from due to started, smallest p99 first")
			sh.intervals(rowsOf(all, quantiles), names, lagAxis(extent))
		},
	}, true
}

// lagSeries returns the cells that have a send lag.
func lagSeries(run *results.Run, labels []string) []series {
	var all []series
	for i, c := range run.Cells {
		if c.SendLag != nil && c.SendLag.N() > 0 {
			all = append(all, series{cell: c, name: labels[i], hist: c.SendLag})
		}
	}
	return all
}

// A row is one line of an interval plot.
type row struct {
	name   string
	n      int64
	faint  bool // the cell is not valid
	values []words.Quantile
}

// rowsOf returns the rows in the order of their second quantile, then by name.
func rowsOf(all []series, quantiles []float64) []row {
	rows := inOrder(all, quantiles)
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.values[1].Value, b.values[1].Value), cmp.Compare(a.name, b.name))
	})
	return rows
}

// The measures of an interval plot.
const (
	rowPitch   vg.Length = 23
	columnRoom vg.Length = 58 // of a column of figures
	keyRoom    vg.Length = 20 // above the rows, for the heads of the columns
)

func intervalHeight(rows int) vg.Length {
	return titleRoom + keyRoom + vg.Length(rows)*rowPitch + 8 + tickRoom + axisRoom + margin/2
}

// intervals draws rows below the title. Names stand left of the scale and values
// right of it, in columns, so neither can meet a mark or another label. The room
// for names is that of all names given, so that figures with the same names and
// the same scale can be read one below the other.
func (sh *sheet) intervals(rows []row, names []string, x axis) {
	name := textStyle{ink: text, size: labelSize, side: leftwards}
	const most = 230
	room := sh.widest(names, name, most)
	columns := vg.Length(len(rows[0].values) + 1)
	top := sh.canvas.Max.Y - titleRoom - keyRoom
	p := panel{over: 20, x: x, y: shareAxis(1), area: vg.Rectangle{
		Min: vg.Point{X: margin + room + 14, Y: top - vg.Length(len(rows))*rowPitch - 8},
		Max: vg.Point{X: figureWidth - margin - columns*columnRoom, Y: top},
	}}
	sh.frame(p, true, false)
	sh.write(x.name, vg.Point{X: p.area.Max.X, Y: margin / 2}, textStyle{ink: soft, size: labelSize, side: leftwards})
	sh.intervalKey(rows[0].values, p.area.Max.X, top)
	for i, r := range rows {
		y := top - 4 - rowPitch*(vg.Length(i)+0.5)
		st := name
		if r.faint {
			st.ink = soft
		}
		sh.line(pen{ink: gridLine, width: 0.7}, vg.Point{X: p.area.Min.X, Y: y}, vg.Point{X: p.area.Max.X, Y: y})
		sh.write(sh.fit(r.name, most, st), vg.Point{X: p.area.Min.X - 10, Y: y - 3.5}, st)
		sh.interval(p, r, y)
		sh.values(r, p.area.Max.X, y-3.5)
	}
}

// intervalKey writes the heads of the columns, each with the mark that shows its
// quantile.
func (sh *sheet) intervalKey(values []words.Quantile, left, top vg.Length) {
	st := textStyle{ink: soft, size: labelSize, side: leftwards}
	for i, q := range values {
		right := left + columnRoom*vg.Length(i+1)
		sh.write(words.Percentile(q.P), vg.Point{X: right, Y: top + 5}, st)
		at := vg.Point{X: right - sh.width(words.Percentile(q.P), st) - 9, Y: top + 8.5}
		sh.quantileMark(i, blue, at, 0)
	}
	sh.write("n", vg.Point{X: left + columnRoom*vg.Length(len(values)+1), Y: top + 5}, st)
}

// quantileMark draws the mark of the ith quantile: a dot, or a hollow square where it
// was simulated; a ring; a bar.
func (sh *sheet) quantileMark(i int, c ink, at vg.Point, opacity float64) {
	switch {
	case i == 0 && sh.simulated:
		sh.mark(c, at, marker{4, math.Pi / 4}, true)
	case i == 0:
		sh.dot(c, at, 4, opacity)
	case i == 1:
		sh.ring(c, at, 3.6, opacity)
	default:
		sh.line(
			pen{ink: c, width: 1.6, opacity: opacity},
			vg.Point{X: at.X, Y: at.Y - 5},
			vg.Point{X: at.X, Y: at.Y + 5},
		)
	}
}

// interval draws the marks of one row. Lines come first, so that no mark is
// crossed.
func (sh *sheet) interval(p panel, r row, y vg.Length) {
	c := blue
	if r.faint {
		c = axisLine
	}
	at := func(i int) vg.Point { return vg.Point{X: p.at(micros(r.values[i].Value), 0).X, Y: y} }
	opacity := func(i int) float64 {
		if r.values[i].Resolved {
			return 0
		}
		return unresolved
	}
	for i := 1; i < len(r.values); i++ {
		line := pen{ink: c, width: 2.6, opacity: opacity(i)}
		if i > 1 {
			line.width = 1.2
		}
		if !r.values[i].Resolved {
			line.dashes = []vg.Length{3, 3}
		}
		sh.line(sh.drawn(line), at(i-1), at(i))
	}
	for i := len(r.values) - 1; i >= 0; i-- {
		sh.quantileMark(i, c, at(i), opacity(i))
	}
}

// values writes the figures of one row.
func (sh *sheet) values(r row, left, y vg.Length) {
	for i, q := range r.values {
		st := textStyle{ink: text, size: labelSize, side: leftwards}
		if !q.Resolved || r.faint {
			st.ink = soft
		}
		sh.write(q.String(), vg.Point{X: left + columnRoom*vg.Length(i+1), Y: y}, st)
	}
	n := textStyle{ink: soft, size: labelSize, side: leftwards}
	sh.write(words.Count(r.n), vg.Point{X: left + columnRoom*vg.Length(len(r.values)+1), Y: y}, n)
}
