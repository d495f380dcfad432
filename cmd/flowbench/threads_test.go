package main

import (
	"os"
	"runtime"
	"testing"

	"flowbench/scenarios"
)

func TestOnlyLargePayloadsBesideSmallOnesGetMoreThreads(t *testing.T) {
	if _, set := os.LookupEnv("GOMAXPROCS"); set {
		t.Skip("GOMAXPROCS is set")
	}
	before := runtime.GOMAXPROCS(0)
	for name, tt := range map[string]struct {
		cell scenarios.Cell
		want int
	}{
		"large beside small": {scenarios.Cell{Bulk: &scenarios.Bulk{}}, bulkThreads * runtime.NumCPU()},
		"alike":              {scenarios.Cell{}, before},
	} {
		undo := shareProcessors(&scenarios.Plan{Cells: []scenarios.Cell{tt.cell}})
		now := runtime.GOMAXPROCS(0)
		undo()
		if after := runtime.GOMAXPROCS(0); now != tt.want || after != before {
			t.Errorf("%s: %d threads and then %d; want %d and %d", name, now, after, tt.want, before)
		}
	}
}
