package fault

import "flowbench/sim/link"

// reset describes the fault of that name.
func reset() Fault {
	return Fault{
		Name: "reset",
		Summary: "Connections are reset, and so are new ones until it is over: all of them, or a share that is drawn " +
			"for each; at least one of those that a link has.",
		Params: []Param{{
			Name: "share", Summary: "of the connections", Unit: Percent, Default: "100", Min: 1, Max: 100,
		}},
		On:     everywhere(),
		impair: func(v values) []Harm { return []Harm{link.Reset{Share: int(v["share"])}} },
	}
}
