package pace

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// constant is a schedule of n operations at a rate.
type constant struct {
	i, n    int
	ratePer float64
}

func (c *constant) Next() (time.Duration, bool) {
	c.i++
	return time.Duration(float64(c.i-1) / c.ratePer * float64(time.Second)), c.i <= c.n
}

// naivePace is what the pacer is compared with: sleep until the next operation
// is due, emit everything due, repeat.
func naivePace(start time.Time, s Schedule, emit func(due time.Duration)) {
	at, more := s.Next()
	for more {
		if d := at - time.Since(start); d > 0 {
			time.Sleep(d)
		}
		for now := time.Since(start); more && at <= now; at, more = s.Next() {
			emit(at)
		}
	}
}

// BenchmarkSendLag measures how late operations start, at 1,000 and at 10,000
// per second, with the pacer and with bare time.Sleep, in turns. Goals on a quiet
// machine: p50 at most 0.2 ms, p99 at most 1 ms, at most 0.35 of a core.
func BenchmarkSendLag(b *testing.B) {
	const span, rounds = 3 * time.Second, 3
	for _, rate := range []float64{1000, 10_000} {
		b.Run(map[float64]string{1000: "1k", 10_000: "10k"}[rate], func(b *testing.B) {
			for range b.N {
				var paced, naive lags
				for range rounds {
					paced.measure(b, func(start time.Time, emit func(time.Duration)) {
						s := &constant{n: int(rate * span.Seconds()), ratePer: rate}
						if err := Run(b.Context(), Clock{start}, s, 0, emit); err != nil {
							b.Fatal(err)
						}
					})
					naive.measure(b, func(start time.Time, emit func(time.Duration)) {
						naivePace(start, &constant{n: int(rate * span.Seconds()), ratePer: rate}, emit)
					})
				}
				b.ReportMetric(0, "ns/op") // it says nothing here
				b.ReportMetric(median(paced.p50), "p50-ms")
				b.ReportMetric(median(paced.p99), "p99-ms")
				b.ReportMetric(median(paced.cores), "cores")
				b.ReportMetric(median(naive.p50), "sleep-p50-ms")
				b.ReportMetric(median(naive.p99), "sleep-p99-ms")
				b.ReportMetric(median(paced.p50)/median(naive.p50), "p50-ratio")
			}
		})
	}
}

// BenchmarkSendLagOnBusyProcessors measures how late operations start while as many
// threads as there are processors compute, with the pacer and with one whose thread
// asks for no short slices, in turns. Goal, on Linux 6.12 or later: a p99 ratio of at
// most 0.8.
func BenchmarkSendLagOnBusyProcessors(b *testing.B) {
	const rate, seconds, rounds = 1000, 3, 3
	cpus := runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4 * cpus)) // it is about the kernel's scheduler
	var stop atomic.Bool
	var sink atomic.Uint64 // or the compiler would leave the work out
	var busy sync.WaitGroup
	for range cpus {
		busy.Go(func() {
			for x := uint64(1); !stop.Load(); x *= 3 {
				sink.Store(x)
			}
		})
	}
	defer busy.Wait()
	defer stop.Store(true)
	for range b.N {
		var ours, plain lags
		for range rounds {
			ours.measure(b, func(start time.Time, emit func(time.Duration)) {
				s := &constant{n: rate * seconds, ratePer: rate}
				if err := Run(b.Context(), Clock{start}, s, 0, emit); err != nil {
					b.Fatal(err)
				}
			})
			plain.measure(b, func(start time.Time, emit func(time.Duration)) {
				done := make(chan error, 1)
				go func() {
					runtime.LockOSThread() // and never unlocked: it ends as it is
					prepareTimer()
					done <- run(b.Context(), Clock{start}, &constant{n: rate * seconds, ratePer: rate}, 0, emit)
				}()
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			})
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(median(ours.p50), "p50-ms")
		b.ReportMetric(median(ours.p99), "p99-ms")
		b.ReportMetric(median(plain.p99), "plain-p99-ms")
		b.ReportMetric(median(ours.p99)/median(plain.p99), "p99-ratio")
	}
}

// lags are the figures of several rounds.
type lags struct{ p50, p99, cores []float64 }

func (l *lags) measure(b *testing.B, pace func(start time.Time, emit func(time.Duration))) {
	b.Helper()
	late := make([]time.Duration, 0, 100_000)
	cpu, start := ownCPU(b), time.Now()
	pace(start, func(due time.Duration) { late = append(late, time.Since(start)-due) })
	l.cores = append(l.cores, (ownCPU(b)-cpu).Seconds()/time.Since(start).Seconds())
	slices.Sort(late)
	l.p50 = append(l.p50, ms(late[len(late)/2]))
	l.p99 = append(l.p99, ms(late[len(late)*99/100]))
}

func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
