package scenarios

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTracesAreReadExactly(t *testing.T) {
	for text, want := range map[string][]time.Duration{
		"at_s\n0\n0.5\n0.500000001\n12.25\n": {0, 500e6, 500000001, 12250e6},
		"at_ms\r\n1.5\r\n2\r\n":              {1500e3, 2e6},
		"at_us\n3\n3\n3.250\n":               {3000, 3000, 3250},
		"at_ns\n7\n8":                        {7, 8},
		"at_s\n1\n\n\n":                      {1e9},
		"at_ns\n9.000\n":                     {9},
		"at_s\n86400\n":                      {24 * time.Hour},
		"at_s\n00.1\n":                       {1e8},
		"at_s\n0.123456789000\n":             {123456789},
	} {
		got, err := ParseTrace("a.csv", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", text, d)
		}
	}
}

func TestBrokenTracesAreRefusedWithTheirPlace(t *testing.T) {
	for _, tt := range []struct{ about, text, want string }{
		{"nothing", "", `a.csv:1:1: the head is ""; want one column, named at_s, at_ms, at_us or at_ns`},
		{"no head", "0.5\n1\n", `a.csv:1:1: the head is "0.5"; want one column`},
		{"two columns", "at_s,kind\n0,q\n", `a.csv:1:1: the head is "at_s,kind"; want one column`},
		{"no arrivals", "at_s\n", "a.csv:1:1: the trace has no arrivals; want a line for each"},
		{"no number", "at_s\n1\n1,5\n", `a.csv:3:2: "1,5" is no number; want a number such as 12.5, from 0 to 86400 s`},
		{"a sign", "at_s\n-1\n", `a.csv:2:1: "-1" is no number; want`},
		{"an exponent", "at_s\n1e3\n", `a.csv:2:2: "1e3" is no number; want`},
		{"a point alone", "at_s\n.\n", `a.csv:2:1: "." is no number; want`},
		{"a point at the end", "at_s\n1.\n", `a.csv:2:2: "1." is no number; want`},
		{"a space", "at_s\n 1\n", `a.csv:2:1: " 1" is no number; want`},
		{"too fine", "at_us\n1.0001\n", `a.csv:2:6: "1.0001" is finer than a nanosecond; want`},
		{"out of order", "at_s\n2\n1\n", `a.csv:3:1: "1" is before the instant in line 2; want instants in order`},
		{"too late", "at_s\n86400.1\n", `a.csv:2:1: "86400.1" is too large; want a number such as 12.5, from 0 to ` +
			`86400 s`},
		{"since 1970", "at_s\n1767225600\n", `a.csv:2:1: "1767225600" is too large; want`},
		{"far too late", "at_ns\n99999999999999999999999999\n", `a.csv:2:1: "99999999999999999999999999" is too ` +
			`large; want a number such as 12.5, from 0 to 8.64e+13 ns`},
		{"a hole", "at_s\n1\n\n2\n", "a.csv:3:1: the line is empty; want an instant, or the end of the file"},
		{"escapes", "at_s\n\x1b[2J\n", `a.csv:2:1: "\x1b[2J" is no number; want`},
	} {
		_, err := ParseTrace("a.csv", []byte(tt.text))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v; want %s", tt.about, err, tt.want)
		}
	}
	if _, err := ParseTrace("a.csv", make([]byte, MaxTraceBytes+1)); err == nil ||
		!strings.HasPrefix(err.Error(), "a.csv:1:1: the file has 67108865 bytes; want at most 67108864") {
		t.Errorf("a file that is too large: got %v", err)
	}
}

// FuzzTrace holds ParseTrace to its promises whatever the text: no panic, errors with
// places, and instants that are in order and read back.
func FuzzTrace(f *testing.F) {
	for _, text := range []string{"at_s\n0.5\n1\n", "at_ms\r\n7\r\n", "at_ns\n", "at_us\n1.5\n\n", "at_s\n1\n0\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ParseTrace("fuzz.csv", text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || strings.ContainsRune(e.Msg, '\n') {
				t.Fatalf("the error has no place: %v", err)
			}
			return
		}
		var b strings.Builder
		b.WriteString("at_ns\n")
		for i, at := range got {
			if at < 0 || at > maxTraceLength || i > 0 && at < got[i-1] {
				t.Fatalf("instant %d is %d", i, at)
			}
			fmt.Fprintf(&b, "%d\n", at)
		}
		again, err := ParseTrace("again.csv", []byte(b.String()))
		if d := cmp.Diff(got, again); err != nil || d != "" {
			t.Fatalf("the trace does not read back: %v %s", err, d)
		}
	})
}

// replaying parses a scenario and gives it a trace.
func replaying(t *testing.T, more, trace string) (*Scenario, error) {
	t.Helper()
	s, err := Parse("x.yaml", []byte("name: x\nflows: [direct]\n"+more))
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Replay("a.csv", []byte(trace))
}

const replayed = "load: {arrivals: replay, trace: {file: a.csv}}\n"

func TestAReplayHasTheInstantsOfItsTraceAfterTheWarmUp(t *testing.T) {
	s, err := replaying(t, "warmup: 1s\n"+replayed, "at_s\n0\n0.5\n0.75\n1.999\n")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	l := p.Cells[0].Load
	if l.Duration != 2*second || l.RatePerS != 2 || l.Trace.N != 4 {
		t.Errorf("the load has %d instants in %s at %g/s; want 4 in 2s at 2/s", l.Trace.N, l.Duration, l.RatePerS)
	}
	want := []time.Duration{0, 500e6, 1e9, 1500e6, 1750e6, 2999e6}
	if d := cmp.Diff(want, instants(l.Schedule(1), 100)); d != "" {
		t.Errorf("the schedule is another (-want +got):\n%s", d)
	}
	if got := string(p.Trace().Text()); got != "at_s\n0\n0.5\n0.75\n1.999\n" {
		t.Errorf("the run would keep %q", got)
	}
}

func TestAReplayMayBeFasterAndCutShort(t *testing.T) {
	for _, tt := range []struct {
		about, more, trace string
		want               []time.Duration
		span               Duration
	}{
		{"twice as fast", "warmup: 0s\nload: {arrivals: replay, trace: {file: a.csv, speed: 2}}\n",
			"at_s\n0.5\n1\n3\n", []time.Duration{250e6, 500e6, 1500e6}, 1501 * millisecond},
		{"cut short", "warmup: 0s\nduration: 1s\n" + replayed, "at_s\n0.5\n0.999999999\n1\n3\n",
			[]time.Duration{500e6, 999999999}, second},
		{"at once", "warmup: 0s\n" + replayed, "at_ns\n0\n0\n", []time.Duration{0, 0}, 10 * millisecond},
	} {
		s, err := replaying(t, tt.more, tt.trace)
		if err != nil {
			t.Errorf("%s: %v", tt.about, err)
			continue
		}
		if d := cmp.Diff(tt.want, instants(s.Load.Schedule(1), 100)); d != "" || s.Load.Duration != tt.span {
			t.Errorf("%s: the measured time is %s, want %s (-want +got):\n%s", tt.about, s.Load.Duration, tt.span, d)
		}
	}
}

func TestAReplayIsRefusedWhereItDoesNotFit(t *testing.T) {
	for _, tt := range []struct{ about, more, trace, want string }{
		{"longer than the trace", "duration: 5s\n" + replayed, "at_s\n1\n",
			"x.yaml:3:1: duration 5s is longer than the trace, which ends after 1.001s; want at most that"},
		{"nothing is due", "duration: 5s\n" + replayed, "at_s\n6\n",
			"x.yaml:3:1: no operation of the trace is due in the measured 5s, the first only after 6s; want more"},
		{"the trace is broken", replayed, "at_s\nx\n", `a.csv:2:1: "x" is no number; want`},
	} {
		if _, err := replaying(t, tt.more, tt.trace); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v; want %s", tt.about, err, tt.want)
		}
	}
	s, err := Parse("x.yaml", []byte("name: x\nflows: [direct]\n"+replayed))
	if err != nil {
		t.Fatal(err)
	}
	want := `x.yaml:3:34: the trace "a.csv" has not been read; want its text before the plan`
	if _, err := s.Plan(testCatalog()); err == nil || err.Error() != want {
		t.Errorf("a plan without its trace: got %v; want %s", err, want)
	}
}

func TestAReplayKeepsOrderAndCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gaps := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Second)), 1, 50).Draw(t, "gaps")
		speed := rapid.Float64Range(0.01, 100).Draw(t, "speed")
		var b strings.Builder
		b.WriteString("at_ns\n")
		at := int64(0)
		for _, g := range gaps {
			at += g
			fmt.Fprintf(&b, "%d\n", at)
		}
		s, err := Parse("x.yaml", fmt.Appendf(nil, "name: x\nflows: [direct]\nwarmup: 1s\n"+
			"load: {arrivals: replay, trace: {file: a.csv, speed: %s}}\n", formatFloat(speed)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Replay("a.csv", []byte(b.String())); err != nil {
			t.Fatal(err)
		}
		all := instants(s.Load.Schedule(1), 1_000_000)
		warm := int(math.Round(s.Load.RatePerS))
		if len(all) != warm+len(gaps) {
			t.Fatalf("got %d instants; want %d of the warm-up and %d of the trace", len(all), warm, len(gaps))
		}
		end := time.Duration(s.Load.Warmup + s.Load.Duration)
		for i, at := range all {
			if at < 0 || at >= end || i > 0 && at < all[i-1] {
				t.Fatalf("instant %d is %s of %s", i, at, end)
			}
		}
	})
}
