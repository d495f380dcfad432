package fault

import "flowbench/sim/link"

// bandwidth describes the fault of that name.
func bandwidth() Fault {
	return Fault{
		Name:    "bandwidth",
		Summary: "No more than so many bytes get through in a second; all connections of the link share them.",
		Params: []Param{{
			Name: "rate", Summary: "of each direction", Unit: BytesPerS, Min: 1, Max: 1 << 40,
		}},
		Directed: true, On: everywhere(),
		impair: func(v values) []Harm {
			return []Harm{link.Bandwidth{BytesPerS: v["rate"]}}
		},
	}
}
