package plot

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// A Figure is one plot, ready to be drawn.
type Figure struct {
	Name    string // of its files, such as intervals-command
	Section string // what it is about; pages have sections of these names, such as intervals or faults
	Of      string // what figures of a section that belong together have in common; may be empty
	Title   string
	Caption string // how to read it
	Alt     string // what it shows, in numbers, for those who do not see it

	// Chart is what the figure shows, for pages in which it can be explored; nil for
	// drawings that measure nothing.
	Chart *Chart

	height vg.Length
	paint  func(*sheet)
}

// All returns the figures of run, in the order in which reports show them. A
// figure that would show nothing is left out, and so are those that would show
// hundreds of cells one by one. How the flows work comes last.
func All(run *results.Run) []Figure {
	run = run.Merged()
	return append(measured(run), sequences(run)...)
}

// measured returns the figures of what was measured.
func measured(run *results.Run) []Figure {
	figures := crossovers(run)
	if c := crossover.Of(run); c != nil && c.Crowded {
		if run.Simulated {
			return stamped(figures)
		}
		return figures
	}
	labels := words.Labels(run)
	for _, draw := range []func(*results.Run, []string) (Figure, bool){knees, offered} {
		if f, ok := draw(run, labels); ok {
			figures = append(figures, f)
		}
	}
	for _, draw := range []func(*results.Run, []string, results.Kind) (Figure, bool){
		intervals, repeats, percentiles, histograms, overTime, heatmap, urgency, bulk,
	} {
		for _, k := range results.Kinds() {
			if f, ok := draw(run, labels, k); ok {
				figures = append(figures, f)
			}
		}
	}
	figures = append(figures, waterfalls(run, labels)...)
	if f, ok := goodput(run, labels); ok {
		figures = append(figures, f)
	}
	if run.Simulated {
		return stamped(figures) // and nobody is late in virtual time
	}
	for _, draw := range []func(*results.Run, []string) (Figure, bool){sendLag, sendLagOverTime} {
		if f, ok := draw(run, labels); ok {
			figures = append(figures, f)
		}
	}
	return figures
}

// stamped returns the figures of a simulation, each of which says that it is
// one: figures are shown without the page that they were drawn for.
func stamped(figures []Figure) []Figure {
	const word = "simulated"
	for i, f := range figures {
		figures[i].Title, figures[i].Alt = f.Title+" ("+word+")", "Simulated. "+f.Alt
		figures[i].paint = func(sh *sheet) {
			sh.stamp(word)
			sh.simulated = true
			f.paint(sh)
		}
	}
	return figures
}

// dpi is the resolution of PNG files: 1440 pixels across.
const dpi = 144

// WritePNG draws f as a PNG image on white.
func (f Figure) WritePNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(figureWidth, f.height), vgimg.UseDPI(dpi))
	f.draw(newSheet(c))
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(w); err != nil {
		return fmt.Errorf("write figure %s: %w", f.Name, err)
	}
	return nil
}

// draw draws f with its paper on sh.
func (f Figure) draw(sh *sheet) {
	sh.box(paper, 0, sh.canvas.Rectangle)
	f.paint(sh)
}

// A series is one cell's part in a figure.
type series struct {
	cell  *results.Cell
	name  string // the cell's label, and the stage if it is not answered
	hist  *results.Hist
	stage results.Stage
}

// seriesOf returns the cells of run that have operations of kind k, each with
// its latency to the last stage that the kind reaches in it.
func seriesOf(run *results.Run, labels []string, k results.Kind) []series {
	var all []series
	for i, c := range run.Cells {
		stage, h := words.End(c, k)
		if h == nil {
			continue
		}
		s := series{cell: c, name: labels[i], hist: h, stage: stage}
		if stage != results.AnsweredStage {
			s.name += " (" + stage.String() + ")"
		}
		s.name = words.Doubted(s.name, c)
		all = append(all, s)
	}
	return all
}

// toStage says where the latencies of all series end, for hints and captions.
func toStage(all []series) string {
	for _, s := range all {
		if s.stage != results.AnsweredStage {
			return "from due to answered, or to the stage in parentheses"
		}
	}
	return "from due to answered"
}

// alt lists the quantiles of all series.
func alt(all []series) string {
	var b []byte
	for _, s := range all {
		b = fmt.Appendf(b, "%s: p50 %s, p99 %s, p99.9 %s, n = %s. ", s.name, words.QuantileOf(s.hist, 0.5),
			words.QuantileOf(s.hist, 0.99), words.QuantileOf(s.hist, 0.999), words.Count(s.hist.N()))
	}
	return string(b)
}

// ascending returns the indices of v in the order of its values, ties by index.
func ascending(v []vg.Length) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	return order
}
