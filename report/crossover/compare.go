package crossover

import "slices"

// faster reports whether a is faster than b by more than the noise: by a tenth, and
// with medians that do not lie in the same range.
func faster(a, b Point) bool { return 10*b.Median >= 11*a.Median && a.High < b.Low }

// A Finding is what a comparison found.
type Finding int

// The findings.
const (
	Untold  Finding = iota // nothing can be said: no size has both
	Never                  // it is faster at no size
	Always                 // it is faster at every size
	From                   // it is faster from some size on, and not at every smaller one
	InParts                // it is faster at some sizes, and not from any on
)

// A Comparison says from which size on some ways are faster than others. Of
// several ways, the fastest counts at each size.
type Comparison struct {
	Finding  Finding
	From     int   // the smallest size from which on they are faster
	Slower   int   // the largest size below From at which the others are faster; 0 if they are at none
	At       []int // all sizes at which they are faster
	Alike    int   // the size from which on neither is faster, up to the largest; 0 if there is none
	Measured []int // all sizes at which there are numbers of both
	A, B     Point // the numbers of both at the largest size at which they are faster
}

// Compare says from which size on the ways a are faster than the ways b.
func (c *Chart) Compare(g Group, a, b []Way) Comparison {
	var found Comparison
	var slower []int
	for _, bytes := range c.Sizes {
		_, p, one := g.fastest(a, bytes)
		_, q, other := g.fastest(b, bytes)
		if !one || !other {
			continue
		}
		found.Measured = append(found.Measured, bytes)
		switch {
		case faster(p, q):
			found.At = append(found.At, bytes)
			found.A, found.B, found.Alike = p, q, 0
		case faster(q, p):
			slower = append(slower, bytes)
			found.Alike = 0
		case found.Alike == 0:
			found.Alike = bytes
		}
	}
	found.judge(slower)
	return found
}

// judge decides what was found, from the sizes at which the first and at which the
// others are faster.
func (f *Comparison) judge(slower []int) {
	n, wins := len(f.Measured), len(f.At)
	last := 0 // how many of the largest sizes are won in a row
	for last < wins && f.At[wins-1-last] == f.Measured[n-1-last] {
		last++
	}
	switch {
	case n == 0:
		f.Finding = Untold
	case wins == 0:
		f.Finding = Never
	case wins == n:
		f.Finding = Always
	case last == 0:
		f.Finding = InParts
	default:
		f.Finding = From
	}
	if last == 0 {
		return
	}
	f.From = f.Measured[n-last]
	for _, bytes := range slower {
		if bytes < f.From {
			f.Slower = bytes
		}
	}
}

// fastest returns the fastest of some ways at a size, and false if none of them
// has a number there.
func (g Group) fastest(ways []Way, bytes int) (Way, Point, bool) {
	var best Point
	var way Way
	for _, w := range ways {
		if p := g.At(w, bytes); p.Solid() && (best.Cell == nil || p.Median < best.Median) {
			way, best = w, p
		}
	}
	return way, best, best.Cell != nil
}

// Leaders returns the fastest way at a size and, behind it, those that are alike. It
// returns none where fewer than two ways have numbers: nothing is fastest alone.
func (c *Chart) Leaders(g Group, bytes int) []Way {
	way, best, ok := g.fastest(c.Ways, bytes)
	if !ok {
		return nil
	}
	leaders, others := []Way{way}, 0
	for _, w := range c.Ways {
		p := g.At(w, bytes)
		if w == way || !p.Solid() {
			continue
		}
		if others++; !faster(best, p) {
			leaders = append(leaders, w)
		}
	}
	if others == 0 {
		return nil
	}
	return leaders
}

// Modes returns in how many modes a size has numbers.
func (c *Chart) Modes(g Group, bytes int) int {
	modes := make(map[string]bool)
	for _, w := range c.Ways {
		if g.At(w, bytes).Solid() {
			modes[w.Mode] = true
		}
	}
	return len(modes)
}

// References returns the ways over stores.
func (c *Chart) References() []Way {
	return slices.DeleteFunc(slices.Clone(c.Ways), func(w Way) bool { return !w.ByReference() })
}

// BestReference returns the way over the store that is faster than some others from
// the smallest size on, of equals the one that is faster at the largest size, and
// what the comparison found.
func (c *Chart) BestReference(g Group, others []Way) (Way, Comparison) {
	var best Way
	var found Comparison
	for _, w := range c.References() {
		if !g.Has(w) {
			continue
		}
		if f := c.Compare(g, []Way{w}, others); best.Mode == "" || f.beats(found) {
			best, found = w, f
		}
	}
	return best, found
}

// beats reports whether f says more for its ways than other does for its own.
func (f Comparison) beats(other Comparison) bool {
	rank := map[Finding]int{Untold: 0, Never: 1, InParts: 2, From: 3, Always: 3}
	switch a, b := rank[f.Finding], rank[other.Finding]; {
	case a != b:
		return a > b
	case a == 3 && f.From != other.From:
		return f.From < other.From
	case a == 3:
		return f.A.Median < other.A.Median
	}
	return len(f.At) > len(other.At)
}

// Reach returns the largest size up to which a way is the fastest, or alike, at
// every measured size; 0 if it is not at the smallest.
func (c *Chart) Reach(g Group, w Way) int {
	reach := 0
	for _, bytes := range c.Sizes {
		leaders := c.Leaders(g, bytes)
		if len(leaders) == 0 {
			continue
		}
		if !slices.Contains(leaders, w) {
			break
		}
		reach = bytes
	}
	return reach
}
