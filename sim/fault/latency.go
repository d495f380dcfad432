package fault

import (
	"fmt"

	"flowbench/sim/link"
)

// latency describes the fault of that name.
func latency() Fault {
	return Fault{
		Name: "latency",
		Summary: "Every byte arrives later, by a delay of each direction that it is armed for; a round trip has " +
			"both. Jitter is drawn evenly and keeps order, so that a busy connection sees mostly its upper end.",
		Params: []Param{
			{Name: "delay", Summary: "of one direction", Unit: Duration, Min: 1, Max: longest},
			{
				Name: "jitter", Summary: "how much more or less; never more than the delay", Unit: Duration,
				Default: "0s", Max: longest,
			},
		},
		Directed: true, On: everywhere(),
		impair: func(v values) []Harm {
			return []Harm{link.Latency{Delay: v.duration("delay"), Jitter: v.duration("jitter")}}
		},
		check: func(v values) error {
			if d, j := v.duration("delay"), v.duration("jitter"); j > d {
				return fmt.Errorf("the jitter of %v is more than the delay of %v", j, d)
			}
			return nil
		},
	}
}
