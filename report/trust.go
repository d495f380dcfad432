package report

import (
	"flowbench/report/words"
	"flowbench/results"
)

// trust shows whether the generator and the machine left the numbers alone.
func trust(v view) section {
	if v.run.Simulated {
		return section{} // in virtual time nobody is late, and no machine is in the way
	}
	t := table{
		Caption: "Generator and machine while each cell was measured", Corner: "cell",
		Groups: []group{{"", 1}, {"send lag", 4}, {"canary", 4}, {"share of time", 5}, {"", 1}},
		Heads: []head{
			{
				Text: "p50",
			}, {Text: "p99"}, {Text: "max"}, {Text: "n"}, {Text: "p50"}, {Text: "p99"}, {Text: "max"}, {Text: "n"},
			{Text: "waiting for CPU", Title: "some task waited for a CPU (Linux PSI)"},
			{Text: "waiting for I/O", Title: "some task waited for I/O (Linux PSI)"},
			{Text: "stolen", Title: "CPU time that the hypervisor took away"},
			{Text: "busy", Title: "CPU time of the machine that was not idle"},
			{Text: "GC pause", Title: "the garbage collector stopped the process"},
			{Text: "own cores", Title: "CPU time of the flowbench process per second"},
		},
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		var cells []entry
		for _, h := range []*results.Hist{c.SendLag, c.Canary} {
			cells = append(cells, besideN(h, 0.5, 0.99, 1)...)
		}
		for _, share := range []float64{
			c.Pressure.CPUSome, c.Pressure.IOSome, c.Pressure.Steal, c.Pressure.Busy, c.Pressure.GCPause,
		} {
			cells = append(cells, shareEntry(share))
		}
		cores := entry{Text: words.Digits(c.Pressure.OwnCores)}
		if c.Pressure.OwnCores < 0 {
			cores = shareEntry(-1)
		}
		return append(cells, cores)
	})
	return section{
		ID: "trust", Title: "May this be trusted?",
		Lead: "Send lag is how late the generator itself started operations, the canary how late a goroutine woke " +
			"from a " +
			"sleep of 1 ms: where either comes near a latency above, that latency is the machine's and not the flow's.",
		Figures: v.figures["send-lag"], Tables: []table{t},
	}
}

// shareEntry returns the entry of a share that the machine may not tell.
func shareEntry(s float64) entry {
	if s < 0 {
		return entry{Text: words.Absent, Title: "this machine does not tell", Class: "faint"}
	}
	return entry{Text: words.Share(s)}
}
