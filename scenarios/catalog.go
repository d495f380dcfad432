package scenarios

import (
	"slices"
	"strconv"

	"flowbench/flows"
)

// A Catalog says what there is for scenarios to name. The program fills it from
// the registries of flows and drivers, so that nothing here has to know them.
type Catalog struct {
	Flows   []flows.Spec
	Brokers []Broker
	Edges   []Edge
}

// An Edge is one protocol between web clients and what serves them.
type Edge struct {
	Name    string
	Sockets bool // flows that need a socket can go over it
}

// A Broker is one kind of broker that scenarios may name.
type Broker struct {
	Name    string
	Summary string // one phrase
	Params  []Param

	// Check says what is wrong with a set of parameters each of which is allowed,
	// and what would be right. A nil function takes them all.
	Check func(params map[string]string) error

	// Traits says what the broker offers with certain parameters, of which each
	// is present and within its bounds. A nil function means none.
	Traits func(params map[string]string) flows.Traits
}

// A Param is one parameter of a broker.
type Param struct {
	Name     string
	Summary  string   // one phrase, with the unit if it has one
	Default  string   // written as in scenarios
	Values   []string // the allowed values; empty for a whole number
	Min, Max int      // bounds of a whole number
}

// flowNames returns the names of all flows in the catalog's order.
func (c Catalog) flowNames() []string {
	names := make([]string, len(c.Flows))
	for i, f := range c.Flows {
		names[i] = f.Name
	}
	return names
}

// brokerNames returns the names of all brokers in the catalog's order.
func (c Catalog) brokerNames() []string {
	names := make([]string, len(c.Brokers))
	for i, b := range c.Brokers {
		names[i] = b.Name
	}
	return names
}

// edgeNames returns the names of all edges in the catalog's order.
func (c Catalog) edgeNames() []string {
	names := make([]string, len(c.Edges))
	for i, e := range c.Edges {
		names[i] = e.Name
	}
	return names
}

// socketEdge returns the first edge with sockets, or nothing.
func (c Catalog) socketEdge() string {
	for _, e := range c.Edges {
		if e.Sockets {
			return e.Name
		}
	}
	return ""
}

// hasSockets reports whether an edge is known to have sockets.
func (c Catalog) hasSockets(edge string) bool { return slices.Contains(c.Edges, Edge{edge, true}) }

// paramNames returns the names of all parameters in the broker's order.
func (b Broker) paramNames() []string {
	names := make([]string, len(b.Params))
	for i, p := range b.Params {
		names[i] = p.Name
	}
	return names
}

// want says what values the parameter takes.
func (p Param) want(got string) string {
	if len(p.Values) == 0 {
		return whole{min: p.Min, max: p.Max}.want()
	}
	return oneOf(got, p.Values)
}

// allows reports whether the parameter takes a value.
func (p Param) allows(value string) bool {
	if len(p.Values) == 0 {
		return p.whole(value)
	}
	return slices.Contains(p.Values, value)
}

// whole reports whether value is a whole number within the bounds.
func (p Param) whole(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && strconv.Itoa(n) == value && n >= p.Min && n <= p.Max
}
