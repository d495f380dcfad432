package plot

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// A kneePlot is one cell with what it did at each rate.
type kneePlot struct {
	name   string
	cell   int
	sweep  *results.Sweep
	trials []*results.Trial // in the order of their rates
}

// knees draws the latency of each cell of a sweep over the rate, up to its knee and a
// little beyond.
func knees(run *results.Run, labels []string) (Figure, bool) {
	var all []kneePlot
	var latency, rates span
	for i, c := range run.Cells {
		if c.Sweep == nil {
			continue
		}
		k := kneePlot{name: labels[i], cell: i, sweep: c.Sweep}
		for _, t := range c.Sweep.Drawn() {
			if t.Latency == nil || t.Latency.N() == 0 {
				continue
			}
			k.trials = append(k.trials, t)
			rates.add(t.RatePerS)
			latency.add(micros(t.Latency.Quantile(0.5)))
			latency.add(micros(t.Latency.Quantile(0.99)))
		}
		if len(k.trials) == 0 {
			continue
		}
		latency.add(micros(c.Sweep.SLO.Latency))
		all = append(all, k)
	}
	if len(all) == 0 {
		return Figure{}, false
	}
	spec := gridSpec{n: len(all), height: 150, left: 46, right: 26, head: 20, most: 3}
	if len(all) == 1 {
		spec.height = 250
	}
	g, height := newGrid(spec)
	const title = "Rate against latency, up to the knee"
	return Figure{
		Name: "knee", Section: "knee", Title: title, Alt: kneeAlt(all), height: height,
		Caption: "Latency from due until done, by the rate at which operations were due, both scales logarithmic. " +
			"Each point is a run of its own. Hollow: the objective was missed; a cross: the generator was late, so " +
			"that the point says nothing about the flow. Faint: fewer than 10 samples lie beyond the quantile. The " +
			"dashed line is the longest time that the objective allows; the upright line is the knee.",
		Chart: kneesChart(run, all, rateAxis(rates), latencyAxis(latency)),
		paint: func(sh *sheet) {
			sh.title(title, "p99 and p50 from due until done; the upright line is the knee, the dashed one the "+
				"objective")
			x := rateAxis(rates)
			for i, k := range all {
				p := panel{over: 8, area: g.area(i), x: x, y: latencyAxis(latency)}
				sh.frameAround(p, g, i, k.name)
				sh.knee(p, k)
			}
			sh.axisName(x.name)
		},
	}, true
}

// rateAxis returns a logarithmic axis of rates.
func rateAxis(s span) axis {
	a := axis{min: roundDown(s.min * 0.999), max: roundUp(s.max * 1.001), scale: plot.LogScale{},
		name: "operations due per second"}
	for _, steps := range [][]float64{{1, 2, 5}, {1}} {
		marks := decades(a.min, a.max, 1, steps...)
		for i, m := range marks {
			marks[i].text = words.Count(int64(m.at))
			if m.at < 1 {
				marks[i].text = words.Digits(m.at)
			}
		}
		a.marks = append(a.marks, marks)
	}
	return a
}

// knee draws one panel.
func (sh *sheet) knee(p panel, k kneePlot) {
	slo := micros(k.sweep.SLO.Latency)
	from, to := p.at(p.x.min, slo), p.at(p.x.max, slo)
	sh.line(pen{ink: axisLine, width: 0.9, dashes: []vg.Length{4, 3}}, from, to)
	sh.tag(p, "objective "+words.Span(k.sweep.SLO.Latency), vg.Point{X: from.X + 3, Y: from.Y + 3}, rightwards)
	if rate := k.sweep.KneePerS; rate > 0 {
		foot := p.at(rate, p.y.min)
		sh.line(pen{ink: text, width: 1}, foot, vg.Point{X: foot.X, Y: p.area.Max.Y})
		sh.tag(p, kneeName(k.sweep), vg.Point{X: foot.X - 4, Y: p.area.Max.Y - 10}, leftwards)
	}
	for _, q := range kneeQuantiles() {
		h := kneeHue(q)
		var path []vg.Point
		for _, t := range k.trials {
			if t.Verdict != results.TrialSpoilt {
				path = append(path, p.at(t.RatePerS, micros(t.Latency.Quantile(q))))
			}
		}
		sh.line(pen{ink: h.line, width: 1.5, dashes: h.dashes}, path...)
		for _, t := range k.trials {
			sh.trial(p.at(t.RatePerS, micros(t.Latency.Quantile(q))), h.line, t, t.Latency.Resolved(q))
		}
		last := k.trials[len(k.trials)-1]
		end := p.at(last.RatePerS, micros(last.Latency.Quantile(q)))
		sh.write(words.Percentile(q), vg.Point{X: end.X + 6, Y: end.Y - 3.3}, textStyle{ink: h.label, size: tickSize})
	}
}

// kneeQuantiles are those that are drawn over the rate.
func kneeQuantiles() []float64 { return []float64{0.5, 0.99} }

func kneeHue(q float64) hue {
	if q == 0.5 {
		return hue{vermillion, vermillionText, []vg.Length{7, 2.5}}
	}
	return hue{blue, blueText, nil}
}

// kneesChart returns the chart of knees.
func kneesChart(run *results.Run, all []kneePlot, x, y axis) *Chart {
	c := &Chart{
		Kind: "lines", X: x.scaleAs("log", "per_s"), Y: y.latencyScale(), Simulated: run.Simulated,
		Marks: map[string]string{
			markHollow: "the objective was missed", markCross: "the generator was late, or the trial was cut short",
			markFaint: "fewer than 10 samples lie beyond",
		},
	}
	for i, k := range all {
		p := ChartPanel{Title: k.name}
		for _, q := range kneeQuantiles() {
			points := make([]linePoint, len(k.trials))
			for j, t := range k.trials {
				h := t.Latency
				told := fmt.Sprintf("%s, n %s (%s)", words.QuantileOf(h, q), words.Count(h.N()), t.Verdict)
				points[j] = linePoint{x: t.RatePerS, y: micros(h.Quantile(q)), text: told, mark: trialMark(t)}
				if !h.Resolved(q) {
					points[j].mark += markFaint
				}
			}
			p.Series = append(p.Series, len(c.Series))
			l := look{hue: kneeHue(q)}.chartLook(false)
			c.Series = append(c.Series, lineOf(k.cell, words.Percentile(q), l, points))
		}
		c.Panels = append(c.Panels, p)
		c.Rules = append(c.Rules, ChartRule{Panel: i, Across: true, At: micros(k.sweep.SLO.Latency),
			Name: "objective " + words.Span(k.sweep.SLO.Latency)})
		if k.sweep.KneePerS > 0 {
			c.Rules = append(c.Rules, ChartRule{Panel: i, At: k.sweep.KneePerS, Name: kneeName(k.sweep)})
		}
	}
	return c
}

func trialMark(t *results.Trial) string {
	switch t.Verdict {
	case results.TrialMissed:
		return markHollow
	case results.TrialSpoilt, results.TrialCut:
		return markCross
	}
	return markSolid
}

// kneeName is what the line of a knee is called.
func kneeName(s *results.Sweep) string {
	switch s.State {
	case results.SweepAtLeast:
		return "knee ≥ " + words.Digits(s.KneePerS) + "/s"
	case results.SweepCut:
		return "so far " + words.Digits(s.KneePerS) + "/s"
	}
	return "knee " + words.Digits(s.KneePerS) + "/s"
}

// tag writes a word into a panel, on paper so that lines do not cross it.
func (sh *sheet) tag(p panel, s string, at vg.Point, side side) {
	st := textStyle{ink: soft, size: tickSize, side: side}
	w := sh.width(s, st)
	if side == leftwards && at.X-w < p.area.Min.X {
		at.X = p.area.Min.X + w
	}
	low := vg.Point{X: at.X - 1, Y: at.Y - 2}
	if side == leftwards {
		low.X -= w
	}
	sh.box(paper, 0.8, vg.Rectangle{Min: low, Max: vg.Point{X: low.X + w + 2, Y: low.Y + 10}})
	sh.write(s, at, st)
}

// trial draws the point of one trial.
func (sh *sheet) trial(at vg.Point, i ink, t *results.Trial, resolved bool) {
	opacity := 0.0
	if !resolved {
		opacity = unresolved
	}
	switch t.Verdict {
	case results.TrialMissed:
		sh.ring(i, at, 2.6, opacity)
	case results.TrialSpoilt, results.TrialCut:
		const arm = 2.6
		cross := pen{ink: i, width: 1.3, opacity: opacity}
		sh.line(cross, vg.Point{X: at.X - arm, Y: at.Y - arm}, vg.Point{X: at.X + arm, Y: at.Y + arm})
		sh.line(cross, vg.Point{X: at.X - arm, Y: at.Y + arm}, vg.Point{X: at.X + arm, Y: at.Y - arm})
	default:
		sh.dot(i, at, 2.8, opacity)
	}
}

// kneeAlt says the same in numbers.
func kneeAlt(all []kneePlot) string {
	var b strings.Builder
	for _, k := range all {
		fmt.Fprintf(&b, "%s: ", k.name)
		if k.sweep.KneePerS > 0 {
			fmt.Fprintf(&b, "%s. ", kneeName(k.sweep))
		}
		for _, t := range k.trials {
			fmt.Fprintf(&b, "At %s/s p50 %s, p99 %s (%s). ", words.Digits(t.RatePerS), words.QuantileOf(t.Latency, 0.5),
				words.QuantileOf(t.Latency, 0.99), t.Verdict)
		}
	}
	return strings.TrimSpace(b.String())
}
