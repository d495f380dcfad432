package results

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// An interval is one line of a histogram log: the latencies of one cell, kind and
// stage in some length of time.
type interval struct {
	tag        string
	start, end time.Duration // since the load of its cell began
	hist       *Hist
}

// WriteHistogramLog writes the latencies of run in the log format of HdrHistogram,
// version 1.3, as its public tools read it: a line for each measured second of each
// cell, kind and stage, which its tag names. The times of every cell count from when
// its own load began, and the log puts all of these at the start of the run: cells
// run one after another, but are compared side by side. Where the seconds of a cell
// are not there, its merged histogram stands for all of its measured time. Lines are
// in the order of time, since readers stop at the first one that is beyond the range
// they were asked for.
func WriteHistogramLog(w io.Writer, run *Run) error {
	var all []interval
	for _, c := range run.Cells {
		all = append(all, c.intervals()...)
	}
	slices.SortStableFunc(all, func(a, b interval) int { return cmp.Compare(a.start, b.start) })
	out := bufio.NewWriter(w)
	head(out, run)
	e := newEncoder()
	for _, i := range all {
		text, err := e.encode(i.hist)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "Tag=%s,%.3f,%.3f,%.3f,%s\n", i.tag, i.start.Seconds(), (i.end - i.start).Seconds(),
			float64(i.hist.Max())/float64(time.Millisecond), text)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write histogram log: %w", err)
	}
	return nil
}

// head writes what stands before the lines. A simulation happens at no time, which
// is written as the beginning of time.
func head(out *bufio.Writer, run *Run) {
	started := run.Started.UTC()
	if run.Started.IsZero() {
		started = time.Unix(0, 0).UTC()
	}
	seconds := float64(started.UnixMilli()) / 1e3
	fmt.Fprintf(out, "#[flowbench run %s, scenario %s]\n", plainTag(run.ID), plainTag(run.Scenario))
	fmt.Fprintln(out, "#[Tags are cell/kind/stage; values are latencies from due in nanoseconds, maxima in ms]")
	fmt.Fprintln(out, "#[Times count from when the load of each cell began; the warm-up is left out]")
	fmt.Fprintln(out, "#[Histogram log format version 1.3]")
	fmt.Fprintf(out, "#[BaseTime: %.3f (seconds since epoch)]\n", seconds)
	fmt.Fprintf(out, "#[StartTime: %.3f (seconds since epoch), %s]\n", seconds, started.Format(time.RFC3339))
	fmt.Fprintln(out, `"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"`)
}

// intervals returns the lines of c.
func (c *Cell) intervals() []interval {
	var all []interval
	for _, k := range Kinds() {
		for _, st := range Stages() {
			tag := plainTag(c.ID) + "/" + k.String() + "/" + st.String()
			before := len(all)
			for _, s := range c.Seconds {
				if h := s.Hist(k, st); s.Phase == "measured" && h != nil && h.N() > 0 {
					at := time.Duration(s.At) * time.Second
					all = append(all, interval{tag, at, at + time.Second, h})
				}
			}
			if h := c.LatencyOf(k, st); len(all) == before && h != nil {
				all = append(all, interval{tag, c.Load.Warmup, c.Load.Warmup + c.Load.Measured, h})
			}
		}
	}
	return all
}

// plainTag returns s with every byte that could end a tag, or that a reader could
// take for something else, written as in a URL: different texts stay different.
func plainTag(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
