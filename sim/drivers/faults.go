package drivers

import (
	"flowbench/scenarios"
	"flowbench/sim/fault"
)

// Faults returns what can go wrong, and what it can befall, as scenarios name it.
func Faults() ([]scenarios.FaultKind, []scenarios.Target) {
	var kinds []scenarios.FaultKind
	for _, f := range fault.All() {
		k := scenarios.FaultKind{Name: f.Name, Summary: f.Summary}
		for _, place := range f.On {
			k.On = append(k.On, string(place))
		}
		for _, p := range f.Params {
			k.Params = append(k.Params, scenarios.Param{
				Name: p.Name, Summary: p.Summary, Default: p.Default, Span: p.Unit == fault.Duration,
				Words: p.Unit == fault.Words,
				Min:   int(p.Min), Max: int(p.Max),
			})
		}
		if f.Directed {
			ways := fault.Directions()
			k.Params = append(k.Params, scenarios.Param{
				Name: fault.DirectionParam, Summary: "which bytes it is about, seen from who opened the connection",
				Default: ways[0], Values: ways,
			})
		}
		kinds = append(kinds, k)
	}
	var targets []scenarios.Target
	for _, s := range fault.Sites() {
		targets = append(targets, scenarios.Target{Name: string(s.Place), Summary: s.Summary, Indexed: s.Indexed})
	}
	return kinds, targets
}
