package results

import "slices"

// mergeHops merges where the time went in the repeats of a cell. Hops that only some
// of them have are there as well; each begins where it did in the first that has it.
func mergeHops(repeats []*Cell) *Hops {
	var m *Hops
	for _, c := range repeats {
		if c.Hops == nil {
			continue
		}
		if m == nil {
			m = &Hops{OneIn: c.Hops.OneIn, Kinds: make(map[string]*KindHops)}
		}
		m.Sampled, m.Records, m.Partial = m.Sampled+c.Hops.Sampled, m.Records+c.Hops.Records, m.Partial+c.Hops.Partial
		for kind, k := range c.Hops.Kinds {
			if m.Kinds[kind] == nil {
				m.Kinds[kind] = &KindHops{Ends: k.Ends, Total: NewHist()}
			}
			m.Kinds[kind].merge(k)
		}
	}
	return m
}

// merge adds what another repeat has.
func (k *KindHops) merge(other *KindHops) {
	k.Total.Merge(other.Total)
	k.Sum += other.Sum
	for _, h := range other.Hops {
		i := slices.IndexFunc(k.Hops, func(t HopTimes) bool { return t.Hop == h.Hop })
		if i < 0 {
			i = len(k.Hops)
			k.Hops = append(k.Hops, HopTimes{Hop: h.Hop, Start: h.Start, Hist: NewHist()})
		}
		k.Hops[i].Sum, k.Hops[i].Times = k.Hops[i].Sum+h.Sum, k.Hops[i].Times+h.Times
		k.Hops[i].Hist.Merge(h.Hist)
	}
	slices.SortStableFunc(k.Hops, func(a, b HopTimes) int { return int(a.Start - b.Start) })
}
