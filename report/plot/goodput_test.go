package plot

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// labelsOf returns the texts of the figure of a run with the given name.
func labelsOf(t *testing.T, run *results.Run, name string) []string {
	t.Helper()
	for _, f := range All(run) {
		if f.Name != name {
			continue
		}
		var all []string
		for _, l := range painted(f).labels {
			all = append(all, l.text)
		}
		return all
	}
	t.Fatalf("there is no figure %s", name)
	return nil
}

func TestFiguresOverTimeNameTheFaultsAndWhatCameOfThem(t *testing.T) {
	for _, name := range []string{"goodput", "over-time-command", "over-time-query", "send-lag-over-time"} {
		got := labelsOf(t, fixture.Faulty(), name)
		for _, want := range []string{
			"outage on broker: well after 500 ms", "outage on broker: not well within 12 s",
			"outage on broker: well after 1.25 s", "outage on broker: no effect",
		} {
			if !slices.Contains(got, want) {
				t.Errorf("%s does not say %q: %q", name, want, got)
			}
		}
		if strings.Contains(strings.Join(got, "\n"), "absent") {
			t.Errorf("%s shows a fault that was not brought about: %q", name, got)
		}
	}
}

func TestAFigureOfASimulationSaysSoAlsoOfFaults(t *testing.T) {
	run := fixture.Faulty()
	run.Simulated = true
	if got := labelsOf(t, run, "goodput"); !slices.Contains(got, "simulated") {
		t.Errorf("labels are %q", got)
	}
}

// TestFaultsAreMarkedWhereTheyWere holds the places of a fault on the sheet to its
// times.
func TestFaultsAreMarkedWhereTheyWere(t *testing.T) {
	p := panel{area: vg.Rectangle{Max: vg.Point{X: 240, Y: 100}}, x: timeAxis(24), y: shareAxis(1)}
	for _, c := range []struct {
		begin, heal time.Duration
		from, to    vg.Length
	}{
		{8 * time.Second, 12 * time.Second, 80, 120}, {8 * time.Second, 0, 80, 240},
		{20 * time.Second, 30 * time.Second, 200, 240},
	} {
		from, to := p.faultSpan(results.Fault{Begin: c.begin, Heal: c.heal})
		if from != c.from || to != c.to {
			t.Errorf("a fault from %v to %v is drawn from %v to %v, want %v to %v", c.begin, c.heal, from, to,
				c.from, c.to)
		}
	}
}

// TestWindowsLoseNothing holds the sums of what is drawn to those of the timeline.
func TestWindowsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bins := rapid.SliceOfN(rapid.Int32Range(0, 1000), 1, 700).Draw(t, "bins")
		n := windowBins(len(bins), rapid.IntRange(1, 100).Draw(t, "most"))
		f := flowing{cell: &results.Cell{Timeline: &results.Timeline{Due: bins, Done: bins[:len(bins)/2], Told: bins}}}
		f.fill(n)
		var due, done, wantDue, wantDone float64
		for i := range f.due {
			seconds := float64(min(n, len(bins)-i*n)) * results.BinWidth.Seconds()
			due, done = due+f.due[i]*seconds, done+f.done[i]*seconds
		}
		for i, v := range bins {
			if wantDue += float64(v); i < len(bins)/2 {
				wantDone += float64(v)
			}
		}
		if diff := due - wantDue + done - wantDone; diff > 1e-6*wantDue+1e-6 || diff < -1e-6*wantDue-1e-6 {
			t.Fatalf("windows of %d hold %v due and %v ok of %v and %v", n, due, done, wantDue, wantDone)
		}
		if last := f.backlog[len(f.backlog)-1]; last != wantDue {
			t.Fatalf("%v commands are left at the end, want %v", last, wantDue)
		}
	})
}

func TestScalesOfCountsReachTheLargest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hi := rapid.Float64Range(1, 1e7).Draw(t, "hi")
		a := countAxis(hi)
		if a.max < hi || a.max > 1.2*hi {
			t.Fatalf("the axis of %v reaches %v", hi, a.max)
		}
		for _, marks := range a.marks {
			if len(marks) < 2 || marks[0].text != "0" || marks[len(marks)-1].at > a.max || len(marks) > 10 {
				t.Fatalf("the axis of %v has the marks %v", hi, marks)
			}
			for i := 1; i < len(marks); i++ {
				if marks[i].text == marks[i-1].text {
					t.Fatalf("the axis of %v has %s twice", hi, marks[i].text)
				}
			}
		}
	})
}
