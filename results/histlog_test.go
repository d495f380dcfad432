package results

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
)

// logged is what a reader makes of the lines of one tag.
type logged struct {
	N        int64
	P50, P99 int64
	Max      int64
	Lines    int
	From, To int64 // ms since the epoch
}

// readLog reads a log with the public reader.
func readLog(t *testing.T, text string) map[string]logged {
	t.Helper()
	merged := make(map[string]*hdrhistogram.Histogram)
	all := make(map[string]logged)
	reader := hdrhistogram.NewHistogramLogReader(strings.NewReader(text))
	for {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return all
		}
		l, sum := all[h.Tag()], merged[h.Tag()]
		if sum == nil {
			sum = h
			l.From = h.StartTimeMs()
		} else {
			sum.Merge(h)
		}
		merged[h.Tag()] = sum
		all[h.Tag()] = logged{
			sum.TotalCount(), sum.ValueAtQuantile(50), sum.ValueAtQuantile(99), sum.Max(), l.Lines + 1,
			l.From, h.EndTimeMs(),
		}
	}
}

// oneOf returns a cell with a number of measured seconds after one of warm-up.
func oneOf(id string, seconds int) *Cell {
	c := &Cell{ID: id, Latency: map[string]map[string]*Hist{"command": {"answered": NewHist()}}}
	c.Load.Warmup, c.Load.Measured = time.Second, time.Duration(seconds)*time.Second
	for at := range seconds + 1 {
		s := Second{At: at, Phase: "measured", Hists: map[string]*Hist{"command/answered": NewCoarseHist()}}
		if at == 0 {
			s.Phase = "warmup"
		}
		for i := range 1000 {
			d := time.Duration(at*i+1) * time.Microsecond
			s.Hists["command/answered"].Record(d)
			if at > 0 {
				c.Latency["command"]["answered"].Record(d)
			}
		}
		c.Seconds = append(c.Seconds, s)
	}
	return c
}

func logOf(t *testing.T, run *Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHistogramLog(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePublicReaderFindsEveryMeasuredOperationInTheLog(t *testing.T) {
	started := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	run := &Run{ID: "one", Scenario: "s", Started: started, Cells: []*Cell{oneOf("a", 4), oneOf("b", 2)}}
	run.Cells = append(run.Cells, oneOf("no,\nsec onds", 3), oneOf("no,sec%0Aonds", 3))
	run.Cells[2].Seconds, run.Cells[3].Seconds = nil, nil
	got := readLog(t, logOf(t, run))
	if len(got) != len(run.Cells) {
		t.Fatalf("the log has %d tags; want %d: %v", len(got), len(run.Cells), got)
	}
	for i, tag := range []string{"a", "b", "no%2C%0Asec%20onds", "no%2Csec%250Aonds"} {
		c := run.Cells[i]
		h, l := c.LatencyOf(Command, AnsweredStage), got[tag+"/command/answered"]
		lines, precision := len(c.Seconds)-1, 0.01
		if c.Seconds == nil {
			lines, precision = 1, 0
		}
		from := started.UnixMilli() + 1000
		want := logged{N: h.N(), Lines: lines, From: from, To: from + c.Load.Measured.Milliseconds()}
		exact := logged{N: l.N, Lines: l.Lines, From: l.From, To: l.To}
		if diff := cmp.Diff(want, exact); diff != "" {
			t.Errorf("%s: %s", tag, diff)
		}
		for p, v := range map[float64]int64{0.5: l.P50, 0.99: l.P99, 1: l.Max} {
			if d := float64(v)/float64(h.Quantile(p)) - 1; d > precision || d < -precision {
				t.Errorf("%s: quantile %v is %d in the log and %d in the cell", tag, p, v, h.Quantile(p))
			}
		}
	}
}

// TestTheLogHasTheFormThatOtherReadersWant looks at what this reader forgives and
// the one in Java does not.
func TestTheLogHasTheFormThatOtherReadersWant(t *testing.T) {
	run := &Run{ID: "a\n#[StartTime: 7 ", Cells: []*Cell{oneOf("a", 3), oneOf("b,c", 3)}} // simulated: at no time
	lines := strings.Split(strings.TrimSuffix(logOf(t, run), "\n"), "\n")
	head, rest := lines[:7], lines[7:]
	want := []string{
		"#[Histogram log format version 1.3]",
		"#[BaseTime: 0.000 (seconds since epoch)]",
		"#[StartTime: 0.000 (seconds since epoch), 1970-01-01T00:00:00Z]",
		`"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"`,
	}
	if diff := cmp.Diff(want, head[3:]); diff != "" {
		t.Error(diff)
	}
	// V2 histograms begin with the same bytes whatever is in them.
	form := regexp.MustCompile(`^Tag=[^, \r\n]+,([0-9]+\.[0-9]{3})(?:,[0-9]+\.[0-9]{3}){2},HISTFAAAA[A-Za-z0-9+/]+=*$`)
	last := 0.0
	for _, l := range rest {
		m := form.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("a line has another form: %.80s", l)
		}
		var at float64
		if _, err := fmt.Sscan(m[1], &at); err != nil || at < last {
			t.Errorf("a line is of %v after one of %v (%v)", at, last, err)
		}
		last = at
	}
	if len(rest) != 6 {
		t.Errorf("there are %d lines; want 6", len(rest))
	}
}

func TestARunWithoutCellsHasALogWithoutLines(t *testing.T) {
	if got := readLog(t, logOf(t, new(Run))); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
