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
	Stores  []Store
	Faults  []FaultKind
	Targets []Target // of faults

	// Expectation checks a statement about the results of cells, and reports whether it
	// concerns any of them. Where it is wrong, the error says why, and the offset at
	// which byte. A nil function means that nothing can be expected.
	Expectation func(statement string, cells []Cell) (concerns bool, offset int, err error)
}

// A Store is one kind of store that payloads may travel over by reference.
type Store struct {
	Name    string
	Summary string // one phrase
	Wired   bool   // parties reach it over connections that a fault can befall
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

	// MaxMessage is how many bytes a message may have, with all that goes with its
	// body, unless somebody has set up the broker otherwise; 0 for no bound that
	// matters.
	MaxMessage int

	// Check says what is wrong with a set of parameters each of which is allowed,
	// and what would be right. A nil function takes them all.
	Check func(params map[string]string) error

	// Traits says what the broker offers with certain parameters, of which each
	// is present and within its bounds. A nil function means none.
	Traits func(params map[string]string) flows.Traits
}

// A Param is one parameter of a broker, or of a fault.
type Param struct {
	Name     string
	Summary  string   // one phrase, with the unit if it has one
	Default  string   // written as in scenarios; empty for one that must be given
	Values   []string // the allowed values; empty for a number or a duration
	Span     bool     // it is a duration, and its bounds are in nanoseconds
	Words    bool     // it is a command: a list of words
	Min, Max int      // bounds of a whole number, or of a duration
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

// storeNames returns the names of all stores in the catalog's order.
func (c Catalog) storeNames() []string {
	names := make([]string, len(c.Stores))
	for i, s := range c.Stores {
		names[i] = s.Name
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

// paramNames returns the names of parameters in their order.
func paramNames(params []Param) []string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	return names
}

// want says what values the parameter takes.
func (p Param) want(got string) string {
	switch {
	case p.Words:
		return commandWords{}.want()
	case p.Span:
		return p.span(new(Duration)).want()
	case len(p.Values) == 0:
		return whole{min: p.Min, max: p.Max}.want()
	}
	return oneOf(got, p.Values)
}

// allows reports whether the parameter takes a value.
func (p Param) allows(value string) bool {
	switch {
	case p.Words:
		return false // a single value is no list
	case p.Span:
		return p.span(new(Duration)).read(nil, "", &node{kind: scalar, text: value})
	case len(p.Values) == 0:
		return p.whole(value)
	}
	return slices.Contains(p.Values, value)
}

// span returns the setting that reads the parameter, which is a duration.
func (p Param) span(to *Duration) span { return span{to, Duration(p.Min), Duration(p.Max)} }

// whole reports whether value is a whole number within the bounds.
func (p Param) whole(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && strconv.Itoa(n) == value && n >= p.Min && n <= p.Max
}
