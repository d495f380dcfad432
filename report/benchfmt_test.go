package report

import (
	"io"
	"math"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

func benchmarksOf(t *testing.T, run *results.Run) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return WriteBenchmarks(w, run) })
}

// parse reads benchmarks with the reader of benchstat and returns the values by
// name and unit.
func parse(t *testing.T, text string) (values map[string]map[string]float64, n map[string]int) {
	t.Helper()
	values, n = make(map[string]map[string]float64), make(map[string]int)
	r := benchfmt.NewReader(strings.NewReader(text), "run")
	for r.Scan() {
		switch record := r.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Errorf("%v in:\n%s", record, text)
		case *benchfmt.Result:
			name := record.Name.String()
			if values[name] != nil {
				t.Errorf("%s is there twice", name)
			}
			values[name], n[name] = make(map[string]float64), record.Iters
			for _, v := range record.Values {
				values[name][v.Unit] = v.Value
			}
			for _, c := range record.Config {
				switch c.Key {
				case "goos", "goarch", "cpu", "scenario", "time":
				default:
					t.Errorf("the configuration has %s, by which benchstat would part the runs", c.Key)
				}
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[string]int{"p99-ns": -1, "ok/s": 1, "msgs/op": -1} {
		if got := r.Units().GetBetter(unit); got != want {
			t.Errorf("the better direction of %s is %d; want %d", unit, got, want)
		}
	}
	return values, n
}

func TestTheBenchmarksAreGolden(t *testing.T) {
	runs := fixtures()
	for _, name := range []string{"seven", "troubled"} {
		golden(t, name+".bench", benchmarksOf(t, runs[name]))
	}
}

// TestBenchstatReadsEveryCell compares what it reads with the run: every finding
// of every valid cell is there, in seconds, and nothing else.
func TestBenchstatReadsEveryCell(t *testing.T) {
	for name, run := range fixtures() {
		if repeated(run.Merged()) {
			continue // several lines have one name; see below
		}
		values, n := parse(t, benchmarksOf(t, run))
		wanted := 0
		for i, c := range run.Cells {
			if !c.Valid {
				continue
			}
			cell := strings.TrimPrefix(benchmarkNames(run)[i], "Benchmark")
			wanted++
			if got := values[cell+"-2"]["ok/s"]; math.Abs(got-c.AchievedPerS()) > 1e-6 {
				t.Errorf("%s: %s has %v ok/s; want %v", name, cell, got, c.AchievedPerS())
			}
			for _, k := range results.Kinds() {
				for _, s := range results.Stages() {
					h := c.LatencyOf(k, s)
					if h == nil || !h.Resolved(0.5) {
						continue
					}
					wanted++
					line := cell + "/kind=" + k.String() + "/stage=" + s.String() + "-2"
					p99, there := values[line]["p99-sec"]
					if there != h.Resolved(0.99) || there && math.Abs(p99-h.Quantile(0.99).Seconds()) > 1e-12 {
						t.Errorf("%s: %s has the p99 %v (%v); want %v (%v)", name, line, p99, there,
							h.Quantile(0.99).Seconds(), h.Resolved(0.99))
					}
					if int64(n[line]) != h.N() {
						t.Errorf("%s: %s has n %d; want %d", name, line, n[line], h.N())
					}
				}
			}
		}
		if len(values) != wanted {
			t.Errorf("%s: there are %d lines; want %d", name, len(values), wanted)
		}
	}
}

func TestRepeatsAreSamplesOfOneBenchmark(t *testing.T) {
	run := fixture.Repeated()
	lines := make(map[string]int)
	for line := range strings.Lines(benchmarksOf(t, run)) {
		name, rest, _ := strings.Cut(line, "\t")
		if strings.HasPrefix(name, "Benchmark") && strings.Contains(rest, "ok/s") {
			lines[name]++
		}
	}
	cells := run.Merged().Cells
	if len(lines) != len(cells) {
		t.Fatalf("there are %d benchmarks; want one for each of %d cells: %v", len(lines), len(cells), lines)
	}
	for i, name := range benchmarkNames(run.Merged()) {
		want := 0
		for _, o := range cells[i].Observations {
			if o.Valid {
				want++
			}
		}
		if got := lines[name+"-2"]; got != want {
			t.Errorf("%s has %d samples; want %d, one for each valid repeat", name, got, want)
		}
	}
}

// TestNamesOfOthersStayWithinABenchmarksName has names that would be several
// fields, parts or lines.
func TestNamesOfOthersStayWithinABenchmarksName(t *testing.T) {
	run := fixture.Run(fixture.Default()[:2], 2, 100)
	const evil = "a/kind=query b\nBenchmarkX 1 1 ns/op\tgoos: plan9\x00é%"
	run.Scenario, run.Host.CPU = evil, evil
	for i, c := range run.Cells {
		c.Flow, c.Broker = evil, evil
		c.Edge = []string{"x", "x%20"}[i]
	}
	values, _ := parse(t, benchmarksOf(t, run))
	if len(values) != 10 {
		t.Errorf("got %d lines; want 10", len(values))
	}
	for name := range values {
		if !strings.HasPrefix(name, "Flow/flow=a%2Fkind%3Dquery%20b%0ABenchmarkX") {
			t.Errorf("a line is named %q", name)
		}
	}
}
