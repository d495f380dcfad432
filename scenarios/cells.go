package scenarios

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"flowbench/flows"
)

// edgeREST is the edge that flows with one use unless a scenario says otherwise.
// Ids of cells do not mention it.
const edgeREST = "rest"

// Plan makes every choice that the scenario leaves open and returns the cells:
// every flow on every broker and over every edge, in the order in which they are
// written, and once those flows that use neither. Names that the catalog does not have,
// parameters that a broker does not take, and flows that need what a broker
// does not offer are errors with the places of [Parse].
func (s *Scenario) Plan(cat Catalog) (*Plan, error) {
	b := planner{s: s, cat: cat}
	b.flows()
	b.brokers()
	b.edges()
	b.stores()
	b.faults()
	if t := s.Load.Trace; t != nil && t.instant == nil {
		b.add(b.place(traceFile), "the trace %s has not been read; want its text before the plan", quote(t.File))
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	for _, f := range b.specs {
		b.cells(f)
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	expect := b.expectations()
	if err := b.err(); err != nil {
		return nil, err
	}
	if len(b.list) == 0 {
		b.add(b.place(modesPath), "no payload can travel in any of the ways that are asked for: %s", b.left[0])
		return nil, b.err()
	}
	return &Plan{
		Scenario: s.Name, Question: s.Question, Source: s.source, Seed: s.Seed,
		Repeat: s.Repeat, Cells: repeated(b.list, s.Repeat, s.Seed), LeftOut: b.left,
		Expect: expect,
	}, nil
}

// A planner is a plan in the making.
type planner struct {
	problems
	s       *Scenario
	cat     Catalog
	specs   []flows.Spec // of the scenario's flows
	choices []brokerUse  // of the scenario's brokers
	decided []Fault      // the scenario's, with all their parameters
	list    []Cell
	left    []string // cells that cannot be, and why
}

// A brokerUse is a broker with all its parameters decided.
type brokerUse struct {
	Broker
	params map[string]string
	suffix string // tells it from the same broker with other parameters
}

// place returns where the scenario wrote a path, or else the nearest section
// around it.
func (b *planner) place(path string) place {
	for {
		if at, ok := b.s.places[path]; ok || path == "" {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// item returns the path of an item of a list.
func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// flows looks up the scenario's flows.
func (b *planner) flows() {
	for i, name := range b.s.Flows {
		at := b.place(item("flows", i))
		j := slices.IndexFunc(b.cat.Flows, func(f flows.Spec) bool { return f.Name == name })
		if j < 0 {
			b.add(at, "there is no flow %s; want %s", quote(name), oneOf(name, b.cat.flowNames()))
			continue
		}
		f := b.cat.Flows[j]
		b.specs = append(b.specs, f)
		switch {
		case f.Uses.Has(flows.UsesEdge) && len(b.cat.Edges) == 0:
			b.add(at, "flow %s uses an edge, and there is none; want another flow", name)
		case f.Uses.Has(flows.UsesSocket) && b.cat.socketEdge() == "":
			b.add(at, "flow %s uses an edge with sockets, and there is none; want another flow", name)
		case f.Uses.Has(flows.UsesBroker) && len(b.s.Brokers) == 0:
			b.add(at, "flow %s uses a broker and the scenario names none; want brokers: with %s",
				name, oneOf("", b.cat.brokerNames()))
		}
		b.audience(f)
	}
}

// brokers looks up the scenario's brokers and decides all their parameters.
func (b *planner) brokers() {
	for i, c := range b.s.Brokers {
		path := item("brokers", i)
		j := slices.IndexFunc(b.cat.Brokers, func(k Broker) bool { return k.Name == c.Name })
		if j < 0 {
			b.add(b.place(path+".name"), "there is no broker %s; want %s",
				quote(c.Name), oneOf(c.Name, b.cat.brokerNames()))
			continue
		}
		use := brokerUse{Broker: b.cat.Brokers[j], params: map[string]string{}}
		for _, p := range use.Params {
			use.params[p.Name] = p.Default
		}
		for key, value := range c.Params {
			b.param(use, path, key, value)
		}
		if use.Check != nil {
			if err := use.Check(use.params); err != nil {
				b.add(b.place(path), "broker %s cannot be set so: %v", use.Name, err)
			}
		}
		for k, other := range b.choices {
			if other.Name == use.Name && b.same(other, use) {
				b.add(b.place(path), "broker %s is there twice with the same parameters, first as %s; want it once",
					use.Name, item("brokers", k))
			}
		}
		b.choices = append(b.choices, use)
	}
	for i := range b.choices {
		b.choices[i].suffix = b.suffix(b.choices[i])
	}
}

// edges looks up the scenario's edges.
func (b *planner) edges() {
	for i, name := range b.s.Edges {
		if known := b.cat.edgeNames(); len(known) > 0 && !slices.Contains(known, name) {
			b.add(b.place(item("edges", i)), "there is no edge %s; want %s", quote(name), oneOf(name, known))
		}
	}
}

// param checks one parameter of a broker and keeps it.
func (b *planner) param(use brokerUse, path, key, value string) {
	if b.allowed("broker "+use.Name, use.Params, b.place(under(path, key)), key, value) {
		use.params[key] = value
	}
}

// allowed reports whether a parameter of a broker or a fault may have a value, and
// says what would be right if not.
func (b *planner) allowed(owner string, params []Param, at place, key, value string) bool {
	i := slices.IndexFunc(params, func(p Param) bool { return p.Name == key })
	switch {
	case i < 0 && len(params) == 0:
		b.add(at, "%s has no parameter %s; want none", owner, quote(key))
	case i < 0:
		b.add(at, "%s has no parameter %s; want %s", owner, quote(key), oneOf(key, paramNames(params)))
	case !params[i].allows(value):
		b.add(at, "parameter %s of %s is %s; want %s", key, owner, quote(value), params[i].want(value))
	default:
		return true
	}
	return false
}

// same reports whether two uses of one broker have the same parameters.
func (b *planner) same(x, y brokerUse) bool {
	return !slices.ContainsFunc(x.Params, func(p Param) bool { return x.params[p.Name] != y.params[p.Name] })
}

// suffix names the parameters in which uses of the same broker differ: the
// value where it is a word, the name as well where it is a number.
func (b *planner) suffix(use brokerUse) string {
	var parts strings.Builder
	for _, p := range use.Params {
		value := use.params[p.Name]
		differs := func(o brokerUse) bool { return o.Name == use.Name && o.params[p.Name] != value }
		if !slices.ContainsFunc(b.choices, differs) {
			continue
		}
		parts.WriteByte('-')
		if len(p.Values) == 0 {
			parts.WriteString(p.Name)
		}
		parts.WriteString(value)
	}
	return parts.String()
}

// cells adds the cells of one flow.
func (b *planner) cells(f flows.Spec) {
	if !f.Uses.Has(flows.UsesBroker) {
		b.overEdges(f, f.Name, brokerUse{})
		return
	}
	for j, use := range b.choices {
		var offers flows.Traits
		if use.Traits != nil {
			offers = use.Traits(use.params)
		}
		if lacks := f.Needs &^ offers; lacks != 0 {
			b.add(b.place(item("brokers", j)), "broker %s as it is set does not offer what flow %s needs (%s); "+
				"want other parameters or another broker, or the flow taken out of flows", use.Name, f.Name, lacks)
			continue
		}
		b.overEdges(f, f.Name+"-"+use.Name+use.suffix, use)
	}
}

// overEdges adds the cells of one flow on one broker. A flow that needs sockets
// goes over those of the scenario's edges that have them, and if none has, over
// the first that there is: whoever asks for such a flow has asked for a socket.
func (b *planner) overEdges(f flows.Spec, id string, use brokerUse) {
	if !f.Uses.Has(flows.UsesEdge) {
		b.carried(f, id, use, "")
		return
	}
	over := b.s.Edges
	if f.Uses.Has(flows.UsesSocket) {
		over = slices.DeleteFunc(slices.Clone(over), func(edge string) bool { return !b.cat.hasSockets(edge) })
		if len(over) == 0 {
			b.carried(f, id, use, b.cat.socketEdge())
			return
		}
	}
	for _, edge := range over {
		suffix := "-" + edge
		if edge == edgeREST {
			suffix = ""
		}
		b.carried(f, id+suffix, use, edge)
	}
}

// cell adds one cell.
func (b *planner) cell(f flows.Spec, id string, use brokerUse, edge string, p parcel) {
	s := b.s
	c := Cell{
		ID:       b.unique(slug(id)),
		Flow:     f.Name,
		Broker:   use.Name,
		Edge:     edge,
		Payload:  p.mode,
		Store:    p.store,
		Carriage: s.Payloads.Carriage,

		PayloadTimes: len(s.Payloads.Bytes) > 0 || !slices.Equal(s.Payloads.Modes, []string{string(flows.Inline)}),

		Seed:      derive(s.Seed, "load") & maxBig,
		Load:      s.Load,
		Service:   s.Service,
		Polling:   s.Polling,
		FrontEnds: s.FrontEnds,
		Model:     s.Model,
		Faults:    b.decided,
		History:   b.s.History == KeepOn || b.s.History == KeepAuto && len(b.decided) > 0,
	}
	c.Load.PayloadBytes = p.bytes
	c.Load.Shape, c.Load.Sweep = s.Load.Shape.clone(), s.Load.Sweep.clone()
	if bulk := s.Payloads.Bulk; bulk != nil {
		own := *bulk
		c.Bulk = &own
	}
	if len(use.params) > 0 {
		c.BrokerParams = maps.Clone(use.params)
	}
	if stall := s.Service.Stall; stall != nil {
		own := *stall
		c.Service.Stall = &own
	}
	b.list = append(b.list, c)
}

// slug makes text fit for a file name.
func slug(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
}

// unique returns the id, with a number behind it if another cell has it.
func (b *planner) unique(id string) string {
	taken := func(id string) bool {
		return slices.ContainsFunc(b.list, func(c Cell) bool { return c.ID == id })
	}
	for try, n := id, 2; ; n++ {
		if !taken(try) {
			return try
		}
		try = id + "-" + strconv.Itoa(n)
	}
}
