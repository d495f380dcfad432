package main

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"flowbench/sim"
	"flowbench/sim/link"
	"flowbench/sim/wire"
)

// TestRoutesAreLaidOnceForEachPairAndEndTogether lays the routes of three nodes
// twice, as for a cluster that is started anew.
func TestRoutesAreLaidOnceForEachPairAndEndTogether(t *testing.T) {
	var _ sim.Parted = partedCluster{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r := &routes{
		life: context.Background(), log: slog.New(slog.DiscardHandler), links: make(map[route]*link.Link),
	}
	reached := func(address string) bool {
		conn, err := wire.Loopback()(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	var first, again []string
	for _, laid := range []*[]string{&first, &again} {
		for from := range 3 {
			for to := range 3 {
				if from == to {
					continue
				}
				address, err := r.lay(from, to, listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				*laid = append(*laid, address)
			}
		}
	}
	for i := range first {
		if reached(first[i]) || !reached(again[i]) {
			t.Errorf("route %d: the old link is there: %v, the new one: %v; want the new one only",
				i, reached(first[i]), reached(again[i]))
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
	for i, address := range again {
		if reached(address) {
			t.Errorf("route %d is there after the end", i)
		}
	}
}
