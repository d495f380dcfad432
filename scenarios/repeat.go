package scenarios

import "strconv"

// maxRepeat bounds how often a scenario's cells run.
const maxRepeat = 100

// SetRepeat is the override of the flag --repeat.
func SetRepeat(n int) Override { return Override{"repeat", strconv.Itoa(n), "--repeat"} }

// repeated returns the cells n times, interleaved: the first time in their order,
// the second time backwards, and so on in turns. A machine that grows slower while a
// run goes on then does so for all cells alike, which a run of one cell after the
// other would charge to the last.
//
// Repeats differ in their seed and cells of one repeat do not, so that cells still
// are asked to do the same at the same instants, and what two repeats have in common
// is the system and not the draw. The first repeat has the seed of a scenario without
// repeats.
func repeated(cells []Cell, n int, seed uint64) []Cell {
	if n <= 1 {
		return cells
	}
	all := make([]Cell, 0, n*len(cells))
	for r := 1; r <= n; r++ {
		for i := range cells {
			c := cells[i]
			if r%2 == 0 {
				c = cells[len(cells)-1-i]
			}
			c.Of, c.Repeat = c.ID, r
			c.ID += "-r" + strconv.Itoa(r)
			if r > 1 {
				c.Seed = derive(seed, "load of repeat "+strconv.Itoa(r)) & maxBig
			}
			all = append(all, c)
		}
	}
	return all
}
