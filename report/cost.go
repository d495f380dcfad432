package report

import (
	"flowbench/report/words"
	"flowbench/results"
)

// microseconds returns a number of them with its unit.
func microseconds(us float64) string { return words.Digits(us) + " µs" }

// cost shows what one operation takes, on average over commands and queries.
func cost(v view) section {
	t := table{
		Caption: "Cost of one operation, on average over all that were started in the measured time", Corner: "cell",
		Groups: []group{{"", 1}, {"broker", 3}, {"HTTP", 2}, {"process", 1}},
		Heads: []head{
			{Text: "messages", Title: "published to the broker, answers included"},
			{Text: "deliveries", Title: "received from the broker"},
			{Text: "bytes", Title: "both ways, on all connections, protocol included"},
			{Text: "requests", Title: "polls and the hops behind a balancer included"},
			{Text: "bytes", Title: "both ways, on all connections, headers included"},
			{Text: "CPU", Title: "of the flowbench process, the load generator included"},
		},
	}
	t.Rows = v.rows(func(c *results.Cell) []entry {
		return []entry{
			optional(c.Cost.BrokerMsgs, words.Digits), optional(c.Cost.BrokerDeliveries, words.Digits),
			optional(c.Cost.BrokerBytes, words.Bytes), optional(c.Cost.HTTPRequests, words.Digits),
			optional(c.Cost.HTTPBytes, words.Bytes),
			optional(c.Cost.CPUus, microseconds),
		}
	})
	return section{
		ID: "cost", Title: "What one operation costs",
		Lead: "Latency is half of the choice: each message, byte and request below is paid for at every operation, " +
			"so " +
			"multiply by your rate.",
		Tables: []table{t},
	}
}
