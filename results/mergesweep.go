package results

import (
	"cmp"
	"slices"
)

// medianSweep returns the sweep of the repeat whose knee is the median, the lower one
// of two in the middle. Trials of different sweeps were at different rates, so that
// nothing of them can be added up; how far the knees are apart is seen in the repeats.
func medianSweep(repeats []*Cell) *Sweep {
	var all []*Sweep
	for _, c := range repeats {
		if c.Sweep != nil {
			all = append(all, c.Sweep)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *Sweep) int { return cmp.Compare(a.KneePerS, b.KneePerS) })
	return all[(len(all)-1)/2]
}

// hardestUse returns the highest use of each part that any repeat met.
func hardestUse(repeats []*Cell) *Use {
	var m *Use
	highest := func(a, b *float64) *float64 {
		if a == nil || b != nil && *b > *a {
			return b
		}
		return a
	}
	for _, c := range repeats {
		if c.Use == nil {
			continue
		}
		if m == nil {
			m = &Use{}
		}
		m.Workers = max(m.Workers, c.Use.Workers)
		m.BrokerCores = highest(m.BrokerCores, c.Use.BrokerCores)
		m.BrokerServer = highest(m.BrokerServer, c.Use.BrokerServer)
	}
	return m
}
