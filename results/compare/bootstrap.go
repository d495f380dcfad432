package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"flowbench/results"
)

// What single runs are compared by.
const (
	blockSeconds = 5   // drawn together: what a second is like depends on the one before
	leastBlocks  = 3   // that must fit into a run
	draws        = 400 // of the bootstrap
	// widening is by how much the interval is stretched. Within runs, such intervals
	// missed twice as often as they claimed; between runs there is more noise than
	// within one, of which a single run knows nothing.
	widening = 1.5
)

// A spell is the latency of one second as counts by bucket, smallest first.
type spell []bucket

type bucket struct {
	upper time.Duration
	n     int64
}

// spellsOf returns the steady seconds of a cell at a kind and stage, in stretches
// without a gap, so that no block reaches across an outage: what a run was like while
// a fault was on is another question than what it was like before.
func spellsOf(c *results.Cell, k results.Kind, s results.Stage) [][]spell {
	var stretches [][]spell
	last := -2
	for _, sec := range c.Seconds {
		if sec.Phase != "measured" || !steady(c, sec.At) {
			continue
		}
		if sec.At != last+1 {
			stretches = append(stretches, nil)
		}
		last = sec.At
		var one spell
		if h := sec.Hist(k, s); h != nil {
			for b := range h.Buckets() {
				one = append(one, bucket{b.To, b.Count})
			}
		}
		end := &stretches[len(stretches)-1]
		*end = append(*end, one)
	}
	return stretches
}

// steady reports whether a whole second of a cell lies in its steady time.
func steady(c *results.Cell, at int) bool {
	if len(c.Faults) == 0 {
		return true
	}
	for d := time.Duration(at) * time.Second; d < time.Duration(at+1)*time.Second; d += results.BinWidth {
		if results.WindowAt(d, c.Load.Warmup, c.Faults) != results.SteadyWindow {
			return false
		}
	}
	return true
}

// A resampler draws runs that could have been, from the seconds of one that was.
type resampler struct {
	blocks [][]spell
	length int // of the run, in seconds
}

// newResampler returns a resampler of stretches, or false where they hold too few
// blocks for a draw to differ from what was.
func newResampler(stretches [][]spell) (resampler, bool) {
	var r resampler
	for _, s := range stretches {
		r.length += len(s)
		for i := 0; i+blockSeconds <= len(s); i++ {
			r.blocks = append(r.blocks, s[i:i+blockSeconds])
		}
	}
	return r, len(r.blocks) > 0 && r.length >= leastBlocks*blockSeconds
}

// draw adds the seconds of one run to counts, which are indexed as edges are.
func (r resampler) draw(rng *rand.Rand, edges map[time.Duration]int, counts []int64) {
	for range (r.length + blockSeconds - 1) / blockSeconds {
		for _, second := range r.blocks[rng.IntN(len(r.blocks))] {
			for _, b := range second {
				counts[edges[b.upper]] += b.n
			}
		}
	}
}

// within estimates the ratio of quantiles of two single runs from their seconds, by
// the moving-block bootstrap, widened. It returns false where a run is too short. The
// draws follow from seed.
func within(old, recent *results.Cell, k results.Kind, s results.Stage, seed uint64) (map[float64]Estimate, bool) {
	a, ok := newResampler(spellsOf(old, k, s))
	b, too := newResampler(spellsOf(recent, k, s))
	if !ok || !too {
		return nil, false
	}
	edges, uppers := indexed(a, b)
	rng := rand.New(rand.NewPCG(seed, 0x626c6f636b73)) // reproducible, not secret
	logs := make(map[float64][]float64)
	x, y := make([]int64, len(uppers)), make([]int64, len(uppers))
	for range draws {
		clear(x)
		clear(y)
		a.draw(rng, edges, x)
		b.draw(rng, edges, y)
		for _, q := range quantiles() {
			if l := math.Log(quantileOf(y, uppers, q) / quantileOf(x, uppers, q)); !math.IsNaN(l) && !math.IsInf(l, 0) {
				logs[q] = append(logs[q], l)
			}
		}
	}
	out := make(map[float64]Estimate)
	for q, l := range logs {
		if len(l) < draws {
			continue // there were draws without an operation
		}
		slices.Sort(l)
		centre := median(l)
		lo, hi := l[int((1-confidence)/2*draws)], l[draws-1-int((1-confidence)/2*draws)]
		out[q] = Estimate{
			Ratio: math.Exp(centre), Low: math.Exp(centre - widening*(centre-lo)),
			High: math.Exp(centre + widening*(hi-centre)), Confidence: confidence,
		}
	}
	return out, len(out) > 0
}

// indexed returns the bucket bounds of all seconds in order, and where each stands.
func indexed(all ...resampler) (map[time.Duration]int, []time.Duration) {
	edges := make(map[time.Duration]int)
	var uppers []time.Duration
	for _, r := range all {
		for _, block := range r.blocks {
			for _, second := range block {
				for _, b := range second {
					if _, known := edges[b.upper]; !known {
						edges[b.upper] = 0
						uppers = append(uppers, b.upper)
					}
				}
			}
		}
	}
	slices.Sort(uppers)
	for i, u := range uppers {
		edges[u] = i
	}
	return edges, uppers
}

// quantileOf returns the upper bound of the bucket that a quantile is in.
func quantileOf(counts []int64, uppers []time.Duration, q float64) float64 {
	var n, sum int64
	for _, c := range counts {
		n += c
	}
	rank := max(1, int64(math.Ceil(q*float64(n))))
	for i, c := range counts {
		if sum += c; sum >= rank {
			return float64(uppers[i])
		}
	}
	return math.NaN()
}
