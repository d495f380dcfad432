package plot

import (
	"fmt"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// The bounds of what is drawn of hops. What is left out is in the table.
const (
	maxWaterfalls  = 12    // flows
	maxFalls       = 6     // cells of a figure
	fewFalls       = 2     // cells of a figure that are drawn however many flows there are
	allFalls       = 12    // cells of all figures of a kind
	maxFallRows    = 24    // of a cell
	worthDrawing   = 0.005 // of the whole; what is less in p50 and in p99 is left to the table
	waterfallLevel = 15    // points from row to row
)

// A fall is one cell in a waterfall.
type fall struct {
	name string
	way  *results.KindHops
	rows []results.HopTimes
}

// waterfalls returns a figure for each flow and kind whose hops are known.
func waterfalls(run *results.Run, labels []string) []Figure {
	var flows []string
	of := make(map[string][]int)
	for i, c := range run.Cells {
		if c.HopsOf(results.Command) == nil && c.HopsOf(results.Query) == nil {
			continue
		}
		if of[c.Flow] == nil {
			flows = append(flows, c.Flow)
		}
		of[c.Flow] = append(of[c.Flow], i)
	}
	if len(flows) > maxWaterfalls {
		return nil
	}
	var figures []Figure
	most := min(maxFalls, max(fewFalls, allFalls/max(1, len(flows))))
	for n, flow := range flows {
		for _, k := range results.Kinds() {
			var falls []fall
			for _, i := range of[flow] {
				if way := run.Cells[i].HopsOf(k); way != nil {
					falls = append(falls, fallOf(labels[i], way))
				}
			}
			if len(falls) > 0 {
				figures = append(figures, waterfall(n, flow, k, falls, most))
			}
		}
	}
	return figures
}

// fallOf chooses the hops of a cell that are worth drawing.
func fallOf(name string, way *results.KindHops) fall {
	f := fall{name: name, way: way}
	for _, h := range way.Hops {
		if h.Hist == nil || h.Hist.N() == 0 || len(f.rows) == maxFallRows {
			continue
		}
		small := func(p float64) bool {
			return float64(h.Hist.Quantile(p)) < worthDrawing*float64(way.Total.Quantile(p))
		}
		if !small(0.5) || !small(0.99) {
			f.rows = append(f.rows, h)
		}
	}
	return f
}

// waterfall draws where the time of operations of kind k of a flow, which is the
// flow number i, went in each of its cells, up to so many.
func waterfall(i int, flow string, k results.Kind, falls []fall, most int) Figure {
	left := ""
	if n := len(falls) - most; n > 0 {
		left = fmt.Sprintf(" %s more of this flow: see the table.", words.Plural(int64(n), "cell"))
		falls = falls[:most]
	}
	name := fileName(i, flow)
	title := words.Elide(words.Clean(flow), 60) + ", " + strings.ToLower(kindWord(k)) + ": where the time goes"
	var alt strings.Builder
	for _, f := range falls {
		fmt.Fprintf(&alt, "%s, %s: p50 %s, p99 %s, n = %s; ", f.name, f.way.Ends, words.QuantileOf(f.way.Total, 0.5),
			words.QuantileOf(f.way.Total, 0.99), words.Count(f.way.Total.N()))
		for _, h := range f.rows {
			fmt.Fprintf(&alt, "%s: p50 %s, p99 %s; ", words.Hop(h.Hop), words.QuantileOf(h.Hist, 0.5),
				words.QuantileOf(h.Hist, 0.99))
		}
	}
	x := fallAxis(falls)
	return Figure{
		Name: "hops-" + name + "-" + k.String(), Section: "hops", Of: name, Title: title,
		Alt: strings.TrimSuffix(alt.String(), "; ") + ".", height: fallsHeight(falls),
		Caption: "Bar: from the median of when operations come there, as long as p50; line: to p99, with an arrow " +
			"where that is beyond the scale; hollow: nobody waits for it." + left,
		paint: func(sh *sheet) {
			sh.title(title, "Blue: between parts. Green: work. Orange: waiting. Black: within a part. "+
				"Hollow: beside the way.")
			sh.falls(falls, x)
		},
	}
}

// fallAxis returns a linear axis of microseconds since due on which all medians have
// room, and p99s as far as they do not crowd them out.
func fallAxis(falls []fall) axis {
	var median, far float64
	for _, f := range falls {
		median = max(median, micros(f.way.Total.Quantile(0.5)))
		far = max(far, micros(f.way.Total.Quantile(0.99)))
		for _, h := range f.rows {
			median = max(median, micros(h.Start+h.Hist.Quantile(0.5)))
			far = max(far, micros(h.Start+h.Hist.Quantile(0.99)))
		}
	}
	a := axis{max: max(1.1*median, min(far, 2.5*median)), scale: plot.LinearScale{}, name: "since due"}
	for step := roundDown(a.max / 10); step <= a.max; step = roundUp(step * 1.001) {
		var marks []mark
		for v := 0.0; v <= a.max; v += step {
			text := "0"
			if v > 0 {
				text = round(v)
			}
			marks = append(marks, mark{v, text})
		}
		a.marks = append(a.marks, marks)
	}
	return a
}

// The room of one cell besides its rows: its name above, and the axis below.
const (
	fallHead vg.Length = 22
	fallGap  vg.Length = 12 // to the next
	fallFoot vg.Length = tickRoom + fallGap
)

func fallRows(f fall) vg.Length { return vg.Length(len(f.rows)+1) * waterfallLevel }

func fallsHeight(falls []fall) vg.Length {
	height := titleRoom + axisRoom + margin/2 - fallGap
	for _, f := range falls {
		height += fallHead + fallRows(f) + fallFoot
	}
	return height
}

// falls draws the cells below each other, on one scale.
func (sh *sheet) falls(falls []fall, x axis) {
	const most = 220
	name := textStyle{ink: text, size: labelSize, side: leftwards}
	var names []string
	for _, f := range falls {
		names = append(names, f.way.Ends)
		for _, h := range f.rows {
			names = append(names, words.Hop(h.Hop))
		}
	}
	room := sh.widest(names, name, most)
	top := sh.canvas.Max.Y - titleRoom
	for _, f := range falls {
		top -= fallHead
		p := panel{over: 20, x: x, y: shareAxis(1), area: vg.Rectangle{
			Min: vg.Point{X: margin + room + 14, Y: top - fallRows(f)},
			Max: vg.Point{X: figureWidth - margin - 2*columnRoom - 8, Y: top},
		}}
		sh.frame(p, true, false)
		head := textStyle{ink: text, size: headSize, bold: true}
		n := "n = " + words.Count(f.way.Total.N())
		columns := textStyle{ink: soft, size: labelSize, side: leftwards}
		sh.write(sh.fit(f.name, p.area.Max.X-margin-80, head), vg.Point{X: margin, Y: top + 7}, head)
		sh.write(n, vg.Point{X: p.area.Max.X, Y: top + 7}, columns)
		for i, p50 := range []string{"p50", "p99"} {
			sh.write(p50, vg.Point{X: p.area.Max.X + 8 + columnRoom*vg.Length(i+1), Y: top + 7}, columns)
		}
		y := top - waterfallLevel/2
		sh.fallRow(p, y, most, f.way.Ends, fallBar{hist: f.way.Total, ink: axisLine})
		for _, h := range f.rows {
			y -= waterfallLevel
			sh.fallRow(p, y, most, words.Hop(h.Hop), fallBar{h.Start, h.Hist, hopInk(h.Kind), h.Beside})
		}
		top -= fallRows(f) + fallFoot
	}
	sh.axisName(x.name)
}

// A fallBar is what is drawn of one row.
type fallBar struct {
	start  time.Duration
	hist   *results.Hist
	ink    ink
	hollow bool
}

// hopInk returns the ink of what happens in a hop.
func hopInk(k results.HopKind) ink {
	switch k {
	case results.HopWork:
		return green
	case results.HopLag, results.HopWait, results.HopPause, results.HopUnanswered:
		return vermillion
	case results.HopInside:
		return black
	default:
		return blue
	}
}

// fallRow draws one row: its name, its bar, and the same as figures.
func (sh *sheet) fallRow(p panel, y, most vg.Length, name string, b fallBar) {
	st := textStyle{ink: text, size: labelSize, side: leftwards}
	sh.write(sh.fit(name, most, st), vg.Point{X: p.area.Min.X - 10, Y: y - 3.5}, st)
	at := func(d time.Duration) vg.Length {
		return p.at(max(0, float64(d)/float64(time.Microsecond)), 0).X
	}
	p50, p99 := words.QuantileOf(b.hist, 0.5), words.QuantileOf(b.hist, 0.99)
	from, to, end := at(b.start), at(b.start+p50.Value), at(b.start+p99.Value)
	to = max(to, from+1)
	line := pen{ink: b.ink, width: 1.3}
	if !p99.Resolved {
		line.dashes, line.opacity = []vg.Length{3, 3}, unresolved
	}
	sh.line(line, vg.Point{X: to, Y: y}, vg.Point{X: max(end, to), Y: y})
	switch beyond := micros(b.start+p99.Value) > p.x.max; {
	case beyond:
		tip := vg.Point{X: end + 4, Y: y}
		sh.fill(b.ink, line.opacity, vg.Point{X: end - 1, Y: y + 3}, tip, vg.Point{X: end - 1, Y: y - 3})
	case end > to:
		line.dashes = nil
		sh.line(line, vg.Point{X: end, Y: y - 3}, vg.Point{X: end, Y: y + 3})
	}
	bar := vg.Rectangle{Min: vg.Point{X: from, Y: y - 4}, Max: vg.Point{X: to, Y: y + 4}}
	if !b.hollow {
		sh.box(b.ink, 0, bar)
	} else {
		sh.box(paper, 0, bar)
		sh.line(pen{ink: b.ink, width: 1}, bar.Min, vg.Point{X: to, Y: bar.Min.Y}, bar.Max,
			vg.Point{X: from, Y: bar.Max.Y}, bar.Min)
	}
	for i, q := range []words.Quantile{p50, p99} {
		value := textStyle{ink: text, size: labelSize, side: leftwards}
		if !q.Resolved {
			value.ink = soft
		}
		sh.write(q.String(), vg.Point{X: p.area.Max.X + 8 + columnRoom*vg.Length(i+1), Y: y - 3.5}, value)
	}
}
