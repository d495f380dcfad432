package scenarios

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows"
)

// instants returns all of a schedule, but not more than it should ever have.
func instants(s Schedule, most int) []time.Duration {
	var all []time.Duration
	for len(all) <= most {
		at, ok := s.Next()
		if !ok {
			break
		}
		all = append(all, at)
	}
	return all
}

// openLoads draws open loads of some ten thousand operations at most.
func openLoads(t *rapid.T) Load {
	return Load{
		Arrivals: rapid.SampledFrom([]Arrivals{Constant, Poisson}).Draw(t, "arrivals"),
		RatePerS: rapid.Float64Range(0.1, 2000).Draw(t, "rate"),
		Warmup:   Duration(rapid.Int64Range(0, int64(2*second)).Draw(t, "warmup")),
		Duration: Duration(rapid.Int64Range(int64(10*millisecond), int64(8*second)).Draw(t, "duration")),
	}
}

func TestSchedulesAreSortedCompleteAndRepeatable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, seed := openLoads(t), rapid.Uint64().Draw(t, "seed")
		span := time.Duration(l.Warmup + l.Duration)
		n := int(math.Round(l.RatePerS * span.Seconds()))
		all := instants(l.Schedule(seed), n)
		if len(all) != n {
			t.Fatalf("got %d instants; want %d", len(all), n)
		}
		if !slices.IsSorted(all) {
			t.Fatal("the instants are not in order")
		}
		if n > 0 && (all[0] < 0 || all[n-1] >= span) {
			t.Fatalf("instants are from %s to %s; want from 0 to below %s", all[0], all[n-1], span)
		}
		if !slices.Equal(all, instants(l.Schedule(seed), n)) {
			t.Fatal("the same seed makes another schedule")
		}
		if l.Arrivals == Poisson && n > 3 && slices.Equal(all, instants(l.Schedule(seed+1), n)) {
			t.Fatal("another seed makes the same schedule")
		}
	})
}

func TestAConstantScheduleDoesNotDrift(t *testing.T) {
	l := Load{Arrivals: Constant, RatePerS: 70_000, Duration: 10 * second}
	all := instants(l.Schedule(1), 700_000)
	for _, i := range []int{0, 1, 7, 69_999, 70_000, 699_999} {
		want := time.Duration(float64(i) * 1e9 / 70_000)
		if d := all[i] - want; d < -1 || d > 1 {
			t.Errorf("instant %d is %s; want %s", i, all[i], want)
		}
	}
}

func TestPoissonGapsAreExponential(t *testing.T) {
	const n = 20_000
	l := Load{Arrivals: Poisson, RatePerS: 1000, Duration: n / 1000 * second}
	all := instants(l.Schedule(7), n)
	gaps := make([]float64, 0, n-1)
	for i := 1; i < len(all); i++ {
		gaps = append(gaps, (all[i] - all[i-1]).Seconds())
	}
	slices.Sort(gaps)
	worst := 0.0 // the Kolmogorov-Smirnov statistic
	for i, g := range gaps {
		f := 1 - math.Exp(-1000*g)
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	if limit := 1.63 / math.Sqrt(n); worst > limit { // the 1 % level
		t.Errorf("gaps differ from exponential by %.4f; want at most %.4f", worst, limit)
	}
}

func TestPoissonInstantsAreUniformInTheSpan(t *testing.T) {
	const n = 20_000
	l := Load{Arrivals: Poisson, RatePerS: 2000, Warmup: 2 * second, Duration: 8 * second}
	worst := 0.0
	for i, at := range instants(l.Schedule(11), n) {
		f := at.Seconds() / 10
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	if limit := 1.63 / math.Sqrt(n); worst > limit {
		t.Errorf("instants differ from uniform by %.4f; want at most %.4f", worst, limit)
	}
}

func TestALongPoissonScheduleStaysInItsSpan(t *testing.T) {
	s := &poissonSchedule{seed: 5, span: 24 * time.Hour, n: maxOperations, k: maxOperations - 1000, rest: -40}
	all := instants(s, 1000)
	if len(all) != 1000 || !slices.IsSorted(all) || all[999] >= 24*time.Hour {
		t.Errorf("the last of a thousand million instants are %s to %s, %d of them", all[0], all[len(all)-1], len(all))
	}
}

func TestAClosedLoadHasNoSchedule(t *testing.T) {
	if at, ok := (Load{Arrivals: Closed, Users: 3, Duration: second}).Schedule(1).Next(); ok {
		t.Errorf("the first operation is due at %s; want none", at)
	}
}

func TestOperationsArePureAndHaveTheirShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 20_000
		c := Cell{Seed: rapid.Uint64().Draw(t, "seed")}
		c.Load.CommandShare = rapid.SampledFrom([]float64{0, 0.01, 0.5, 0.9, 1}).Draw(t, "share")
		c.Load.Keys = rapid.SampledFrom([]int{1, 2, 1000, 1_000_000}).Draw(t, "keys")
		commands, sum := 0, 0.0
		for i := range uint64(n) {
			kind, key := c.Operation(i)
			if again, same := c.Operation(i); again != kind || same != key {
				t.Fatalf("operation %d differs when asked again", i)
			}
			if key < 0 || key >= c.Load.Keys {
				t.Fatalf("operation %d has key %d of %d", i, key, c.Load.Keys)
			}
			sum += float64(key)
			if kind == flows.Command {
				commands++
			}
		}
		// Six standard deviations: no seed that is ever drawn lies outside.
		share := c.Load.CommandShare
		if off := math.Abs(float64(commands) - share*n); off > 6*math.Sqrt(n*share*(1-share)) {
			t.Fatalf("%d of %d operations are commands; want a share of %g", commands, n, share)
		}
		k := float64(c.Load.Keys)
		if off := math.Abs(sum/n - (k-1)/2); off > 6*math.Sqrt((k*k-1)/12/n) {
			t.Fatalf("keys are %g on average; want %g", sum/n, (k-1)/2)
		}
	})
}

func TestKindAndKeyAreIndependent(t *testing.T) {
	c := Cell{Seed: 3, Load: Load{CommandShare: 0.5, Keys: 2}}
	var count [2][2]float64
	const n = 100_000
	for i := range uint64(n) {
		kind, key := c.Operation(i)
		count[kind][key]++
	}
	for _, row := range count {
		for _, got := range row {
			if math.Abs(got-n/4) > 6*math.Sqrt(n*3/16) {
				t.Fatalf("kinds and keys come together %v times; want %d each", count, n/4)
			}
		}
	}
}

func TestWhatIsUrgentHasADrawOfItsOwn(t *testing.T) {
	const n = 100_000
	calm := Cell{Seed: 3, Load: Load{CommandShare: 0.5, Keys: 2}}
	few, many := calm, calm
	few.Load.UrgentShare, many.Load.UrgentShare = 0.1, 0.3
	var urgent float64
	var count [2][2]float64 // of the urgent ones, by kind and key
	for i := range uint64(n) {
		kind, key := calm.Operation(i)
		if k, y := few.Operation(i); k != kind || y != key {
			t.Fatalf("operation %d is another when some are urgent", i)
		}
		switch {
		case calm.Urgent(i):
			t.Fatalf("operation %d is urgent; want none", i)
		case few.Urgent(i) && !many.Urgent(i):
			t.Fatalf("operation %d is urgent among few and not among many", i)
		case few.Urgent(i):
			urgent++
			count[kind][key]++
		}
	}
	if math.Abs(urgent-n/10) > 6*math.Sqrt(n*0.09) {
		t.Errorf("%v of %d operations are urgent; want a tenth", urgent, n)
	}
	for _, row := range count {
		for _, got := range row {
			if math.Abs(got-urgent/4) > 6*math.Sqrt(urgent*3/16) {
				t.Errorf("the urgent ones fall on kinds and keys as %v; want as many on each", count)
			}
		}
	}
}

func TestCellsThatDifferInTheFlowDoTheSameWork(t *testing.T) {
	p := planOf(t, "name: x\nflows: [direct, proxy-sync]\nbrokers: [nats, jetstream]")
	first := instants(p.Cells[0].Load.Schedule(p.Cells[0].Seed), 10_000)
	for _, c := range p.Cells[1:] {
		if !slices.Equal(first, instants(c.Load.Schedule(c.Seed), 10_000)) {
			t.Errorf("cell %s has another schedule than %s", c.ID, p.Cells[0].ID)
		}
		for i := range uint64(1000) {
			kind, key := c.Operation(i)
			if k, y := p.Cells[0].Operation(i); k != kind || y != key {
				t.Fatalf("operation %d of cell %s is another than of %s", i, c.ID, p.Cells[0].ID)
			}
		}
	}
	other := planOf(t, "name: x\nseed: 2\nflows: [direct]").Cells[0]
	if slices.Equal(first, instants(other.Load.Schedule(other.Seed), 10_000)) {
		t.Error("another seed of the scenario makes the same schedule")
	}
	if p.Cells[0].SeedFor("service") == p.Cells[0].SeedFor("network") {
		t.Error("two roles have the same seed")
	}
}

// The golden values hold the numbers still: a run of today can be repeated by
// the program of tomorrow.
func TestSeedsMeanTheSameForEver(t *testing.T) {
	p := planOf(t, plain)
	c := p.Cells[0]
	s := c.Load.Schedule(c.Seed)
	first, _ := s.Next()
	second, _ := s.Next()
	kind, key := c.Operation(12345)
	type values struct {
		seed, service uint64
		first, second time.Duration
		kind          flows.Kind
		key           int
	}
	got := values{c.Seed, c.SeedFor("service"), first, second, kind, key}
	want := values{5240124779037059, 2546223057964845956, 5906483, 6907570, flows.Query, 549}
	if got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
}

func TestOperationsAndSchedulesDoNotAllocate(t *testing.T) {
	c := planOf(t, plain).Cells[0]
	s := c.Load.Schedule(c.Seed)
	if n := testing.AllocsPerRun(1000, func() { c.Operation(7); s.Next() }); n != 0 {
		t.Errorf("an operation and its instant allocate %g times; want 0", n)
	}
}

func BenchmarkOperation(b *testing.B) {
	c := planOf(b, plain).Cells[0]
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		c.Operation(i)
	}
}

func BenchmarkPoissonNext(b *testing.B) {
	s := &poissonSchedule{seed: 5, span: 24 * time.Hour, n: math.MaxUint64}
	for b.Loop() {
		s.Next()
	}
}
