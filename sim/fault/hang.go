package fault

import "flowbench/sim/link"

// hang describes the fault of that name.
func hang() Fault {
	return Fault{
		Name: "hang",
		Summary: "New connections are accepted and nothing follows, which costs clients their whole timeout; " +
			"those that exist live on.",
		On:     everywhere(),
		impair: just(link.Hang{}),
	}
}
