package sim

import (
	"flowbench/results"
	"flowbench/scenarios"
)

// describeShape says in a result how the rate of its load changes, if it does.
func describeShape(r *results.Cell, l scenarios.Load) {
	switch {
	case l.Shape != nil:
		r.Load.ShapeKind, r.Load.Shape = string(l.Shape.Kind), l.Shape.String()
	case l.Trace != nil:
		r.Load.Shape = l.Trace.String()
	}
	for _, p := range l.Rates() {
		r.Load.Rates = append(r.Load.Rates, results.RatePoint{AtS: p.At.Seconds(), PerS: p.PerS})
	}
}
