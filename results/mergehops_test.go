package results

import (
	"testing"
	"time"
)

func TestHopsOfRepeatsAddUp(t *testing.T) {
	const ms = time.Millisecond
	hops := func(sums ...time.Duration) *Cell {
		k := &KindHops{Ends: "answered", Total: NewHist()}
		for i, d := range sums {
			h := NewHist()
			h.Record(d)
			k.Hops = append(k.Hops, HopTimes{
				Hop: Hop{From: "client", To: []string{"front-end", "service", "broker"}[i], Kind: HopCall},
				Sum: d, Times: 1, Hist: h, Start: time.Duration(i) * ms,
			})
			k.Sum += d
		}
		k.Total.Record(k.Sum)
		return &Cell{Hops: &Hops{Sampled: 1, OneIn: 4, Records: 1, Kinds: map[string]*KindHops{"command": k}}}
	}
	m := mergeHops([]*Cell{hops(2*ms, 3*ms), {}, hops(4*ms, ms, 5*ms)})
	k := m.Kinds["command"]
	var sum time.Duration
	for _, h := range k.Hops {
		sum += h.Sum
	}
	if m.Sampled != 2 || m.OneIn != 4 || k.Total.N() != 2 || len(k.Hops) != 3 || sum != 15*ms || k.Sum != sum {
		t.Errorf("got %+v with hops that add up to %v of %v; want 2 operations over 3 hops, 15 ms in "+
			"all", m, sum, k.Sum)
	}
	if h := k.Hops[0]; h.Sum != 6*ms || h.Times != 2 || h.Hist.N() != 2 {
		t.Errorf("the first hop is %+v; want both passages", h)
	}
	if mergeHops([]*Cell{{}, {}}) != nil {
		t.Error("repeats without hops have some; want none")
	}
}
