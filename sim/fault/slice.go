package fault

import "flowbench/sim/link"

// slice describes the fault of that name.
func slice() Fault {
	return Fault{
		Name:    "slice",
		Summary: "Bytes arrive in small pieces with pauses, so that no read returns a whole message.",
		Params: []Param{
			{Name: "size", Summary: "of a piece", Unit: Bytes, Default: "16", Min: 1, Max: 1 << 20},
			{Name: "pause", Summary: "between two pieces", Unit: Duration, Default: "1ms", Max: longest},
		},
		Directed: true, On: everywhere(),
		impair: func(v values) []Harm {
			return []Harm{link.Slice{Bytes: int(v["size"]), Pause: v.duration("pause")}}
		},
	}
}
