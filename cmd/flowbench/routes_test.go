package main

import (
	"context"
	"log/slog"
	"testing"

	"flowbench/sim"
	"flowbench/sim/link"
)

// TestRoutesAreLaidOnceForEachPairAndEndTogether lays the routes of three nodes
// twice, as for a cluster that is started anew.
func TestRoutesAreLaidOnceForEachPairAndEndTogether(t *testing.T) {
	var _ sim.Parted = partedCluster{}
	r := &routes{
		life: context.Background(), log: slog.New(slog.DiscardHandler), links: make(map[route]*link.Link),
	}
	ended := func(l *link.Link) bool { // a link that has ended takes no impairment
		a, err := l.Arm(link.BothWays, link.Stall{})
		if err == nil {
			err = a.Heal()
		}
		return err != nil
	}
	var laid []*link.Link
	for range 2 {
		for from := range 3 {
			for to := range 3 {
				if from == to {
					continue
				}
				address, err := r.lay(from, to, "127.0.0.1:1")
				l := r.links[route{from, to}]
				if err != nil || l.Address() != address {
					t.Fatalf("from %d to %d: got %s, %v; want the address of its link", from, to, address, err)
				}
				laid = append(laid, l)
			}
		}
	}
	for i, l := range laid {
		if old := i < 6; ended(l) != old {
			t.Errorf("link %d of 12 has ended: %v; want that of those that were replaced", i, !old)
		}
	}
	for node, want := range map[int][2]int{-1: {6, 0}, 0: {2, 2}, 2: {2, 2}, 3: {0, 0}} {
		to, from := r.between(node)
		if len(to) != want[0] || len(from) != want[1] {
			t.Errorf("node %d has %d links to it and %d from it; want %v", node, len(to), len(from), want)
		}
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
	for i, l := range laid {
		if !ended(l) {
			t.Errorf("link %d of 12 is there after the end", i)
		}
	}
}
