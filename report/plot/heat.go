package plot

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"regexp"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"flowbench/results"
)

// The measures of a heat map.
const (
	heatColumns = 120  // windows over time, at most, in one panel
	heatAll     = 1280 // and in all
	heatBins    = 60   // bins of latencies, at most
	heatLevels  = 15   // steps of a ramp, without that of nothing
)

// A heat is what one cell's part in a heat map is made of.
type heat struct {
	series
	columns [][]float64 // for each window how many operations are in each bin
}

// heats are those of a figure, on scales that they share.
type heats struct {
	all       []heat
	x, y      axis
	perWindow int // seconds
	perDecade int
	bins      int
	most      float64 // operations in any bin
}

// heatmap draws for each cell how many operations there were of each latency in each
// second or more: what a quantile over time cannot show, such as two ways to be
// served, of which one is blocked for a while.
func heatmap(run *results.Run, labels []string, k results.Kind) (Figure, bool) {
	m, ok := heatsOf(seriesOf(run, labels, k), k)
	if !ok {
		return Figure{}, false
	}
	spec := gridSpec{n: len(m.all), height: 104, left: 46, head: 20, most: 4}
	if len(m.all) == 1 {
		spec.height = 210
	}
	cells := make([]*results.Cell, len(m.all))
	for i, h := range m.all {
		cells[i] = h.cell
	}
	var numbered bool
	spec.lift, numbered = faultRoom(cells, spec, m.x)
	g, height := newGrid(spec)
	title, name := kindWord(k)+": every latency over time", "heat-"+k.String()
	hint, below := "; warm-up left of the line", ""
	if anyFaults(cells) {
		hint, below = hint+"; faults between lines, ring: noticed, dot: well again", faultNumbers(numbered)
	}
	all := make([]series, len(m.all))
	for i, h := range m.all {
		all[i] = h.series
	}
	return Figure{
		Name: name, Section: "heat", Title: title, Alt: alt(all), height: height,
		Chart: heatChart(run, m, k),
		Caption: fmt.Sprintf("%s, latency %s, by the time at which operations were due, in windows of %s and bins "+
			"of equal width on a logarithmic scale. The darker, or in the dark the brighter, the more operations: the "+
			"ramp is logarithmic and ends at %.0f in one bin.%s", kindWord(k), toStage(all), secondsWord(m.perWindow),
			m.most, below),
		paint: func(sh *sheet) {
			sh.title(title, "Latency "+toStage(all)+"; the stronger, the more operations"+hint)
			for i, h := range m.all {
				p := panel{over: 6, area: g.area(i), x: m.x, y: m.y}
				sh.frameAround(p, g, i, h.name)
				sh.picture(m.picture(h), m.box(p, h), fmt.Sprintf("%s-%d", name, i))
				sh.heatMarks(p, h.cell)
			}
			sh.axisName("seconds since the load began")
		},
	}, true
}

// secondsWord returns "1 second" or "5 seconds".
func secondsWord(n int) string {
	if n == 1 {
		return "1 second"
	}
	return strconv.Itoa(n) + " seconds"
}

// heatsOf counts what the seconds of all cells hold. It reports false where they hold
// nothing.
func heatsOf(all []series, k results.Kind) (heats, bool) {
	end := lastSecond(all)
	var extent span
	for _, s := range all {
		for _, sec := range s.cell.Seconds {
			if h := sec.Hist(k, s.stage); h != nil && h.N() > 0 {
				extent.add(micros(h.Min()))
				extent.add(micros(h.Max()))
			}
		}
	}
	if extent.max == 0 {
		return heats{}, false
	}
	most := max(40, min(heatColumns, heatAll/len(all)))
	m := heats{
		x: timeAxis(float64(end)), y: latencyAxis(extent), most: 1, perWindow: (end + most - 1) / most,
	}
	decades := math.Log10(m.y.max / m.y.min)
	m.perDecade = max(4, min(20, int(heatBins/decades)))
	m.bins = int(math.Ceil(decades*float64(m.perDecade) - 1e-9))
	for _, s := range all {
		h := heat{series: s, columns: make([][]float64, (end+m.perWindow-1)/m.perWindow)}
		for _, sec := range s.cell.Seconds {
			if hist := sec.Hist(k, s.stage); hist != nil && hist.N() > 0 {
				c := &h.columns[sec.At/m.perWindow]
				if *c == nil {
					*c = make([]float64, m.bins)
				}
				addBins(*c, hist, m.y.min, m.perDecade)
			}
		}
		for _, c := range h.columns {
			m.most = max(m.most, highest(c))
		}
		m.all = append(m.all, h)
	}
	return m, true
}

// level returns the step of the ramp for a number of operations, from 0 for none to
// heatLevels, on a logarithmic scale.
func (m heats) level(n float64) uint8 {
	if n < 0.5 {
		return 0
	}
	return uint8(1 + math.Round((heatLevels-1)*math.Log(max(n, 1))/math.Log(max(m.most, 2))))
}

// picture returns one pixel for each bin and window, the lowest latencies at the
// bottom. Its colours are greys, of which white is the end of the ramp.
func (m heats) picture(h heat) *image.Paletted {
	palette := make(color.Palette, heatLevels+1)
	for i := range palette {
		grey := uint8(0)
		if i > 0 {
			grey = uint8(38 + (255-38)*(i-1)/(heatLevels-1)) // one operation is seen as well
		}
		palette[i] = color.Gray{Y: grey}
	}
	img := image.NewPaletted(image.Rect(0, 0, len(h.columns), m.bins), palette)
	for x, c := range h.columns {
		for bin, n := range c {
			img.SetColorIndex(x, m.bins-1-bin, m.level(n))
		}
	}
	return img
}

// box returns where the picture of h lies in a panel: its last column and its highest
// bin may extend beyond the axes.
func (m heats) box(p panel, h heat) vg.Rectangle {
	size := p.area.Size()
	width := float64(len(h.columns)*m.perWindow) / m.x.max
	top := float64(m.bins) / float64(m.perDecade) / math.Log10(m.y.max/m.y.min)
	return vg.Rectangle{Min: p.area.Min, Max: vg.Point{
		X: p.area.Min.X + size.X*vg.Length(min(width, 1)), Y: p.area.Min.Y + size.Y*vg.Length(min(top, 1)),
	}}
}

// heatChart returns the chart of a heat map.
func heatChart(run *results.Run, m heats, k results.Kind) *Chart {
	c := &Chart{
		Kind: "heat", X: m.x.scaleAs("linear", "s"), Y: m.y.latencyScale(), Width: float64(m.perWindow),
		PerDecade: m.perDecade, Noun: plural(k), Simulated: run.Simulated,
	}
	all := make([]series, len(m.all))
	for i, h := range m.all {
		all[i] = h.series
	}
	c.Series = charted(run, all, func(i int, _ series) []json.Marshaler {
		sums := make(wholes, len(m.all[i].columns))
		for j, column := range m.all[i].columns {
			for _, n := range column {
				sums[j] += n
			}
		}
		return []json.Marshaler{sums}
	})
	for i, h := range m.all {
		for _, column := range h.columns {
			c.Series[i].Text = append(c.Series[i].Text, heatText(column))
		}
	}
	return c
}

// heatAlphabet are the digits of heatText: 0 to 63.
const heatAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// heatText writes one column of a heat map: the first bin that is not empty, and one
// digit for it and for each that follows up to the last that is not empty. Digits up
// to 20 are numbers of operations; each further one stands for 17 % more than the one
// before. A column without operations is empty.
func heatText(column []float64) string {
	first, last := -1, -1
	digit := make([]byte, len(column))
	for i, n := range column {
		d := int(math.Round(n))
		if d > 20 {
			d = min(63, 20+int(math.Round(math.Log(n/20)/math.Log(1.17))))
		}
		if digit[i] = heatAlphabet[max(d, 0)]; d > 0 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return ""
	}
	return string(heatAlphabet[min(first, 63)]) + string(digit[first:last+1])
}

// heatMarks draws above a heat map what happened when: lines, since a tint would be
// taken for operations.
func (sh *sheet) heatMarks(p panel, c *results.Cell) {
	upright := func(seconds float64, pen pen) {
		sh.line(pen, p.at(seconds, p.y.min), p.at(seconds, p.y.max))
	}
	if c.Load.Warmup > 0 {
		upright(c.Load.Warmup.Seconds(), pen{ink: axisLine, width: 0.8, dashes: []vg.Length{1.5, 1.5}})
	}
	for _, f := range befell(c) {
		upright(f.Begin.Seconds(), pen{ink: text, width: 0.8})
		if f.Heal > f.Begin {
			upright(f.Heal.Seconds(), pen{ink: text, width: 0.8})
		}
	}
	sh.faultNames(p, c)
	sh.faultMarks(p, c)
}

// heatInk is the hue of heat maps.
const heatInk = blue

// picture draws greys as steps of one hue, in pixels with sharp edges. In SVG the
// picture is a mask of a rectangle, so that a page can choose the hue.
func (sh *sheet) picture(img *image.Paletted, r vg.Rectangle, id string) {
	switch c := sh.canvas.Canvas.(type) {
	case *vgsvg.Canvas:
		sh.pictures = append(sh.pictures, id)
		c.DrawImage(r, img)
	case *vgimg.Canvas:
		c.DrawImage(r, tinted(img, heatInk.spec().rgb, 6))
	}
}

// tinted returns img in steps of a hue on nothing, with so many pixels for one that
// smoothing does not blur it.
func tinted(img *image.Paletted, hue color.NRGBA, times int) image.Image {
	size := img.Bounds().Size()
	out := image.NewNRGBA(image.Rect(0, 0, size.X*times, size.Y*times))
	for y := range size.Y * times {
		for x := range size.X * times {
			grey, _ := img.At(x/times, y/times).(color.Gray)
			out.SetNRGBA(x, y, color.NRGBA{R: hue.R, G: hue.G, B: hue.B, A: grey.Y})
		}
	}
	return out
}

// withPictures replaces the images in an SVG by rectangles in a hue that have them as
// their masks.
func withPictures(s string, ids []string) string {
	if len(ids) == 0 {
		return s
	}
	found := regexp.MustCompile(
		`<image x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)" xlink:href="data:image/jpg;([^"]+)"[^>]*/>`)
	hue := heatInk.spec().rgb
	n := 0
	return found.ReplaceAllStringFunc(s, func(old string) string {
		m := found.FindStringSubmatch(old)
		place := fmt.Sprintf(`x="%s" y="%s" width="%s" height="%s"`, m[1], m[2], m[3], m[4])
		id := "picture-" + ids[n]
		n++
		return fmt.Sprintf(`<mask id="%[1]s"><image %[2]s preserveAspectRatio="none" href="data:image/png;%[3]s" `+
			`style="image-rendering:pixelated"/></mask><rect %[2]s mask="url(#%[1]s)" transform="scale(1, -1)" `+
			`style="fill:#%02[4]X%02[5]X%02[6]X"/>`, id, place, m[5], hue.R, hue.G, hue.B)
	})
}
