package crossover

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// chartOf returns the chart of a run, which must have one.
func chartOf(t *testing.T, run *results.Run) *Chart {
	t.Helper()
	c := Of(run)
	if c == nil {
		t.Fatal("the run has no chart")
	}
	return c
}

func TestARunWhosePayloadsAreAllAlikeHasNoChart(t *testing.T) {
	for _, run := range []*results.Run{fixture.Run(fixture.Default(), 1, 60), fixture.Troubled(), {}} {
		if c := Of(run); c != nil {
			t.Errorf("%s: there is a chart with ways %v and sizes %v", run.ID, c.Ways, c.Sizes)
		}
	}
}

func TestCellsAreGroupedByAllButSizeAndWay(t *testing.T) {
	run := fixture.Carried()
	c := chartOf(t, run)
	var names []string
	cells := 0
	for _, g := range c.Groups {
		names = append(names, g.Name)
		for _, w := range c.Ways {
			for _, bytes := range c.Sizes {
				if p := g.At(w, bytes); p.Cell != nil {
					cells++
				}
			}
		}
	}
	want := []string{
		"async-reply-to on nats", "async-reply-to on rabbitmq", "no-reply on nats", "no-reply on rabbitmq",
	}
	if !slices.Equal(names, want) {
		t.Errorf("groups are %q; want %q", names, want)
	}
	if cells != len(run.Cells) {
		t.Errorf("groups have %d cells of %d", cells, len(run.Cells))
	}
	if got := []string{c.Ways[0].String(), c.Ways[1].String(), c.Ways[2].String()}; !slices.Equal(got,
		[]string{"inline", "reference over s3", "stream"}) {
		t.Errorf("ways are %q", got)
	}
}

func TestNoCellDisappearsWhereTwoHaveTheSameSizeAndWay(t *testing.T) {
	run := fixture.Carried()
	run.Cells[1].ID, run.Cells[1].Load.PayloadBytes = run.Cells[0].ID, run.Cells[0].Load.PayloadBytes
	var cells int
	for _, g := range chartOf(t, run).Groups {
		cells += len(g.points)
	}
	if cells != len(run.Cells) {
		t.Errorf("groups have %d cells of %d", cells, len(run.Cells))
	}
}

func TestInlineEndsWhereMessagesAreFull(t *testing.T) {
	c := chartOf(t, fixture.Carried())
	if e := c.Groups[0].Ends; e == nil || *e != (End{Last: 256 << 10, Next: 4 << 20}) {
		t.Errorf("on nats inline ends at %+v", e)
	}
	if e := c.Groups[1].Ends; e != nil {
		t.Errorf("on rabbitmq inline ends at %+v", e)
	}
	run := fixture.Carried()
	run.LeftOut = nil
	if e := chartOf(t, run).Groups[0].Ends; e != nil {
		t.Errorf("where nobody left anything out, inline ends at %+v", e)
	}
	for _, cell := range run.Cells {
		if cell.ID == "async-reply-to-rabbitmq-4mib" {
			cell.Counts, cell.Latency = results.Counts{Due: 3, Failed: 3}, nil
			cell.Classes = map[string]int64{"too-large": 3}
		}
	}
	if e := chartOf(t, run).Groups[1].Ends; e == nil || *e != (End{256 << 10, 4 << 20, true}) {
		t.Errorf("where all failed as too large, inline ends at %+v", e)
	}
}

func TestPointsThatMayNotBeComparedAreNot(t *testing.T) {
	run := fixture.Carried()
	for name, spoil := range map[string]func(*results.Cell){
		"not valid": func(c *results.Cell) { c.Valid = false },
		"none ok":   func(c *results.Cell) { c.Counts.OK = 0 },
		"too few": func(c *results.Cell) {
			h := results.NewHist()
			h.Record(time.Second)
			c.Latency["command"]["answered"] = h
		},
		"inline after all": func(c *results.Cell) { c.Payloads.Events, c.Payload = nil, "stream" },
	} {
		c := *run.Cells[0]
		c.Latency = map[string]map[string]*results.Hist{"command": {"answered": c.Latency["command"]["answered"]}}
		payloads := *c.Payloads
		c.Payloads = &payloads
		spoil(&c)
		g := Group{points: map[key]Point{{wayOf(&c), 1}: {Cell: &c}}}
		if g.measure(results.Command, true); g.At(wayOf(&c), 1).Solid() {
			t.Errorf("%s: the cell takes part in comparisons", name)
		}
	}
}

// drawn returns a chart with random medians, some close to each other and some
// absent.
func drawn(t *rapid.T) (*Chart, Group) {
	c := &Chart{Ways: []Way{Inline(), {reference, "s3"}, {reference, "file"}, Stream()}}
	g := Group{points: make(map[key]Point)}
	cell := &results.Cell{Valid: true}
	for i := range rapid.IntRange(1, 7).Draw(t, "sizes") {
		bytes := 1 << (2 * i)
		c.Sizes = append(c.Sizes, bytes)
		for _, w := range c.Ways {
			if m := time.Duration(rapid.IntRange(0, 14).Draw(t, w.Short())); m > 0 {
				g.points[key{w, bytes}] = Point{Cell: cell, N: 100, Median: m * 10, Low: m*10 - 1, High: m*10 + 1}
			}
		}
	}
	return c, g
}

// TestNoComparisonClaimsWhatTheNumbersDoNotHave holds what is found to the medians
// themselves, counted once more in the plainest way.
func TestNoComparisonClaimsWhatTheNumbersDoNotHave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, g := drawn(t)
		b := []Way{Inline()}
		w, f := c.BestReference(g, b)
		if rapid.Bool().Draw(t, "envelope") {
			f = c.Compare(g, b, c.References())
			w, b = Inline(), c.References()
		}
		wins := 0
		for _, bytes := range c.Sizes {
			p := g.At(w, bytes)
			var q Point
			for _, o := range b {
				if r := g.At(o, bytes); r.Cell != nil && (q.Cell == nil || r.Median < q.Median) {
					q = r
				}
			}
			if p.Cell == nil || q.Cell == nil {
				if slices.Contains(f.Measured, bytes) {
					t.Fatalf("%d was not measured of both", bytes)
				}
				continue
			}
			ahead := q.Median*10 >= p.Median*11
			if ahead {
				wins++
			}
			switch {
			case ahead != slices.Contains(f.At, bytes):
				t.Fatalf("at %d it is %v against %v, and %+v", bytes, p.Median, q.Median, f)
			case f.Finding == Always && !ahead, f.Finding == Never && ahead:
				t.Fatalf("at %d it is %v against %v, and the finding is %d", bytes, p.Median, q.Median, f.Finding)
			case f.Finding == From && bytes >= f.From && !ahead:
				t.Fatalf("from %d on it is said to be faster, and at %d it is not", f.From, bytes)
			case f.Finding == From && bytes == f.Slower && p.Median*10 < q.Median*11:
				t.Fatalf("at %d it is said to be slower, and it is not", bytes)
			}
		}
		if (f.Finding == Never || f.Finding == Untold) != (wins == 0) {
			t.Fatalf("it is faster at %d sizes, and the finding is %d", wins, f.Finding)
		}
	})
}

func TestMediansThatAreCloseAreAlike(t *testing.T) {
	p := Point{Median: 100, Low: 95, High: 105}
	for _, c := range []struct {
		q    Point
		want bool
	}{
		{Point{Median: 109, Low: 108, High: 110}, false}, {Point{Median: 111, Low: 108, High: 114}, true},
		{Point{Median: 150, Low: 90, High: 300}, false}, {Point{Median: 90, Low: 89, High: 91}, false},
	} {
		if got := faster(p, c.q); got != c.want {
			t.Errorf("%v is faster than %v: %v", p, c.q, got)
		}
	}
}

// TestReachIsAnUnbrokenLead looks that no size below the reach is one at which the
// way is behind.
func TestReachIsAnUnbrokenLead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, g := drawn(t)
		reach := c.Reach(g, Inline())
		for _, bytes := range c.Sizes {
			if l := c.Leaders(g, bytes); bytes <= reach && len(l) > 0 && !slices.Contains(l, Inline()) {
				t.Fatalf("reach is %d, and at %d %v lead", reach, bytes, l)
			}
		}
	})
}
