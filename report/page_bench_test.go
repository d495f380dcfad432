package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// BenchmarkPageOfALongRun makes pages of run directories of ten minutes a cell and says
// how long that takes, how large the page is, and how much memory the process had from
// the system at most, each in a process of its own.
func BenchmarkPageOfALongRun(b *testing.B) {
	for _, cells := range []int{10, 20} {
		b.Run(strconv.Itoa(cells)+"-cells", func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "run")
			if err := longRun(dir, cells, 600, 600); err != nil {
				b.Fatal(err)
			}
			var sum pageFigures
			for b.Loop() {
				f, err := pageInAProcess(b, dir)
				if err != nil {
					b.Fatal(err)
				}
				sum.Seconds += f.Seconds
				sum.Bytes, sum.Memory = max(sum.Bytes, f.Bytes), max(sum.Memory, f.Memory)
			}
			b.ReportMetric(sum.Seconds/float64(b.N), "s/page")
			b.ReportMetric(float64(sum.Bytes)/1e6, "MB/page")
			b.ReportMetric(float64(sum.Memory)/1e6, "MB-memory")
		})
	}
}

// longRun writes a run directory of cells with a fault, each measured for a number of
// seconds at a rate. Half a minute of each is made, and then comes again, since it is
// the reading of it that is looked at.
func longRun(dir string, cells, seconds, perS int) error {
	run := fixture.Run(fixture.Many()[:cells], 1, 1)
	w, err := results.Create(dir, run, nil)
	if err != nil {
		return err
	}
	defer w.Close() // what matters was closed before
	for i, shape := range fixture.Many()[:cells] {
		c := run.Cells[i]
		c.Load.Measured, c.Load.RatePerS = time.Duration(seconds)*time.Second, float64(perS)
		lines, err := w.BeginCell(c)
		if err != nil {
			return err
		}
		err = record(c, shape, lines, seconds, perS)
		fixture.Follow(c, 2000, uint64(i))
		if err = cmp.Or(err, lines.Close(), w.WriteCell(c)); err != nil {
			return err
		}
	}
	return nil
}

// record lets a recorder write half a minute, and writes that as often as there is time
// for.
func record(c *results.Cell, shape fixture.Shape, out io.Writer, seconds, perS int) error {
	const made = 30
	read, write := io.Pipe()
	begin := time.Hour
	r := results.NewCellRecorder(results.CellConfig{Cell: c, Origin: begin, Faults: true, Seconds: write})
	go func() {
		random := rand.New(rand.NewPCG(1, uint64(len(c.ID))))
		r.Issue(uint64(made * perS))
		for op := range made * perS {
			o := outcome(random, shape, op, begin+time.Duration(op)*time.Second/time.Duration(perS))
			r.Outcome(o)
			if op%perS == 0 {
				r.Collect(o.Due)
			}
		}
		write.CloseWithError(r.Close())
	}()
	var lines []map[string]any
	for s := bufio.NewScanner(read); s.Scan(); {
		var l map[string]any
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return err
		}
		if l["second"] != nil {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("the recorder wrote no second of %s", c.ID)
	}
	encoder := json.NewEncoder(out)
	for at := range seconds {
		l := lines[at%len(lines)]
		second, _ := l["second"].(map[string]any)
		second["at_s"] = at
		if err := encoder.Encode(l); err != nil {
			return err
		}
	}
	c.Counts.Due, c.Counts.OK = int64(seconds*perS), int64(seconds*perS)
	c.Timeline = timeline(seconds, perS)
	c.Faults = []results.Fault{{What: "outage", On: "broker", Begin: time.Minute, Heal: 70 * time.Second}}
	return nil
}

// outcome returns an operation that takes as long as a shape says.
func outcome(random *rand.Rand, s fixture.Shape, op int, due time.Duration) results.Outcome {
	took := func(median time.Duration) time.Duration {
		return time.Duration(float64(max(median, 100*time.Microsecond)) * (0.4 + random.ExpFloat64()))
	}
	o := results.Outcome{Op: uint64(op + 1), Client: op % 8, Kind: results.Kind(op % 2), Due: due}
	o.Started = due + took(60*time.Microsecond)
	o.Answered = o.Started + took(s.Query)
	if o.Kind == results.Command {
		o.Accepted = o.Started + took(s.Command/3)
		o.Answered = o.Accepted + took(s.Command)
	}
	o.Ended = o.Answered
	return o
}

// timeline returns what flows at an even rate.
func timeline(seconds, perS int) *results.Timeline {
	n := seconds * int(time.Second/results.BinWidth)
	l := &results.Timeline{}
	each := int32(perS / int(time.Second/results.BinWidth))
	for i := range n {
		l.Due, l.OK, l.Done = append(l.Due, each), append(l.OK, each), append(l.Done, each-int32(i%3)+1)
		l.Bad, l.Told, l.Applied = append(l.Bad, 0), append(l.Told, each), append(l.Applied, each-int32(i%2))
	}
	return l
}

// pageFigures are what the making of a page took.
type pageFigures struct {
	Seconds float64
	Bytes   int
	Memory  uint64
}

// pageInAProcess makes the page of a run directory in a process of its own.
func pageInAProcess(b *testing.B, dir string) (f pageFigures, err error) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestPageOf$", "-page-of", dir)
	text, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("make a page: %w\n%s", err, text)
	}
	err = json.NewDecoder(bytes.NewReader(text)).Decode(&f) // what the test framework says comes after it
	return f, err
}

// TestPageOf is the process of the benchmark.
func TestPageOf(t *testing.T) {
	dir := flag.Lookup("page-of").Value.String()
	if dir == "" {
		t.Skip("run by BenchmarkPageOfALongRun")
	}
	begin := time.Now()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var size counter
	if err := WriteHTML(&size, run); err != nil {
		t.Fatal(err)
	}
	f := pageFigures{Seconds: time.Since(begin).Seconds(), Bytes: int(size), Memory: fromSystem()}
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		t.Fatal(err)
	}
}

// fromSystem returns how much memory the process has from the system, what it gave back
// included: it is not less than it had at any time.
func fromSystem() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// A counter counts what is written to it.
type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
