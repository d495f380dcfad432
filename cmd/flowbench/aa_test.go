package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"flowbench/results"
	"flowbench/results/compare"
)

// How often things are compared. The defaults are for the suite; make aa asks for
// those of docs/comparing.md.
var (
	aaSame   = flag.Int("aa-same", 1, "comparisons of the same with itself in virtual time")
	aaSlower = flag.Int("aa-slower", 1, "comparisons with a service that takes 20 % longer, in virtual time")
	aaReal   = flag.Int("aa-real", 0, "comparisons of the same with itself on this machine, of two minutes each")
)

// aaRepeats is how many observations each side has, the default of ab.
const aaRepeats = defaultPairs

// simulated runs two flows in virtual time and returns them as a side.
func simulated(t *testing.T, seed int, more ...string) compare.Side {
	t.Helper()
	dir := filepath.Join(t.TempDir(), fmt.Sprint(seed))
	args := append([]string{
		"simulate", "compare", "--flows=direct,proxy-sync", "--brokers=nats", "--duration=8s", "--no-progress",
		fmt.Sprint("--repeat=", aaRepeats), fmt.Sprint("--seed=", seed), "--out=" + dir,
	}, more...)
	if code, errs := callProgram(t, args...); code != int(exitOK) {
		t.Fatalf("simulate ended with %d: %s", code, errs)
	}
	r, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return compare.Side{Name: fmt.Sprint(seed), Runs: []*results.Run{r}}
}

// A tallied is what comparisons came to.
type tallied struct{ rows, called, untold, worse, comparisons int }

func (n *tallied) take(t *testing.T, old, new compare.Side, o compare.Options) {
	t.Helper()
	c, err := compare.Compare(old, []compare.Side{new}, o)
	if err != nil {
		t.Fatal(err)
	}
	n.comparisons++
	for _, r := range c.Rows {
		n.rows++
		switch r.Outcome {
		case compare.Better, compare.Worse:
			n.called++
			t.Logf("called: %s %s %s, %+v, p %.2g", r.Cell, r.Metric.Name, r.Word, *r.Estimate, *r.Adjusted)
		case compare.CannotTell:
			n.untold++
		}
	}
	if c.Outcome == compare.Worse {
		n.worse++
	}
}

func (n *tallied) String() string {
	return fmt.Sprintf("%d comparisons of %d metrics: %d called (%.2f %%), %d cannot tell, %d for the worse",
		n.comparisons, n.rows, n.called, 100*float64(n.called)/float64(max(1, n.rows)), n.untold, n.worse)
}

// TestTheSameIsNotCalledAChange compares simulations that differ by their seeds.
func TestTheSameIsNotCalledAChange(t *testing.T) {
	var n tallied
	for i := range *aaSame {
		n.take(t, simulated(t, 1000+2*i), simulated(t, 1001+2*i), compare.Options{})
	}
	t.Log("in virtual time, the same: ", n.String())
	if float64(n.called) > 0.05*float64(n.rows) || n.untold > 0 || n.rows < 20**aaSame {
		t.Errorf("%s; want at most 5 %% called, and all told", n.String())
	}
}

// TestAServiceThatTakesLongerIsFound compares with one that takes 20 % longer.
func TestAServiceThatTakesLongerIsFound(t *testing.T) {
	var n tallied
	for i := range *aaSlower {
		n.take(t, simulated(t, 5000+2*i), simulated(t, 5001+2*i, "--set=service.time.mean=1.2ms"), compare.Options{})
	}
	t.Log("in virtual time, 20 % slower: ", n.String())
	if float64(n.worse) < 0.95*float64(n.comparisons) {
		t.Errorf("%s; want 95 %% found", n.String())
	}
}

// TestTheSameIsNotCalledAChangeOnThisMachine runs for real, with repeats of both sides
// in turns, and the noise floor measured before.
func TestTheSameIsNotCalledAChangeOnThisMachine(t *testing.T) {
	if *aaReal == 0 {
		t.Skip("run make aa to compare runs on this machine, which takes two minutes each")
	}
	measured := func(name string, repeats int) *results.Run {
		dir := filepath.Join(t.TempDir(), name)
		code, errs := callProgram(t, "run", "compare", "--flows=direct,proxy-sync", "--brokers=mem", "--warmup=1s",
			"--duration=3s", "--no-progress", fmt.Sprint("--repeat=", repeats), "--out="+dir)
		if code != int(exitOK) && code != int(exitNoVerdict) {
			t.Fatalf("run ended with %d: %s", code, errs)
		}
		r, err := results.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	noise, err := compare.MeasureNoise(measured("noise", 2*aaRepeats), time.Now())
	if err != nil {
		t.Log("no noise floor: ", err)
	}
	var n tallied
	for i := range *aaReal {
		r := measured(fmt.Sprint(i), 2*aaRepeats)
		a, b := *r, *r
		a.Cells, b.Cells = nil, nil
		for _, c := range r.Cells {
			if (c.Repeat-1)%4 == 0 || (c.Repeat-1)%4 == 3 { // a b b a
				a.Cells = append(a.Cells, c)
			} else {
				b.Cells = append(b.Cells, c)
			}
		}
		n.take(t, compare.Side{Name: "a", Runs: []*results.Run{&a}}, compare.Side{Name: "b", Runs: []*results.Run{&b}},
			compare.Options{Noise: noise, Now: time.Now(), Interleaved: true})
	}
	t.Log("on this machine, the same: ", n.String())
	if float64(n.called) > 0.05*float64(n.rows) {
		t.Errorf("%s; want at most 5 %% called", n.String())
	}
}
