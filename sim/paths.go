package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/fault"
	"flowbench/sim/link"
	"flowbench/sim/wire"
)

// paths are the links of a world. A place has links only if a fault of the cell
// can befall it, and has them from the first connection on: what is measured
// before a fault goes through the same links as what is measured in it.
//
// There is a link for every party and every address that it dials, so that one
// instance can be cut off from the others. What is harmed is a spot: a place, or
// the part of it that belongs to one party. A link that is made while its spot is
// harmed, because a party dials another node of a cluster, is harmed from the
// beginning.
type paths struct {
	life  context.Context
	seed  uint64
	log   *slog.Logger
	wants map[fault.Place]bool // places that are to have links

	mu    sync.Mutex
	links map[string]*pathLink
	order []*pathLink
	armed []*armedPath
}

// A pathLink is a link and the spots that it belongs to.
type pathLink struct {
	*link.Link
	spots []spot
}

// A spot is a place, or with an index one of several alike.
type spot struct {
	place fault.Place
	index int // -1 for all
}

// newPaths returns paths for the places that the faults of a cell are about.
func newPaths(life context.Context, seed uint64, log *slog.Logger, places ...fault.Place) *paths {
	p := &paths{life: life, seed: seed, log: log, wants: make(map[fault.Place]bool), links: make(map[string]*pathLink)}
	for _, place := range places {
		p.wants[place] = true
		for _, part := range partsOf(place) {
			p.wants[part] = true
		}
	}
	return p
}

// partsOf returns the kinds of links that a part of a world stands on.
func partsOf(p fault.Place) []fault.Place {
	switch p {
	case fault.Broker:
		return []fault.Place{fault.ClientBroker, fault.FrontEndBroker, fault.ServiceBroker}
	case fault.ServiceInstance:
		return []fault.Place{fault.ServiceBroker, fault.BalancerBackend, fault.ClientEdge, fault.ServiceStore}
	case fault.Store:
		return []fault.Place{fault.ClientStore, fault.ServiceStore}
	case fault.FrontEnd:
		return []fault.Place{fault.FrontEndBroker, fault.BalancerBackend, fault.ClientEdge}
	default:
		return nil
	}
}

// toBroker is the route of connections to the broker.
func (p *paths) toBroker(party string, next wire.Dialer) wire.Dialer {
	name, index := partyOf(party)
	switch name {
	case "client", "subscriber":
		return p.through(party, next, spot{fault.ClientBroker, -1}, spot{fault.Broker, -1})
	case "service":
		return p.through(party, next, spot{fault.ServiceBroker, index}, spot{fault.Broker, -1},
			spot{fault.ServiceInstance, index})
	case flows.FrontEndPart:
		return p.through(party, next, spot{fault.FrontEndBroker, index}, spot{fault.Broker, -1},
			spot{fault.FrontEnd, index})
	}
	return next // the connections of the engine itself are no part of the world
}

// toStore is the route of connections to the store.
func (p *paths) toStore(party string, next wire.Dialer) wire.Dialer {
	switch name, index := partyOf(party); name {
	case "client":
		return p.through(party, next, spot{fault.ClientStore, -1}, spot{fault.Store, -1})
	case "service":
		return p.through(party, next, spot{fault.ServiceStore, index}, spot{fault.Store, -1},
			spot{fault.ServiceInstance, index})
	}
	return next
}

// toEdge is the route of connections to what an edge listens for. part is what
// web clients call: the front end, or the service.
func (p *paths) toEdge(part string, alone bool) wire.Route {
	return func(party string, next wire.Dialer) wire.Dialer {
		whose := fault.ServiceInstance
		if party == edge.ClientParty {
			spots := []spot{{fault.ClientEdge, -1}}
			if alone { // nobody is between the clients and the one that they call
				if part == flows.FrontEndPart {
					whose = fault.FrontEnd
				}
				spots = append(spots, spot{whose, 0})
			}
			return p.through(party, next, spots...)
		}
		name, index := partyOf(party)
		if name == flows.FrontEndPart {
			whose = fault.FrontEnd
		}
		return p.through(party, next, spot{fault.BalancerBackend, index}, spot{whose, index})
	}
}

// partyOf splits the name of a party into what it is and which one of them.
func partyOf(party string) (name string, index int) {
	at := strings.LastIndexByte(party, '-')
	if at < 0 {
		return party, 0
	}
	if _, err := fmt.Sscan(party[at+1:], &index); err != nil {
		return party, 0
	}
	return party[:at], index
}

// through returns a dialer that goes through links, if one of the spots is to
// have them.
func (p *paths) through(party string, next wire.Dialer, spots ...spot) wire.Dialer {
	if !slices.ContainsFunc(spots, func(s spot) bool { return p.wants[s.place] }) {
		return next
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		l, err := p.link(party, address, next, spots)
		if err != nil {
			return nil, err
		}
		return l.Dialer(next)(ctx, network, address)
	}
}

// link returns the link of a party to an address, making it if need be.
func (p *paths) link(party, address string, next wire.Dialer, spots []spot) (*pathLink, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := party + " " + address
	if l := p.links[key]; l != nil {
		return l, nil
	}
	made, err := link.New(p.life, address, link.Config{
		Name: party + " to " + address, Seed: p.seed, Dial: next, Log: p.log,
	})
	if err != nil {
		return nil, fmt.Errorf("make link of %s: %w", party, err)
	}
	l := &pathLink{made, spots}
	for _, a := range p.armed {
		if l.at(a.spot) {
			if err := a.add(l); err != nil {
				return nil, errors.Join(err, made.Close())
			}
		}
	}
	p.links[key] = l
	p.order = append(p.order, l)
	return l, nil
}

// at reports whether the link belongs to a spot.
func (l *pathLink) at(s spot) bool {
	return slices.ContainsFunc(l.spots, func(own spot) bool {
		return own.place == s.place && (s.index < 0 || own.index == s.index)
	})
}

// has reports whether a spot has links.
func (p *paths) has(s spot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.order, func(l *pathLink) bool { return l.at(s) })
}

// arm does i to all links of a spot, and to those that are made until it is
// healed.
func (p *paths) arm(s spot, d link.Direction, i link.Impairment) (*armedPath, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &armedPath{paths: p, spot: s, direction: d, impairment: i}
	p.armed = append(p.armed, a)
	for _, l := range p.order {
		if l.at(s) {
			if err := a.add(l); err != nil {
				return a, err // what was armed is healed with it
			}
		}
	}
	return a, nil
}

// close ends all links.
func (p *paths) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, l := range p.order {
		errs = append(errs, l.Close())
	}
	p.order = nil
	clear(p.links)
	return errors.Join(errs...)
}

// An armedPath is an impairment in force on all links of a spot.
type armedPath struct {
	paths      *paths
	spot       spot
	direction  link.Direction
	impairment link.Impairment
	armed      []*link.Armed // guarded by the mutex of paths
}

// add arms one more link.
func (a *armedPath) add(l *pathLink) error {
	armed, err := l.Arm(a.direction, a.impairment)
	if err != nil {
		return err
	}
	a.armed = append(a.armed, armed)
	return nil
}

// Heal implements [fault.Armed].
func (a *armedPath) Heal() error {
	p := a.paths
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = slices.DeleteFunc(p.armed, func(o *armedPath) bool { return o == a })
	var errs []error
	for _, armed := range a.armed {
		errs = append(errs, armed.Heal())
	}
	return errors.Join(errs...)
}

// Effect implements [fault.Armed].
func (a *armedPath) Effect() fault.Effect {
	p := a.paths
	p.mu.Lock()
	defer p.mu.Unlock()
	var sum fault.Effect
	for _, armed := range a.armed {
		sum = sum.Plus(fault.Effect{Effect: armed.Effect()})
	}
	return sum
}
