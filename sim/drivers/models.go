package drivers

import (
	"context"
	"strconv"
	"time"

	"flowbench/flows"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
	"flowbench/sim/edge"
	"flowbench/sim/edge/modeledge"
	"flowbench/sim/store"
	"flowbench/sim/store/modelstore"
)

// Models returns what stands in for every broker, every edge and every store in
// the virtual time of k. The model of a broker has the broker's name, parameters and traits,
// so that scenarios mean the same in a simulation as in a run; its delays are
// those of m and nobody's in particular. It implements [sim.Models].
func Models(k *des.Kernel, m scenarios.Model, seed uint64) sim.Registry {
	model := modelbroker.Driver(k, seed)
	brokers := All()
	for i, d := range brokers {
		brokers[i].Source, brokers[i].Server, brokers[i].Wants = "", "", nil
		brokers[i].Open = func(ctx context.Context, cfg broker.Config) (broker.Session, error) {
			cfg.Params = like(model.Params, d.Traits(cfg.Params), m)
			return model.Open(ctx, cfg)
		}
	}
	edges := Edges()
	for i := range edges {
		edges[i].Open = func(c edge.Config) flows.Edge {
			return modeledge.New(k, modeledge.Config{
				Link: draw(m.Distribution, time.Duration(m.Link)), MaxBody: c.MaxBody, Seed: seed,
				LeastPending: c.LeastPending, Meter: c.Meter,
			})
		}
	}
	stores := Stores()
	for i := range stores {
		stores[i].Open = func(_ context.Context, c store.Config) (store.Session, error) {
			return modelstore.Open(k, modelstore.Config{
				Link: draw(m.Distribution, time.Duration(m.Link)), BytesPerS: storeBytesPerS, Seed: seed,
			}, c)
		}
	}
	return sim.Registry{Brokers: brokers, Edges: edges, Stores: stores}
}

// storeBytesPerS is what the link to the model of a store carries: a gigabit a
// second.
const storeBytesPerS = 125e6

// like returns the parameters of the model of a broker with the given traits.
func like(params []broker.Param, t flows.Traits, m scenarios.Model) broker.Params {
	p := make(broker.Params)
	for _, param := range params {
		p[param.Name] = param.Default
	}
	us := func(d scenarios.Duration) string { return strconv.FormatInt(time.Duration(d).Microseconds(), 10) }
	p["link_us"], p["service_us"] = us(m.Link), us(m.Broker)
	p["link"], p["service"] = string(m.Distribution), string(m.Distribution)
	p["delivery"], p["confirm"] = "at-most-once", "none"
	if t.Has(flows.Redelivers) {
		p["delivery"] = "at-least-once"
	}
	if t.Has(flows.Confirms) {
		p["confirm"] = "each"
	}
	if t.Has(flows.Priorities) {
		p["order"] = "urgent-first"
	}
	if t.Has(flows.Dedups) {
		p["dedup_ms"] = strconv.FormatInt(dedupWindow.Milliseconds(), 10)
	}
	return p
}

// dedupWindow is how long a model of a broker that deduplicates remembers ids:
// as long as JetStream does by default.
const dedupWindow = 2 * time.Minute

func draw(d scenarios.Distribution, mean time.Duration) des.Draw {
	if d == scenarios.ConstantTime {
		return des.Constant(mean)
	}
	return des.Exponential(mean)
}
