package plot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// crossovers draws how size and way of payloads matter, in a panel for each flow
// and broker: the time they take, when their first and last bytes arrive, and what
// passes the broker.
func crossovers(run *results.Run) []Figure {
	c := crossover.Of(run)
	if c == nil {
		return nil
	}
	var figures []Figure
	for _, draw := range []func(*crossover.Chart) routeFigure{timeRoutes, byteRoutes, burdenRoutes} {
		if f := draw(c); len(f.panels) > 0 {
			figures = append(figures, f.figure(c))
		}
	}
	return figures
}

// A route is one line of a panel: a way, over the sizes of payloads.
type route struct {
	way    crossover.Way
	name   string
	look   look
	light  bool // drawn with less weight, without markers and without a name
	sizes  []int
	values []float64
	hollow []bool  // too few operations
	counts []int64 // the operations that each value is from
}

// A routePanel is the lines for one flow on one broker.
type routePanel struct {
	title  string
	routes []route
}

// A routeFigure is a figure over the sizes of payloads before it is laid out.
type routeFigure struct {
	name, section, title, hint, caption string

	panels []routePanel
	axis   func(span) axis
	unit   string               // of that
	text   func(float64) string // of a value, for those who do not see it
}

// timeRoutes is the median time of each way.
func timeRoutes(c *crossover.Chart) routeFigure {
	end := endOf(c)
	f := routeFigure{
		name: "crossover-time", section: "crossover", title: "Size of the payload against time, by way",
		hint: "Median from due to " + end + "; hollow where fewer than 5 operations; lower is faster",
		caption: "Median time from due to " + end + ", both scales logarithmic. Where two lines cross, the better " +
			"way changes. Lines that bear the name of a store are by reference over it. Hollow markers have fewer " +
			"than 5 operations and take part in no comparison." + notDrawn(c),
		axis: latencyAxis, unit: "us", text: medianText,
	}
	for _, g := range c.Groups {
		f.add(routePanel{titleOf(c, g), routesOf(c, g, c.Ways, func(p crossover.Point) float64 {
			return micros(p.Median)
		})})
	}
	return f
}

// byteRoutes is when the first and the last byte arrive, by reference over the store
// that is fastest for the largest payloads.
func byteRoutes(c *crossover.Chart) routeFigure {
	f := routeFigure{
		name: "crossover-bytes", section: "crossover", title: "When the first and the last byte arrive",
		hint: "Median from due until the service has it: dotted, the first byte; with markers, the last",
		caption: "Median time from due until the service had the first byte of a payload (dotted and light) and the " +
			"last (with markers). What lies between is time in which a service that can begin early could begin. By " +
			"reference, each panel shows the store whose last byte comes first at the largest size.",
		axis: latencyAxis, unit: "us", text: medianText,
	}
	for _, g := range c.Groups {
		p := routePanel{title: g.Name}
		for _, part := range []struct {
			light bool
			of    func(crossover.Point) time.Duration
		}{
			{true, func(p crossover.Point) time.Duration { return p.FirstByte }},
			{false, func(p crossover.Point) time.Duration { return p.LastByte }},
		} {
			for _, r := range routesOf(c, g, quickest(c, g), func(p crossover.Point) float64 {
				if part.of(p) == 0 {
					return 0
				}
				return micros(part.of(p))
			}) {
				r.light = part.light
				p.routes = append(p.routes, r)
			}
		}
		f.add(p)
	}
	return f
}

// quickest returns the ways of c with one store only, that of the earliest last byte
// at the largest size that any store has.
func quickest(c *crossover.Chart, g crossover.Group) []crossover.Way {
	var best crossover.Way
	for _, bytes := range c.Sizes {
		var least time.Duration
		for _, w := range c.References() {
			if p := g.At(w, bytes); p.Drawn() && p.LastByte > 0 && (least == 0 || p.LastByte < least) {
				best, least = w, p.LastByte
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Ways), func(w crossover.Way) bool { return w.ByReference() && w != best })
}

// leastBurden is the least that the figure of burdens tells apart from nothing.
const leastBurden = 0.001

// burdenText says a burden as it is drawn.
func burdenText(v float64) string {
	text := words.Digits(v) + " times"
	if v <= leastBurden {
		text += " or less"
	}
	return text
}

// burdenRoutes is how many times the size of its payload passes the broker.
func burdenRoutes(c *crossover.Chart) routeFigure {
	f := routeFigure{
		name: "crossover-burden", section: "burden", title: "What the broker bears of a payload",
		hint: "Bytes through the broker for each operation, as a multiple of the payload; below 0.001 is drawn there",
		caption: "Bytes that pass the broker both ways for each operation, protocol included, as a multiple of the " +
			"size of the payload. By reference, each point is of the store with which the broker bears most. What is " +
			"below 0.001 is drawn there.",
		axis: timesAxis, unit: "times", text: burdenText,
	}
	value := func(p crossover.Point) float64 {
		if p.Cell.Cost.BrokerBytes == nil || p.Cell.Load.PayloadBytes == 0 {
			return 0
		}
		return max(leastBurden, *p.Cell.Cost.BrokerBytes/float64(p.Cell.Load.PayloadBytes))
	}
	for _, g := range c.Groups {
		var most route
		p := routePanel{title: g.Name}
		for _, r := range routesOf(c, g, c.Ways, value) {
			if r.way.ByReference() {
				most = most.larger(r)
			} else {
				p.routes = append(p.routes, r)
			}
		}
		if most.name != "" {
			most.name = "reference"
			p.routes = append(p.routes, most)
		}
		f.add(p)
	}
	return f
}

// larger returns the route of the larger values of two, in the looks of the first.
func (r route) larger(o route) route {
	if r.name == "" {
		return o
	}
	for i, bytes := range o.sizes {
		if k, found := slices.BinarySearch(r.sizes, bytes); found {
			if o.values[i] > r.values[k] {
				r.values[k], r.counts[k], r.hollow[k] = o.values[i], o.counts[i], o.hollow[i]
			}
		} else {
			r.sizes, r.values = slices.Insert(r.sizes, k, bytes), slices.Insert(r.values, k, o.values[i])
			r.hollow, r.counts = slices.Insert(r.hollow, k, o.hollow[i]), slices.Insert(r.counts, k, o.counts[i])
		}
	}
	return r
}

// medianText says a median.
func medianText(us float64) string { return "p50 " + words.Duration(fromMicros(us)) }

func fromMicros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }

// routesOf returns a route for each way that has any value above 0.
func routesOf(c *crossover.Chart, g crossover.Group, ways []crossover.Way,
	value func(crossover.Point) float64) []route {
	var all []route
	for _, w := range ways {
		r := route{way: w, name: w.Short(), look: lookOf(w, c.References())}
		for _, bytes := range c.Sizes {
			p := g.At(w, bytes)
			if !p.Drawn() {
				continue
			}
			if v := value(p); v > 0 {
				r.sizes, r.values = append(r.sizes, bytes), append(r.values, v)
				r.hollow, r.counts = append(r.hollow, !p.Solid()), append(r.counts, p.N)
			}
		}
		if len(r.sizes) > 0 {
			all = append(all, r)
		}
	}
	return all
}

// add adds a panel that has something to show.
func (f *routeFigure) add(p routePanel) {
	if len(p.routes) > 0 {
		f.panels = append(f.panels, p)
	}
}

// endOf says where the times of all groups end.
func endOf(c *crossover.Chart) string {
	end := ""
	for _, g := range c.Groups {
		if end == "" {
			end = g.Stage
		}
		if g.Stage != "" && g.Stage != end {
			return "the stage in parentheses"
		}
	}
	return cmp.Or(end, results.AnsweredStage.String())
}

// titleOf names a group, with the stage at which its times end where that differs.
func titleOf(c *crossover.Chart, g crossover.Group) string {
	if endOf(c) == g.Stage {
		return g.Name
	}
	return g.Name + " (" + g.Stage + ")"
}

// notDrawn says how many cells are not in the figure.
func notDrawn(c *crossover.Chart) string {
	var spoilt, small int64
	for _, g := range c.Groups {
		for _, w := range c.Ways {
			for _, bytes := range c.Sizes {
				switch p := g.At(w, bytes); {
				case p.Cell == nil || p.Drawn():
				case p.Inlined:
					small++
				default:
					spoilt++
				}
			}
		}
	}
	s := ""
	if spoilt > 0 {
		s += " Not drawn: " + words.Plural(spoilt, "cell") + " not valid or without operations that ended ok."
	}
	if small > 0 {
		s += " Not drawn either: " + words.Plural(small, "cell") + " whose payloads are so small that they travelled " +
			"inline after all."
	}
	return s
}

// figure lays the panels out: a row for each flow and a column for each broker
// where there are few brokers.
func (f routeFigure) figure(c *crossover.Chart) Figure {
	var extent span
	var names []string
	for _, p := range f.panels {
		for _, r := range p.routes {
			names = append(names, r.name)
			for _, v := range r.values {
				extent.add(v)
			}
		}
	}
	room := newRuler().widest(names, textStyle{size: tickSize}, 74) + endGap
	spec := gridSpec{n: len(f.panels), height: 178, left: 46, right: room, head: 20, most: 3, exact: c.Columns()}
	if spec.exact > 3 || spec.exact > len(f.panels) {
		spec.exact = 0
	}
	switch {
	case len(f.panels) == 1:
		spec.height = 280
	case len(c.Ways) > maxHues:
		spec.height = 215
	}
	g, height := newGrid(spec)
	return Figure{
		Name: f.name, Section: f.section, Title: f.title, Caption: f.caption, Alt: f.alt(), height: height,
		Chart: f.chart(c, extent),
		paint: func(sh *sheet) {
			sh.title(f.title, f.hint)
			x := sizeAxis(c.Sizes)
			for i, group := range f.panels {
				p := panel{over: 8, area: g.area(i), x: x, y: f.axis(extent)}
				sh.frameAround(p, g, i, group.title)
				sh.routes(p, group.routes, room)
			}
			sh.axisName(x.name)
		},
	}
}

// chart returns the figure's chart.
func (f routeFigure) chart(c *crossover.Chart, extent span) *Chart {
	chart := &Chart{
		Kind: "lines", X: sizeAxis(c.Sizes).scaleAs("log", "bytes"), Y: f.axis(extent).scaleAs("log", f.unit),
		Simulated: c.Simulated, Marks: map[string]string{markHollow: "fewer than 5 operations"},
	}
	for _, p := range f.panels {
		panel := ChartPanel{Title: p.title}
		for _, r := range p.routes {
			points := make([]linePoint, len(r.sizes))
			for i, bytes := range r.sizes {
				text := f.text(r.values[i]) + ", n " + words.Count(r.counts[i])
				points[i] = linePoint{x: float64(bytes), y: r.values[i], text: text}
				if r.hollow[i] && !r.light {
					points[i].mark = markHollow
				}
			}
			panel.Series = append(panel.Series, len(chart.Series))
			chart.Series = append(chart.Series, lineOf(-1, r.name, r.look.chartLook(r.light), points))
		}
		chart.Panels = append(chart.Panels, panel)
	}
	return chart
}

// alt says for each line where it begins and ends.
func (f routeFigure) alt() string {
	var b strings.Builder
	for _, p := range f.panels {
		for _, r := range p.routes {
			part := ""
			if r.light {
				part = ", first byte"
			}
			last := len(r.sizes) - 1
			fmt.Fprintf(&b, "%s, %s%s: %s at %s", p.title, r.name, part, f.text(r.values[0]), words.Size(r.sizes[0]))
			if last > 0 {
				fmt.Fprintf(&b, ", %s at %s", f.text(r.values[last]), words.Size(r.sizes[last]))
			}
			b.WriteString(". ")
		}
	}
	return b.String()
}
