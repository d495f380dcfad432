package fault

import "flowbench/sim/link"

// stall describes the fault of that name.
func stall() Fault {
	return Fault{
		Name:     "stall",
		Summary:  "Nothing arrives, and everything arrives when it is over: connections live on and are silent.",
		Directed: true, On: everywhere(),
		impair: just(link.Stall{}),
	}
}
