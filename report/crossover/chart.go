package crossover

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// The modes in which payloads travel, as results name them.
const (
	inline    = "inline"
	reference = "reference"
	stream    = "stream"
)

// Enough is how many operations a cell needs to take part in comparisons.
const Enough = 5

// A Way is how payloads travel.
type Way struct{ Mode, Store string }

// Inline and Stream return the ways that need no store.
func Inline() Way { return Way{Mode: inline} }

// Stream returns the way in chunks.
func Stream() Way { return Way{Mode: stream} }

// Reference returns the way over a store that is not named.
func Reference() Way { return Way{Mode: reference} }

// ByReference reports whether payloads travel over a store.
func (w Way) ByReference() bool { return w.Mode == reference }

// String returns the way in words.
func (w Way) String() string {
	if w.Store == "" {
		return w.Mode
	}
	return w.Mode + " over " + w.Store
}

// Short returns the way in one word, for where there is little room: by reference
// it is the store.
func (w Way) Short() string { return cmp.Or(w.Store, w.Mode) }

// A Chart is a run whose cells differ in size or way of their payloads.
type Chart struct {
	Kind   results.Kind // of the operations that are compared
	Ways   []Way        // inline, by reference over each store, stream
	Sizes  []int        // ascending
	Groups []Group

	Simulated bool
	Crowded   bool // there are too many cells to show each of them by itself
}

// mostInDetail is how many cells a report shows one by one if their payloads
// differ. More of them are shown by group, way and size.
const mostInDetail = 24

// A Group is the cells that differ in nothing but size and way.
type Group struct {
	Name         string
	Flow, Broker string
	Stage        string // at which the times end, such as answered
	Ends         *End   // nil if inline does not end before the other ways do

	points map[key]Point
}

type key struct {
	way   Way
	bytes int
}

// An End says where inline ends.
type End struct {
	Last   int  // the largest size that went; 0 if none did
	Next   int  // the smallest that did not
	Failed bool // it was tried, and refused as too large; else the plan left it out
}

// A Point is what was measured of one size and way.
type Point struct {
	Cell      *results.Cell
	Hist      *results.Hist // of the times; nil if there are none
	N         int64
	Median    time.Duration // 0 if there is none
	Low, High time.Duration // where the median lies, with a confidence of 95 %
	FirstByte time.Duration // median; 0 where nobody looked
	LastByte  time.Duration
	Inlined   bool // its payloads travelled inline after all, being small
}

// Drawn reports whether the point may be shown as a number of its way.
func (p Point) Drawn() bool { return p.Cell != nil && p.Cell.Valid && p.Median > 0 && !p.Inlined }

// Solid reports whether it may be compared with others.
func (p Point) Solid() bool { return p.Drawn() && p.N >= Enough }

// At returns the point of a way and a size; its cell is nil if there is none.
func (g Group) At(w Way, bytes int) Point { return g.points[key{w, bytes}] }

// Has reports whether the group has any cell of a way.
func (g Group) Has(w Way) bool {
	for k := range g.points {
		if k.way == w {
			return true
		}
	}
	return false
}

// Of returns the chart of run, or nil if its payloads do not differ.
func Of(run *results.Run) *Chart {
	c := &Chart{Kind: results.Query, Simulated: run.Simulated}
	sizes := make(map[int]bool)
	carried := false
	for _, cell := range run.Cells {
		if cell.Bulk != nil {
			return nil // its payloads are not of one size, and what it asks is not which way is fastest
		}
		if cell.Load.CommandShare > 0 {
			c.Kind = results.Command
		}
		sizes[cell.Load.PayloadBytes] = true
		if w := wayOf(cell); !slices.Contains(c.Ways, w) {
			c.Ways = append(c.Ways, w)
		}
		carried = carried || cell.Payloads != nil && len(cell.Payloads.Events) > 0
	}
	if len(sizes) < 2 && len(c.Ways) < 2 {
		return nil
	}
	c.Sizes = slices.Sorted(maps.Keys(sizes))
	order := []string{inline, reference, stream}
	slices.SortStableFunc(c.Ways, func(a, b Way) int {
		return cmp.Compare(slices.Index(order, a.Mode), slices.Index(order, b.Mode))
	})
	c.Crowded = len(run.Cells) > mostInDetail
	c.group(run, carried)
	return c
}

func wayOf(c *results.Cell) Way { return Way{words.Clean(c.Payload), words.Clean(c.Store)} }

// group puts the cells into groups. A cell whose place in its group is taken has
// a group of its own: no cell may disappear.
func (c *Chart) group(run *results.Run, carried bool) {
	index := make(map[string]int)
	var first results.Run
	var stems []string
	for _, cell := range run.Cells {
		stem, k := words.Stem(cell), key{wayOf(cell), cell.Load.PayloadBytes}
		i, seen := index[stem]
		if seen && c.Groups[i].points[k].Cell != nil {
			stem, seen = cell.ID, false
		}
		if !seen {
			i = len(c.Groups)
			index[stem], stems = i, append(stems, stem)
			c.Groups = append(c.Groups, Group{Flow: cell.Flow, Broker: cell.Broker, points: make(map[key]Point)})
			first.Cells = append(first.Cells, bare(cell, stem))
		}
		c.Groups[i].points[k] = Point{Cell: cell}
	}
	for i, name := range words.Labels(&first) {
		g := &c.Groups[i]
		g.Name = name
		g.measure(c.Kind, carried)
		g.Ends = g.end(c.Sizes, stems[i], run.LeftOut)
	}
}

// bare returns a cell without what its payloads are like, to be named by the rest.
func bare(c *results.Cell, stem string) *results.Cell {
	b := &results.Cell{ID: stem, Flow: c.Flow, Broker: c.Broker, Edge: c.Edge, Load: c.Load}
	b.Load.PayloadBytes = 0
	return b
}

// lastByteStage is where times end in a flow of whose operations no client and no
// service tells more.
const lastByteStage = "last byte"

// measure fills in the numbers of the group's points: times to the last stage that
// any of its cells reaches, so that all of them have the same end.
func (g *Group) measure(kind results.Kind, carried bool) {
	of := map[string]func(*results.Cell) *results.Hist{
		lastByteStage: func(c *results.Cell) *results.Hist { return c.Payloads.Of("last-byte") },
	}
	stages := []string{lastByteStage}
	for _, s := range results.Stages() {
		stages = append(stages, s.String())
		of[s.String()] = func(c *results.Cell) *results.Hist { return c.LatencyOf(kind, s) }
	}
	for _, s := range stages {
		for _, p := range g.points {
			if of[s](p.Cell) != nil {
				g.Stage = s
			}
		}
	}
	for k, p := range g.points {
		if g.Stage != "" {
			p.take(of[g.Stage](p.Cell))
		}
		if h := p.Cell.Payloads.Of("first-byte"); h != nil {
			p.FirstByte = h.Quantile(0.5)
		}
		if h := p.Cell.Payloads.Of("last-byte"); h != nil {
			p.LastByte = h.Quantile(0.5)
		}
		p.Inlined = carried && k.way.Mode != inline && p.Cell.Payloads != nil && p.Cell.Counts.OK > 0 &&
			len(p.Cell.Payloads.Events) == 0
		g.points[k] = p
	}
}

// take takes the median of a histogram, and from its neighbours in rank where the
// median lies.
func (p *Point) take(h *results.Hist) {
	if h == nil || p.Cell.Counts.OK == 0 {
		return
	}
	p.Hist, p.N, p.Median = h, h.N(), h.Quantile(0.5)
	off := min(0.5, 0.98/math.Sqrt(float64(p.N)))
	p.Low, p.High = h.Quantile(0.5-off), h.Quantile(0.5+off)
}

// end finds where inline ends for want of room in a message: at a size that the
// plan left out for that, or that was tried in vain.
func (g Group) end(sizes []int, stem string, leftOut []string) *End {
	e := End{}
	for _, bytes := range sizes {
		p := g.At(Inline(), bytes)
		switch {
		case p.Cell != nil && p.Cell.Counts.OK > 0:
			e = End{Last: bytes}
		case p.Cell != nil && p.Cell.Classes["too-large"] > 0 && e.Next == 0:
			e.Next, e.Failed = bytes, true
		case p.Cell == nil && e.Next == 0 && doesNotFit(words.InlineID(stem, bytes), leftOut):
			e.Next = bytes
		}
	}
	if e.Next == 0 {
		return nil
	}
	return &e
}

// doesNotFit reports whether the plan left out a cell because its payloads do not
// fit into a message.
func doesNotFit(id string, leftOut []string) bool {
	return slices.ContainsFunc(leftOut, func(s string) bool {
		why, ok := strings.CutPrefix(s, id+": ")
		return ok && strings.Contains(why, "do not fit into a message")
	})
}

// Columns returns how many groups there are for each flow if every flow has the
// same number of them, one after the other; else 0.
func (c *Chart) Columns() int {
	var flow string
	var lengths []int
	for i, g := range c.Groups {
		if i == 0 || g.Flow != flow {
			flow, lengths = g.Flow, append(lengths, 0)
		}
		lengths[len(lengths)-1]++
	}
	if len(lengths) == 0 || slices.Min(lengths) != slices.Max(lengths) {
		return 0
	}
	return lengths[0]
}

// Cells returns the cells of a group by way and size as a run of their own, and for
// each of them its way and size.
func (c *Chart) Cells(g Group) (run *results.Run, names []string) {
	run = &results.Run{}
	for _, w := range c.Ways {
		for _, bytes := range c.Sizes {
			if p := g.At(w, bytes); p.Cell != nil {
				run.Cells, names = append(run.Cells, p.Cell), append(names, w.String()+", "+words.Size(bytes))
			}
		}
	}
	return run, names
}
