package fault

import "flowbench/sim/link"

// reset describes the fault of that name.
func reset() Fault {
	return Fault{
		Name:    "reset",
		Summary: "Every connection is reset, and so is every new one until it is over.",
		On:      everywhere(),
		impair:  just(link.Reset{}),
	}
}
