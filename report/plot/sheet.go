package plot

import (
	"image/color"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A sheet is what a figure is drawn on. It remembers where text went.
type sheet struct {
	ruler
	canvas draw.Canvas
	labels []label
	taken  vg.Length // of the line of the title, at its right end

	simulated bool // what is drawn was not measured: marks are hollow and lines dashed

	pictures []string // names of the pictures in an SVG, in their order
}

// A ruler measures text. Layouts need it before there is a sheet.
type ruler struct{ fonts *font.Cache }

func newRuler() ruler { return ruler{font.NewCache(liberation.Collection())} }

// A label is a piece of text on a sheet and the box that it fills.
type label struct {
	text string
	box  vg.Rectangle
}

func newSheet(c vg.CanvasSizer) *sheet {
	return &sheet{canvas: draw.New(c), ruler: newRuler()}
}

// face returns the font of all figures at a size.
func face(size vg.Length, bold bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

// A textStyle is how a piece of text looks and which side of it is given.
type textStyle struct {
	ink  ink
	size vg.Length
	bold bool
	side side
}

// A side says where text lies from its point. The point's height is that of the
// baseline.
type side int

const (
	rightwards side = iota
	leftwards
)

// width returns how wide s is.
func (r ruler) width(s string, st textStyle) vg.Length {
	f := r.fonts.Lookup(face(st.size, st.bold), st.size)
	return f.Width(s)
}

// widest returns how wide the widest of all is, but no more than most.
func (r ruler) widest(all []string, st textStyle, most vg.Length) vg.Length {
	var w vg.Length
	for _, s := range all {
		w = max(w, r.width(s, st))
	}
	return min(w, most)
}

// write puts s at a point, its baseline at the point's height.
func (sh *sheet) write(s string, at vg.Point, st textStyle) {
	if s == "" {
		return
	}
	f := sh.fonts.Lookup(face(st.size, st.bold), st.size)
	w := f.Width(s)
	if st.side == leftwards {
		at.X -= w
	}
	sh.labels = append(sh.labels, label{s, vg.Rectangle{
		Min: vg.Point{X: at.X, Y: at.Y - 0.22*st.size},
		Max: vg.Point{X: at.X + w, Y: at.Y + 0.74*st.size},
	}})
	sh.canvas.SetColor(st.ink.spec().rgb)
	sh.canvas.FillString(f, at, s)
}

// fit returns s, cut in its middle if need be, so that it is no wider than room.
func (sh *sheet) fit(s string, room vg.Length, st textStyle) string {
	if sh.width(s, st) <= room {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 1; n-- {
		tail := (n - 1) / 2
		short := string(runes[:n-tail]) + "…" + string(runes[len(runes)-tail:])
		if sh.width(short, st) <= room {
			return short
		}
	}
	return "…"
}

// A pen is how a line looks.
type pen struct {
	ink     ink
	width   vg.Length
	dashes  []vg.Length
	opacity float64 // 0 means opaque
}

func (p pen) style() draw.LineStyle {
	return draw.LineStyle{Color: fade(p.ink, p.opacity), Width: p.width, Dashes: p.dashes}
}

func fade(i ink, opacity float64) color.NRGBA {
	c := i.spec().rgb
	if opacity > 0 {
		c.A = uint8(255*opacity + 0.5)
	}
	return c
}

// drawn returns the pen of what was measured, dashed where it was simulated.
func (sh *sheet) drawn(p pen) pen {
	if sh.simulated && len(p.dashes) == 0 {
		p.dashes = []vg.Length{3, 1.5}
	}
	return p
}

// line strokes a line through the points.
func (sh *sheet) line(p pen, points ...vg.Point) {
	if len(points) > 1 {
		sh.canvas.StrokeLines(p.style(), points)
	}
}

// fill fills a polygon.
func (sh *sheet) fill(i ink, opacity float64, points ...vg.Point) {
	if len(points) > 2 {
		sh.canvas.FillPolygon(fade(i, opacity), points)
	}
}

// box fills a rectangle.
func (sh *sheet) box(i ink, opacity float64, r vg.Rectangle) {
	sh.fill(i, opacity, r.Min, vg.Point{X: r.Max.X, Y: r.Min.Y}, r.Max, vg.Point{X: r.Min.X, Y: r.Max.Y})
}

// dot draws a filled circle.
func (sh *sheet) dot(i ink, at vg.Point, radius vg.Length, opacity float64) {
	sh.canvas.DrawGlyphNoClip(draw.GlyphStyle{Color: fade(i, opacity), Radius: radius, Shape: draw.CircleGlyph{}}, at)
}

// ring draws a circle that is filled with paper.
func (sh *sheet) ring(i ink, at vg.Point, radius vg.Length, opacity float64) {
	sh.dot(paper, at, radius, 0)
	sh.canvas.SetLineStyle(pen{ink: i, width: 1.6, opacity: opacity}.style())
	var path vg.Path
	path.Move(vg.Point{X: at.X + radius, Y: at.Y})
	path.Arc(at, radius, 0, 2*math.Pi)
	path.Close()
	sh.canvas.Stroke(path)
}

// mark draws a marker with a number of corners, the first of them at an angle; no
// corners make a circle. It is filled with its ink, or hollow.
func (sh *sheet) mark(i ink, at vg.Point, m marker, hollow bool) {
	const radius = 3.1
	switch {
	case m.corners == 0 && hollow:
		sh.ring(i, at, radius-0.4, 0)
		return
	case m.corners == 0:
		sh.dot(i, at, radius, 0)
		return
	}
	outline := make([]vg.Point, 0, m.corners+2)
	for n := range m.corners + 2 { // to beyond the beginning, or the first corner would be cut
		angle := m.turn + 2*math.Pi*float64(n)/float64(m.corners)
		outline = append(outline, vg.Point{
			X: at.X + (radius+0.6)*vg.Length(math.Cos(angle)), Y: at.Y + (radius+0.6)*vg.Length(math.Sin(angle)),
		})
	}
	if !hollow {
		sh.fill(i, 0, outline[:m.corners]...)
		return
	}
	sh.fill(paper, 0, outline[:m.corners]...)
	sh.line(pen{ink: i, width: 1.4}, outline...)
}

// title writes the title of a figure, and below it how to read it.
func (sh *sheet) title(title, hint string) {
	top := sh.canvas.Max.Y
	st := textStyle{ink: text, size: titleSize, bold: true}
	room := sh.canvas.Max.X - 2*margin
	sh.write(sh.fit(title, room-sh.taken, st), vg.Point{X: margin, Y: top - 20}, st)
	st = textStyle{ink: soft, size: labelSize}
	sh.write(sh.fit(hint, room, st), vg.Point{X: margin, Y: top - 34}, st)
}

// stamp sets a word in a dashed frame at the right of the title, for what the
// whole figure must not be taken without.
func (sh *sheet) stamp(word string) {
	st := textStyle{ink: text, size: headSize, bold: true}
	w, end := sh.width(word, st), vg.Point{X: sh.canvas.Max.X - margin, Y: sh.canvas.Max.Y - 12}
	low := vg.Point{X: end.X - w - 12, Y: end.Y - 16}
	sh.write(word, vg.Point{X: low.X + 6, Y: low.Y + 4.5}, st)
	sh.line(pen{ink: text, width: 1, dashes: []vg.Length{3, 2}},
		low, vg.Point{X: end.X, Y: low.Y}, end, vg.Point{X: low.X, Y: end.Y}, low)
	sh.taken = w + 24
}
