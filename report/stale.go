package report

import (
	"flowbench/report/words"
	"flowbench/results"
)

// stale shows how long the old state was there after clients had been told of a
// command, and how many of their own queries saw it.
func stale(v view) section {
	t := table{
		Caption: "Commands that clients were told of before they were applied, and their queries that saw the " +
			"state before",
		Corner: "cell",
		Groups: []group{{"", 1}, {"told that a command was accepted", 6}, {"told its result", 2}},
		Heads: []head{
			{Text: "too early", Title: "commands told of before they were applied"},
			{Text: "p50", Title: "from being told to being applied, of those"},
			{Text: "p99", Title: "from being told to being applied, of those"},
			{Text: "n", Title: "how many those are"},
			{Text: "reads", Title: "queries for a key of whose command the same client had been told before"},
			{Text: "stale", Title: "of these, the ones that saw the state before the command"},
			{Text: "reads", Title: "queries for a key of whose command the same client had the result before"},
			{Text: "stale", Title: "of these, the ones that saw the state before the command"},
		},
	}
	seen := false
	t.Rows = v.rows(func(c *results.Cell) []entry {
		a, b := c.Stale.Accepted, c.Stale.Answered
		seen = seen || a.Early+a.Stale+b.Early+b.Stale > 0
		return []entry{
			share(a.Early, a.Commands, ""), quantile(a.Lag, 0.5), quantile(a.Lag, 0.99), sampleCount(lagOf(a)),
			count(a.Reads, ""), share(a.Stale, a.Reads, "warn"), count(b.Reads, ""), share(b.Stale, b.Reads, "bad"),
		}
	})
	if !seen {
		return section{}
	}
	return section{
		ID: "stale", Title: "Reads after writes",
		Lead: "A client that is told \u201caccepted\u201d may still read the state before its command: this is how " +
			"long, and how " +
			"often its own queries did. After the result is known, none should.",
		Tables: []table{t},
	}
}

// lagOf returns the lag of those that were told too early, or nil if there are none.
func lagOf(a results.StaleAfter) *results.Hist {
	if a.Lag == nil || a.Lag.N() == 0 {
		return nil
	}
	return a.Lag
}

// share returns n as a share of all, and nothing where there were none.
func share(n, all int64, class string) entry {
	if all == 0 {
		return entry{Text: words.Absent, Class: "faint"}
	}
	if n == 0 {
		class = ""
	}
	of := words.Count(n) + " of " + words.Count(all)
	return entry{Text: words.Share(float64(n) / float64(all)), Title: of, Class: class}
}
