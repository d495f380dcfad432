package plot

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"

	"flowbench/report/words"
	"flowbench/results"
)

// The bounds of what is drawn of how flows work. A directory may hold anything, and
// beyond these nobody would read it.
const (
	maxSequences = 12 // flows
	maxCast      = 8  // who takes part in one operation
	maxSteps     = 60
	maxText      = 120 // characters of one text
)

// said returns a text or a name as it is drawn.
func said(s string) string { return words.Elide(words.Clean(s), maxText) }

// SequenceSection is the section of the figures that show how flows work.
const SequenceSection = "steps"

// sequences returns a figure of a command for each flow of the run, and one of a
// query where queries go another way. Flows are in the order of the cells. A run of
// too many flows has none of these figures, for they would be most of its report.
func sequences(run *results.Run) []Figure {
	told := make(map[string]*results.Cell)
	var flows []string
	for _, c := range run.Cells {
		if told[c.Flow] == nil && run.Steps[c.Flow] != nil {
			told[c.Flow] = c
			flows = append(flows, c.Flow)
		}
	}
	if len(flows) > maxSequences {
		return nil
	}
	var figures []Figure
	for i, flow := range flows {
		command, query := run.Steps[flow][results.Command.String()], run.Steps[flow][results.Query.String()]
		alike := sameWay(command, query)
		if f, ok := sequence(i, told[flow], results.Command, command, alike); ok {
			figures = append(figures, f)
		}
		if alike {
			continue
		}
		if f, ok := sequence(i, told[flow], results.Query, query, false); ok {
			figures = append(figures, f)
		}
	}
	return figures
}

// sameWay reports whether the same parts tell each other something in the same
// order, whatever they say.
func sameWay(a, b []results.Step) bool {
	return slices.EqualFunc(a, b, func(a, b results.Step) bool {
		return a.From == b.From && a.To == b.To && a.Reply == b.Reply
	})
}

// fileName returns the name of a flow, which is the number i, as part of a file's
// name and of an element's: it is only taken from the flow where it is as harmless as
// names of flows are.
func fileName(i int, flow string) string {
	if regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`).MatchString(flow) {
		return flow
	}
	return fmt.Sprint(i + 1)
}

// sequence returns the figure of an operation of kind k in the flow of c, which is
// the flow number i. ok is false if there is nothing to draw, or more than fits.
func sequence(i int, c *results.Cell, k results.Kind, steps []results.Step, alike bool) (f Figure, ok bool) {
	if len(steps) == 0 || len(steps) > maxSteps {
		return Figure{}, false
	}
	l := layout(steps)
	if len(l.cast) > maxCast {
		return Figure{}, false
	}
	name := fileName(i, c.Flow)
	kind := k.String()
	f = Figure{
		Name: "sequence-" + name + "-" + kind, Section: SequenceSection, Of: name,
		Title: words.Elide(words.Clean(c.Flow), 60) + ": how a " + kind + " goes", Caption: promised(c, k, alike),
		Alt: retold(steps), height: l.height,
	}
	f.paint = func(sh *sheet) {
		sh.title(f.Title, "time runs downwards; solid arrows tell, dashed ones answer or confirm")
		sh.sequence(l)
	}
	return f, true
}

// promised says what the flow of c is and promises.
func promised(c *results.Cell, k results.Kind, alike bool) string {
	s := words.Clean(c.Flow)
	if k == results.Query {
		return s + ": queries go another way than commands."
	}
	if summary := words.Clean(c.Summary); summary != "" {
		s += ": " + summary
	}
	s += "."
	if promise := words.Clean(c.Promise); promise != "" {
		s += " Its promise: once it is accepted, a command reaches the service " + promise + "."
	}
	if alike {
		s += " A query goes the same way."
	}
	return s
}

// retold says in words what the figure shows.
func retold(steps []results.Step) string {
	var b strings.Builder
	for i, s := range steps {
		between := " to " + said(s.To)
		switch {
		case s.To == "":
			between = ""
		case s.Reply:
			between = " back to " + said(s.To)
		}
		fmt.Fprintf(&b, "%d. %s%s: %s. ", i+1, said(s.From), between, said(s.Text))
	}
	return strings.TrimSpace(b.String())
}

// The measures of sequence diagrams.
const (
	lineRoom   vg.Length = 11.5 // of one line of text
	stepGap    vg.Length = 9    // below each step
	noteRoom   vg.Length = 15
	headRoom   vg.Length = 20
	headGap    vg.Length = 6  // above the names
	lifeMargin vg.Length = 64 // from the canvas's edge to the outermost lifelines
	labelGap   vg.Length = 10 // from a label to the lifelines on both sides
)

// A told is a step with its place: columns, and lines of text.
type told struct {
	from, to int // columns; the same for what somebody does alone
	reply    bool
	lines    []string
	top      vg.Length // from the upper edge of the figure
}

// A ladder is the layout of a sequence diagram.
type ladder struct {
	cast   []string
	at     []vg.Length // the lifelines, from the left
	steps  []told
	height vg.Length
}

// layout places the steps below each other and the cast beside each other, in the
// order in which they come in, with the more room between two the more they tell
// each other.
func layout(steps []results.Step) ladder {
	var l ladder
	column := func(name string) int {
		name = said(name)
		i := slices.Index(l.cast, name)
		if i < 0 {
			l.cast, i = append(l.cast, name), len(l.cast)
		}
		return i
	}
	for _, s := range steps {
		t := told{from: column(s.From), reply: s.Reply, lines: []string{said(s.Text)}}
		t.to = t.from
		if s.To != "" {
			t.to = column(s.To)
		}
		l.steps = append(l.steps, t)
	}
	r, st := newRuler(), textStyle{size: labelSize}
	l.at = r.lifelines(l, st)
	top := titleRoom + headGap + headRoom + 14
	for i, t := range l.steps {
		left, right := min(t.from, t.to), max(t.from, t.to)
		l.steps[i].top = top
		if left == right {
			top += noteRoom + stepGap
			continue
		}
		l.steps[i].lines = r.wrap(t.lines[0], l.at[right]-l.at[left]-2*labelGap, st)
		top += vg.Length(len(l.steps[i].lines))*lineRoom + stepGap
	}
	l.height = top + margin
	return l
}

// lifelines returns where the lifelines are.
func (r ruler) lifelines(l ladder, st textStyle) []vg.Length {
	const least, most, widen = 90, 300, 1.5
	gaps := len(l.cast) - 1
	wants := make([]vg.Length, gaps+1) // to the left of each
	for i := range gaps {
		wants[i+1] = least
	}
	for _, t := range l.steps {
		if left, right := min(t.from, t.to), max(t.from, t.to); right == left+1 {
			wants[right] = max(wants[right], min(most, r.width(t.lines[0], st)+2*labelGap+2))
		}
	}
	var sum vg.Length
	for _, w := range wants {
		sum += w
	}
	room := figureWidth - 2*lifeMargin
	at := []vg.Length{lifeMargin}
	for i := range gaps {
		gap := wants[i+1]
		if sum > room { // take it from those that have more than the least
			spare, left := sum-least*vg.Length(gaps), room-least*vg.Length(gaps)
			gap = least + (gap-least)*max(0, left)/max(1, spare)
		} else {
			gap *= min(room/sum, widen)
		}
		at = append(at, at[i]+gap)
	}
	if last := at[len(at)-1]; last > figureWidth-lifeMargin { // so many that even the least is too much
		for i := range at {
			at[i] = lifeMargin + (at[i]-lifeMargin)*room/(last-lifeMargin)
		}
	}
	return at
}

// wrap breaks s into up to four lines no wider than room.
func (r ruler) wrap(s string, room vg.Length, st textStyle) []string {
	const most = 4
	var lines []string
	for _, word := range bound(strings.Fields(s)) {
		if n := len(lines); n > 0 && (r.width(lines[n-1]+" "+word, st) <= room || n == most) {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// bound binds numbers to the words before them, so that no line begins with one.
func bound(fields []string) []string {
	var parts []string
	for _, f := range fields {
		if n := len(parts); n > 0 && f[0] >= '0' && f[0] <= '9' {
			parts[n-1] += " " + f
			continue
		}
		parts = append(parts, f)
	}
	return parts
}

// sequence draws a sequence diagram below the title.
func (sh *sheet) sequence(l ladder) {
	top := sh.canvas.Max.Y
	low := top - titleRoom - headGap - headRoom
	st := textStyle{ink: text, size: labelSize, bold: true}
	for i, name := range l.cast {
		x := l.at[i]
		sh.line(pen{ink: axisLine, width: 0.8, dashes: []vg.Length{1.5, 2.5}}, vg.Point{X: x, Y: low},
			vg.Point{X: x, Y: top - l.height + margin/2})
		name = sh.fit(name, sh.headRoomAt(l, i), st)
		w := sh.width(name, st)/2 + 6
		sh.frameBox(vg.Rectangle{Min: vg.Point{X: x - w, Y: low}, Max: vg.Point{X: x + w, Y: low + headRoom}})
		sh.write(name, vg.Point{X: x - w + 6, Y: low + 6.5}, st)
	}
	for _, t := range l.steps {
		if t.from == t.to {
			sh.alone(l, t)
			continue
		}
		sh.telling(l, t)
	}
}

// headRoomAt returns how wide the name over a lifeline may be.
func (sh *sheet) headRoomAt(l ladder, i int) vg.Length {
	room := 2 * (lifeMargin - margin/2)
	for _, k := range []int{i - 1, i + 1} {
		if k >= 0 && k < len(l.at) {
			d := l.at[k] - l.at[i]
			room = min(room, max(d, -d))
		}
	}
	return room - 14
}

// frameBox draws a filled box with an outline.
func (sh *sheet) frameBox(r vg.Rectangle) {
	sh.box(paper, 0, r)
	sh.line(pen{ink: axisLine, width: 0.8}, r.Min, vg.Point{X: r.Max.X, Y: r.Min.Y}, r.Max,
		vg.Point{X: r.Min.X, Y: r.Max.Y}, r.Min)
}

// alone writes what somebody does alone on their lifeline, or beside it where the
// canvas ends.
func (sh *sheet) alone(l ladder, t told) {
	const edge = inlineMargin + 2 // pages cut the rest off
	st := textStyle{ink: text, size: tickSize}
	s := sh.fit(t.lines[0], figureWidth-2*edge-10, st)
	w := sh.width(s, st) + 10
	x := min(max(l.at[t.from]-w/2, edge), figureWidth-edge-w)
	high := sh.canvas.Max.Y - t.top
	sh.box(shade, 0, vg.Rectangle{Min: vg.Point{X: x, Y: high - noteRoom + 2}, Max: vg.Point{X: x + w, Y: high + 2}})
	sh.write(s, vg.Point{X: x + 5, Y: high - noteRoom + 6}, st)
}

// telling draws an arrow with its text above it.
func (sh *sheet) telling(l ladder, t told) {
	from, to := l.at[t.from], l.at[t.to]
	middle, room := (from+to)/2, max(from, to)-min(from, to)-2*labelGap
	y := sh.canvas.Max.Y - t.top
	st := textStyle{ink: text, size: labelSize}
	for _, s := range t.lines {
		s = sh.fit(s, room, st)
		w := sh.width(s, st)
		y -= lineRoom
		sh.box(paper, 0, vg.Rectangle{
			Min: vg.Point{X: middle - w/2 - 1, Y: y + 1}, Max: vg.Point{X: middle + w/2 + 1, Y: y + 11},
		})
		sh.write(s, vg.Point{X: middle - w/2, Y: y + 3.2}, st)
	}
	p := pen{ink: blue, width: 1.2}
	if t.reply {
		p = pen{ink: blue, width: 1.1, dashes: []vg.Length{4, 2.5}}
	}
	back := vg.Length(7)
	if to < from {
		back = -back
	}
	sh.line(p, vg.Point{X: from, Y: y}, vg.Point{X: to - back/2, Y: y})
	head := []vg.Point{{X: to - back, Y: y + 3.4}, {X: to, Y: y}, {X: to - back, Y: y - 3.4}}
	if t.reply {
		sh.line(pen{ink: blue, width: 1.1}, head...)
		return
	}
	sh.fill(blue, 0, head...)
}
