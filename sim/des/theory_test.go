package des_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"flowbench/sim/des"
)

// A station is a queue with servers, in event style.
type station struct {
	k       *des.Kernel
	free    int
	waiting []uint32
	head    int
	time    func() time.Duration // of one service
	done    des.Handler
}

func (s *station) enter(customer uint32) {
	if s.free == 0 {
		s.waiting = append(s.waiting, customer)
		return
	}
	s.free--
	s.k.After(s.time(), s.done, customer)
}

// leave ends a service.
func (s *station) leave() {
	if s.head == len(s.waiting) {
		s.waiting, s.head = s.waiting[:0], 0
		s.free++
		return
	}
	s.head++
	s.k.After(s.time(), s.done, s.waiting[s.head-1])
}

// A tandem is stations one after the other, and when each customer came and left.
type tandem struct {
	k        *des.Kernel
	stations []*station
	came     []time.Duration
	left     []time.Duration
}

func newTandem(customers, servers int, between func() time.Duration, times ...func() time.Duration) *tandem {
	k := des.New()
	tm := &tandem{k: k, came: make([]time.Duration, 0, customers), left: make([]time.Duration, customers)}
	for i, draw := range times {
		s := &station{k: k, free: servers, time: draw}
		s.done = k.Handle(func(customer uint32) {
			s.leave()
			if i+1 < len(tm.stations) {
				tm.stations[i+1].enter(customer)
				return
			}
			tm.left[customer] = k.Now()
		})
		tm.stations = append(tm.stations, s)
	}
	var arrive des.Handler
	arrive = k.Handle(func(customer uint32) {
		tm.came = append(tm.came, k.Now())
		if int(customer)+1 < customers {
			k.After(between(), arrive, customer+1)
		}
		tm.stations[0].enter(customer)
	})
	k.After(between(), arrive, 0)
	return tm
}

func (tm *tandem) run(t testing.TB) {
	if err := tm.k.Run(t.Context(), func(context.Context) {}); err != nil {
		t.Fatal(err)
	}
}

// sojourn returns the mean time in the system, without the warm-up, in seconds.
func (tm *tandem) sojourn() float64 {
	var sum float64
	warm := len(tm.came) / 10
	for i := warm; i < len(tm.came); i++ {
		sum += (tm.left[i] - tm.came[i]).Seconds()
	}
	return sum / float64(len(tm.came)-warm)
}

const mean = ms // of a service time

// exponential returns times with a mean of 1/share of the mean service time.
func exponential(seed uint64, role string, share float64) func() time.Duration {
	stream, draw := des.Stream(seed, role), des.Exponential(time.Duration(float64(mean)/share))
	return func() time.Duration { return draw(stream) }
}

// erlangC is the probability to wait in an M/M/c queue with c servers and a load
// of a (Erlang 1917).
func erlangC(c int, a float64) float64 {
	term, sum := 1.0, 0.0
	for k := range c {
		sum += term
		term *= a / float64(k+1)
	}
	last := term * float64(c) / (float64(c) - a)
	return last / (sum + last)
}

// TestQueuesAgreeWithTheory compares mean sojourn times over 20 replications with
// closed forms, by Student's t at 95 %.
func TestQueuesAgreeWithTheory(t *testing.T) {
	const sigma = 1.0
	lognormal := func(seed uint64) func() time.Duration {
		stream := des.Stream(seed, "service")
		return func() time.Duration {
			return time.Duration(float64(mean) * math.Exp(sigma*stream.NormFloat64()-sigma*sigma/2))
		}
	}
	mm := func(servers int, rho float64) func(seed uint64, n int) *tandem {
		return func(seed uint64, n int) *tandem {
			arrivals := exponential(seed, "arrivals", rho*float64(servers))
			return newTandem(n, servers, arrivals, exponential(seed, "service", 1))
		}
	}
	wait := func(c int, rho float64) float64 { // of M/M/c, in service times
		return erlangC(c, rho*float64(c)) / (float64(c) * (1 - rho))
	}
	for _, tt := range []struct {
		name  string
		n     int
		model func(seed uint64, n int) *tandem
		want  float64 // in service times
	}{
		{"M/M/1 at 0.5", 20_000, mm(1, 0.5), 1 / (1 - 0.5)},
		{"M/M/1 at 0.7", 40_000, mm(1, 0.7), 1 / (1 - 0.7)},
		{"M/M/1 at 0.9", 150_000, mm(1, 0.9), 1 / (1 - 0.9)},
		{"M/M/4 at 0.8", 40_000, mm(4, 0.8), 1 + wait(4, 0.8)},
		{"M/M/16 at 0.8", 40_000, mm(16, 0.8), 1 + wait(16, 0.8)},
		{"M/G/1 lognormal at 0.7", 60_000, func(seed uint64, n int) *tandem {
			return newTandem(n, 1, exponential(seed, "arrivals", 0.7), lognormal(seed))
		}, 1 + 0.7*math.Exp(sigma*sigma)/(2*(1-0.7))}, // Pollaczek and Khinchine: ρ(1+c²)/2(1-ρ), and 1+c² = exp(σ²)
		{"a tandem of three at 0.5, 0.6 and 0.7", 40_000, func(seed uint64, n int) *tandem {
			return newTandem(n, 1, exponential(seed, "arrivals", 0.5), exponential(seed, "first", 1),
				exponential(seed, "second", 0.5/0.6), exponential(seed, "third", 0.5/0.7))
		}, 1/(1-0.5) + 1/(1/0.6*0.5-0.5) + 1/(1/0.7*0.5-0.5)}, // each an M/M/1 of its own (Burke 1956)
	} {
		t.Run(tt.name, func(t *testing.T) {
			const replications, student = 20, 2.093 // of 19 degrees of freedom
			var sum, squares float64
			for seed := range uint64(replications) {
				tm := tt.model(seed, tt.n)
				tm.run(t)
				x := tm.sojourn() / mean.Seconds()
				sum += x
				squares += x * x
			}
			m := sum / replications
			half := student * math.Sqrt((squares-sum*m)/(replications-1)/replications)
			t.Logf("%.4f ± %.4f; theory says %.4f", m, half, tt.want)
			if math.Abs(m-tt.want) > half || half > 0.1*tt.want {
				t.Errorf("got %.4f ± %.4f; want %.4f", m, half, tt.want)
			}
		})
	}
}

// TestATandemIsItsRecursion compares every customer with Lindley's recursion on
// the same random numbers: a customer leaves a station one service time after it
// came there or after the one before it left, whichever was later.
func TestATandemIsItsRecursion(t *testing.T) {
	const n, stations = 50_000, 4
	for seed := range uint64(3) {
		streams := func() (between func() time.Duration, times []func() time.Duration) {
			for _, role := range []string{"a", "b", "c", "d"} {
				times = append(times, exponential(seed, role, 1))
			}
			return exponential(seed, "arrivals", 0.9), times
		}
		between, times := streams()
		tm := newTandem(n, 1, between, times...)
		tm.run(t)
		between, times = streams()
		var came time.Duration
		var free [stations]time.Duration
		for i := range n {
			came += between()
			at := came
			for s := range stations {
				at = max(at, free[s]) + times[s]()
				free[s] = at
			}
			if tm.came[i] != came || tm.left[i] != at {
				t.Fatalf("customer %d came at %v and left at %v; want %v, %v", i, tm.came[i], tm.left[i], came, at)
			}
		}
	}
}

// BenchmarkMM1 is the kernel's speed in event style: two events for each
// customer, each with a random number.
func BenchmarkMM1(b *testing.B) {
	k := des.New()
	arrivals, service := des.Stream(1, "arrivals"), des.Stream(1, "service")
	draw := func(r *rand.Rand, mean float64) time.Duration { return time.Duration(r.ExpFloat64() * mean) }
	waiting, events := 0, 0
	var arrive, done des.Handler
	done = k.Handle(func(uint32) {
		events++
		if waiting--; waiting > 0 {
			k.After(draw(service, 1e6), done, 0)
		}
	})
	arrive = k.Handle(func(left uint32) {
		events++
		if left > 0 {
			k.After(draw(arrivals, 1e6/0.7), arrive, left-1)
		}
		if waiting++; waiting == 1 {
			k.After(draw(service, 1e6), done, 0)
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		k.After(0, arrive, 1_000_000)
		if err := k.Run(b.Context(), func(context.Context) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
}

// BenchmarkHold is the heap with many events pending: each that runs schedules
// one other.
func BenchmarkHold(b *testing.B) {
	for _, pending := range []uint32{10, 1_000, 100_000} {
		b.Run(fmt.Sprint(pending), func(b *testing.B) {
			k := des.New()
			stream := des.Stream(1, "hold")
			left := 0
			var h des.Handler
			h = k.Handle(func(arg uint32) {
				if left--; left > 0 {
					k.After(time.Duration(stream.ExpFloat64()*1e6), h, arg)
				}
			})
			events := 0
			for b.Loop() {
				left = 1_000_000
				events += left
				for i := range pending {
					k.After(time.Duration(stream.ExpFloat64()*1e6), h, i)
				}
				if err := k.Run(b.Context(), func(context.Context) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}

// BenchmarkActivities is a fork, a sleep with a timeout over it, and a join.
func BenchmarkActivities(b *testing.B) {
	k := des.New()
	b.ReportAllocs()
	err := k.Run(b.Context(), func(ctx context.Context) {
		for b.Loop() {
			_ = k.Go(ctx, func(ctx context.Context) {
				short, cancel := k.WithTimeout(ctx, time.Second)
				defer cancel()
				_ = k.Sleep(short, time.Microsecond)
			})(ctx)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
}
