package fault

import "flowbench/sim/link"

// refuse describes the fault of that name.
func refuse() Fault {
	return Fault{
		Name:    "refuse",
		Summary: "New connections are refused, as if nobody listened; those that exist live on.",
		On:      everywhere(),
		impair:  just(link.Refuse{}),
	}
}
