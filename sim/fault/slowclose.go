package fault

import "flowbench/sim/link"

// slowClose describes the fault of that name.
func slowClose() Fault {
	return Fault{
		Name:    "slow-close",
		Summary: "That one side has closed is known to the other only later; bytes are not touched.",
		Params: []Param{{
			Name: "delay", Summary: "of the end", Unit: Duration, Default: "1s", Min: 1, Max: longest,
		}},
		Directed: true, On: everywhere(),
		impair: func(v values) []Harm {
			return []Harm{link.SlowClose{Delay: v.duration("delay")}}
		},
	}
}
