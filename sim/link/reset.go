package link

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Reset sends a reset to both ends of a share of the connections when it is armed,
// and to the same share of the new ones until it is healed. What they held is lost.
//
// Whether a connection is among them is drawn for it from the link's seed, once for
// each time that a reset is armed. A share that draws none of the connections that
// exist takes one of them nevertheless, since a reset that reset nothing would say
// nothing.
type Reset struct {
	Share int // percent of the connections, 1 to 100; 0 stands for all
}

// String returns the impairment in words.
func (i Reset) String() string {
	if i.all() {
		return "reset"
	}
	return fmt.Sprintf("reset of %d %%", i.Share)
}

func (i Reset) check() error {
	if i.Share < 0 || i.Share > 100 {
		return fmt.Errorf("the share is %d percent; want 1 to 100, or 0 for all", i.Share)
	}
	return nil
}

func (Reset) impose(r *rules, a *Armed) { r.reset = append(r.reset, a) }

func (i Reset) all() bool { return i.Share == 0 || i.Share == 100 }

// takes reports whether the reset is for a connection with this draw.
func (i Reset) takes(draw int) bool { return i.all() || draw < i.Share }

// draw returns a number from 0 to 99 that belongs to a connection and to this
// arming, however often and in whatever order connections ask.
func (a *Armed) draw(c *conn) int {
	return rand.New(rand.NewPCG(a.link.seed^a.number<<32, c.id)).IntN(100)
}

// resets returns those of the armed resets that are for a connection.
func resets(armed []*Armed, c *conn) []*Armed {
	var of []*Armed
	for _, a := range armed {
		if i, ok := a.impairment.(Reset); ok && i.takes(a.draw(c)) {
			of = append(of, a)
		}
	}
	return of
}

// resetExisting resets the share of the connections that exist, those with the
// lowest draws, so that the one that is taken in any case is drawn like the others.
func (a *Armed) resetExisting(i Reset) {
	all := a.link.connections()
	slices.SortFunc(all, func(x, y *conn) int {
		return cmp.Or(cmp.Compare(a.draw(x), a.draw(y)), cmp.Compare(x.id, y.id))
	})
	hit := false
	for _, c := range all {
		if hit && !i.takes(a.draw(c)) {
			return
		}
		if c.reset() {
			a.connections.Add(1)
			hit = true
		}
	}
}
