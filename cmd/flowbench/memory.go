package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"flowbench/scenarios"
)

// What a run with large payloads may use. Between two collections the heap may grow
// to twice of what lives, and with payloads of tens of megabytes what lives is a
// few of them: one is in memory three or four times while it passes a front end and a
// broker. Without a limit a run takes 800 MiB for what it does in less than half of
// that just as fast.
const (
	largeInFlight = 64 << 20  // bytes of payload under way at once up to which the limit leaves room enough
	memoryLimit   = 256 << 20 // soft: the collector works harder near it, and nothing fails beyond
	largePayload  = 1 << 20
)

// limitMemory bounds the memory of a run of plan, where it has large payloads of
// which only few are under way at once and whoever started the program has set no
// bound, and returns what undoes it.
func limitMemory(plan *scenarios.Plan) (undo func()) {
	nothing := func() {}
	before := debug.SetMemoryLimit(-1)
	if before != math.MaxInt64 { // the environment variable GOMEMLIMIT
		return nothing
	}
	large := false
	for _, c := range plan.Cells {
		size := int64(c.Load.PayloadBytes)
		if size*int64(c.Load.MaxInFlight) > largeInFlight {
			return nothing
		}
		large = large || size >= largePayload || c.Bulk != nil && c.Bulk.Bytes >= largePayload
	}
	if !large {
		return nothing
	}
	debug.SetMemoryLimit(memoryLimit)
	return func() { debug.SetMemoryLimit(before) }
}

// bulkThreads is how many threads Go gets for each processor where large payloads
// pass beside small operations.
const bulkThreads = 4

// shareProcessors gives Go more threads than there are processors, where the plan has
// large payloads beside small operations and GOMAXPROCS does not say otherwise, and
// returns what undoes it. Go lets an activity that hashes or copies a large payload
// run for ten milliseconds before another gets its thread; the kernel gives a
// processor to who has slept much sooner. Otherwise it is the generator in this
// process that is late, and not the flow that is slow.
func shareProcessors(plan *scenarios.Plan) (undo func()) {
	bulk := slices.ContainsFunc(plan.Cells, func(c scenarios.Cell) bool { return c.Bulk != nil })
	if _, set := os.LookupEnv("GOMAXPROCS"); set || !bulk {
		return func() {}
	}
	before := runtime.GOMAXPROCS(bulkThreads * runtime.NumCPU())
	return func() { runtime.GOMAXPROCS(before) }
}
