package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
	"pgregory.net/rapid"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// runs returns the runs that every figure must cope with.
func runs() map[string]*results.Run {
	long := fixture.Run(fixture.Default()[:6], 2, 60)
	for _, c := range long.Cells {
		c.Flow += "-with-a-name-that-goes-on-and-on-until-nobody-reads-it"
	}
	single := fixture.Run(fixture.Default()[:1], 1, 2)
	odd := fixture.Run(fixture.Many()[:9], 2, 60) // flows that are not on every broker, and one twice
	odd.Cells[3].Flow, odd.Cells[8].Flow = odd.Cells[0].Flow, "sixth"
	return map[string]*results.Run{
		"one": fixture.Run(fixture.Default()[:1], 4, 200), "five": fixture.Run(fixture.Default()[:5], 1, 100),
		"seven": fixture.Run(fixture.Default(), 3, 200), "twenty": fixture.Run(fixture.Many(), 1, 60),
		"troubled": fixture.Troubled(), "long names": long, "one sample": single, "odd": odd,
		"faulty": fixture.Faulty(), "faulty twice": fixture.FaultyTwice(), "many faults": manyFaults(),
		"urgent": fixture.Urgent(), "swept": fixture.Swept(), "ramp": fixture.Ramped(),
		"bulk": fixture.Bulk(), "wide": fixture.Run(fixture.Wide(), 1, 60),
		"carried": fixture.Carried(), "one size": oneSize(),
		"odd payloads": oddPayloads(), "told": fixture.Told(fixture.Run(fixture.Many(), 1, 10)),
		"odd steps": oddSteps(), "followed": fixture.Followed(),
	}
}

// oddSteps returns a run whose steps are of somebody hostile: many parts with long
// names, texts without an end, and more steps than anybody would read.
func oddSteps() *results.Run {
	run := fixture.Told(fixture.Run(fixture.Many(), 1, 10))
	long := strings.Repeat("words without end ", 30) + strings.Repeat("x", 400) + "</text>\x1b[31m"
	var parts []results.Step
	for i := range maxCast - 1 {
		from, to := fmt.Sprint("a-part-with-a-long-name-", i), fmt.Sprint("a-part-with-a-long-name-", i+1)
		parts = append(parts, results.Step{From: from, To: to, Text: long}, results.Step{From: to, Text: long},
			results.Step{From: to, To: "a-part-with-a-long-name-0", Text: long, Reply: true}, results.Step{To: to})
	}
	run.Cells[0].Flow = "<img src=x onerror=alert(1)>/../.."
	run.Steps[run.Cells[0].Flow] = map[string][]results.Step{"command": parts[:maxSteps/4], "query": {{From: "alone"}}}
	run.Steps[run.Cells[1].Flow] = map[string][]results.Step{"command": slices.Repeat(parts, 20), "query": nil}
	return run
}

// oneSize returns a run whose payloads are all of one size, and long names.
func oneSize() *results.Run {
	return fixture.CarriedBy(fixture.Parcels{
		Flows: []string{"a-flow-with-a-name-that-goes-on-and-on-until-nobody-reads-it"}, Brokers: []string{"nats"},
		Stores: []string{"s3", "a-store-with-a-name-that-goes-on"}, Bytes: []int{64 << 10},
	})
}

// oddPayloads returns a run with a payload of no bytes, a way that nobody knows, and
// one without any number.
func oddPayloads() *results.Run {
	run := fixture.Carried()
	run.Cells[0].Load.PayloadBytes = 0
	run.Cells[1].Payload, run.Cells[1].Store = "pigeon\x1b[31m</text>", "loft"
	for _, c := range run.Cells[4:8] {
		c.Latency, c.Payloads, c.Cost, c.Counts = nil, nil, results.Cost{}, results.Counts{}
	}
	return run
}

// manyFaults returns a run of ten cells, four in a row, with more faults than there
// is room for names, some at once and with names of somebody hostile, and one never
// undone.
func manyFaults() *results.Run {
	run := fixture.FaultyTwice()
	for len(run.Cells) < 10 {
		run.Cells = append(run.Cells, fixture.FaultyTwice().Cells...)
	}
	for i, c := range run.Cells {
		for n := range i {
			f := c.Faults[0]
			f.What, f.On = fmt.Sprintf("fault-%d</text>\x1b[31m", n), "a-place-far-away"
			f.Begin += time.Duration(n) * 300 * time.Millisecond
			c.Faults = append(c.Faults, f)
		}
		c.Faults[len(c.Faults)-1].Heal = 0
	}
	return run
}

// size is a canvas that only has a size and keeps what is drawn.
type size struct {
	recorder.Canvas
	w, h vg.Length
}

func (s *size) Size() (w, h vg.Length) { return s.w, s.h }

func painted(f Figure) *sheet {
	sh := newSheet(&size{w: figureWidth, h: f.height})
	f.paint(sh)
	return sh
}

func TestLabelsKeepApartAndStayOnTheCanvas(t *testing.T) {
	for name, run := range runs() {
		for _, f := range All(run) {
			labels := painted(f).labels
			for i, a := range labels {
				if a.box.Min.X < 0 || a.box.Min.Y < 0 || a.box.Max.X > figureWidth || a.box.Max.Y > f.height {
					t.Errorf("%s, %s: %q leaves the canvas: %v", name, f.Name, a.text, a.box)
				}
				for _, b := range labels[:i] {
					if a.box.Min.X < b.box.Max.X && b.box.Min.X < a.box.Max.X &&
						a.box.Min.Y < b.box.Max.Y && b.box.Min.Y < a.box.Max.Y {
						t.Errorf("%s, %s: %q lies on %q", name, f.Name, a.text, b.text)
					}
				}
			}
		}
	}
}

func TestFigures(t *testing.T) {
	all := []string{"intervals-command", "intervals-query", "percentiles-command", "percentiles-query",
		"histograms-command", "histograms-query", "over-time-command", "over-time-query", "heat-command", "heat-query",
		"send-lag", "send-lag-over-time"}
	for name, run := range runs() {
		var got []string
		for _, f := range All(run) {
			told := f.Section == SequenceSection // without numbers; they have a test of their own
			if !told {
				got = append(got, f.Name)
			}
			if f.Title == "" || f.Caption == "" || f.Section == "" || f.Alt == "" || !told &&
				!strings.HasPrefix(f.Name, "crossover-") && f.Name != "offered" && !strings.Contains(f.Alt, "p99 ") {
				t.Errorf("%s: %s lacks a text: %+v", name, f.Name, f)
			}
		}
		want := all
		switch name {
		case "carried", "odd payloads": // too many cells to be shown one by one
			want = []string{"crossover-time", "crossover-bytes", "crossover-burden"}
		case "one size":
			want = []string{"crossover-time", "crossover-bytes", "crossover-burden",
				"intervals-command", "percentiles-command", "histograms-command"}
		}
		if name == "urgent" {
			want = slices.Insert(slices.Clone(all), len(all)-2, "urgency-command", "urgency-query")
		}
		if name == "bulk" {
			want = slices.Insert(slices.Clone(all), len(all)-2, "bulk-command", "bulk-query")
		}
		if name == "followed" {
			var falls []string
			for _, flow := range []string{"async-reply-to", "proxy-async", "direct", "no-reply", "odd"} {
				falls = append(falls, "hops-"+flow+"-command", "hops-"+flow+"-query")
			}
			want = slices.Insert(slices.Clone(all), len(all)-2, falls...)
		}
		if name == "swept" {
			want = slices.Insert(slices.Clone(all), 0, "knee")
		}
		if name == "ramp" {
			want = slices.Insert(slices.Clone(all), 0, "offered")
		}
		if strings.Contains(name, "fault") {
			want = slices.Insert(slices.Clone(all), len(all)-2, "goodput")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: figures are %q", name, got)
		}
	}
	if got := All(&results.Run{Cells: []*results.Cell{{Flow: "nothing"}}}); len(got) != 0 {
		t.Errorf("a cell without samples has %d figures", len(got))
	}
}

func TestFigureNamesEndStages(t *testing.T) {
	run := fixture.Run(fixture.Many()[3:5], 2, 100)
	var text []string
	for _, l := range painted(All(run)[0]).labels {
		text = append(text, l.text)
	}
	if !slices.Contains(text, "no-reply on nats (applied)") || !slices.Contains(text, "proxy-async on nats") {
		t.Errorf("labels are %q", text)
	}
}

func TestSVGIsWellFormedAndInert(t *testing.T) {
	for name, run := range runs() {
		for _, f := range All(run) {
			var file bytes.Buffer
			if err := f.WriteSVG(&file); err != nil {
				t.Fatal(err)
			}
			inline, err := f.Inline()
			if err != nil {
				t.Fatal(err)
			}
			for form, s := range map[string]string{"file": file.String(), "inline": inline} {
				d := xml.NewDecoder(strings.NewReader(s))
				for {
					token, err := d.Token()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatalf("%s: %s %s: %v", name, f.Name, form, err)
					}
					if e, ok := token.(xml.StartElement); ok && !slices.Contains(
						[]string{"svg", "title", "desc", "g", "path", "text", "mask", "image", "rect"}, e.Name.Local) {
						t.Errorf("%s: %s %s has a <%s>", name, f.Name, form, e.Name.Local)
					}
				}
				for _, bad := range []string{"NaN", "Inf", "<?xml", "font-family:Liberation"} {
					if strings.Contains(s, bad) {
						t.Errorf("%s: %s %s contains %q", name, f.Name, form, bad)
					}
				}
			}
			if strings.Contains(inline, ":#") {
				t.Errorf("%s: %s has a fixed colour", name, f.Name)
			}
		}
	}
}

func TestPNG(t *testing.T) {
	for _, f := range All(fixture.Run(fixture.Default()[:2], 2, 50)) {
		var a, b bytes.Buffer
		if err := f.WritePNG(&a); err != nil {
			t.Fatal(err)
		}
		if err := f.WritePNG(&b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s differs between two drawings", f.Name)
		}
		config, err := png.DecodeConfig(&a)
		if err != nil || config.Width != 1440 {
			t.Errorf("%s is %d pixels wide, %v", f.Name, config.Width, err)
		}
	}
}

func TestFacets(t *testing.T) {
	all := runs()
	for name, want := range map[string]string{
		"one": "[1+0]", "five": "[5+0]", "seven": "[4+0 4+0]", "twenty": "[5+0 5+0 5+0 5+0]",
		"odd": "[1+8 1+8 1+8 1+8 1+8 1+8 1+8 1+8 1+8]",
	} {
		run := all[name]
		labels := make([]string, len(run.Cells))
		var got []string
		for _, f := range facets(seriesOf(run, labels, results.Query)) {
			got = append(got, fmt.Sprintf("%d+%d", len(f.curves), len(f.grey)))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: panels have %v curves, want %s", name, got, want)
		}
	}
}

func TestLatencyAxis(t *testing.T) {
	for _, c := range []struct {
		in       span
		min, max float64
	}{
		{span{340, 4_100}, 200, 5_000}, {span{1, 1}, 0.5, 2}, {span{1000, 1000}, 500, 2000}, {span{}, 50, 20_000},
	} {
		if a := latencyAxis(c.in); a.min != c.min || a.max != c.max {
			t.Errorf("axis of %v is from %v to %v, want %v to %v", c.in, a.min, a.max, c.min, c.max)
		}
	}
	var got []string
	for _, m := range latencyAxis(span{340, 4_100}).marks[0] {
		got = append(got, m.text)
	}
	if want := "200 µs,500 µs,1 ms,2 ms,5 ms"; strings.Join(got, ",") != want {
		t.Errorf("marks are %q, want %s", got, want)
	}
}

// TestCurveFollowsQuantiles holds the points of a curve to the histogram's own
// quantiles.
func TestCurveFollowsQuantiles(t *testing.T) {
	h := fixture.Run(fixture.Default()[:1], 2, 400).Cells[0].LatencyOf(results.Command, results.AnsweredStage)
	p := panel{
		area: vg.Rectangle{Max: vg.Point{X: 100, Y: 100}}, x: ninesAxis(h.N()),
		y: latencyAxis(span{micros(h.Min()), micros(h.Max())}),
	}
	solid, tail := quantileCurve(p, h, 40)
	for _, at := range append(solid, tail...) {
		beyond := math.Pow(float64(h.N()), float64(at.X)/100)
		lo, hi := h.Quantile(1-1.02/beyond), h.Quantile(1-0.98/beyond)
		if y := p.at(1, micros(lo)).Y; at.Y < y-0.5 {
			t.Errorf("the curve at 1/(1-p) = %.1f lies below its quantile %v", beyond, lo)
		}
		if y := p.at(1, micros(hi)).Y; at.Y > y+0.5 {
			t.Errorf("the curve at 1/(1-p) = %.1f lies above its quantile %v", beyond, hi)
		}
	}
}

// TestBinsLoseNothing holds the sum of a histogram's bins to its count.
func TestBinsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := results.NewHist()
		for _, us := range rapid.SliceOfN(rapid.Int64Range(1, 5_000_000), 1, 50).Draw(t, "us") {
			h.Record(time.Duration(us) * time.Microsecond)
		}
		x := latencyAxis(span{micros(h.Min()), micros(h.Max())})
		var sum float64
		for _, v := range bins(h, x.min, x.max) {
			sum += v
		}
		if sum < float64(h.N())*0.999 || sum > float64(h.N())*1.001 {
			t.Fatalf("bins hold %v of %d values", sum, h.N())
		}
	})
}

func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make([]vg.Length, rapid.IntRange(1, 5).Draw(t, "n"))
		for i := range want {
			want[i] = vg.Length(rapid.Float64Range(0, 100).Draw(t, "y"))
		}
		got := spread(want, 13, 0, 100)
		order := ascending(got)
		for i, k := range order {
			if got[k] < 0 || got[k] > 100 || i > 0 && got[k]-got[order[i-1]] < 13-1e-9 {
				t.Fatalf("spread(%v) = %v", want, got)
			}
		}
	})
}
