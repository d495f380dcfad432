package plot

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// offered draws, for cells whose rate changes over time, what was due in each second
// and what of it ended ok, and the rate that was asked for.
func offered(run *results.Run, labels []string) (Figure, bool) {
	var all []series
	end, most := 0, 0.0
	for i, c := range run.Cells {
		if c.Load.Shape == "" || len(c.Seconds) == 0 {
			continue
		}
		all = append(all, series{cell: c, name: labels[i]})
		for _, sec := range c.Seconds {
			end, most = max(end, sec.At+1), max(most, float64(sec.Counts.Due))
		}
		for _, p := range c.Load.Rates {
			most = max(most, p.PerS)
		}
	}
	if len(all) == 0 {
		return Figure{}, false
	}
	per := (end + mostWindows - 1) / mostWindows
	spec := gridSpec{n: len(all), height: 90, left: 46, head: 20, most: 4}
	if len(all) == 1 {
		spec.height = 180
	}
	g, height := newGrid(spec)
	const title = "Offered rate over time"
	each := words.Plural(int64(per), "second")
	return Figure{
		Name: "offered", Section: "over-time", Title: title, Alt: offeredAlt(all), height: height,
		Caption: fmt.Sprintf("Operations per second in windows of %s, by when they were due: grey, those due; blue "+
			"and dashed, those of them that ended ok, whenever that was. The thin line is the rate that the scenario "+
			"asks for. Below it, the latency of the same seconds.", each),
		paint: func(sh *sheet) {
			sh.title(title, "Operations per second: due (grey), of those ended ok (dashed), asked for (thin); "+
				"warm-up shaded")
			for i, s := range all {
				p := panel{over: 6, area: g.area(i), x: timeAxis(float64(end)), y: countAxis(most)}
				sh.warmup(p, s.cell)
				sh.frameAround(p, g, i, s.name)
				sh.offered(p, s.cell, per)
			}
			sh.axisName("seconds since the load began")
		},
	}, true
}

// offered draws the lines of one panel.
func (sh *sheet) offered(p panel, c *results.Cell, per int) {
	var due, ok []float64
	for i := 0; i < len(c.Seconds); {
		first := c.Seconds[i].At / per * per
		var d, k int64
		for ; i < len(c.Seconds) && c.Seconds[i].At < first+per; i++ {
			d, k = d+c.Seconds[i].Counts.Due, k+c.Seconds[i].Counts.OK
		}
		for len(due)*per < first { // seconds in which nothing was due have no line in the file
			due, ok = append(due, 0), append(ok, 0)
		}
		due, ok = append(due, float64(d)/float64(per)), append(ok, float64(k)/float64(per))
	}
	sh.line(pen{ink: rest, width: 3}, steps(p, due, float64(per))...)
	var asked []vg.Point
	for _, r := range c.Load.Rates {
		asked = append(asked, p.at(r.AtS, r.PerS))
	}
	sh.line(pen{ink: text, width: 0.8}, asked...)
	sh.line(pen{ink: blue, width: 1.4, dashes: []vg.Length{5, 2.5}}, steps(p, ok, float64(per))...)
}

// offeredAlt says the same in words.
func offeredAlt(all []series) string {
	var b strings.Builder
	for _, s := range all {
		var most int64
		for _, sec := range s.cell.Seconds {
			most = max(most, sec.Counts.Due)
		}
		fmt.Fprintf(&b, "%s: %s; at most %s due in a second, %s ended ok in all. ", s.name,
			words.Clean(s.cell.Load.Shape), words.Count(most), words.Count(s.cell.Counts.OK))
	}
	return strings.TrimSpace(b.String())
}
