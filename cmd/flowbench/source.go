package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
	"flowbench/sim/embedded"
	"flowbench/sim/installed"
)

// A startable is a server that this program starts itself: with how many nodes,
// and whether it does so without being asked.
type startable struct {
	kind   string // as --broker-source names it
	nodes  int
	chosen bool
	routed bool // whether its nodes reach each other through links, which faults can befall
}

// startables returns every server that this program can start, as it is unless
// --broker-source says otherwise.
func startables() map[string]startable {
	s := make(map[string]startable)
	for _, d := range drivers.All() {
		if d.Source != "" {
			s[d.Server] = startable{kind: d.Source, nodes: 1, chosen: d.Source == broker.Embedded}
		}
	}
	return s
}

// start puts into s how the brokers are started that nobody gave an address for:
// as the flags say, and otherwise as the plan needs them.
func (r *runFlags) start(s *sim.Sources, plan *scenarios.Plan, log *slog.Logger) error {
	chosen := startables()
	for server, nodes := range sim.ProcessesOf(plan, drivers.All()) {
		if known, ok := chosen[server]; ok && len(s.Addresses[server]) == 0 {
			chosen[server] = startable{kind: known.kind, nodes: nodes, chosen: true}
		}
	}
	for _, arg := range r.brokerSources {
		server, source, err := parseSource(arg, chosen)
		if err != nil {
			return err
		}
		for _, url := range r.brokerURLs {
			if name, _, _ := strings.Cut(url, "="); serverOf(name) == server {
				return fmt.Errorf("--broker-source %s and --broker-url %s=URL both say where %s is; want one of them",
					arg, name, server)
			}
		}
		delete(s.Addresses, server) // a flag says more than the environment
		chosen[server] = source
	}
	s.Starters = make(map[string]sim.Starter)
	parted := sim.PartedBy(plan, drivers.All())
	for server, source := range chosen {
		source.routed = parted[server]
		if source.chosen {
			s.Starters[server] = starter(source, log)
		}
	}
	return nil
}

// serverOf returns the server that a driver or a server of a name is served by,
// and nothing for a name that is neither.
func serverOf(name string) string {
	for _, d := range drivers.All() {
		if name == d.Name || name == d.Server {
			return d.Server
		}
	}
	return ""
}

// parseSource reads such as rabbitmq=local:3.
func parseSource(arg string, known map[string]startable) (server string, s startable, err error) {
	name, source, _ := strings.Cut(arg, "=")
	kind, count, _ := strings.Cut(source, ":")
	server = serverOf(name)
	s, ok := known[server]
	nodes, err := strconv.Atoi(count)
	if !ok || server == "" || kind != s.kind || err != nil || !slices.Contains(nodeCounts(), nodes) {
		return "", s, fmt.Errorf("--broker-source is %q; want one of %s", arg, strings.Join(sourceForms(), ", "))
	}
	return server, startable{kind: kind, nodes: nodes, chosen: true}, nil
}

// nodeCounts are the sizes that make sense: one node, and the least that goes on
// without one of its nodes.
func nodeCounts() []int { return []int{1, 3} }

// sourceForms lists all that --broker-source may be.
func sourceForms() (forms []string) {
	for server, s := range startables() {
		for _, n := range nodeCounts() {
			forms = append(forms, fmt.Sprintf("%s=%s:%d", server, s.kind, n))
		}
	}
	slices.Sort(forms)
	return forms
}

// syncAlways is what the parameter sync=always of jetstream asks of the server.
const syncAlways = "sync-always"

// starter returns what starts a broker in child processes of this one.
func starter(source startable, log *slog.Logger) sim.Starter {
	start := startInstalled
	if source.kind == broker.Embedded {
		start = startEmbedded
	}
	return func(ctx context.Context, wants string) (sim.Cluster, error) {
		if !source.routed {
			return start(ctx, source.nodes, wants, nil, log)
		}
		return startParted(ctx, log, func(ctx context.Context, lay layer) (sim.Cluster, error) {
			return start(ctx, source.nodes, wants, lay, log)
		})
	}
}

// startEmbedded starts NATS, which is inside this program.
func startEmbedded(ctx context.Context, nodes int, wants string, lay layer, _ *slog.Logger) (sim.Cluster, error) {
	c, err := embedded.StartCluster(ctx, embedded.ClusterOptions{
		Nodes: nodes, Server: embedded.Options{JetStream: true, SyncAlways: wants == syncAlways}, Route: lay,
	})
	if err != nil {
		return nil, err
	}
	return natsCluster{c}, nil
}

// startInstalled starts RabbitMQ as it is installed.
func startInstalled(ctx context.Context, nodes int, _ string, lay layer, log *slog.Logger) (sim.Cluster, error) {
	c, err := installed.Start(ctx, installed.Options{Nodes: nodes, Route: lay, Log: log})
	switch {
	case errors.Is(err, installed.ErrMissing):
		return nil, fmt.Errorf("%w, or name one that runs with --broker-url rabbitmq=URL", err)
	case err != nil:
		return nil, err
	}
	return rabbitCluster{c}, nil
}

// natsCluster and rabbitCluster are the clusters as the engine knows them.
type (
	natsCluster   struct{ *embedded.Cluster }
	rabbitCluster struct{ *installed.Cluster }
)

// Nodes implements [sim.Cluster].
func (c natsCluster) Nodes() []sim.Node { return asNodes(c.Cluster.Nodes()) }

// Settings implements [sim.Cluster].
func (c natsCluster) Settings() []string { return nil }

// Nodes implements [sim.Cluster].
func (c rabbitCluster) Nodes() []sim.Node { return asNodes(c.Cluster.Nodes()) }

func asNodes[N sim.Node](nodes []N) []sim.Node {
	all := make([]sim.Node, len(nodes))
	for i, n := range nodes {
		all[i] = n
	}
	return all
}
