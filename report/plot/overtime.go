package plot

import (
	"encoding/json"
	"fmt"

	"gonum.org/v1/plot/vg"

	"flowbench/results"
)

// mostWindows is how many points a line over time has at most. A longer run is
// drawn in windows of several seconds, whose histograms are merged.
const mostWindows = 120

// overTime draws the median and the 99th percentile of each cell for every
// second in which operations of kind k were due.
func overTime(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	all := seriesOf(run, labels, k)
	title := kindWord(k) + ": latency over time"
	f, ok := timeFigure(run, all, title, "Latency "+toStage(all),
		func(s series, sec results.Second) *results.Hist { return sec.Hist(k, s.stage) })
	f.Name, f.Section, f.Alt = "over-time-"+k.String(), "over-time", alt(all)
	f.Caption = fmt.Sprintf("%s, latency %s, by when operations were due. %s",
		kindWord(k), toStage(all), f.Caption)
	return f, ok
}

// sendLagOverTime draws the same of the send lag.
func sendLagOverTime(run *results.Run, labels []string) (Figure, bool) {
	all := lagSeries(run, labels)
	const title = "Send lag over time"
	f, ok := timeFigure(run, all, title, "Time from due to started",
		func(_ series, sec results.Second) *results.Hist { return sec.Hists["send_lag"] })
	f.Name, f.Section, f.Alt = "send-lag-over-time", "send-lag", alt(all)
	f.Caption = "Time from due to started, by when operations were due. " + f.Caption
	return f, ok
}

// A window is one or more seconds drawn as one.
type window struct {
	from, to float64 // seconds
	p50, p99 float64 // microseconds; 0 where nothing was recorded
	n        int64   // operations
	resolved bool    // p99 is
}

// timeFigure draws a panel for each of the series. It reports false if no second
// has anything to show.
func timeFigure(
	run *results.Run, all []series, title, what string, of func(series, results.Second) *results.Hist,
) (Figure, bool) {
	var extent span
	end, most := lastSecond(all), drawnWindows(len(all))
	perWindow := (end + most - 1) / most
	lines := make([][]window, len(all))
	for i, s := range all {
		lines[i] = windows(s.cell.Seconds, perWindow, func(sec results.Second) *results.Hist { return of(s, sec) })
		for _, w := range lines[i] {
			if w.p50 > 0 {
				extent.add(w.p50)
				extent.add(w.p99)
			}
		}
	}
	if extent.max == 0 {
		return Figure{}, false
	}
	spec := gridSpec{n: len(all), height: 100, left: 46, head: 20, most: 4}
	if len(all) == 1 {
		spec.height = 200
	}
	x, cells := timeAxis(float64(end)), cellsOf(all)
	var numbered bool
	spec.lift, numbered = faultRoom(cells, spec, x)
	g, height := newGrid(spec)
	hint, below := "; warm-up shaded", ""
	if anyFaults(cells) {
		hint, below = faultHint, faultCaption(numbered) // the line has no room for both
	}
	each := "each second"
	if perWindow > 1 {
		each = fmt.Sprintf("each %d seconds", perWindow)
	}
	return Figure{
		Title: title, height: height, Chart: timeChart(run, all, end, extent, of),
		Caption: "Thick line: p99 of each window, faint where fewer than 10 samples lie beyond it; thin line: p50. " +
			"The warm-up is shaded and not part of any other figure. Gaps are times in which there is nothing to " +
			"show." + below,
		paint: func(sh *sheet) {
			sh.title(title, what+": p99 thick, p50 thin, of "+each+hint)
			for i, s := range all {
				p := panel{over: 6, area: g.area(i), x: x, y: latencyAxis(extent)}
				sh.warmup(p, s.cell)
				sh.faultBands(p, s.cell)
				sh.frameAround(p, g, i, s.name)
				sh.faultNames(p, s.cell)
				sh.overTime(p, lines[i])
				sh.faultMarks(p, s.cell)
			}
			sh.axisName("seconds since the load began")
		},
	}, true
}

// drawnWindows returns how many windows are drawn in each of n panels at most: what is
// finer than two points is not seen.
func drawnWindows(n int) int { return min(mostWindows, 320/columnsFor(n)) }

// lastSecond returns when the last second of any of the cells ends.
func lastSecond(all []series) int {
	end := 0
	for _, s := range all {
		for _, sec := range s.cell.Seconds {
			end = max(end, sec.At+1)
		}
	}
	return end
}

// timeChart returns the chart of latencies over time, in windows as short as all
// cells together may have.
func timeChart(
	run *results.Run, all []series, end int, extent span, of func(series, results.Second) *results.Hist,
) *Chart {
	perWindow := (end + perCell(len(all)) - 1) / perCell(len(all))
	c := &Chart{
		Kind: "time", X: timeAxis(float64(end)).scaleAs("linear", "s"), Width: float64(perWindow),
		Simulated: run.Simulated,
	}
	c.Series = charted(run, all, func(_ int, s series) []json.Marshaler {
		n := (end + perWindow - 1) / perWindow
		p50, p99, counts := make(digits, n), make(digits, n), make(wholes, n)
		for _, w := range windows(s.cell.Seconds, perWindow, func(sec results.Second) *results.Hist {
			return of(s, sec)
		}) {
			i := int(w.from) / perWindow
			p50[i], p99[i], counts[i] = w.p50, w.p99, float64(w.n)
			if w.p50 > 0 {
				extent.add(w.p50)
				extent.add(w.p99)
			}
		}
		return []json.Marshaler{p50, p99, counts}
	})
	c.Y = latencyAxis(extent).latencyScale()
	return c
}

func cellsOf(all []series) []*results.Cell {
	cells := make([]*results.Cell, len(all))
	for i, s := range all {
		cells[i] = s.cell
	}
	return cells
}

// windows merges the histograms of each n seconds.
func windows(seconds []results.Second, n int, of func(results.Second) *results.Hist) []window {
	var out []window
	merged := results.NewSum()
	for i := 0; i < len(seconds); {
		first := seconds[i].At / n * n
		merged.Reset()
		for ; i < len(seconds) && seconds[i].At < first+n; i++ {
			if h := of(seconds[i]); h != nil {
				merged.Merge(h)
			}
		}
		w := window{from: float64(first), to: float64(first + n)}
		if merged.N() > 0 {
			w.p50, w.p99 = micros(merged.Quantile(0.5)), micros(merged.Quantile(0.99))
			w.n, w.resolved = merged.N(), merged.Resolved(0.99)
		}
		out = append(out, w)
	}
	return out
}

// warmup shades the time that is not measured.
func (sh *sheet) warmup(p panel, c *results.Cell) {
	if c.Load.Warmup <= 0 {
		return
	}
	r := p.area
	r.Max.X = p.at(c.Load.Warmup.Seconds(), p.y.min).X
	sh.box(shade, 0, r)
}

// overTime draws the lines of one panel, as steps: between two seconds there is
// nothing to interpolate.
func (sh *sheet) overTime(p panel, ws []window) {
	for i := 0; i < len(ws); {
		j := i
		for j < len(ws) && ws[j].p50 > 0 && ws[j].resolved == ws[i].resolved && (j == i || ws[j].from == ws[j-1].to) {
			j++
		}
		if j == i {
			i++
			continue
		}
		var p50, p99 []vg.Point
		if i > 0 && ws[i-1].p50 > 0 && ws[i-1].to == ws[i].from {
			p50 = append(p50, p.at(ws[i].from, ws[i-1].p50))
			p99 = append(p99, p.at(ws[i].from, ws[i-1].p99))
		}
		for _, w := range ws[i:j] {
			p50 = append(p50, p.at(w.from, w.p50), p.at(w.to, w.p50))
			p99 = append(p99, p.at(w.from, w.p99), p.at(w.to, w.p99))
		}
		thick := pen{ink: blue, width: 1.9}
		if !ws[i].resolved {
			thick.opacity = 0.6
		}
		sh.line(sh.drawn(thick), thin(p99)...)
		sh.line(sh.drawn(pen{ink: text, width: 0.8}), thin(p50)...)
		i = j
	}
}
