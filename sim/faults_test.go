package sim

import (
	"io"
	"testing"
	"time"

	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim/fault"
	"flowbench/sim/link"
)

// A command that is under way when a fault is undone has recovered from it, but
// not where there was nothing that the fault could befall: the account that is
// made again from the history knows that.
func TestNothingRecoversFromAFaultThatWasAbsent(t *testing.T) {
	const second = time.Second
	for name, tt := range map[string]struct {
		effect    link.Effect
		recovered int64
	}{
		"absent":  {link.Effect{}, 0},
		"present": {link.Effect{Bytes: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			cell := &results.Cell{Load: results.Load{Clients: 1, Timeout: second}}
			rec := results.NewCellRecorder(results.CellConfig{Cell: cell, Faults: true, Seconds: io.Discard})
			d := &driver{world: &world{paths: newPaths(t.Context(), 1, nil)}, recorder: rec}
			d.cell.Faults = []scenarios.Fault{{What: "latency", On: string(fault.ClientBroker)}}
			d.tell(fault.Report{
				Entry: fault.Entry{What: "latency", On: string(fault.ClientBroker)},
				Ended: true, End: fault.Span{Before: 2 * second, After: 2 * second},
				Effect: fault.Effect{Effect: tt.effect},
			})
			rec.Issue(1)
			rec.Applied(results.Applied{Op: 1, At: 3 * second})
			rec.Outcome(results.Outcome{Op: 1, Due: second, Started: second, Answered: 3 * second, Ended: 3 * second})
			if err := rec.Close(); err != nil {
				t.Fatal(err)
			}
			if n := cell.Accounting.Recovered; n != tt.recovered {
				t.Errorf("%d have recovered; want %d", n, tt.recovered)
			}
		})
	}
}
