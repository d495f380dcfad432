package sim

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/fault"
	"flowbench/sim/link"
	"flowbench/sim/wire"
)

// A partedTest is a cluster that is nothing but links: from every node to every
// other, each to an address of its own.
type partedTest struct {
	Cluster
	nodes int
	links map[[2]int]*link.Link
}

func (c *partedTest) Addresses() []string { return []string{"test://1"} }

func (c *partedTest) Nodes() []Node { return make([]Node, c.nodes) }

func (c *partedTest) Close(context.Context) error { return nil }

func (c *partedTest) Between(node int) (to, from []*link.Link) {
	for way, l := range c.links {
		switch {
		case node < 0 || way[1] == node:
			to = append(to, l)
		case way[0] == node:
			from = append(from, l)
		}
	}
	return to, from
}

// openParted returns a cluster of links between so many nodes.
func openParted(t *testing.T, nodes int) *partedTest {
	t.Helper()
	c := &partedTest{nodes: nodes, links: make(map[[2]int]*link.Link)}
	for from := range nodes {
		for to := range nodes {
			if from == to {
				continue
			}
			l, err := link.New(context.Background(), listening(t), link.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
			c.links[[2]int{from, to}] = l
		}
	}
	return c
}

// inSession returns a world of a flow with a broker, which is served by c.
func inSession() *world {
	return &world{session: closing{}, cell: scenarios.Cell{Broker: "one"}}
}

// closing is a session that can only be closed.
type closing struct{ broker.Session }

func (closing) Close(context.Context) error { return nil }

func dialThrough(t *testing.T, l *link.Link) error {
	t.Helper()
	conn, err := l.Dialer(wire.Loopback())(t.Context(), "tcp", l.Target())
	if err != nil {
		return err
	}
	return conn.Close()
}

// isLost sends a byte through a link and reports whether the link throws it away.
func isLost(t *testing.T, l *link.Link) bool {
	t.Helper()
	conn, err := l.Dialer(wire.Loopback())(t.Context(), "tcp", l.Target())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		switch s := l.Stats(); {
		case s.ToTarget.Discarded > 0:
			return true
		case s.ToTarget.Forwarded > 0:
			return false
		}
	}
	t.Fatal("the byte is nowhere after 10 s")
	return false
}

func TestANodeApartIsApartFromAllOthersAndTheyAreNot(t *testing.T) {
	for _, tt := range []struct {
		about string
		node  int
		cut   func(from, to int) bool
	}{
		{"one node", 1, func(from, to int) bool { return from == 1 || to == 1 }},
		{"all nodes", -1, func(int, int) bool { return true }},
	} {
		t.Run(tt.about, func(t *testing.T) {
			c := openParted(t, 3)
			w := inSession()
			target := &spotTarget{world: w, spot: spot{fault.BrokerNode, tt.node}, cluster: c}
			a, err := target.Arm(link.BothWays, link.Refuse{})
			if err != nil {
				t.Fatal(err)
			}
			for way, l := range c.links {
				want := tt.cut(way[0], way[1])
				if err := dialThrough(t, l); errors.Is(err, syscall.ECONNREFUSED) != want {
					t.Errorf("from node %d to node %d: %v; want a refusal: %v", way[0], way[1], err, want)
				}
			}
			if a.Effect().None() || w.absent(target.spot) {
				t.Errorf("the effect is %v, absent: %v; want the refusals", a.Effect(), w.absent(target.spot))
			}
			if err := a.Heal(); err != nil {
				t.Error(err)
			}
			for way, l := range c.links {
				if err := dialThrough(t, l); err != nil {
					t.Errorf("from node %d to node %d after the fault: %v; want a connection", way[0], way[1], err)
				}
			}
		})
	}
}

// TestTheDirectionOfAFaultIsThatOfTheNode sends over links that lead to the node
// and from it: what the node is sent is held, whoever has dialled, and what it sends
// is not.
func TestTheDirectionOfAFaultIsThatOfTheNode(t *testing.T) {
	for direction, held := range map[link.Direction]int{link.ToTarget: 0, link.FromTarget: 1} {
		t.Run(direction.String(), func(t *testing.T) {
			c := openParted(t, 2)
			target := &spotTarget{world: inSession(), spot: spot{fault.BrokerNode, 0}, cluster: c}
			a, err := target.Arm(direction, link.Drop{})
			if err != nil {
				t.Fatal(err)
			}
			armed := a.(*armedRoutes).armed
			if len(armed) != 2 {
				t.Fatalf("%d links are harmed; want both", len(armed))
			}
			to, from := c.Between(0)
			for _, l := range []struct {
				*link.Link
				takes int // the node that is dialled
			}{{to[0], 0}, {from[0], 1}} {
				if harmed := isLost(t, l.Link); harmed != (l.takes == held) {
					t.Errorf("what is sent to node %d is lost: %v; want %v", l.takes, harmed, !harmed)
				}
			}
		})
	}
}

func TestPlansSayWhoseNodesAreToBeParted(t *testing.T) {
	all := []broker.Driver{
		{Name: "jetstream", Server: "nats", Source: broker.Embedded},
		{Name: "rabbitmq", Server: "rabbitmq", Source: broker.Local},
		{Name: "mem"},
	}
	for _, tt := range []struct{ name, on, want string }{
		{"jetstream", "broker-node[1]", "nats"}, {"rabbitmq", "broker-node", "rabbitmq"},
		{"rabbitmq", "broker", ""}, {"mem", "broker-node", ""}, {"other", "broker-node", ""},
	} {
		got := PartedBy(&scenarios.Plan{Cells: []scenarios.Cell{{
			Broker: tt.name, Faults: []scenarios.Fault{{What: "partition", On: tt.on}},
		}}}, all)
		if len(got) > 1 || got[tt.want] != (tt.want != "") {
			t.Errorf("%s on %s: got %v; want %q", tt.name, tt.on, got, tt.want)
		}
	}
}

func TestFlowsWithoutABrokerHaveNoNodes(t *testing.T) {
	w := &world{}
	s := spot{fault.BrokerNode, 0}
	a, err := w.target(s).Arm(link.BothWays, link.Stall{})
	if err != nil || !a.Effect().None() || !w.absent(s) {
		t.Errorf("got %v, absent: %v; want a fault that is absent", err, w.absent(s))
	}
}

func TestAPlanIsToldWhichNodesCanBeApart(t *testing.T) {
	three, one := openParted(t, 3), openParted(t, 1)
	type plain struct{ Cluster }
	for _, tt := range []struct {
		about   string
		source  string
		cluster Cluster
		on      string
		want    string // in the error, or none
	}{
		{"a node that is there", broker.Embedded, three, "broker-node[2]", ""},
		{"all nodes", broker.Embedded, three, "broker-node", ""},
		{"another place", broker.Local, nil, "client-broker", ""},
		{"a node too many", broker.Embedded, three, "broker-node[3]", "has 3 nodes, counted from 0"},
		{"a node alone", broker.Embedded, one, "broker-node[0]", "nats=embedded:3"},
		{"a cluster without links", broker.Embedded, plain{three}, "broker-node[0]", "nats=embedded:3"},
		{"a broker that runs elsewhere", broker.Embedded, nil, "broker-node[0]", "nats=embedded:3"},
		{"a node of what is installed", broker.Local, three, "broker-node[0]", ""},
		{"a node of what is installed, alone", broker.Local, one, "broker-node[0]", "nats=local:3"},
		{"a broker that is installed and runs elsewhere", broker.Local, nil, "broker-node[0]", "nats=local:3"},
		{"a broker without nodes", "", nil, "broker-node[0]", "want --brokers jetstream, nats or rabbitmq"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			d := broker.Driver{
				Name: "one", Server: "nats", Source: tt.source,
				Open: func(context.Context, broker.Config) (broker.Session, error) { return closing{}, nil },
			}
			s := &Sources{Default: map[string]string{"nats": "test://elsewhere"}}
			if tt.cluster != nil {
				s.Starters = map[string]Starter{
					"nats": func(context.Context, string) (Cluster, error) { return tt.cluster, nil },
				}
			}
			e := &Engine{RunID: "test", Drivers: []broker.Driver{d}, Sources: s, Dial: wire.Loopback(),
				Log: slog.New(slog.DiscardHandler)}
			err := e.Check(t.Context(), &scenarios.Plan{Cells: []scenarios.Cell{{
				Broker: "one", Faults: []scenarios.Fault{{What: "partition", On: tt.on}},
			}}})
			var env *EnvironmentError
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v; want no error", err)
			case tt.want != "" && (!errors.As(err, &env) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v; want an environment error with %q", err, tt.want)
			}
		})
	}
}
