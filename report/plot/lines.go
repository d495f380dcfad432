package plot

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
)

// A ChartLook is how a page draws one of several lines, where that follows from what
// the line stands for and not from its place among the others.
type ChartLook struct {
	Hue

	Corners int     `json:"corners,omitempty"` // of its markers; none for circles
	Turn    float64 `json:"turn,omitempty"`    // of the first corner, in radians
	Light   bool    `json:"light,omitempty"`   // it has less weight, and neither markers nor a name at its end
}

// A ChartRule is a straight line that stands for one value.
type ChartRule struct {
	Panel  int     `json:"panel"`
	Across bool    `json:"across,omitempty"` // at a value of y, else of x
	At     float64 `json:"at"`
	Name   string  `json:"name"`
}

// The ways in which a point of a line is marked, beside that of its line.
const (
	markSolid  = ""
	markHollow = "o"
	markCross  = "x" // it is shown, and the line passes it by
	markFaint  = "~" // behind any of these: few samples bear it
)

// chartLook returns l as a page has it.
func (l look) chartLook(light bool) *ChartLook {
	return &ChartLook{Hue: l.forPage(), Corners: l.marker.corners, Turn: l.marker.turn, Light: light}
}

// forPage returns h as a page has it.
func (h hue) forPage() Hue {
	return Hue{Line: h.line.spec().name, Label: h.label.spec().name, Dash: dashArray(h.dashes)}
}

// dashArray returns dashes as SVG has them.
func dashArray(dashes []vg.Length) string {
	all := make([]string, len(dashes))
	for i, d := range dashes {
		all[i] = strconv.FormatFloat(d.Points(), 'g', -1, 64)
	}
	return strings.Join(all, " ")
}

// A linePoint is one point of a line in a page.
type linePoint struct {
	x, y float64
	text string // what it says, in words
	mark string
}

// lineOf returns a line of a page.
func lineOf(cell int, name string, look *ChartLook, points []linePoint) ChartSeries {
	s := ChartSeries{Cell: cell, Name: name, Look: look}
	var x, y exact
	var marks []string
	for _, p := range points {
		x, y = append(x, p.x), append(y, p.y)
		s.Text, marks = append(s.Text, p.text), append(marks, p.mark)
	}
	s.Values = []json.Marshaler{x, y}
	if slices.ContainsFunc(marks, func(m string) bool { return m != markSolid }) {
		s.Marks = marks
	}
	return s
}

// exact are few numbers, which a page finds again by comparing them.
type exact []float64

// MarshalJSON writes the numbers with six digits.
func (e exact) MarshalJSON() ([]byte, error) {
	return listed(e, func(v float64) float64 {
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64) // it was one before
		return v
	})
}
