package main

import (
	"math"
	"runtime/debug"
	"testing"

	"flowbench/scenarios"
)

// TestMemoryIsBoundWherePayloadsAreLargeOneAtATime asks the runtime for its limit
// before, during and after a run.
func TestMemoryIsBoundWherePayloadsAreLargeOneAtATime(t *testing.T) {
	const unset, own = math.MaxInt64, 1 << 30
	one := scenarios.Load{PayloadBytes: 64 << 20, MaxInFlight: 1}
	small := scenarios.Load{PayloadBytes: 256, MaxInFlight: 4000}
	large, alone := scenarios.Cell{Load: small, Bulk: &scenarios.Bulk{Bytes: 64 << 20}}, scenarios.Cell{Load: one}
	plain, many := scenarios.Cell{Load: small}, scenarios.Cell{
		Load: scenarios.Load{PayloadBytes: 1 << 20, MaxInFlight: 512},
	}
	for name, tt := range map[string]struct {
		cells       []scenarios.Cell
		before, now int64
	}{
		"large beside small":        {[]scenarios.Cell{large, large}, unset, memoryLimit},
		"large ones, one at a time": {[]scenarios.Cell{alone, plain}, unset, memoryLimit},
		"small ones":                {[]scenarios.Cell{plain}, unset, unset},
		"many large ones at once":   {[]scenarios.Cell{large, many}, unset, unset},
		"a limit of somebody else":  {[]scenarios.Cell{large}, own, own},
	} {
		original := debug.SetMemoryLimit(tt.before)
		undo := limitMemory(&scenarios.Plan{Cells: tt.cells})
		now := debug.SetMemoryLimit(-1)
		undo()
		after := debug.SetMemoryLimit(original)
		if now != tt.now || after != tt.before {
			t.Errorf("%s: the limit is %d and then %d; want %d and %d", name, now, after, tt.now, tt.before)
		}
	}
}
