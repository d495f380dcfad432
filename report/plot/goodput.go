package plot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// A flowing is what flowed in one cell, in windows of equal width.
type flowing struct {
	cell    *results.Cell
	name    string
	due     []float64 // operations due, per second
	done    []float64 // operations that ended ok
	bad     []float64 // operations that ended otherwise
	backlog []float64 // commands, where a window had most
}

// A flowScale is what all panels of goodput share.
type flowScale struct {
	x, rate, backlog axis // backlog ends at 0 where there is none
	width            float64
	cut              bool // some rates are beyond theirs
}

// goodput draws for each cell with a timeline what was due and what ended ok or
// otherwise in each second, and below it the backlog of commands.
func goodput(run *results.Run, labels []string) (Figure, bool) {
	all, bins := flowings(run, labels)
	if len(all) == 0 {
		return Figure{}, false
	}
	spec := gridSpec{n: len(all), height: 104, left: 46, head: 20, most: 4}
	if len(all) == 1 {
		spec.height = 210
	}
	x := timeAxis(results.BinWidth.Seconds() * float64(bins))
	cells := make([]*results.Cell, len(all))
	for i, f := range all {
		cells[i] = f.cell
	}
	var numbered bool
	spec.lift, numbered = faultRoom(cells, spec, x)
	g, height := newGrid(spec)
	perWindow := windowBins(bins, 280/g.columns)
	for i := range all {
		all[i].fill(perWindow)
	}
	scale := flowScaleOf(all, x, float64(perWindow)*results.BinWidth.Seconds())
	const title = "Goodput and backlog over time"
	return Figure{
		Chart: flowChart(run, all, x, bins),
		Name:  "goodput", Section: "faults", Title: title, Alt: flowAlt(all), height: height,
		Caption: goodputCaption(scale) + faultCaption(numbered),
		paint: func(sh *sheet) {
			sh.title(fmt.Sprintf("%s, in windows of %s", title,
				words.Span(time.Duration(perWindow)*results.BinWidth)), "")
			sh.flowKey(scale.backlog.max > 0)
			for i, f := range all {
				sh.flow(g, i, f, scale)
			}
			sh.axisName("seconds since the load began")
		},
	}, true
}

// flowChart returns the chart of goodput, in windows as short as all cells together
// may have.
func flowChart(run *results.Run, all []flowing, x axis, bins int) *Chart {
	perWindow := windowBins(bins, perCell(len(all)))
	width := float64(perWindow) * results.BinWidth.Seconds()
	fine := make([]flowing, len(all))
	for i, f := range all {
		fine[i] = flowing{cell: f.cell, name: f.name}
		fine[i].fill(perWindow)
	}
	scale := flowScaleOf(fine, x, width)
	c := &Chart{
		Kind: "flow", X: x.scaleAs("linear", "s"), Y: scale.rate.scaleAs("linear", "per_s"), Width: width,
		Simulated: run.Simulated,
	}
	for _, f := range fine {
		c.Series = append(c.Series, ChartSeries{
			Cell: slices.Index(run.Cells, f.cell), Name: f.name, N: f.cell.Counts.Due, Faint: !f.cell.Valid,
			Values: []json.Marshaler{digits(f.due), digits(f.done), digits(f.bad), wholes(f.backlog)},
		})
	}
	return c
}

// flowings returns the cells that have a timeline, and the number of bins of the
// longest.
func flowings(run *results.Run, labels []string) (all []flowing, bins int) {
	for i, c := range run.Cells {
		if c.Timeline == nil || len(c.Timeline.Due) == 0 {
			continue
		}
		all, bins = append(all, flowing{cell: c, name: words.Doubted(labels[i], c)}), max(bins, len(c.Timeline.Due))
	}
	return all, bins
}

// windowBins returns how many bins are drawn as one so that there are no more
// than most windows.
func windowBins(bins, most int) int {
	for _, n := range []int{1, 2, 5, 10, 20, 40, 100, 200, 600, 1200} {
		if bins <= n*most {
			return n
		}
	}
	return (bins + most - 1) / most
}

// fill adds up the bins of the timeline in windows of n.
func (f *flowing) fill(n int) {
	l := f.cell.Timeline
	at := func(s []int32, i int) int64 {
		if i < len(s) {
			return int64(s[i])
		}
		return 0
	}
	var depth int64
	for i := 0; i < len(l.Due); i += n {
		var due, done, bad, longest int64
		last := min(i+n, len(l.Due))
		for b := i; b < last; b++ {
			due, done, bad = due+at(l.Due, b), done+at(l.Done, b), bad+at(l.Bad, b)
			depth += at(l.Told, b) - at(l.Applied, b)
			longest = max(longest, depth)
		}
		seconds := float64(last-i) * results.BinWidth.Seconds()
		f.due, f.done = append(f.due, float64(due)/seconds), append(f.done, float64(done)/seconds)
		f.bad, f.backlog = append(f.bad, float64(bad)/seconds), append(f.backlog, float64(longest))
	}
}

// mostRate is how many times the offered rate the scale reaches at most: what
// comes all at once after an outage would flatten everything else.
const mostRate = 3

// flowScaleOf returns the scale that shows all of the cells.
func flowScaleOf(all []flowing, x axis, width float64) flowScale {
	var due, most, longest float64
	for _, f := range all {
		due = max(due, slices.Max(f.due))
		most = max(most, slices.Max(f.due), slices.Max(f.done), slices.Max(f.bad))
		longest = max(longest, slices.Max(f.backlog))
	}
	scale := flowScale{x: x, width: width, backlog: shareAxis(0), cut: due > 0 && most > mostRate*due}
	if scale.cut {
		most = mostRate * due
	}
	scale.rate = countAxis(max(most, 1))
	if longest > 0 {
		scale.backlog = countAxis(longest)
	}
	return scale
}

// countAxis returns a linear axis from 0 to at least hi.
func countAxis(hi float64) axis {
	a := axis{min: 0, max: hi * 1.08, scale: plot.LinearScale{}}
	for _, parts := range []float64{8, 4, 2, 1} {
		step := max(1, roundUp(hi/parts*0.999))
		var marks []mark
		for v := 0.0; v <= a.max; v += step {
			marks = append(marks, mark{v, words.Count(int64(v))})
		}
		if len(marks) > 1 {
			a.marks = append(a.marks, marks)
		}
	}
	if len(a.marks) == 0 {
		a.marks = [][]mark{{{0, "0"}}}
	}
	return a
}

// goodputCaption says how to read the figure.
func goodputCaption(scale flowScale) string {
	s := "Operations per second: those due, those that ended ok, whenever they were due, and those that ended " +
		"otherwise, on one scale for all cells."
	if scale.backlog.max > 0 {
		s += " The backlog is the commands that were acknowledged and not yet applied."
	}
	if scale.cut {
		s += fmt.Sprintf(" Rates beyond %d times the highest offered one are cut off.", mostRate)
	}
	return s + " The warm-up is shaded."
}

// flowAlt says what came of each fault.
func flowAlt(all []flowing) string {
	var b strings.Builder
	for _, flow := range all {
		for _, f := range flow.cell.Faults {
			fmt.Fprintf(&b, "%s: %s, %s", flow.name, words.Fault(f), words.FaultOutcome(f))
			if r := f.Recovery; r != nil {
				fmt.Fprintf(&b, ", %s of %s not ok, p99 before it %s", words.Count(r.Bad),
					words.Plural(r.Offered, "operation"), words.Duration(r.BaseP99))
			}
			b.WriteString(". ")
		}
	}
	return b.String()
}

// How the lines of goodput look: by colour for those who see it, and by weight
// and dashes for everybody.
func duePen() pen  { return pen{ink: axisLine, width: 1} }
func donePen() pen { return pen{ink: blue, width: 1.7} }
func badPen() pen  { return pen{ink: vermillion, width: 1.4, dashes: []vg.Length{4, 2}} }

// backlogOpacity is that of the area of the backlog.
const backlogOpacity = 0.7

// flowKey writes in the line below the title what the lines and marks stand for,
// each beside a sample of it.
func (sh *sheet) flowKey(backlog bool) {
	const sample, gap = 18, 13
	st := textStyle{ink: soft, size: labelSize}
	at := vg.Point{X: margin, Y: sh.canvas.Max.Y - 34}
	word := func(s string) {
		sh.write(s, vg.Point{X: at.X + sample + 4, Y: at.Y}, st)
		at.X += sample + 4 + sh.width(s, st) + gap
	}
	across := func(p pen) {
		sh.line(p, vg.Point{X: at.X, Y: at.Y + 3.5}, vg.Point{X: at.X + sample, Y: at.Y + 3.5})
	}
	square := func() vg.Rectangle {
		return vg.Rectangle{Min: vg.Point{X: at.X, Y: at.Y - 2}, Max: vg.Point{X: at.X + sample, Y: at.Y + 8}}
	}
	middle := func() vg.Point { return vg.Point{X: at.X + sample/2, Y: at.Y + 3.5} }
	sh.write("Per second:", at, st)
	at.X += sh.width("Per second:", st) + 6
	across(duePen())
	word("due")
	across(donePen())
	word("ended ok")
	across(badPen())
	word("ended otherwise")
	if backlog {
		sh.box(purple, backlogOpacity, square())
		word("backlog, below")
	}
	sh.hatch(square())
	word("fault")
	sh.ring(text, middle(), 2.8, 0)
	word("noticed")
	sh.dot(text, middle(), 3.4, 0)
	word("well again")
}

// flow draws panel i of a grid: rates, and below them the backlog.
func (sh *sheet) flow(g grid, i int, f flowing, scale flowScale) {
	upper := panel{over: 6, area: g.area(i), x: scale.x, y: scale.rate}
	backlog := scale.backlog.max > 0
	if backlog {
		lower := upper
		lower.y = scale.backlog
		lower.area.Max.Y = lower.area.Min.Y + 0.27*lower.area.Size().Y
		upper.area.Min.Y = lower.area.Max.Y + 9
		sh.warmup(lower, f.cell)
		sh.faultBands(lower, f.cell)
		sh.frame(lower, g.lowest(i), g.leftmost(i))
		area := steps(lower, f.backlog, scale.width)
		from, to := area[0].X, area[len(area)-1].X
		sh.fill(purple, backlogOpacity, append(area, vg.Point{X: to, Y: lower.area.Min.Y},
			vg.Point{X: from, Y: lower.area.Min.Y})...)
	}
	sh.warmup(upper, f.cell)
	sh.faultBands(upper, f.cell)
	sh.frame(upper, g.lowest(i) && !backlog, g.leftmost(i))
	sh.faultNames(upper, f.cell)
	sh.panelTitle(upper, g, f.name)
	sh.line(duePen(), steps(upper, f.due, scale.width)...)
	sh.line(donePen(), steps(upper, f.done, scale.width)...)
	if slices.Max(f.bad) > 0 {
		sh.line(badPen(), steps(upper, f.bad, scale.width)...)
	}
	sh.faultMarks(upper, f.cell)
}

// steps returns the outline of values in windows of a width in seconds: between
// two of them there is nothing to interpolate.
func steps(p panel, values []float64, width float64) []vg.Point {
	points := make([]vg.Point, 0, 2*len(values))
	for i, v := range values {
		points = append(points, p.at(float64(i)*width, v), p.at(float64(i+1)*width, v))
	}
	return thin(points)
}
