package compare

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowbench/results"
)

// made returns a run of one cell that repeats, with latencies around a median. Repeats
// differ by noise, the standard deviation of the logarithm.
func made(seed uint64, repeats int, median time.Duration, noise float64) *results.Run {
	rng := rand.New(rand.NewPCG(seed, 7))
	r := &results.Run{
		ID: fmt.Sprint("run-", seed), Scenario: "made", Repeats: repeats, Finished: true,
		Started: time.Unix(int64(seed), 0),
		Host:    results.Host{OS: "linux", CPU: "some", CPUs: 2, MemoryMB: 4000},
	}
	for i := range repeats {
		c := &results.Cell{
			ID: fmt.Sprintf("direct-r%d", i+1), Of: "direct", Repeat: i + 1, Flow: "direct", Valid: true,
			Finished: true,
			Load:     results.Load{Arrivals: "poisson", RatePerS: 300, Measured: 20 * time.Second, Warmup: time.Second},
		}
		c.Counts = results.Counts{Due: 6000, OK: 6000}
		own := float64(median) * math.Exp(noise*rng.NormFloat64())
		h := results.NewHist()
		for sec := range 21 {
			s := results.Second{At: sec, Phase: "measured", Hists: make(map[string]*results.Hist)}
			s.Hists["command/answered"] = results.NewHist()
			if sec == 0 {
				s.Phase = "warmup"
			}
			for range 100 {
				d := time.Duration(own * math.Exp(0.4*rng.NormFloat64()))
				h.Record(d)
				s.Hists["command/answered"].Record(d)
			}
			c.Seconds = append(c.Seconds, s)
		}
		c.Latency = map[string]map[string]*results.Hist{"command": {"answered": h}}
		if repeats == 1 {
			c.ID, c.Of, c.Repeat = "direct", "", 0
		}
		r.Cells, r.CellIDs = append(r.Cells, c), append(r.CellIDs, c.ID)
	}
	return r
}

func sides(old, new *results.Run) (Side, []Side) {
	return Side{"old", []*results.Run{old}}, []Side{{"new", []*results.Run{new}}}
}

func compared(t *testing.T, old, new *results.Run, o Options) *Comparison {
	t.Helper()
	a, b := sides(old, new)
	c, err := Compare(a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsSlowerIsCalledSlower(t *testing.T) {
	for _, tt := range []struct {
		name    string
		old     *results.Run
		new     *results.Run
		want    Outcome
		repeats int
	}{
		{"twice as slow", made(1, 8, time.Millisecond, 0.02), made(2, 8, 2*time.Millisecond, 0.02), Worse, 8},
		{"twice as fast", made(1, 8, 2*time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02), Better, 8},
		{"the same", made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02), NoChange, 8},
		{"too few repeats", made(1, 3, time.Millisecond, 0.02), made(2, 3, 2*time.Millisecond, 0.02), CannotTell, 3},
		{"one run", made(1, 1, time.Millisecond, 0.02), made(2, 1, 2*time.Millisecond, 0.02), CannotTell, 1},
	} {
		c := compared(t, tt.old, tt.new, Options{})
		if c.Outcome != tt.want {
			t.Errorf("%s: outcome is %s; want %s: %+v", tt.name, c.Outcome, tt.want, c.Rows)
		}
		for _, r := range c.Rows {
			if len(r.OldAll) != tt.repeats {
				t.Errorf("%s: %s has %d observations; want %d", tt.name, r.Metric.Name, len(r.OldAll), tt.repeats)
			}
		}
	}
}

func TestAMachineThatWasNotQuietCannotTell(t *testing.T) {
	for _, tt := range []struct {
		name string
		hurt func(*results.Cell)
		n    int // of eight
		want Outcome
	}{
		{"the canary was late in every second one", late, 4, CannotTell},
		{"tasks waited", func(c *results.Cell) { c.Pressure.CPUSome = 0.6 }, 3, CannotTell},
		{"time was stolen", func(c *results.Cell) { c.Pressure.Steal = 0.2 }, 8, CannotTell},
		{"many are not valid", func(c *results.Cell) { c.Valid = false }, 3, CannotTell},
		{"few were", late, 2, Worse},
	} {
		old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, 3*time.Millisecond, 0.02)
		for _, c := range new.Cells[:tt.n] {
			tt.hurt(c)
		}
		if got := compared(t, old, new, Options{}).Outcome; got != tt.want {
			t.Errorf("%s: outcome is %s; want %s", tt.name, got, tt.want)
		}
	}
}

func late(c *results.Cell) {
	c.Canary = results.NewHist()
	c.Canary.Record(20 * time.Millisecond)
}

func TestRunsThatAreNotComparableAreRefusedUnlessForced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*results.Run)
		want   string
	}{
		{"another scenario", func(r *results.Run) { r.Scenario = "other" }, "scenarios are made and other"},
		{"another machine", func(r *results.Run) { r.Host.CPUs = 64 }, "machines are"},
		{"one is simulated", func(r *results.Run) { r.Simulated = true }, "simulated"},
		{"another load", func(r *results.Run) { r.Cells[0].Load.RatePerS = 9 }, "another load"},
	} {
		old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02)
		tt.change(new)
		a, b := sides(old, new)
		_, err := Compare(a, b, Options{})
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v; want it refused for %q", tt.name, err, tt.want)
		}
		forced, err := Compare(a, b, Options{Force: true})
		if err != nil || !strings.Contains(strings.Join(forced.Marks, "\n"), tt.want) {
			t.Errorf("%s: forced, it is not marked: %v", tt.name, err)
		}
	}
}

func TestOtherSettingsAreMarkedAndNotRefused(t *testing.T) {
	old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02)
	new.Cells[0].Settings = map[string]string{"service": "4 workers"}
	c := compared(t, old, new, Options{})
	if !strings.Contains(strings.Join(c.Marks, "\n"), "setting service differs: none before, 4 workers now") {
		t.Errorf("marks are %q", c.Marks)
	}
}

func TestNothingInCommonIsRefused(t *testing.T) {
	old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02)
	for _, c := range new.Cells {
		c.Of = "other"
	}
	a, b := sides(old, new)
	if _, err := Compare(a, b, Options{Force: true}); err == nil {
		t.Error("sides without a cell in common were compared")
	}
}

func TestRunsOfADirectoryAreObservationsTogether(t *testing.T) {
	a, b := Side{Name: "old"}, Side{Name: "new"}
	for i := range uint64(8) {
		a.Runs = append(a.Runs, made(10+i, 1, time.Millisecond, 0.02))
		b.Runs = append(b.Runs, made(20+i, 1, 2*time.Millisecond, 0.02))
	}
	c, err := Compare(a, []Side{b}, Options{})
	if err != nil || c.Outcome != Worse || len(c.Rows[0].OldAll) != 8 || c.Rows[0].Single {
		t.Errorf("outcome is %v, %v", c, err)
	}
}

func TestNothingOfTheKindIsNoRow(t *testing.T) {
	c := compared(t, made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02), Options{})
	for _, r := range c.Rows {
		if r.Metric.Family == Count {
			t.Errorf("%s has a row, and there were none on either side", r.Metric.Name)
		}
	}
	old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02)
	for i, one := range new.Cells {
		one.Accounting.Attempted, one.Accounting.Lost = 3000, int64(3+i)
	}
	c = compared(t, old, new, Options{})
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Metric.Name == "lost commands" })
	if i < 0 || c.Rows[i].Outcome != Worse || c.Rows[i].Word != "more" {
		t.Errorf("losses on one side are not called: %+v", c.Rows)
	}
}

func TestSingleRunsHaveAWideIntervalFromTheirSeconds(t *testing.T) {
	c := compared(t, made(1, 1, time.Millisecond, 0), made(2, 1, time.Millisecond, 0), Options{})
	for _, r := range c.Rows {
		if r.Metric.Family != Latency {
			continue
		}
		e := r.Estimate
		if !r.Single || e == nil || e.Confidence == 0 || e.Low >= 1 || e.High <= 1 || e.High-e.Low < 0.02 {
			t.Errorf("%s has the interval %+v", r.Metric.Name, e)
		}
		if strings.Contains(r.Why, "seems") {
			t.Errorf("%s leans: %s", r.Metric.Name, r.Why)
		}
	}
	c = compared(t, made(1, 1, time.Millisecond, 0), made(2, 1, 2*time.Millisecond, 0), Options{})
	if r := c.Rows[0]; !strings.Contains(r.Why, "it seems slower") || r.Outcome != CannotTell {
		t.Errorf("twice as slow, it says %s, %q", r.Outcome, r.Why)
	}
}

func TestARunOfAFewSecondsHasNoInterval(t *testing.T) {
	old, new := made(1, 1, time.Millisecond, 0), made(2, 1, time.Millisecond, 0)
	old.Cells[0].Seconds = old.Cells[0].Seconds[:8]
	c := compared(t, old, new, Options{})
	if e := c.Rows[0].Estimate; e == nil || e.Confidence != 0 {
		t.Errorf("seven seconds gave the interval %+v", e)
	}
}

func TestBlocksDoNotReachAcrossAnOutage(t *testing.T) {
	r := made(1, 1, time.Millisecond, 0)
	c := r.Cells[0]
	c.Faults = []results.Fault{{Begin: 8 * time.Second, Begun: 8 * time.Second, Heal: 10 * time.Second,
		Healed: 10 * time.Second, Effect: "x", Recovery: &results.Recovery{
			Recover: results.Moment{After: time.Second, Seen: true}}}}
	stretches := spellsOf(c, results.Command, results.AnsweredStage)
	var lengths []int
	for _, s := range stretches {
		lengths = append(lengths, len(s))
	}
	if diff := cmp.Diff([]int{7, 10}, lengths); diff != "" {
		t.Errorf("the steady stretches are wrong:\n%s", diff)
	}
}

func TestTheNoiseFloorIsWhatRepeatsDifferBy(t *testing.T) {
	now := time.Unix(1000, 0)
	quiet, err := MeasureNoise(made(1, 10, time.Millisecond, 0.01), now)
	if err != nil {
		t.Fatal(err)
	}
	loud, err := MeasureNoise(made(1, 10, time.Millisecond, 0.3), now)
	if err != nil {
		t.Fatal(err)
	}
	const metric = "command answered p50"
	if q, l := quiet.Floors[metric], loud.Floors[metric]; q <= 0 || q > 0.05 || l < 0.1 {
		t.Errorf("floors are %v and %v; want them to follow the noise", q, l)
	}
	drifting := made(1, 10, time.Millisecond, 0.001)
	for i, c := range drifting.Cells[5:] {
		c.Latency = made(uint64(i), 1, 2*time.Millisecond, 0.001).Cells[0].Latency
	}
	drift, err := MeasureNoise(drifting, now)
	if err != nil || drift.Floors[metric] < 0.9 {
		t.Errorf("what doubles in the middle has a floor of %v (%v); want the drift in it", drift.Floors[metric], err)
	}
	if _, err := MeasureNoise(made(1, 3, time.Millisecond, 0.01), now); err == nil {
		t.Error("three repeats gave a noise floor")
	}
	old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, 1300*time.Microsecond, 0.02)
	loud.Floors[metric], loud.Host = 0.5, old.Host
	c := compared(t, old, new, Options{Noise: loud, Now: now})
	if r := c.Rows[0]; r.Outcome != NoChange || r.Assumed || r.Floor < 0.5 {
		t.Errorf("30 %% more with a floor of 50 %% is %s (%s)", r.Outcome, r.Why)
	}
}

func TestAForeignOrOldNoiseFloorIsSaid(t *testing.T) {
	old, new := made(1, 8, time.Millisecond, 0.02), made(2, 8, time.Millisecond, 0.02)
	n := &Noise{Schema: NoiseSchema, Taken: time.Unix(0, 0), Host: old.Host, PerSide: 4, Floors: map[string]float64{}}
	c := compared(t, old, new, Options{Noise: n, Now: time.Unix(0, 0).Add(10 * 24 * time.Hour)})
	if !strings.Contains(strings.Join(c.Marks, "\n"), "10 days old") {
		t.Errorf("an old floor is not marked: %q", c.Marks)
	}
	n.Host.CPUs = 64
	if c := compared(t, old, new, Options{Noise: n}); !strings.Contains(c.Floor, "another machine, and is not used") {
		t.Errorf("a foreign floor is used: %s", c.Floor)
	}
}

func TestFewerObservationsThanTheFloorWasMadeOfWidenIt(t *testing.T) {
	m := Metric{Name: "x", Family: Latency}
	n := &Noise{PerSide: 16, Floors: map[string]float64{"x": 0.1}}
	for perSide, want := range map[int]float64{16: 0.1, 64: 0.1, 4: 0.2, 1: 0.4} {
		if got, measured := n.Of(m, perSide); !measured || math.Abs(got-want) > 1e-12 {
			t.Errorf("for %d it is %v; want %v", perSide, got, want)
		}
	}
}

func TestANoiseFloorIsReadAsItWasWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "deep", "noise.json")
	n, err := MeasureNoise(made(1, 8, time.Millisecond, 0.05), time.Unix(5, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Write(name); err != nil {
		t.Fatal(err)
	}
	back, err := ReadNoise(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n, back); diff != "" {
		t.Errorf("it came back as another:\n%s", diff)
	}
}

func FuzzParseNoise(f *testing.F) {
	f.Add([]byte(`{"schema":"flowbench.noise/1","per_side":4,"floors":{"x":0.1}}`))
	f.Add([]byte(`{"schema":"flowbench.noise/1","floors":{"x":-1}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseNoise("x", text)
		if err != nil {
			return
		}
		for metric := range n.Floors {
			if floor, _ := n.Of(Metric{Name: metric}, 1); floor < leastFloor || math.IsNaN(floor) {
				t.Fatalf("the floor of %s is %v", metric, floor)
			}
		}
	})
}
