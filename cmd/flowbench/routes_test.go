package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"

	"flowbench/sim"
	"flowbench/sim/link"
)

// A laidCluster is one that is nothing but its routes.
type laidCluster struct {
	sim.Cluster
	address string // of the route from node 0 to node 1
	closed  error  // what dialling it said when the cluster ended
}

func (c *laidCluster) Close(context.Context) error {
	conn, err := net.Dial("tcp", c.address)
	if err == nil {
		err = conn.Close()
	}
	c.closed = err
	return nil
}

// TestLinksOutliveTheNodesAndNothingElse starts a cluster with links, once in vain.
func TestLinksOutliveTheNodesAndNothingElse(t *testing.T) {
	inVain := errors.New("no node starts")
	node, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.Close() }()
	for _, want := range []error{nil, inVain} {
		laid := &laidCluster{}
		c, err := startParted(t.Context(), slog.New(slog.DiscardHandler),
			func(_ context.Context, lay layer) (_ sim.Cluster, err error) {
				if laid.address, err = lay(0, 1, node.Addr().String()); err != nil {
					t.Error(err)
				}
				return laid, want
			})
		if !errors.Is(err, want) || err != nil && want == nil {
			t.Fatalf("got %v; want %v", err, want)
		}
		if want == nil {
			if to, _ := c.(sim.Parted).Between(1); len(to) != 1 || to[0].Address() != laid.address {
				t.Errorf("links %v lead to node 1; want the one that was laid", to)
			}
			if err := c.Close(t.Context()); err != nil || laid.closed != nil {
				t.Errorf("closed with %v, and the link before that with %v; want it to be there", err, laid.closed)
			}
		}
		if conn, err := net.Dial("tcp", laid.address); err == nil {
			t.Errorf("the link is there after the end (started: %v)", want == nil)
			_ = conn.Close()
		}
	}
}

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
