package plot

import (
	"encoding/json"
	"math"
	"strconv"

	"flowbench/report/words"
	"flowbench/results"
)

// A Chart is what a figure shows, as data, for pages in which it can be explored. The
// drawing of the figure is made from the same numbers.
type Chart struct {
	Kind   string        `json:"kind"` // see Values of a ChartSeries
	X      Scale         `json:"x"`
	Y      Scale         `json:"y"`
	Series []ChartSeries `json:"series"`
	Panels []ChartPanel  `json:"panels,omitempty"` // without any, each series has its own

	Quantiles []float64 `json:"quantiles,omitempty"`  // that rows and bars show
	Width     float64   `json:"width,omitempty"`      // of a window over time, in seconds
	PerDecade int       `json:"per_decade,omitempty"` // bins on a logarithmic scale that begins at the least latency
	Noun      string    `json:"noun,omitempty"`       // what is counted: commands, queries or operations
	Simulated bool      `json:"simulated,omitempty"`

	Rules []ChartRule       `json:"rules,omitempty"` // of lines
	Marks map[string]string `json:"marks,omitempty"` // what the marks of points stand for
}

// A Scale is an axis of a chart.
type Scale struct {
	Name string  `json:"name"`
	Kind string  `json:"kind"` // log, linear, or nines: 1/(1-p) on a logarithmic scale
	Unit string  `json:"unit"` // us, s, per_s, n, nines, bytes or times
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// A ChartPanel is one of several coordinate systems that share their scales.
type ChartPanel struct {
	Title  string `json:"title"`
	Series []int  `json:"series"` // in the order of their hues
	Hues   []int  `json:"hues"`
}

// A ChartSeries is one cell's part in a chart, or one of several lines. Its values are,
// by the kind of the chart:
//
//	rows    none but the quantiles
//	curves  latencies at 1/(1-p) = N^(i/last), i from 0
//	bars    how many operations there are in each bin of latencies
//	time    for each window the p50, the p99 and how many operations they are from
//	flow    for each window the rates of due, ok and otherwise, and the backlog
//	heat    how many operations there are in each window, and text: see heatText
//	lines   the places and the values of points, and for each a text and a mark
//
// Latencies are in microseconds, and 0 where there is nothing.
type ChartSeries struct {
	Cell   int              `json:"cell"` // -1 where points of one series are of several cells
	Name   string           `json:"name"`
	N      int64            `json:"n"`
	Values []json.Marshaler `json:"values,omitempty"`
	Text   []string         `json:"text,omitempty"`
	Marks  []string         `json:"marks,omitempty"`
	Look   *ChartLook       `json:"look,omitempty"`
	Faint  bool             `json:"faint,omitempty"` // the cell is not valid

	// Quantiles are those of rows and bars, with all their digits, since they stand
	// beside the same ones in tables.
	Quantiles []float64 `json:"quantiles,omitempty"`
}

// digits are numbers of which three digits are kept, as many as readings show.
type digits []float64

// MarshalJSON writes the numbers as short as they can be.
func (d digits) MarshalJSON() ([]byte, error) {
	if s, ok := packedDigits(d); ok {
		return json.Marshal(s)
	}
	return listed(d, func(v float64) float64 {
		n, power := threeDigits(v)
		v, _ = strconv.ParseFloat(strconv.Itoa(n)+"e"+strconv.Itoa(power), 64) // 110 * 0.01 is 1.1 and a bit more
		return v
	})
}

// wholes are numbers without fractions, all digits of which are kept.
type wholes []float64

// MarshalJSON writes the numbers as short as they can be.
func (w wholes) MarshalJSON() ([]byte, error) {
	if s, ok := packedWholes(w); ok {
		return json.Marshal(s)
	}
	return listed(w, math.Round)
}

// tenths are numbers of which one digit after the point is kept.
type tenths []float64

// MarshalJSON writes the numbers as short as they can be.
func (t tenths) MarshalJSON() ([]byte, error) {
	return listed(t, func(v float64) float64 { return math.Round(10*v) / 10 })
}

// listed returns a JSON array of numbers after each was rounded.
func listed(all []float64, round func(float64) float64) ([]byte, error) {
	b := make([]byte, 0, 2+5*len(all))
	b = append(b, '[')
	for i, v := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, round(v), 'f', -1, 64)
	}
	return append(b, ']'), nil
}

// A ChartCell is what the charts of a page say about one cell of its run.
type ChartCell struct {
	Name   string       `json:"name"`
	Warmup float64      `json:"warmup_s"`
	Faults []ChartFault `json:"faults,omitempty"`
}

// A ChartFault is something that was made to go wrong. Times are in seconds since the
// load began, and 0 where there is none.
type ChartFault struct {
	Name    string  `json:"name"`
	Outcome string  `json:"outcome"`
	From    float64 `json:"from_s"`
	To      float64 `json:"to_s,omitempty"`
	Noticed float64 `json:"noticed_s,omitempty"`
	Well    float64 `json:"well_s,omitempty"`
}

// Cells returns what the charts of a page say about the cells of run, in their order.
func Cells(run *results.Run) []ChartCell {
	labels := words.Labels(run)
	cells := make([]ChartCell, len(run.Cells))
	for i, c := range run.Cells {
		cells[i] = ChartCell{Name: labels[i], Warmup: c.Load.Warmup.Seconds()}
		for _, f := range befell(c) {
			told := ChartFault{Name: words.Fault(f), Outcome: words.FaultOutcome(f), From: f.Begin.Seconds()}
			if f.Heal > f.Begin {
				told.To = f.Heal.Seconds()
			}
			noticed, well := faultMoments(f)
			told.Noticed, told.Well = noticed.Seconds(), well.Seconds()
			cells[i].Faults = append(cells[i].Faults, told)
		}
	}
	return cells
}

// scale returns a as a page has it.
func (a axis) scaleAs(kind, unit string) Scale {
	return Scale{Name: a.name, Kind: kind, Unit: unit, Min: a.min, Max: a.max}
}

// latencyScale returns an axis of latencies as a page has it.
func (a axis) latencyScale() Scale { return a.scaleAs("log", "us") }

// charted returns the parts that cells have in a chart, with their values.
func charted(run *results.Run, all []series, values func(i int, s series) []json.Marshaler) []ChartSeries {
	index := make(map[*results.Cell]int, len(run.Cells))
	for i, c := range run.Cells {
		index[c] = i
	}
	out := make([]ChartSeries, len(all))
	for i, s := range all {
		out[i] = ChartSeries{Cell: index[s.cell], Name: s.name, Faint: !s.cell.Valid, Values: values(i, s)}
		if s.hist != nil {
			out[i].N = s.hist.N()
		}
	}
	return out
}

// rowsChart returns the chart of an interval plot.
func rowsChart(run *results.Run, all []series, quantiles []float64, x axis) *Chart {
	c := &Chart{
		Kind: "rows", X: x.latencyScale(), Quantiles: quantiles, Simulated: run.Simulated,
		Series: charted(run, all, func(int, series) []json.Marshaler { return nil }),
	}
	c.quantiles(all)
	return c
}

// quantiles adds the quantiles that c shows to its series.
func (c *Chart) quantiles(all []series) {
	for i, s := range all {
		for _, p := range c.Quantiles {
			c.Series[i].Quantiles = append(c.Series[i].Quantiles, micros(s.hist.Quantile(p)))
		}
	}
}

// mostPoints is how many windows all cells of a chart have together, so that a page
// stays small whatever the number of cells and the length of the run.
const mostPoints = 3000

// perCell returns how many windows each of n cells has at most.
func perCell(n int) int { return min(600, max(mostWindows, mostPoints/max(n, 1))) }
