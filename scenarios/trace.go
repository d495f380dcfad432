package scenarios

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"
)

// A Trace is a recording of when operations arrived, which a load with arrivals
// replay repeats. The scenario names a file; whoever has read it hands its text to
// [Scenario.Replay], since this package opens none.
type Trace struct {
	File    string  `json:"file"`  // relative to the scenario's
	Speed   float64 `json:"speed"` // 2 makes it take half the time
	N       int     `json:"n"`     // arrivals in all; the measured time may have fewer
	instant []time.Duration
	text    []byte
}

// The bounds of a trace. They keep a file that was named by mistake from costing
// more than a glance.
const (
	MaxTraceBytes  = 64 << 20
	maxTraceLength = 24 * time.Hour
	maxInstants    = 5_000_000
)

const (
	tracePath = "load.trace"
	traceFile = tracePath + ".file"
)

func (s *Scenario) traceSettings() []setting {
	t := &Trace{Speed: 1}
	s.Load.Trace = t
	return []setting{
		{key: "file", required: true, value: text{to: &t.File, max: 1024},
			about: "CSV file with one column, at_s, at_ms, at_us or at_ns: when each operation is due, in order, " +
				"counted from the beginning of the measured time; relative to the scenario's own file"},
		{key: "speed", value: float{&t.Speed, 0.01, 100},
			about: "how many times faster than recorded it is replayed"},
	}
}

// settleTrace takes out what does not apply and checks what a trace goes with.
func (s *Scenario) settleTrace(r *reader) {
	l := &s.Load
	if l.Arrivals != Replay {
		l.Trace = nil
		return
	}
	l.RatePerS = 0
	if l.Trace != nil && l.Trace.File == "" && r.wrote(traceFile) && !r.bad[traceFile] {
		r.add(r.where(traceFile), "%s is empty; want the name of a CSV file", traceFile)
	}
}

// TraceFile returns the file that the scenario replays, as it is written there, or
// nothing for one that replays none.
func (s *Scenario) TraceFile() string {
	if s.Load.Trace == nil {
		return ""
	}
	return s.Load.Trace.File
}

// Replay gives a scenario the text of its trace; name is that of the file, for
// errors. The measured time becomes the length of the trace unless the scenario
// says how much of it is to be replayed. Errors have places, as those of [Parse].
func (s *Scenario) Replay(name string, text []byte) error {
	l := &s.Load
	all, err := ParseTrace(name, text)
	if err != nil {
		return err
	}
	var p problems
	for i, at := range all {
		all[i] = time.Duration(math.Round(float64(at) / l.Trace.Speed))
	}
	last := all[len(all)-1]
	length := (last/time.Millisecond + 1) * time.Millisecond
	at := s.places[traceFile]
	if set, written := s.places["duration"]; written {
		at = set
	} else {
		l.Duration = max(Duration(length), 10*millisecond)
	}
	n := 0
	for n < len(all) && all[n] < time.Duration(l.Duration) {
		n++
	}
	switch {
	case time.Duration(l.Duration) > max(length, 10*time.Millisecond):
		p.add(at, "duration %s is longer than the trace, which ends after %s; want at most that", l.Duration,
			Duration(length))
	case n == 0:
		p.add(at, "no operation of the trace is due in the measured %s, the first only after %s; want more",
			l.Duration, Duration(all[0]))
	}
	l.RatePerS = float64(n) / l.Duration.seconds()
	l.Trace.N, l.Trace.instant, l.Trace.text = len(all), all[:n:n], bytes.Clone(text)
	return p.err()
}

// Trace returns the trace that the cells of a plan replay, or nil.
func (p *Plan) Trace() *Trace {
	for _, c := range p.Cells {
		if c.Load.Trace != nil {
			return c.Load.Trace
		}
	}
	return nil
}

// Text returns the file's text, so that a run can keep it.
func (t *Trace) Text() []byte { return t.text }

// String describes the trace in one phrase.
func (t *Trace) String() string {
	s := fmt.Sprintf("the arrivals of %s", t.File)
	if t.Speed != 1 {
		s += ", " + formatFloat(t.Speed) + " times as fast"
	}
	return s
}

// units are what the head of a trace's column may be, and how many nanoseconds the
// numbers below it count.
func units() map[string]int64 {
	return map[string]int64{"at_s": 1e9, "at_ms": 1e6, "at_us": 1e3, "at_ns": 1}
}

// ParseTrace reads a trace: a head that names the unit, and below it the instants
// of arrivals, one in a line, none before the one above it. Numbers are decimal and
// read exactly to the nanosecond. Empty lines are allowed at the end only.
func ParseTrace(name string, text []byte) ([]time.Duration, error) {
	var p problems
	fail := func(line, col int, format string, args ...any) ([]time.Duration, error) {
		p.add(place{name, line, col}, format, args...)
		return nil, p.err()
	}
	if len(text) > MaxTraceBytes {
		return fail(1, 1, "the file has %d bytes; want at most %d", len(text), MaxTraceBytes)
	}
	head, rest, _ := strings.Cut(string(text), "\n")
	head = strings.TrimSuffix(head, "\r")
	unit, ok := units()[head]
	if !ok {
		return fail(1, 1, "the head is %s; want one column, named at_s, at_ms, at_us or at_ns", quote(head))
	}
	var all []time.Duration
	line := 1
	for rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, "\n")
		one = strings.TrimSuffix(one, "\r")
		line++
		if one == "" {
			if strings.Trim(rest, "\r\n") != "" {
				return fail(line, 1, "the line is empty; want an instant, or the end of the file")
			}
			break
		}
		at, col, wrong := parseInstant(one, unit)
		if wrong != "" {
			return fail(line, col, "%s is %s; want a number such as 12.5, from 0 to %g %s", quote(one), wrong,
				maxTraceLength.Seconds()*1e9/float64(unit), head[len("at_"):])
		}
		if n := len(all); n > 0 && at < all[n-1] {
			return fail(line, 1, "%s is before the instant in line %d; want instants in order", quote(one), line-1)
		}
		if len(all) == maxInstants {
			return fail(line, 1, "the trace goes on after %d arrivals; want no more", maxInstants)
		}
		all = append(all, at)
	}
	if len(all) == 0 {
		return fail(line, 1, "the trace has no arrivals; want a line for each")
	}
	return all, nil
}

// parseInstant reads a decimal number of a unit of so many nanoseconds, a power of
// ten. Digits beyond the nanosecond must be 0. If it is none, wrong says what it is
// and col where.
func parseInstant(text string, unit int64) (at time.Duration, col int, wrong string) {
	var ns int64
	scale, point := int64(0), false // after the point, what the next digit is worth
	digits := 0
	for i, c := range []byte(text) {
		switch {
		case c == '.' && !point && digits > 0:
			point, scale = true, unit/10
			continue
		case c < '0' || c > '9':
			return 0, i + 1, "no number"
		}
		digits++
		d := int64(c - '0')
		switch {
		case !point:
			ns = ns*10 + d*unit
		case scale == 0 && d != 0:
			return 0, i + 1, "finer than a nanosecond"
		default:
			ns += d * scale
			scale /= 10
		}
		if ns > int64(maxTraceLength) {
			return 0, 1, "too large"
		}
	}
	if digits == 0 || text[len(text)-1] == '.' {
		return 0, len(text), "no number"
	}
	return time.Duration(ns), 0, ""
}

// replay returns the schedule of a load that repeats a trace. The warm-up has even
// arrivals at the mean rate of what is measured.
func (l Load) replay() Schedule {
	return &replaySchedule{
		warmup:  constantSchedule{rate: l.RatePerS, n: uint64(math.Round(l.RatePerS * l.Warmup.seconds()))},
		from:    time.Duration(l.Warmup),
		instant: l.Trace.instant,
	}
}

// A replaySchedule yields a warm-up and then recorded instants.
type replaySchedule struct {
	warmup  constantSchedule
	from    time.Duration
	instant []time.Duration
	i       int
}

func (s *replaySchedule) Next() (time.Duration, bool) {
	if at, ok := s.warmup.Next(); ok {
		return min(at, s.from), true
	}
	if s.i >= len(s.instant) {
		return 0, false
	}
	at := s.from + s.instant[s.i]
	s.i++
	return at, true
}
