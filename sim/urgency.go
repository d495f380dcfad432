package sim

import (
	"flowbench/flows"
	"flowbench/results"
)

// urgency returns where the latencies of urgent operations are kept apart from
// those of the others, and nil for a load that has none.
func (w *world) urgency() *results.Urgency {
	if w.cell.Load.UrgentShare == 0 {
		return nil
	}
	mechanism := results.NoMechanism
	if p, ok := w.flow.(flows.Prioritizer); ok {
		mechanism = p.Mechanism()
		if w.session.Traits().Has(flows.Priorities) {
			mechanism = w.session.Guarantees().Priority
		}
	}
	return results.NewUrgency(mechanism)
}
