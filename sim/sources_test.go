package sim_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"flowbench/sim"
	"flowbench/sim/broker"
)

// cluster is a cluster that notes how often it was closed.
type cluster struct {
	sim.Cluster
	wants  string
	closed int
}

// node is a node of nothing.
type node struct {
	sim.Node
	of string
}

func (c *cluster) Addresses() []string { return []string{"test://" + c.wants} }

func (c *cluster) Settings() []string { return nil }

func (c *cluster) Nodes() []sim.Node { return []sim.Node{node{of: c.wants}} }

func (c *cluster) Close(context.Context) error {
	c.closed++
	return errors.New("closed " + c.wants)
}

func TestABrokerIsStartedOnceForEachThingAskedOfIt(t *testing.T) {
	var started []*cluster
	s := &sim.Sources{
		Starters: map[string]sim.Starter{"test": func(_ context.Context, wants string) (sim.Cluster, error) {
			if wants == "impossible" {
				return nil, errors.New("impossible")
			}
			started = append(started, &cluster{wants: wants})
			return started[len(started)-1], nil
		}},
		Default: map[string]string{"test": "test://default", "other": "test://other"},
	}
	d := &broker.Driver{Name: "one", Server: "test", Wants: func(p broker.Params) string { return p["wants"] }}
	if c, ok := s.Cluster(d, broker.Params{"wants": "a"}); ok {
		t.Errorf("the cluster is %v before it was started; want none", c)
	}
	for _, wants := range []string{"a", "b", "a"} {
		params := broker.Params{"wants": wants}
		got, err := s.Of(t.Context(), d, params)
		if err != nil || !slices.Equal(got, []string{"test://" + wants}) {
			t.Errorf("the addresses for %s are %q, %v; want its own", wants, got, err)
		}
		if c, ok := s.Cluster(d, params); !ok || c.Addresses()[0] != "test://"+wants {
			t.Errorf("the cluster for %s is %v; want its own", wants, c)
		}
	}
	if len(started) != 2 {
		t.Errorf("%d brokers were started; want 2", len(started))
	}
	if n := len(s.Nodes("test")); n != 2 || len(s.Nodes("other")) != 0 {
		t.Errorf("%d nodes of test and %d of other; want 2 and none", n, len(s.Nodes("other")))
	}
	if _, err := s.Of(t.Context(), d, broker.Params{"wants": "impossible"}); err == nil {
		t.Error("a broker that cannot be started has an address; want an error")
	}
	other := &broker.Driver{Name: "other", Server: "other"}
	if got, err := s.Of(t.Context(), other, nil); err != nil || got[0] != "test://other" {
		t.Errorf("the address of what cannot be started is %q, %v; want its default", got, err)
	}
	err := s.Close(t.Context())
	for _, c := range started {
		if c.closed != 1 {
			t.Errorf("broker %s was closed %d times; want once", c.wants, c.closed)
		}
	}
	if err == nil || err.Error() == "closed a" || err.Error() == "closed b" {
		t.Errorf("close returned %v; want the errors of both", err)
	}
	if err := s.Close(t.Context()); err != nil || len(s.Nodes("test")) != 0 {
		t.Errorf("a second close returned %v, with %d nodes; want nil and none", err, len(s.Nodes("test")))
	}
}

func TestAGivenAddressIsNeverStartedAndGrantsNoWishes(t *testing.T) {
	s := &sim.Sources{
		Addresses: map[string][]string{"test": {"test://given"}},
		Starters: map[string]sim.Starter{"test": func(context.Context, string) (sim.Cluster, error) {
			return nil, errors.New("started")
		}},
	}
	d := &broker.Driver{Name: "one", Server: "test", Wants: func(p broker.Params) string { return p["wants"] }}
	if got, err := s.Of(t.Context(), d, nil); err != nil || got[0] != "test://given" {
		t.Errorf("the address is %q, %v; want the one given", got, err)
	}
	if _, err := s.Of(t.Context(), d, broker.Params{"wants": "a"}); err == nil {
		t.Error("a server of somebody else was asked for a setting; want an error")
	}
}
