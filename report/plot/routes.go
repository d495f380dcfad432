package plot

import "gonum.org/v1/plot/vg"

// routes draws the lines of one panel: those of less weight first, and no marker
// below a line.
func (sh *sheet) routes(p panel, all []route, room vg.Length) {
	paths := make([][]vg.Point, len(all))
	for i, r := range all {
		for k, bytes := range r.sizes {
			paths[i] = append(paths[i], p.at(float64(bytes), r.values[k]))
		}
		ink := r.look.line
		if r.light {
			sh.line(pen{ink: ink, width: 1.1, dashes: []vg.Length{1.2, 2.4}, opacity: 0.8}, paths[i]...)
			continue
		}
		sh.line(pen{ink: ink, width: 1.5, dashes: r.look.dashes}, paths[i]...)
	}
	for i, r := range all {
		if r.light {
			continue
		}
		for k, at := range paths[i] {
			sh.mark(r.look.line, at, r.look.marker, r.hollow[k])
		}
	}
	sh.routeNames(p, all, paths, room)
}

// routeNames writes the name of each line at its end: beside the panel where it
// comes to the panel's end, else next to its last point, where fewest lines pass.
func (sh *sheet) routeNames(p panel, all []route, paths [][]vg.Point, room vg.Length) {
	var beside []int
	var ends []vg.Length
	var boxes []vg.Rectangle
	for i, r := range all {
		end := paths[i][len(paths[i])-1]
		st := textStyle{ink: r.look.label, size: tickSize}
		switch {
		case r.light:
		case end.X > p.area.Max.X-8:
			beside, ends = append(beside, i), append(ends, end.Y)
		default:
			name := sh.fit(r.name, p.area.Size().X/2, st)
			box := sh.roomFor(p, name, st, end, paths, boxes)
			boxes = append(boxes, box)
			sh.box(paper, 0.75, box)
			sh.write(name, vg.Point{X: box.Min.X + 2, Y: box.Min.Y + 3}, st)
		}
	}
	heights := spread(ends, 11, p.area.Min.Y+2, p.area.Max.Y)
	for k, i := range beside {
		r, end := all[i], paths[i][len(paths[i])-1]
		st := textStyle{ink: r.look.label, size: tickSize}
		at := vg.Point{X: p.area.Max.X + endGap, Y: heights[k]}
		sh.line(pen{ink: r.look.line, width: 0.7, opacity: unresolved}, vg.Point{X: end.X + 3.5, Y: end.Y},
			vg.Point{X: at.X - 2, Y: at.Y})
		sh.write(sh.fit(r.name, room-endGap, st), vg.Point{X: at.X, Y: at.Y - 3.3}, st)
	}
}

// roomFor returns the box next to a point that fewest lines pass through, within
// the panel and off the boxes that are taken.
func (sh *sheet) roomFor(p panel, name string, st textStyle, at vg.Point, paths [][]vg.Point,
	taken []vg.Rectangle) vg.Rectangle {
	const off, high = 5, 11
	w := sh.width(name, st) + 4
	var best vg.Rectangle
	least := -1
	for _, lift := range []vg.Length{-high / 2, off, -off - high, 2 * high, -3 * high, 4 * high, -5 * high} {
		for _, shift := range []vg.Length{off, -w / 2, -off - w} {
			low := vg.Point{
				X: min(max(at.X+shift, p.area.Min.X), p.area.Max.X-w),
				Y: min(max(at.Y+lift, p.area.Min.Y+1), p.area.Max.Y-high),
			}
			box := vg.Rectangle{Min: low, Max: vg.Point{X: low.X + w, Y: low.Y + high}}
			if n := crossed(box, paths, taken); least < 0 || n < least {
				best, least = box, n
			}
		}
	}
	return best
}

// crossed returns how much of the lines lies in a box, and far more if it lies on
// another box.
func crossed(box vg.Rectangle, paths [][]vg.Point, taken []vg.Rectangle) int {
	n := 0
	for _, t := range taken {
		if box.Min.X < t.Max.X && t.Min.X < box.Max.X && box.Min.Y < t.Max.Y && t.Min.Y < box.Max.Y {
			n += 10_000
		}
	}
	for _, path := range paths {
		for i, to := range path {
			from := path[max(0, i-1)]
			const steps = 24
			for s := range steps {
				x := from.X + (to.X-from.X)*vg.Length(s+1)/steps
				y := from.Y + (to.Y-from.Y)*vg.Length(s+1)/steps
				if x > box.Min.X && x < box.Max.X && y > box.Min.Y && y < box.Max.Y {
					n++
				}
			}
		}
	}
	return n
}
