package sim

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/sim/edge"
	"flowbench/sim/edge/balance"
)

// A watchedEdge counts the calls that come to each of the front ends of a cell,
// whatever the edge that they come over.
type watchedEdge struct {
	flows.Edge
	fronts []atomic.Int64
}

// Listen implements [flows.Edge].
func (e *watchedEdge) Listen(ctx context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	if name == flows.FrontEndPart {
		e.fronts = make([]atomic.Int64, len(backends))
		counted := make([]flows.Endpoint, len(backends))
		for i, b := range backends {
			counted[i] = func(ctx context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
				e.fronts[i].Add(1)
				return b(ctx, c)
			}
		}
		backends = counted
	}
	return e.Edge.Listen(ctx, name, backends...)
}

// shares returns the calls of each front end, or nil if there are not several.
func (e *watchedEdge) shares() []int64 {
	if e == nil || len(e.fronts) < 2 {
		return nil
	}
	calls := make([]int64, len(e.fronts))
	for i := range e.fronts {
		calls[i] = e.fronts[i].Load()
	}
	return calls
}

// balanced records what a balancer does about a backend.
func (w *world) balanced(ev edge.Event) {
	w.event(results.Event{Kind: string(ev.Kind), Name: fmt.Sprintf("%s-%d", ev.Part, ev.Backend), Text: ev.Detail})
}

// describeFronts says in settings what is between the clients and who answers
// them.
func (w *world) describeFronts(settings map[string]string) {
	spec, fronts := w.flow.Spec(), w.cell.FrontEnds
	if !spec.Uses.Has(flows.UsesEdge) {
		return
	}
	balanced := false
	if spec.Uses.Has(flows.UsesBroker) {
		settings["front ends"] = fmt.Sprint(fronts.Count)
		balanced = fronts.Count > 1
	}
	for _, a := range spec.Axes {
		if a.Key == "path" && (a.Value == "direct" || a.Value == "hybrid") {
			balanced = balanced || w.cell.Service.Instances > 1
		}
	}
	if balanced {
		settings["balancer"] = fmt.Sprintf("%s, %v", fronts.Balancer, balance.Defaults())
	}
}
