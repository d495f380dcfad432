package fault

import "flowbench/sim/link"

// drop describes the fault of that name.
func drop() Fault {
	return Fault{
		Name: "drop",
		Summary: "What is sent is lost without a word. When it is over, the connections that lost something are " +
			"reset, since a stream with a hole cannot be continued.",
		Directed: true, On: everywhere(),
		impair: just(link.Drop{}),
	}
}
