package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"flowbench/sim"
	"flowbench/sim/link"
)

// A partedCluster is a cluster whose nodes reach each other through links. It is
// started only for plans with faults between nodes: a link copies every byte, which
// a run without such faults need not pay for.
type partedCluster struct {
	sim.Cluster
	routes *routes
}

// A layer lays the route from one node of a cluster to another, whose address is
// given, and returns the address to dial in its place.
type layer func(from, to int, address string) (string, error)

// startParted starts a cluster whose routes are laid as links.
func startParted(
	ctx context.Context, log *slog.Logger, start func(ctx context.Context, lay layer) (sim.Cluster, error),
) (sim.Cluster, error) {
	r := &routes{life: context.WithoutCancel(ctx), log: log, links: make(map[route]*link.Link)}
	c, err := start(ctx, r.lay)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return partedCluster{c, r}, nil
}

// Close implements [sim.Cluster]. The nodes end first: those that lose each other
// would try to find each other again.
func (c partedCluster) Close(ctx context.Context) error {
	return errors.Join(c.Cluster.Close(ctx), c.routes.close())
}

// Between implements [sim.Parted].
func (c partedCluster) Between(node int) (to, from []*link.Link) { return c.routes.between(node) }

// routes are the links between the nodes of a cluster, by who opens connections
// through them and who takes them. Methods may be called concurrently.
type routes struct {
	life context.Context // of the links, which end with the cluster and not with the run
	log  *slog.Logger

	mu    sync.Mutex
	links map[route]*link.Link
}

// A route is the way from one node to another, by their indexes.
type route struct{ from, to int }

// lay makes the link from one node to another. If the cluster is started anew,
// since a port was taken, it takes the place of the one before.
func (r *routes) lay(from, to int, address string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, err := link.New(r.life, address, link.Config{Name: fmt.Sprintf("node %d to node %d", from, to), Log: r.log})
	if err != nil {
		return "", err
	}
	if old := r.links[route{from, to}]; old != nil {
		if err := old.Close(); err != nil {
			return "", errors.Join(err, l.Close())
		}
	}
	r.links[route{from, to}] = l
	return l.Address(), nil
}

// between returns what [sim.Parted] says.
func (r *routes) between(node int) (to, from []*link.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for way, l := range r.links {
		switch {
		case node < 0 || way.to == node:
			to = append(to, l)
		case way.from == node:
			from = append(from, l)
		}
	}
	return to, from
}

// close ends all links.
func (r *routes) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, l := range r.links {
		errs = append(errs, l.Close())
	}
	clear(r.links)
	return errors.Join(errs...)
}
