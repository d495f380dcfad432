package plot

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"
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

// TestNamesOfFaultsGiveWay looks for two long names above one panel, and for numbers
// where there are too many, which the caption then explains.
func TestNamesOfFaultsGiveWay(t *testing.T) {
	const word = "numbered"
	for _, c := range []struct {
		run      *results.Run
		want     []string
		numbered bool
	}{
		{
			fixture.FaultyTwice(),
			[]string{"outage on broker: not well within 12 s", "latency on edge: well at once"}, false,
		},
		{manyFaults(), []string{"latency on edge: well at once", "1", "2", "3"}, true},
	} {
		got := labelsOf(t, c.run, "goodput")
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("no label is %q: %q", want, got)
			}
		}
		for _, f := range All(c.run) {
			if strings.Contains(f.Name, "over-time") || f.Name == "goodput" {
				if strings.Contains(f.Caption, word) != c.numbered {
					t.Errorf("the caption of %s is %q; want it to speak of numbers: %v", f.Name, f.Caption, c.numbered)
				}
			}
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

// TestMarksStandWhereClientsNoticedAndWhereAllWasWell looks at the upright lines
// over faults that were noticed or not, and that were recovered from or not.
func TestMarksStandWhereClientsNoticedAndWhereAllWasWell(t *testing.T) {
	p := panel{area: vg.Rectangle{Max: vg.Point{X: 240, Y: 100}}, x: timeAxis(24), y: shareAxis(1)}
	after := func(d time.Duration) results.Moment { return results.Moment{After: d, Seen: true} }
	for _, c := range []struct {
		about    string
		effect   string
		recovery *results.Recovery
		want     []vg.Length
	}{
		{"noticed and well", "some", &results.Recovery{Detect: after(2e9), Recover: after(1e9)}, []vg.Length{130, 100}},
		{"never noticed", "some", &results.Recovery{Recover: after(1e9)}, []vg.Length{130}},
		{"never well", "some", &results.Recovery{Detect: after(2e9)}, []vg.Length{100}},
		{"without effect", "", &results.Recovery{Detect: after(2e9), Recover: after(1e9)}, nil},
		{"too little to tell", "some", nil, nil},
	} {
		canvas := &size{w: 240, h: 100}
		newSheet(canvas).faultMarks(p, &results.Cell{Faults: []results.Fault{
			{Begin: 8 * time.Second, Heal: 12 * time.Second, Effect: c.effect, Recovery: c.recovery},
		}})
		var got []vg.Length
		for _, a := range canvas.Actions {
			stroke, ok := a.(*recorder.Stroke)
			if ok && len(stroke.Path) == 2 && stroke.Path[0].Pos.X == stroke.Path[1].Pos.X {
				got = append(got, stroke.Path[0].Pos.X)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: lines stand at %v, want %v", c.about, got, c.want)
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
