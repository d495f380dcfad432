package plot

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// perDecade is how many bins of a histogram lie between a latency and ten times
// it.
const perDecade = 16

// histograms draws the distribution of each cell in a panel of its own, all on
// the same scale of latencies, with the median and the 99th percentile marked.
func histograms(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	all := seriesOf(run, labels, k)
	if len(all) == 0 {
		return Figure{}, false
	}
	var extent span
	for _, s := range all {
		extent.add(micros(s.hist.Min()))
		extent.add(micros(s.hist.Max()))
	}
	x := latencyAxis(extent)
	spec := gridSpec{n: len(all), height: 92, left: 0, right: 0, head: 34, most: 4}
	if len(all) == 1 {
		spec.height = 170
	}
	g, height := newGrid(spec)
	title := kindWord(k) + ": distribution of latency"
	return Figure{
		Chart: barsChart(run, all, k, x),
		Name:  "histograms-" + k.String(), Section: "histograms", Title: title, Alt: alt(all), height: height,
		Caption: fmt.Sprintf("%s, latency %s, in bins of equal width on a logarithmic scale. Heights are relative to "+
			"each panel's highest bin. Two humps mean two ways to be served.", kindWord(k), toStage(all)),
		paint: func(sh *sheet) {
			sh.title(title, "Latency "+toStage(all)+"; solid line p50, dashed line p99")
			for i, s := range all {
				b := bins(s.hist, x.min, x.max)
				p := panel{over: 6, area: g.area(i), x: x, y: shareAxis(highest(b) * 1.08)}
				sh.frame(p, g.lowest(i), false)
				sh.histogram(p, s.hist, b)
				sh.histogramTitle(p, s)
			}
			sh.axisName("latency")
		},
	}, true
}

// barsChart returns the chart of distributions.
func barsChart(run *results.Run, all []series, k results.Kind, x axis) *Chart {
	c := &Chart{
		Kind: "bars", X: x.latencyScale(), PerDecade: perDecade, Quantiles: []float64{0.5, 0.99}, Noun: plural(k),
		Simulated: run.Simulated,
		Series: charted(run, all, func(_ int, s series) []json.Marshaler {
			return []json.Marshaler{tenths(bins(s.hist, x.min, x.max))}
		}),
	}
	c.quantiles(all)
	return c
}

// histogramTitle writes a panel's name and its quantiles above it.
func (sh *sheet) histogramTitle(p panel, s series) {
	room := p.area.Size().X
	st := textStyle{ink: text, size: headSize, bold: true}
	sh.write(sh.fit(s.name, room, st), vg.Point{X: p.area.Min.X, Y: p.area.Max.Y + 19}, st)
	st = textStyle{ink: soft, size: tickSize}
	quantiles := fmt.Sprintf("p50 %s · p99 %s", words.QuantileOf(s.hist, 0.5), words.QuantileOf(s.hist, 0.99))
	sh.write(sh.fit(quantiles, room, st), vg.Point{X: p.area.Min.X, Y: p.area.Max.Y + 6}, st)
}

// histogram draws one outline around all bins, and the two quantiles.
func (sh *sheet) histogram(p panel, h *results.Hist, b []float64) {
	outline := []vg.Point{p.at(p.x.min, 0)}
	for i, v := range b {
		from, to := binEdge(p.x.min, i, perDecade), binEdge(p.x.min, i+1, perDecade)
		outline = append(outline, p.at(from, v), p.at(to, v))
	}
	outline = thin(append(outline, p.at(p.x.max, 0)))
	if sh.simulated {
		sh.line(sh.drawn(pen{ink: blue, width: 1}), outline...)
	} else {
		sh.fill(blue, 0.55, outline...)
	}
	for _, q := range []struct {
		p      float64
		dashes []vg.Length
	}{{0.5, nil}, {0.99, []vg.Length{4, 2.5}}} {
		x := p.at(micros(h.Quantile(q.p)), 0).X
		mark := pen{ink: text, width: 1.2, dashes: q.dashes}
		if !h.Resolved(q.p) {
			mark.opacity = unresolved
		}
		sh.line(mark, vg.Point{X: x, Y: p.area.Min.Y}, vg.Point{X: x, Y: p.area.Max.Y})
	}
}

func binEdge(lo float64, i, perDecade int) float64 {
	return lo * math.Pow(10, float64(i)/float64(perDecade))
}

// bins counts the values of h in logarithmic bins from lo to hi, in
// microseconds. The buckets of the histogram are linear; a bucket that lies
// across bins is shared out among them, or short latencies would look combed.
func bins(h *results.Hist, lo, hi float64) []float64 {
	n := int(math.Ceil(math.Log10(hi/lo)*perDecade - 1e-9))
	counts := make([]float64, max(1, n))
	addBins(counts, h, lo, perDecade)
	return counts
}

// addBins adds the values of h to bins, of which so many lie between a latency and ten
// times it.
func addBins(counts []float64, h *results.Hist, lo float64, perDecade int) {
	n := len(counts)
	for b := range h.Buckets() {
		from := float64(b.From) / float64(time.Microsecond)
		to := float64(b.To+1) / float64(time.Microsecond)
		first, last := binOf(lo, from, n, perDecade), binOf(lo, to, n, perDecade)
		for i := first; i <= last; i++ {
			share := 1.0
			if first != last {
				share = (min(to, binEdge(lo, i+1, perDecade)) - max(from, binEdge(lo, i, perDecade))) / (to - from)
			}
			counts[i] += float64(b.Count) * max(0, share)
		}
	}
}

// binOf returns the bin of a value, the nearest one if it lies outside.
func binOf(lo, v float64, n, perDecade int) int {
	if v <= lo {
		return 0
	}
	return min(int(math.Log10(v/lo)*float64(perDecade)), max(0, n-1))
}

func highest(b []float64) float64 {
	most := 1.0
	for _, v := range b {
		most = max(most, v)
	}
	return most
}
