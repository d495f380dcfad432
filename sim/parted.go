package sim

import (
	"errors"
	"fmt"
	"slices"

	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/fault"
	"flowbench/sim/link"
)

// Parted is a [Cluster] whose nodes reach each other through links, so that one of
// them can be parted from the others. The links are the cluster's: they last as
// long as it does, and whoever harms them heals them.
type Parted interface {
	// Between returns the links that lead to the node with this index and those
	// that lead from it to the other nodes. Two nodes may use the links of either
	// direction, so that what is to befall a node has to befall all of them. For -1
	// it returns the links between all nodes, each once and as one that leads to a
	// node. There are none for a node that does not exist.
	Between(node int) (to, from []*link.Link)
}

// parts reports whether a fault is one of the connections between nodes.
func parts(f scenarios.Fault) bool { return spotOf(f).place == fault.BrokerNode }

// PartedBy returns the servers whose nodes a plan wants to harm the connections
// between, which therefore have to be started as [Parted].
func PartedBy(p *scenarios.Plan, all []broker.Driver) map[string]bool {
	servers := make(map[string]bool)
	for _, c := range p.Cells {
		i := slices.IndexFunc(all, func(d broker.Driver) bool { return d.Name == c.Broker })
		if i >= 0 && all[i].Source != "" && slices.ContainsFunc(c.Faults, parts) {
			servers[all[i].Server] = true
		}
	}
	return servers
}

// checkPartable says which faults of a cell no broker of this kind can have.
func checkPartable(d *broker.Driver, c scenarios.Cell) error {
	for _, f := range c.Faults {
		switch {
		case !parts(f):
		case d.Source == "":
			return fmt.Errorf("fault %s on %s is one of the connections between the nodes of a cluster that was "+
				"started here, and broker %s is none; want --brokers jetstream, nats or rabbitmq, or a fault on broker",
				f.What, f.On, d.Name)
		case spotOf(f).index < 0 && fault.ParseDirection(f.Params[fault.DirectionParam]) != link.BothWays:
			return fmt.Errorf("fault %s on %s has a direction, and between all nodes there is none; want one of them, "+
				"such as %s[0]", f.What, f.On, f.On)
		}
	}
	return nil
}

// checkParted says what is missing for the faults of a cell that part the nodes of
// its broker, which runs.
func (e *Engine) checkParted(d *broker.Driver, c scenarios.Cell) error {
	for _, f := range c.Faults {
		if !parts(f) {
			continue
		}
		cluster, _ := e.Sources.Cluster(d, c.BrokerParams)
		parted, ok := cluster.(Parted)
		if !ok {
			return fmt.Errorf("fault %s on %s is one of the connections between the nodes of a cluster, and broker %s "+
				"was not started here as one; start it with --broker-source %s=%s",
				f.What, f.On, d.Name, d.Server, sourceHint(d, 3))
		}
		if to, _ := parted.Between(spotOf(f).index); len(to) == 0 {
			return fmt.Errorf("fault %s on %s befalls a node that has no connections with others, since broker %s has "+
				"%d nodes, counted from 0; start three with --broker-source %s=%s, or name one of them",
				f.What, f.On, d.Name, len(cluster.Nodes()), d.Server, sourceHint(d, 3))
		}
	}
	return nil
}

// part does i to the connections of a node with the other nodes. What goes to the
// target is what goes to the node, whoever opened the connection.
func (t *spotTarget) part(d link.Direction, i link.Impairment) (fault.Armed, error) {
	if t.world.session == nil {
		return nothingArmed{}, nil // the flow has no broker
	}
	parted, ok := t.cluster.(Parted)
	if !ok {
		return nil, fmt.Errorf("%v: the nodes of broker %s have no links", i, t.world.cell.Broker)
	}
	to, from := parted.Between(t.spot.index)
	a := &armedRoutes{}
	if err := errors.Join(a.arm(to, d, i), a.arm(from, opposite(d), i)); err != nil {
		return a, err // what was armed is healed with it
	}
	return a, nil
}

// opposite returns the direction of what goes the other way.
func opposite(d link.Direction) link.Direction {
	switch d {
	case link.ToTarget:
		return link.FromTarget
	case link.FromTarget:
		return link.ToTarget
	default:
		return d
	}
}

// armedRoutes is an impairment in force on links between nodes. Unlike those of
// [paths] they are all there from the beginning.
type armedRoutes struct{ armed []*link.Armed }

// arm arms more links.
func (a *armedRoutes) arm(links []*link.Link, d link.Direction, i link.Impairment) error {
	for _, l := range links {
		armed, err := l.Arm(d, i)
		if err != nil {
			return err
		}
		a.armed = append(a.armed, armed)
	}
	return nil
}

// Heal implements [fault.Armed].
func (a *armedRoutes) Heal() error {
	var errs []error
	for _, armed := range a.armed {
		errs = append(errs, armed.Heal())
	}
	return errors.Join(errs...)
}

// Effect implements [fault.Armed].
func (a *armedRoutes) Effect() fault.Effect {
	var sum fault.Effect
	for _, armed := range a.armed {
		sum = sum.Plus(fault.Effect{Effect: armed.Effect()})
	}
	return sum
}
