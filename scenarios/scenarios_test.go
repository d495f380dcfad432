package scenarios

import (
	"slices"
	"strconv"

	"flowbench/flows"
	"flowbench/sim/fault"
)

// libraryCatalog is a catalog with every flow that there is, for the library.
func libraryCatalog() Catalog {
	cat := testCatalog()
	for _, name := range []string{"file", "http", "ftp", "nats-object"} {
		cat.Stores = append(cat.Stores, Store{Name: name})
	}
	cat.Flows = nil
	for _, f := range flows.All() {
		cat.Flows = append(cat.Flows, f.Spec())
	}
	for name, params := range map[string][]Param{
		"jetstream": {
			{Name: "prefetch", Summary: "messages on the way", Default: "50", Min: 1, Max: 10000},
			{Name: "ack_wait_ms", Summary: "until it comes again", Default: "30000", Min: 1, Max: 600000},
		},
		"rabbitmq": {{Name: "max_priority", Summary: "x-max-priority", Default: "0", Max: 10}},
	} {
		i := slices.IndexFunc(cat.Brokers, func(b Broker) bool { return b.Name == name })
		cat.Brokers[i].Params = append(cat.Brokers[i].Params, params...)
	}
	cat.Faults, cat.Targets = nil, nil
	for _, f := range fault.All() {
		k := FaultKind{Name: f.Name, Summary: f.Summary}
		for _, place := range f.On {
			k.On = append(k.On, string(place))
		}
		for _, p := range f.Params {
			k.Params = append(k.Params, Param{
				Name: p.Name, Summary: p.Summary, Default: p.Default, Span: p.Unit == fault.Duration,
				Words: p.Unit == fault.Words,
				Min:   int(p.Min), Max: int(p.Max),
			})
		}
		cat.Faults = append(cat.Faults, k)
	}
	for _, s := range fault.Sites() {
		cat.Targets = append(cat.Targets, Target{Name: string(s.Place), Summary: s.Summary, Indexed: s.Indexed})
	}
	return cat
}

// testCatalog is some of what the real program offers, and what it does not
// offer to see it refused. It does not follow the registries: what is added there
// should change nothing here.
func testCatalog() Catalog {
	cat := Catalog{Edges: []Edge{{Name: "rest"}, {Name: "graphql", Sockets: true}, {Name: "ws", Sockets: true}}}
	cat.Stores = []Store{{Name: "mem", Summary: "a map"}, {Name: "s3", Summary: "S3", Wired: true}}
	broker, edge := flows.UsesBroker, flows.UsesEdge
	cat.Flows = append(cat.Flows,
		flows.Spec{Name: "async-reply-to", Uses: broker}, flows.Spec{Name: "proxy-sync", Uses: broker | edge},
		flows.Spec{Name: "proxy-async", Uses: broker | edge}, flows.Spec{Name: "direct", Uses: edge},
		flows.Spec{Name: "keeps", Uses: flows.UsesBroker, Needs: flows.Durable | flows.Redelivers},
		flows.Spec{Name: "tells", Uses: broker, Tells: flows.Everyone})
	fixed := func(t flows.Traits) func(map[string]string) flows.Traits {
		return func(map[string]string) flows.Traits { return t }
	}
	cat.Targets = []Target{{Name: "broker", Summary: "all that speak to it"}, {Name: "service", Indexed: true}}
	cat.Faults = []FaultKind{
		{Name: "stall", Summary: "nothing passes", On: []string{"broker", "service"}},
		{Name: "latency", Summary: "all is late", On: []string{"broker"}, Params: []Param{
			{Name: "delay", Summary: "each way", Span: true, Min: 1, Max: int(minute)},
			{Name: "jitter", Summary: "more or less", Span: true, Default: "0s", Max: int(minute)},
		}},
		{Name: "crash", Summary: "it is gone", On: []string{"service"}, Params: []Param{
			{Name: "when", Summary: "of the effect", Default: "before", Values: []string{"before", "after"}},
		}},
		{Name: "exec", Summary: "a command runs", On: []string{"broker"}, Params: []Param{
			{Name: "begin", Summary: "the command", Words: true},
			{Name: "limit", Summary: "its time", Span: true, Default: "30s", Min: 1, Max: int(minute)},
		}},
	}
	cat.Brokers = []Broker{
		{Name: "mem", Summary: "a queue in memory", Params: []Param{
			{Name: "queue", Summary: "messages that one queue holds", Default: "65536", Min: 1, Max: 1 << 20},
		}},
		{Name: "nats", Summary: "core NATS", MaxMessage: 1 << 20, Traits: fixed(flows.Ordered)},
		{Name: "jetstream", Summary: "NATS JetStream", Params: []Param{
			{Name: "storage", Summary: "where messages are kept", Default: "file", Values: []string{"file", "memory"}},
			{Name: "sync", Summary: "when it is forced to " +
				"disk", Default: "server",
				Values: []string{"server", "always"}},
			{Name: "replicas", Summary: "copies of a stream", Default: "1", Min: 1, Max: 5},
		}, Traits: func(params map[string]string) flows.Traits {
			if _, err := strconv.Atoi(params["replicas"]); err != nil {
				panic("a parameter is missing: " + err.Error())
			}
			if params["storage"] == "file" {
				return flows.Durable | flows.Redelivers | flows.Confirms
			}
			return flows.Redelivers | flows.Confirms
		}},
		{Name: "rabbitmq", Summary: "RabbitMQ", Params: []Param{
			{Name: "queue", Summary: "type of queue", Default: "quorum", Values: []string{"classic", "quorum"}},
			{Name: "prefetch", Summary: "unacknowledged messages", Default: "100", Min: 1, Max: 2000},
			{
				Name:    "mandatory",
				Summary: "return what cannot be routed",
				Default: "true",
				Values:  []string{"true", "false"},
			},
		}, Traits: fixed(flows.Durable | flows.Redelivers | flows.Confirms | flows.Ordered)},
	}
	return cat
}
