//go:build !linux

package host

import (
	"runtime/metrics"
	"time"

	"flowbench/results"
)

func describe(*results.Host) {}

// ownCPU returns what the Go runtime estimates for this process.
func ownCPU() time.Duration {
	m := []metrics.Sample{{Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(m)
	if m[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return time.Duration(m[0].Value.Float64() * float64(time.Second))
}

type machine struct{}

func readMachine() machine { return machine{} }

func (machine) since(machine, time.Duration) results.Pressure {
	return results.Pressure{CPUSome: -1, IOSome: -1, Steal: -1, Busy: -1}
}

// CPUOf returns a negative number: here nobody tells the CPU time of another process.
func CPUOf(int) time.Duration { return -1 }
