package expect

import (
	"fmt"
	"testing"
	"time"

	"flowbench/results"
)

// cellOf returns a valid cell with 2,000 commands, answered after one step to 2,000.
func cellOf(flow, broker string, step time.Duration) *results.Cell {
	const n = 2000
	h := results.NewHist()
	for i := range n {
		h.Record(time.Duration(i+1) * step)
	}
	count := int64(n)
	id := flow
	if broker != "" {
		id += "-" + broker
	}
	return &results.Cell{
		ID: id, Flow: flow, Broker: broker, Payload: "inline", Finished: true, Drained: true, Valid: true,
		Verdict: results.PromiseKept,
		Load:    results.Load{Arrivals: "poisson", Measured: 10 * time.Second},
		Counts:  results.Counts{Due: count, OK: count},
		Accounting: results.Accounting{
			Attempted: count, Acknowledged: count, Applied: count, OK: count,
		},
		Latency: map[string]map[string]*results.Hist{"command": {"answered": h}},
	}
}

// runOf returns a run of two flows on two brokers and one without: direct answers
// within 20 ms, proxy-sync within 40.
func runOf(change func(cells map[string]*results.Cell)) *results.Run {
	r := &results.Run{Scenario: "s", Finished: true, Host: results.Host{CPU: "x", CPUs: 2}}
	cells := make(map[string]*results.Cell)
	for _, c := range []*results.Cell{
		cellOf("direct", "", 10*time.Microsecond), cellOf("proxy-sync", "nats", 20*time.Microsecond),
		cellOf("proxy-sync", "rabbitmq", 20*time.Microsecond),
	} {
		cells[c.ID], r.Cells, r.CellIDs = c, append(r.Cells, c), append(r.CellIDs, c.ID)
	}
	if change != nil {
		change(cells)
	}
	return r
}

// short says what became of a statement: the verdict, and for each finding its cell,
// verdict, figure and limit, or why it cannot be told.
func short(e results.Expectation) string {
	s := e.Verdict
	if e.Why != "" {
		s += ": " + e.Why
	}
	for _, f := range e.Findings {
		s += fmt.Sprintf("; %s %s %s of %s", f.Cell, f.Verdict, f.Figure, f.Limit)
		if f.Against != "" {
			s += " by " + f.Against
		}
		if f.Why != "" {
			s += " (" + f.Why + ")"
		}
	}
	return s
}

func TestStatementsAreJudgedInEveryCellThatTheyAreAbout(t *testing.T) {
	type cells = map[string]*results.Cell
	const direct, nats, rabbit = "direct", "proxy-sync-nats", "proxy-sync-rabbitmq"
	fault := results.Fault{What: "outage", On: "broker", Effect: "3 connections cut", Recovery: &results.Recovery{
		Recover: results.Moment{After: 2 * time.Second, Seen: true}, Offered: 100,
	}}
	for _, tt := range []struct {
		about, statement string
		change           func(c cells)
		want             string
	}{
		{"all hold", "lost == 0", nil,
			"held; direct held 0 of 0; proxy-sync-nats held 0 of 0; proxy-sync-rabbitmq held 0 of 0"},
		{"one fails", "lost == 0", func(c cells) { c[nats].Accounting.Lost = 3 },
			"failed; direct held 0 of 0; proxy-sync-nats failed 3 of 0; proxy-sync-rabbitmq held 0 of 0"},
		{"a loss is a loss where the generator was late", "proxy-sync@nats.lost == 0", func(c cells) {
			c[nats].Accounting.Lost, c[nats].Valid, c[nats].Why = 3, false, []string{"operations started late"}
		}, "failed; proxy-sync-nats failed 3 of 0"},
		{"no loss is no loss there either", "proxy-sync@nats.lost == 0", func(c cells) {
			c[nats].Valid, c[nats].Why = false, []string{"operations started late"}
		}, "held; proxy-sync-nats held 0 of 0"},
		{"nothing is said of a drain that is not proven", "direct.lost == " +
			"0", func(c cells) { c[direct].Drained = false },
			"cannot tell; direct cannot tell 0 of 0 (the drain is not proven: what is missing may only be late)"},
		{"what seems lost then may only be late", "direct.lost == 0", func(c cells) {
			c[direct].Drained, c[direct].Accounting.Lost = false, 3
		}, "cannot tell; direct cannot tell 3 of 0 (the drain is not proven: what is missing may only be late)"},
		{"what was done twice then was", "direct.duplicated == 0", func(c cells) {
			c[direct].Drained, c[direct].Accounting.Duplicated = false, 3
		}, "failed; direct failed 3 of 0"},
		{"how operations ended then is known", "direct.ok.share >= 99%", func(c cells) {
			c[direct].Drained, c[direct].Counts = false, results.Counts{Due: 100, OK: 90, Unknown: 10}
		}, "failed; direct failed 90 % of 99 %"},
		{"a cell that was cut short has not failed to reach a number", "direct.applied >= 9000", func(c cells) {
			c[direct].Finished = false
		}, "cannot tell; direct cannot tell 2000 of 9000 (the cell was cut short)"},
		{"nor a share", "direct.failed.share <= 1%", func(c cells) {
			c[direct].Finished, c[direct].Counts = false, results.Counts{Due: 10, OK: 9, Failed: 1}
		}, "cannot tell; direct cannot tell 10 % of 1 % (the cell was cut short)"},
		{"but it has passed one", "direct.failed == 0", func(c cells) {
			c[direct].Finished, c[direct].Counts = false, results.Counts{Due: 10, OK: 9, Failed: 1}
		}, "failed; direct failed 1 of 0"},
		{"and broken what it had promised", "direct.broken == 0", func(c cells) {
			c[direct].Finished, c[direct].Broken = false, []string{"any flow"}
		}, "failed; direct failed 1 of 0"},
		{"999 of 1000 are 99.9 %", "direct.ok.share >= 99.9%", func(c cells) {
			c[direct].Counts = results.Counts{Due: 1000, OK: 999, Failed: 1}
		}, "held; direct held 99.9 % of 99.9 %"},
		{"what is not the same does not look it", "direct.ok.share >= 99.95%", func(c cells) {
			c[direct].Counts = results.Counts{Due: 100000, OK: 99949, Failed: 51}
		}, "failed; direct failed 99.9 % of 99.95 %"},
		{"nor between cells", "direct.ok.share <= proxy-sync@nats.ok.share", func(c cells) {
			c[direct].Counts = results.Counts{Due: 10000, OK: 9992, Failed: 8}
			c[nats].Counts = results.Counts{Due: 10000, OK: 9991, Failed: 9}
		}, "failed; direct failed 99.92 % of 99.91 % by proxy-sync-nats"},
		{"nor of a fault that met nothing", "direct.lost == 0", func(c cells) {
			c[direct].Faults = []results.Fault{{What: "outage", On: "broker"}}
		}, "cannot tell; direct cannot tell 0 of 0 (fault outage on broker had no effect)"},
		{"percentiles", "direct.answered.p99 <= 20ms", nil, "held; direct held 19.8 ms of 20 ms"},
		{"percentiles that are too high", "direct.answered.command.p50 < 10ms", nil,
			"failed; direct failed 10.002 ms of 10 ms"},
		{"percentiles of too few samples", "direct.answered.p99.9 <= 20ms", nil,
			"cannot tell; direct cannot tell 19.99 ms of 20 ms " +
				"(of 2000 samples fewer than 10 lie beyond answered.p99.9)"},
		{"percentiles of a cell that is not valid", "direct.answered.p99 <= 1ms", func(c cells) {
			c[direct].Valid, c[direct].Why = false, []string{"operations started late"}
		}, "cannot tell; direct cannot tell 19.8 ms of 1 ms (the cell is not valid: operations started late)"},
		{"percentiles on a busy machine", "direct.answered.p99 <= " +
			"20ms", func(c cells) { c[direct].Pressure.Steal = 0.5 },
			"cannot tell; direct cannot tell 19.8 ms of 20 ms (the machine was busy with something else: " +
				"the hypervisor took 50 % of the CPU time)"},
		{"a stage that no cell has", "accepted.p99 <= 1s", nil, "cannot tell: no cell of this run has what it is " +
			"about"},
		{"a stage that the named cell has not", "direct.accepted.p99 <= 1s", nil,
			"cannot tell; direct cannot tell  of 1 s (the cell has nothing of the kind)"},
		{"one flow against another, where brokers differ", "proxy-sync.answered.p50 <= 2.1 * direct.answered.p50", nil,
			"held; proxy-sync-nats held 20 ms of 21 ms by direct; proxy-sync-rabbitmq held 20 ms of 21 ms by direct"},
		{"one broker against another", "@rabbitmq.answered.p50 < 1 * @nats.answered.p50", nil,
			"failed; proxy-sync-rabbitmq failed 20 ms of 20 ms by proxy-sync-nats"},
		{"the other side cannot be told", "proxy-sync@nats.answered.p50 <= 2 * direct.answered.p50", func(c cells) {
			c[direct].Why = []string{"it was cut short"}
		}, "cannot tell; proxy-sync-nats cannot tell 20.004863 ms of 20.004862 ms by direct " +
			"(on the other side: the cell is not valid: it was cut short)"},
		{"windows, where there are none", "answered.p99[fault] <= 1s", nil,
			"cannot tell: no cell of this run has what it is about"},
		{"a cell without faults is steady", "direct.ok.share[steady] >= 99.9%", nil, "held; direct held 100 % of " +
			"99.9 %"},
		{"windows", "direct.failed[fault] <= 5", func(c cells) {
			c[direct].Windows = map[string]*results.Window{"fault": {Counts: results.Counts{Due: 9, OK: 2, Failed: 7}}}
		}, "failed; direct failed 7 of 5"},
		{"a fault that all recovered from", "direct.recover <= 5s", func(c cells) {
			c[direct].Faults = []results.Fault{fault}
		}, "held; direct held 2 s of 5 s"},
		{"a fault that nobody recovered from", "direct.recover <= 5s", func(c cells) {
			f := fault
			f.Recovery = &results.Recovery{Offered: 10}
			c[direct].Faults = []results.Fault{fault, f}
		}, "failed; direct failed never of 5 s"},
		{"a promise that was broken", "direct.broken == 0", func(c cells) { c[direct].Broken = []string{"any flow"} },
			"failed; direct failed 1 of 0"},
		{"a share of nothing", "direct.stale.share < 1%", nil,
			"cannot tell; direct cannot tell  of 1 % (nothing was counted that it could be a share of)"},
	} {
		s, err := Parse(tt.statement)
		if err != nil {
			t.Errorf("%s: %v", tt.about, err)
			continue
		}
		got := Judge(runOf(tt.change), nil, []Asked{{Statement: s}})
		if short(got[0]) != tt.want {
			t.Errorf("%s: %s\n got %s\nwant %s", tt.about, tt.statement, short(got[0]), tt.want)
		}
	}
}

func TestAChangeFailsOnlyBeyondEveryAllowance(t *testing.T) {
	base := runOf(nil)
	slower := func(step time.Duration) *results.Run {
		return runOf(func(c map[string]*results.Cell) {
			*c["direct"] = *cellOf("direct", "", step)
		})
	}
	for _, tt := range []struct {
		about, statement string
		run              *results.Run
		verdict          string
	}{
		{"nothing changed", "direct.answered.p50 vs baseline < +10% and +1ms", runOf(nil), results.ExpectationHeld},
		{"5 % more, and 0.5 ms", "direct.answered.p50 vs baseline < +10% and +100us", slower(10500),
			results.ExpectationHeld},
		{"20 % more, and 2 ms, of 3 allowed", "direct.answered.p50 vs baseline < +10% and +3ms", slower(12000),
			results.ExpectationHeld},
		{"20 % more, and 2 ms", "direct.answered.p50 vs baseline < +10% and +1ms", slower(12000),
			results.ExpectationFailed},
		{"half of it", "direct.answered.p50 vs baseline < +10%", slower(5000), results.ExpectationHeld},
		{"half of it, and 40 % less is the least", "direct.answered.p50 vs baseline > -40%", slower(5000),
			results.ExpectationFailed},
		{"another scenario", "direct.answered.p50 vs baseline < +10%", func() *results.Run {
			r := runOf(nil)
			r.Scenario = "other"
			return r
		}(), results.ExpectationCannotTell},
		{"another machine", "direct.answered.p50 vs baseline < +10%", func() *results.Run {
			r := runOf(nil)
			r.Host.CPU = "other"
			return r
		}(), results.ExpectationCannotTell},
	} {
		s, err := Parse(tt.statement)
		if err != nil {
			t.Fatal(err)
		}
		if got := Judge(tt.run, base, []Asked{{Statement: s}})[0]; got.Verdict != tt.verdict {
			t.Errorf("%s: %s; want %s", tt.about, short(got), tt.verdict)
		}
	}
	s, _ := Parse("lost vs baseline < +1%")
	if got := Judge(runOf(nil), nil, []Asked{{Statement: s}})[0]; got.Verdict != results.ExpectationCannotTell {
		t.Errorf("without a baseline: %s; want that it cannot be told", short(got))
	}
}

func TestWhatCanNoLongerHoldIsKnownAtOnce(t *testing.T) {
	for _, tt := range []struct {
		statement string
		abort     bool
		account   results.Accounting
		counts    results.Counts
		want      bool
	}{
		{"unexpected == 0", true, results.Accounting{Unexpected: 1}, results.Counts{}, true},
		{"unexpected == 0", false, results.Accounting{Unexpected: 1}, results.Counts{}, false},
		{"unexpected == 0", true, results.Accounting{}, results.Counts{}, false},
		{"direct.failed <= 3", true, results.Accounting{}, results.Counts{Due: 9, Failed: 3}, false},
		{"direct.failed < 3", true, results.Accounting{}, results.Counts{Due: 9, Failed: 3}, true},
		{"proxy-sync.failed < 3", true, results.Accounting{}, results.Counts{Due: 9, Failed: 3}, false},
		{"failed >= 3", true, results.Accounting{}, results.Counts{Due: 9}, false},
		{"failed.share <= 1%", true, results.Accounting{}, results.Counts{Due: 9, Failed: 3}, false}, // it may fall
	} {
		s, err := Parse(tt.statement)
		if err != nil {
			t.Fatal(err)
		}
		got := Exceeded([]Asked{{s, tt.abort}}, Named{Flow: "direct"}, tt.counts, tt.account)
		if (got != nil) != tt.want {
			t.Errorf("%s with %+v, %+v: %v; want it exceeded: %v", tt.statement, tt.account, tt.counts, got, tt.want)
		}
	}
}
