package fault

import "flowbench/sim/link"

// limit describes the fault of that name.
func limit() Fault {
	return Fault{
		Name: "limit",
		Summary: "Every connection ends after so many bytes of a direction, usually in the middle of a " +
			"message.",
		Params: []Param{{
			Name: "size", Summary: "after which a connection ends", Unit: Bytes, Min: 1, Max: 1 << 40,
		}},
		Directed: true, On: everywhere(),
		impair: func(v values) []Harm { return []Harm{link.Limit{Bytes: v["size"]}} },
	}
}
