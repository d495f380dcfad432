package sim

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"testing"

	"flowbench/flows"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/edge"
	"flowbench/sim/fault"
	"flowbench/sim/link"
	"flowbench/sim/wire"
)

func TestPartiesHaveANameAndANumber(t *testing.T) {
	for party, want := range map[string]struct {
		name  string
		index int
	}{
		"client-12": {"client", 12}, "front-end-1": {"front-end", 1}, "service-0": {"service", 0},
		"client": {"client", 0}, "fb-x-control": {"fb-x-control", 0},
	} {
		if name, index := partyOf(party); name != want.name || index != want.index {
			t.Errorf("%s is %s number %d; want %s number %d", party, name, index, want.name, want.index)
		}
	}
}

// TestConnectionsGoThroughTheLinksOfTheirSpots says for every party which faults
// befall its connections.
func TestConnectionsGoThroughTheLinksOfTheirSpots(t *testing.T) {
	all := []spot{
		{fault.ClientEdge, -1}, {fault.BalancerBackend, 1}, {fault.ClientBroker, -1}, {fault.FrontEndBroker, 1},
		{fault.ServiceBroker, 1}, {fault.Broker, -1}, {fault.ServiceInstance, 1}, {fault.FrontEnd, 1},
		{fault.ServiceInstance, 0},
	}
	for _, tt := range []struct {
		about, party string
		route        func(p *paths) wire.Route
		want         []spot
	}{
		{"a client of the broker", "client-1", func(p *paths) wire.Route { return p.toBroker }, []spot{all[2], all[5]}},
		{"an instance at the broker", "service-1", func(p *paths) wire.Route { return p.toBroker },
			[]spot{all[4], all[5], all[6]}},
		{"a front end at the broker", "front-end-1", func(p *paths) wire.Route { return p.toBroker },
			[]spot{all[3], all[5], all[7]}},
		{"the engine at the broker", "fb-1-control", func(p *paths) wire.Route { return p.toBroker }, nil},
		{"a web client before a balancer", edge.ClientParty,
			func(p *paths) wire.Route { return p.toEdge("service", false) }, []spot{all[0]}},
		{"a web client before the only instance", edge.ClientParty,
			func(p *paths) wire.Route { return p.toEdge("service", true) }, []spot{all[0], all[8]}},
		{"a balancer before an instance", "service-1",
			func(p *paths) wire.Route { return p.toEdge("service", false) }, []spot{all[1], all[6]}},
		{"a balancer before a front end", "front-end-1",
			func(p *paths) wire.Route { return p.toEdge(flows.FrontEndPart, false) }, []spot{all[1], all[7]}},
	} {
		t.Run(tt.about, func(t *testing.T) {
			p := openPaths(t,
				fault.ClientEdge, fault.BalancerBackend, fault.Broker, fault.ServiceInstance, fault.FrontEnd)
			dialAndClose(t, tt.route(p).Of(tt.party, wire.Loopback()))
			for _, s := range all {
				if p.has(s) != slices.Contains(tt.want, s) {
					t.Errorf("it is at %v: %v; want %v", s, p.has(s), !p.has(s))
				}
			}
		})
	}
}

func TestALinkThatIsMadeWhileItsSpotIsHarmedIsHarmed(t *testing.T) {
	p := openPaths(t, fault.ServiceBroker)
	a, err := p.arm(spot{fault.ServiceBroker, 1}, link.BothWays, link.Refuse{})
	if err != nil {
		t.Fatal(err)
	}
	address := listening(t)
	dial := func(party string) error {
		conn, err := p.toBroker(party, wire.Loopback())(t.Context(), "tcp", address)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	if err := dial("service-0"); err != nil {
		t.Errorf("an instance that is not harmed: %v", err)
	}
	if err := dial("service-1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the harmed instance dials with %v; want a refusal", err)
	}
	if err := a.Heal(); err != nil {
		t.Error(err)
	}
	if err := dial("service-1"); err != nil {
		t.Errorf("the healed instance: %v", err)
	}
	if a.Effect().None() {
		t.Error("the refusal had no effect")
	}
}

func TestWithoutFaultsThereAreNoLinks(t *testing.T) {
	p := openPaths(t, fault.ServiceBroker)
	dialAndClose(t, p.toBroker("client-0", wire.Loopback()))
	if len(p.order) != 0 {
		t.Errorf("there are %d links where none was wanted", len(p.order))
	}
}

func openPaths(t *testing.T, places ...fault.Place) *paths {
	t.Helper()
	p := newPaths(context.Background(), 1, slog.New(slog.DiscardHandler), places...)
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func listening(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func dialAndClose(t *testing.T, dial wire.Dialer) {
	t.Helper()
	conn, err := dial(t.Context(), "tcp", listening(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestPlansSayWhichProcessesTheyNeed(t *testing.T) {
	all := []broker.Driver{
		{Name: "nats", Server: "nats", Source: broker.Embedded},
		{Name: "rabbitmq", Server: "rabbitmq", Source: broker.Local},
		{Name: "mem"},
	}
	with := func(name, what string) scenarios.Cell {
		return scenarios.Cell{Broker: name, Faults: []scenarios.Fault{{What: what, On: "broker"}}}
	}
	parted := func(name, what string) scenarios.Cell {
		return scenarios.Cell{Broker: name, Faults: []scenarios.Fault{{What: what, On: "broker-node[1]"}}}
	}
	for _, tt := range []struct {
		about string
		cell  scenarios.Cell
		want  map[string]int
	}{
		{"no faults", scenarios.Cell{Broker: "rabbitmq"}, map[string]int{}},
		{"a fault of links", with("rabbitmq", "outage"), map[string]int{}},
		{"a kill", with("rabbitmq", "kill"), map[string]int{"rabbitmq": 1}},
		{"the leader", with("nats", "kill-leader"), map[string]int{"nats": 3}},
		{"a node apart", parted("nats", "partition"), map[string]int{"nats": 3}},
		{"a node apart of what is installed", parted("rabbitmq", "partition"), map[string]int{"rabbitmq": 3}},
		{"a node apart where there are none", parted("mem", "partition"), map[string]int{}},
		{"copies", scenarios.Cell{Broker: "nats", BrokerParams: map[string]string{"replicas": "3"}},
			map[string]int{"nats": 3}},
	} {
		got := ProcessesOf(&scenarios.Plan{Cells: []scenarios.Cell{tt.cell}}, all)
		if len(got) != len(tt.want) || got[tt.cell.Broker] != tt.want[tt.cell.Broker] {
			t.Errorf("%s: got %v; want %v", tt.about, got, tt.want)
		}
	}
}
