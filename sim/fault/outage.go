package fault

import "flowbench/sim/link"

// outage describes the fault of that name.
func outage() Fault {
	return Fault{
		Name:    "outage",
		Summary: "The other side is gone: its connections are reset and new ones are refused.",
		On:      everywhere(),
		impair:  just(link.Refuse{}, link.Reset{}),
	}
}
