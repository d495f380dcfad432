package fault

import "flowbench/sim/link"

// partition describes the fault of that name.
func partition() Fault {
	return Fault{
		Name: "partition",
		Summary: "The two sides cannot reach each other: what is sent is held as TCP would hold it, and new " +
			"connections wait. When it is over, all of it goes on.",
		On:     everywhere(),
		impair: just(link.Hang{}, link.Stall{}),
	}
}
