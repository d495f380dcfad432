// Package host tells what machine a run ran on and how hard it had it: the
// figures that say whether a measurement may be trusted. What a platform does
// not tell is reported as -1, never as 0.
package host

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"flowbench/results"
)

// Describe returns what is known of this machine.
func Describe() results.Host {
	h := results.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()}
	describe(&h)
	return h
}

// Versions returns the versions of this program and of the Go release that
// built it, by name.
func Versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "flowbench": "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v["flowbench"] = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v["flowbench"] = s.Value[:min(len(s.Value), 12)]
		}
	}
	return v
}

// A Sample is the state of the machine's counters at one moment.
type Sample struct {
	at      time.Time
	own     time.Duration // CPU time of this process
	gcPause time.Duration
	machine machine
}

// Take reads the counters.
func Take() Sample {
	s := Sample{at: time.Now(), own: ownCPU(), machine: readMachine()}
	m := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(m)
	if m[0].Value.Kind() == metrics.KindFloat64Histogram {
		s.gcPause = pauses(m[0].Value.Float64Histogram())
	}
	return s
}

// pauses estimates the sum of all pauses from their histogram, by the upper
// bound of each bucket.
func pauses(h *metrics.Float64Histogram) time.Duration {
	var sum float64
	for i, n := range h.Counts {
		if upper := h.Buckets[i+1]; n > 0 && upper < 1e6 {
			sum += float64(n) * upper
		}
	}
	return time.Duration(sum * float64(time.Second))
}

// OwnCPU returns the CPU time that this process used between two samples.
func (s Sample) OwnCPU(earlier Sample) time.Duration { return s.own - earlier.own }

// Since returns how hard the machine had it between an earlier sample and s.
func (s Sample) Since(earlier Sample) results.Pressure {
	span := s.at.Sub(earlier.at)
	p := s.machine.since(earlier.machine, span)
	p.OwnCores = (s.own - earlier.own).Seconds() / span.Seconds()
	p.GCPause = (s.gcPause - earlier.gcPause).Seconds() / span.Seconds()
	return p
}
