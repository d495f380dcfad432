package fault

import "flowbench/sim/link"

// crash describes the fault of that name.
func crash() Fault {
	return Fault{
		Name: "crash",
		Summary: "The part is gone: its connections are reset, what it works on is lost, and it comes back at the " +
			"end.",
		On:     []Place{ServiceInstance, FrontEnd},
		impair: just(link.Refuse{}, link.Reset{}, Trouble{Down: true}),
	}
}

// crashAfterEffect describes the fault of that name.
func crashAfterEffect() Fault {
	return Fault{
		Name: "crash-after-effect",
		Summary: "An instance crashes when the next command has taken effect, before it tells anybody or " +
			"acknowledges, and comes back at the end.",
		On:     []Place{ServiceInstance},
		impair: just(Trouble{CrashAfterEffect: true}),
	}
}

// pause describes the fault of that name.
func pause() Fault {
	return Fault{
		Name: "pause", Summary: "An instance does nothing until the end; its connections stay.",
		On: []Place{ServiceInstance}, impair: just(Trouble{Pause: true}),
	}
}

// slow describes the fault of that name.
func slow() Fault {
	return Fault{
		Name: "slow", Summary: "An instance, or the store, takes longer for every request.",
		Params: []Param{{Name: "by", Summary: "how much longer", Unit: Duration, Min: 1, Max: longest}},
		On:     []Place{ServiceInstance, Store},
		impair: func(v values) []Harm { return []Harm{Trouble{Slow: v.duration("by")}} },
	}
}

const manyRequests = 1_000_000

// failing describes the fault of that name.
func failing() Fault {
	return Fault{
		Name: "fail",
		Summary: "An instance fails every request without saying what became of it: 500 over HTTP, no " +
			"acknowledgement to a broker. Its connections stay.",
		On:     []Place{ServiceInstance},
		impair: just(Trouble{Down: true}),
	}
}

// errorShare describes the fault of that name.
func errorShare() Fault {
	return Fault{
		Name: "errors", Summary: "An instance, or the store, refuses a share of the requests, drawn for each of them.",
		Params: []Param{{Name: "share", Summary: "of the requests", Unit: Percent, Default: "100", Min: 1, Max: 100}},
		On:     []Place{ServiceInstance, Store},
		impair: func(v values) []Harm { return []Harm{Trouble{ErrorShare: float64(v["share"]) / 100}} },
	}
}

// errorEvery describes the fault of that name.
func errorEvery() Fault {
	return Fault{
		Name: "error-every", Summary: "An instance, or the store, refuses every so-manieth request.",
		Params: []Param{{Name: "n", Summary: "which", Unit: Requests, Min: 1, Max: manyRequests}},
		On:     []Place{ServiceInstance, Store},
		impair: func(v values) []Harm { return []Harm{Trouble{ErrorEvery: int(v["n"])}} },
	}
}

// errorFirst describes the fault of that name.
func errorFirst() Fault {
	return Fault{
		Name: "error-first", Summary: "An instance, or the store, refuses the first requests, and then no more.",
		Params: []Param{{Name: "n", Summary: "how many", Unit: Requests, Min: 1, Max: manyRequests}},
		On:     []Place{ServiceInstance, Store},
		impair: func(v values) []Harm { return []Harm{Trouble{ErrorFirst: int(v["n"])}} },
	}
}
