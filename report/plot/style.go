package plot

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"

	"flowbench/report/crossover"
)

// An ink is a colour with a role. The set is closed, because pages map each of
// them to a CSS variable.
type ink int

const (
	paper ink = iota
	text
	soft // text of less weight; still 7:1 on paper
	axisLine
	gridLine
	rest  // curves that are only there to compare with
	shade // of a span of time
	blue
	vermillion
	green
	purple
	black
	blueText
	vermillionText
	greenText
	purpleText
	blackText
	numInks
)

// An inkSpec is what an ink looks like on paper, and its name in style sheets.
type inkSpec struct {
	name string
	rgb  color.NRGBA
}

// spec returns the properties of i. The hues are those of Okabe and Ito that
// stand out at least 3:1 from white; their text tones reach 4.5:1. None is
// pure black, which the SVG canvas would leave out and no page could restyle.
func (i ink) spec() inkSpec {
	return [numInks]inkSpec{
		paper:          {"paper", rgb(0xffffff)},
		text:           {"text", rgb(0x1a1a1a)},
		soft:           {"soft", rgb(0x555555)},
		axisLine:       {"axis", rgb(0x8c8c8c)},
		gridLine:       {"grid", rgb(0xe4e4e4)},
		rest:           {"rest", rgb(0xbdbdbd)},
		shade:          {"shade", rgb(0xf2efe6)},
		blue:           {"blue", rgb(0x0072b2)},
		vermillion:     {"vermillion", rgb(0xd55e00)},
		green:          {"green", rgb(0x009e73)},
		purple:         {"purple", rgb(0xcc79a7)},
		black:          {"black", rgb(0x303030)},
		blueText:       {"blue-text", rgb(0x00578a)},
		vermillionText: {"vermillion-text", rgb(0x9c4400)},
		greenText:      {"green-text", rgb(0x006b4e)},
		purpleText:     {"purple-text", rgb(0x94507a)},
		blackText:      {"black-text", rgb(0x242424)},
	}[i]
}

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

// maxHues is how many curves one panel tells apart.
const maxHues = 5

// A hue is how one of several curves in a panel differs from the others: by
// colour for those who see it, and by dashes for everybody.
type hue struct {
	line, label ink
	dashes      []vg.Length
}

func hueOf(i int) hue {
	return [maxHues]hue{
		{blue, blueText, nil},
		{vermillion, vermillionText, []vg.Length{7, 2.5}},
		{green, greenText, []vg.Length{2, 2}},
		{purple, purpleText, []vg.Length{8, 2.5, 2, 2.5}},
		{black, blackText, []vg.Length{13, 3}},
	}[i%maxHues]
}

// A Hue is how a page draws one of several curves.
type Hue struct {
	Line  string `json:"line"`  // the variable of its colour, without --fig-
	Label string `json:"label"` // and that of its name
	Dash  string `json:"dash,omitempty"`
}

// Hues returns the hues in their order.
func Hues() []Hue {
	all := make([]Hue, maxHues)
	for i := range all {
		all[i] = hueOf(i).forPage()
	}
	return all
}

// A marker is the shape of the points of a curve.
type marker struct {
	corners int     // 0 for a circle
	turn    float64 // of the first corner, in radians
}

// A look is a hue with a marker.
type look struct {
	hue
	marker marker
}

// lookOf returns how a way in which payloads travel is drawn. The two ways without
// a store always look alike; stores take turns with the hues that are left, so
// that those of the same hue differ in dashes and in markers.
func lookOf(w crossover.Way, references []crossover.Way) look {
	const up, down, right = math.Pi / 2, -math.Pi / 2, 0
	switch w {
	case crossover.Inline():
		return look{hue{black, blackText, nil}, marker{}}
	case crossover.Stream():
		return look{hue{vermillion, vermillionText, []vg.Length{7, 2.5}}, marker{4, math.Pi / 4}}
	}
	i := max(0, slices.Index(references, w))
	hues := []hue{{blue, blueText, nil}, {green, greenText, nil}, {purple, purpleText, nil}}
	dashes := [][]vg.Length{nil, {2, 2}, {10, 2.5, 2, 2.5}}
	markers := []marker{{3, up}, {4, right}, {3, down}, {3, right}, {5, up}, {3, math.Pi}, {6, right}, {8, right}}
	l := look{hues[i%len(hues)], markers[i%len(markers)]}
	l.dashes = dashes[i/len(hues)%len(dashes)]
	return l
}

// The measures of all figures, in points.
const (
	figureWidth vg.Length = 720
	margin      vg.Length = 14
	titleSize   vg.Length = 14
	headSize    vg.Length = 10.5
	labelSize   vg.Length = 10
	tickSize    vg.Length = 9.5
	titleRoom   vg.Length = 40 // from the upper edge to the first thing below the title
	tickRoom    vg.Length = 17 // below an axis, for its labels
	axisRoom    vg.Length = 13 // below that, for its name
)

// unresolved is the opacity of what the samples do not resolve.
const unresolved = 0.45
