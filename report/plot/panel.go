package plot

import (
	"gonum.org/v1/plot/vg"
)

// A panel is the area of one coordinate system.
type panel struct {
	area vg.Rectangle
	x, y axis
	over vg.Length // how far labels of x may extend beyond the area
}

// at returns where the values lie on the sheet.
func (p panel) at(x, y float64) vg.Point {
	size := p.area.Size()
	return vg.Point{X: p.area.Min.X + p.x.norm(x)*size.X, Y: p.area.Min.Y + p.y.norm(y)*size.Y}
}

// xMarks returns the most detailed marks of the x axis whose labels keep apart.
func (sh *sheet) xMarks(p panel) []mark {
	st := textStyle{size: tickSize}
	for _, marks := range p.x.marks {
		ok, end := true, vg.Length(-1e9)
		for _, m := range marks {
			from, to := sh.underMark(p, m, st)
			ok = ok && from > end+7
			end = to
		}
		if ok {
			return marks
		}
	}
	return nil
}

// underMark returns from where to where the label of m extends: centred under its
// mark, but for labels at the ends of the axis, which keep off the neighbours.
func (sh *sheet) underMark(p panel, m mark, st textStyle) (from, to vg.Length) {
	w := sh.width(m.text, st)
	from = p.at(m.at, p.y.min).X - w/2
	from = max(p.area.Min.X-p.over, min(from, p.area.Max.X+p.over-w))
	return from, from + w
}

// yMarks returns the most detailed marks of the y axis that keep apart.
func (sh *sheet) yMarks(p panel) []mark {
	for _, marks := range p.y.marks {
		ok := true
		for i := 1; i < len(marks); i++ {
			ok = ok && p.at(p.x.min, marks[i].at).Y-p.at(p.x.min, marks[i-1].at).Y > 13
		}
		if ok {
			return marks
		}
	}
	return nil
}

// frame draws the grid and the axes of p. Labels are written only where asked
// for, since neighbours share them.
func (sh *sheet) frame(p panel, xLabels, yLabels bool) {
	thin, axisPen := pen{ink: gridLine, width: 0.7}, pen{ink: axisLine, width: 0.8}
	tick := textStyle{ink: soft, size: tickSize}
	across, along := sh.yMarks(p), sh.xMarks(p)
	// Lines of one kind come one after the other, since those are one path in an SVG.
	for _, m := range across {
		at := p.at(p.x.min, m.at)
		sh.line(thin, at, vg.Point{X: p.area.Max.X, Y: at.Y})
	}
	for _, m := range along {
		at := p.at(m.at, p.y.min)
		sh.line(thin, at, vg.Point{X: at.X, Y: p.area.Max.Y})
	}
	for _, m := range p.x.marks[0] {
		at := p.at(m.at, p.y.min)
		sh.line(axisPen, at, vg.Point{X: at.X, Y: at.Y - 2})
	}
	for _, m := range along {
		at := p.at(m.at, p.y.min)
		sh.line(axisPen, at, vg.Point{X: at.X, Y: at.Y - 4})
	}
	sh.line(axisPen, p.area.Min, vg.Point{X: p.area.Max.X, Y: p.area.Min.Y})
	for _, m := range across {
		if at := p.at(p.x.min, m.at); yLabels {
			tick.side = leftwards
			sh.write(m.text, vg.Point{X: at.X - 6, Y: at.Y - 3.3}, tick)
		}
	}
	for _, m := range along {
		if at := p.at(m.at, p.y.min); xLabels {
			tick.side = rightwards
			from, _ := sh.underMark(p, m, tick)
			sh.write(m.text, vg.Point{X: from, Y: at.Y - 13}, tick)
		}
	}
}

// A grid lays out panels of equal size in rows. Panels share their axes' labels:
// those of y stand left of each row, those of x below each column.
type grid struct {
	columns, rows, n int
	cell             vg.Rectangle // of the first panel's data area
	dx, dy           vg.Length
	lift             vg.Length // of the panels' titles
}

// A gridSpec is what a grid is made for.
type gridSpec struct {
	n      int
	height vg.Length // of a data area
	left   vg.Length // room for the labels of y
	right  vg.Length // room beside each data area, for the names of its curves
	head   vg.Length // room above each data area, for its title
	lift   vg.Length // room between a data area and its title, beyond head
	most   int       // columns at most
	exact  int       // columns, where panels form a matrix; 0 where they do not
}

// newGrid lays out a figure and returns the height that it needs.
func newGrid(s gridSpec) (grid, vg.Length) {
	g := grid{n: s.n, columns: min(s.most, columnsFor(s.n)), lift: s.lift}
	if s.exact > 0 {
		g.columns = s.exact
	}
	s.head += s.lift
	g.rows = (s.n + g.columns - 1) / g.columns
	const between vg.Length = 14
	room := figureWidth - margin - s.left - margin
	width := room/vg.Length(g.columns) - s.right - between*vg.Length(g.columns-1)/vg.Length(g.columns)
	g.dx, g.dy = width+s.right+between, s.height+s.head+10
	height := titleRoom + vg.Length(g.rows)*g.dy - 10 + tickRoom + axisRoom + margin/2
	top := height - titleRoom - s.head
	g.cell = vg.Rectangle{
		Min: vg.Point{X: margin + s.left, Y: top - s.height},
		Max: vg.Point{X: margin + s.left + width, Y: top},
	}
	return g, height
}

func columnsFor(n int) int {
	switch {
	case n <= 1:
		return 1
	case n <= 4:
		return 2
	case n <= 9:
		return 3
	}
	return 4
}

// area returns the data area of panel i.
func (g grid) area(i int) vg.Rectangle {
	return g.cell.Add(vg.Point{X: vg.Length(i%g.columns) * g.dx, Y: -vg.Length(i/g.columns) * g.dy})
}

// lowest reports whether no panel lies below panel i; leftmost, left of it.
func (g grid) lowest(i int) bool   { return i+g.columns >= g.n }
func (g grid) leftmost(i int) bool { return i%g.columns == 0 }

// axisName writes the name of the x axis below the last row, at the right.
func (sh *sheet) axisName(name string) {
	at := vg.Point{X: figureWidth - margin, Y: margin / 2}
	sh.write(name, at, textStyle{ink: soft, size: labelSize, side: leftwards})
}

// spread moves labels that want to be at the given heights apart by gap, within
// lo and hi, and keeps their order. It returns the new heights.
func spread(want []vg.Length, gap, lo, hi vg.Length) []vg.Length {
	got := append([]vg.Length(nil), want...)
	order := ascending(got)
	for i, k := range order {
		got[k] = max(got[k], lo)
		if i > 0 {
			got[k] = max(got[k], got[order[i-1]]+gap)
		}
	}
	top := hi
	for i := len(order) - 1; i >= 0; i-- {
		k := order[i]
		got[k] = min(got[k], top)
		top = got[k] - gap
	}
	return got
}
