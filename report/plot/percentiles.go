package plot

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// percentiles draws the latency of each cell at every percentile, with as much
// room for each further nine as for the one before: tails are where flows differ.
func percentiles(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	all := seriesOf(run, labels, k)
	if len(all) == 0 {
		return Figure{}, false
	}
	var extent span
	var most int64
	for _, s := range all {
		most = max(most, s.hist.N())
		extent.add(micros(s.hist.Quantile(0.01)))
		extent.add(micros(s.hist.Max()))
	}
	groups := facets(all)
	spec := gridSpec{n: len(groups), height: 235, left: 46, right: 1, head: 18, most: 2}
	switch {
	case len(groups) == 1:
		spec.height, spec.head = 290, 6
	case len(groups[0].curves) == 1:
		spec.height, spec.right, spec.most = 118, 0, 4
	}
	if spec.right > 0 {
		spec.right = endRoom(groups)
	}
	g, height := newGrid(spec)
	title := kindWord(k) + ": latency by percentile"
	return Figure{
		Chart: curvesChart(run, all, groups, ninesAxis(most), latencyAxis(extent)),
		Name:  "percentiles-" + k.String(), Section: "percentiles", Title: title, Alt: alt(all), height: height,
		Caption: fmt.Sprintf(
			"%s, latency %s. Each mark to the right has a tenth as many operations beyond it; a curve "+
				"that stays low to the right has no tail. The faint end of a curve has fewer than 10 samples "+
				"beyond it.",
			kindWord(k),
			toStage(all),
		),
		paint: func(sh *sheet) {
			sh.title(title, "Latency "+toStage(all)+"; faint where fewer than 10 samples lie beyond")
			for i, group := range groups {
				p := panel{over: 6, area: g.area(i), x: ninesAxis(most), y: latencyAxis(extent)}
				sh.frameAround(p, g, i, group.title)
				sh.curves(p, group, spec.right)
			}
			sh.axisName("percentile of operations")
		},
	}, true
}

// curveSteps is how many steps a curve has from its first percentile to its last.
const curveSteps = 160

// curvesChart returns the chart of percentile curves.
func curvesChart(run *results.Run, all []series, groups []facet, x, y axis) *Chart {
	x.name = "percentile of operations"
	c := &Chart{
		Kind: "curves", X: x.scaleAs("nines", "nines"), Y: y.latencyScale(), Simulated: run.Simulated,
		Series: charted(run, all, func(_ int, s series) []json.Marshaler {
			var d digits
			for _, v := range alongQuantiles(s.hist, curveSteps) {
				d = append(d, micros(v))
			}
			return []json.Marshaler{d}
		}),
	}
	for _, g := range groups {
		p := ChartPanel{Title: g.title}
		for i, curve := range g.curves {
			p.Series = append(p.Series, slices.IndexFunc(all, func(s series) bool { return s.cell == curve.cell }))
			p.Hues = append(p.Hues, g.hues[i])
		}
		c.Panels = append(c.Panels, p)
	}
	return c
}

// endRoom returns the room that the names at the ends of curves need.
func endRoom(groups []facet) vg.Length {
	var names []string
	for _, g := range groups {
		for _, c := range g.curves {
			names = append(names, c.name)
		}
	}
	return newRuler().widest(names, textStyle{size: labelSize}, 135) + endGap + 2
}

// endGap is how far from its panel the name of a curve stands.
const endGap vg.Length = 14

// frameAround draws the frame and the title of panel i of a grid.
func (sh *sheet) frameAround(p panel, g grid, i int, title string) {
	sh.frame(p, g.lowest(i), g.leftmost(i))
	sh.panelTitle(p, g, title)
}

// panelTitle writes the title of a panel above it.
func (sh *sheet) panelTitle(p panel, g grid, title string) {
	st := textStyle{ink: text, size: headSize, bold: true}
	room := g.dx - 8
	sh.write(sh.fit(title, room, st), vg.Point{X: p.area.Min.X, Y: p.area.Max.Y + 6 + g.lift}, st)
}

// A facet is what one panel shows: curves with hues and names, and others in
// grey to compare them with.
type facet struct {
	title  string
	curves []curve
	hues   []int // of the curves
	grey   []series
}

// A curve is a series with its hue and the name at its end.
type curve struct {
	series
	hue  hue
	name string
}

// facets spreads the cells over panels: one panel for up to five cells, else one
// for each broker if its flows can be told apart, else one for each cell.
func facets(all []series) []facet {
	if len(all) <= maxHues {
		var f facet
		for i, s := range all {
			f.curves, f.hues = append(f.curves, curve{s, hueOf(i), s.name}), append(f.hues, i)
		}
		return []facet{f}
	}
	if groups := byBroker(all); groups != nil {
		return groups
	}
	var groups []facet
	for i, s := range all {
		grey := slices.Concat(all[:i], all[i+1:])
		groups = append(groups, facet{s.name, []curve{{s, hueOf(0), ""}}, []int{0}, grey})
	}
	return groups
}

// byBroker returns a panel for each broker, with a hue for each flow. Flows
// without a broker are in every panel. It returns nil where that leaves curves
// that cannot be told apart, or a single panel.
func byBroker(all []series) []facet {
	var brokers, flows []string
	for _, s := range all {
		if s.cell.Broker != "" && !slices.Contains(brokers, s.cell.Broker) {
			brokers = append(brokers, s.cell.Broker)
		}
		if !slices.Contains(flows, s.cell.Flow) {
			flows = append(flows, s.cell.Flow)
		}
	}
	if len(brokers) < 2 || len(flows) > maxHues {
		return nil
	}
	var groups []facet
	for _, b := range brokers {
		f := facet{title: "on " + words.Clean(b)}
		seen := make(map[string]bool)
		for _, s := range all {
			if s.cell.Broker != b && s.cell.Broker != "" {
				continue
			}
			if seen[s.cell.Flow] {
				return nil
			}
			seen[s.cell.Flow] = true
			name := words.Clean(s.cell.Flow)
			if s.stage != results.AnsweredStage {
				name += " (" + s.stage.String() + ")"
			}
			hue := slices.Index(flows, s.cell.Flow)
			f.curves, f.hues = append(f.curves, curve{s, hueOf(hue), words.Doubted(name, s.cell)}), append(f.hues, hue)
		}
		groups = append(groups, f)
	}
	return groups
}

// curves draws the curves of one panel and their names at their ends.
func (sh *sheet) curves(p panel, f facet, room vg.Length) {
	for _, s := range f.grey {
		solid, tail := quantileCurve(p, s.hist, 30)
		sh.line(pen{ink: rest, width: 0.8}, append(solid, tail...)...)
	}
	var ends []vg.Length
	var last []vg.Point
	for _, c := range f.curves {
		solid, tail := quantileCurve(p, c.hist, curveSteps)
		sh.line(sh.drawn(pen{ink: c.hue.line, width: 2, dashes: c.hue.dashes}), solid...)
		if len(solid) > 0 {
			tail = append([]vg.Point{solid[len(solid)-1]}, tail...)
		}
		sh.line(pen{ink: c.hue.line, width: 1.1, opacity: unresolved}, tail...)
		end := tail[len(tail)-1]
		ends, last = append(ends, end.Y), append(last, end)
	}
	heights := spread(ends, 13, p.area.Min.Y+4, p.area.Max.Y-4)
	for i, c := range f.curves {
		if c.name == "" {
			continue
		}
		st := textStyle{ink: c.hue.label, size: labelSize}
		at := vg.Point{X: p.area.Max.X + endGap, Y: heights[i]}
		sh.line(pen{ink: c.hue.line, width: 0.7, opacity: unresolved}, last[i], vg.Point{X: at.X - 3, Y: at.Y})
		sh.write(sh.fit(c.name, room-endGap, st), vg.Point{X: at.X, Y: at.Y - 3.5}, st)
	}
}

// quantileCurve returns the points of a percentile curve: those that the samples
// resolve, and those that they do not.
func quantileCurve(p panel, h *results.Hist, steps int) (solid, tail []vg.Point) {
	n := float64(h.N())
	for i, v := range alongQuantiles(h, steps) {
		beyond := math.Pow(n, float64(i)/float64(steps))
		at := p.at(beyond, micros(v))
		if h.Resolved(1 - 1/beyond) {
			solid = append(solid, at)
		} else {
			tail = append(tail, at)
		}
	}
	return thin(solid), thin(tail)
}

// alongQuantiles returns the quantiles of h whose 1/(1-p) are n^(i/steps), for i from
// 0 to steps: from the smallest value to the largest.
func alongQuantiles(h *results.Hist, steps int) []time.Duration {
	n, largest := float64(h.N()), h.Max()
	buckets := slices.Collect(h.Buckets())
	var below int64 // values in the buckets before the first
	values := make([]time.Duration, steps+1)
	for i := range values {
		beyond := math.Pow(n, float64(i)/float64(steps)) // 1/(1-p), from 1 to n
		q := 1 - 1/beyond
		// Walking the buckets once is a hundred times cheaper than a quantile a point.
		for len(buckets) > 1 && float64(below+buckets[0].Count) < q*n-0.5 {
			below += buckets[0].Count
			buckets = buckets[1:]
		}
		values[i] = min(buckets[0].To, largest)
	}
	return values
}

// thin takes out the points between two others at the same height.
func thin(points []vg.Point) []vg.Point {
	var out []vg.Point
	for i, q := range points {
		if i > 0 && i < len(points)-1 && points[i-1].Y == q.Y && points[i+1].Y == q.Y {
			continue
		}
		out = append(out, q)
	}
	return out
}
