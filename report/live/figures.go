package live

import (
	"fmt"
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// Figures are how a run is doing at one moment.
type Figures struct {
	Cell    string // that is under way; empty before the first
	Index   int    // of the cell, counting from 0
	Cells   int    // in the plan
	Ended   int    // of these
	Trial   string // of a sweep, in words; empty in other cells
	Phase   string
	Elapsed time.Duration // since the load of the cell began
	Length  time.Duration // of the load of the cell
	Left    time.Duration // estimate for the whole run; 0 where nobody knows

	OKPerS   float64       // in the last second
	P50, P99 time.Duration // latency of the last second; 0 where nothing ended
	InFlight int64         // operations under way; negative where nobody knows

	Measured, Warmup results.Counts
	Account          results.Accounting
	Active           []string // faults that are in force
	Points           []Point  // the latest, oldest first

	Over   bool          // the run has ended
	Behind time.Duration // how old the figures are, where they are read from files
	Quiet  time.Duration // how long nothing has been written, if that is remarkable
}

// A Point is one second of a run.
type Point struct {
	Seq   int64    `json:"seq"` // since the run began, counting what there is
	Cell  int      `json:"cell"`
	OK    float64  `json:"ok"`    // operations per second that ended ok
	P99   *float64 `json:"p99"`   // latency in milliseconds; nil where nothing ended
	Fault bool     `json:"fault"` // a fault was in force
}

// maxPoints is how many seconds the figures remember.
const maxPoints = 120

// newPoint returns the point of a second.
func newPoint(cell int, okPerS float64, p99 time.Duration, active []string) Point {
	p := Point{Cell: cell, OK: okPerS, Fault: len(active) > 0}
	if p99 > 0 {
		ms := float64(p99.Microseconds()) / 1000
		p.P99 = &ms
	}
	return p
}

// addPoint appends p and forgets the oldest.
func addPoint(points []Point, p Point) []Point {
	if len(points) > 0 {
		p.Seq = points[len(points)-1].Seq + 1
	}
	if len(points) == maxPoints {
		points = append(points[:0:0], points[1:]...) // readers may still have the old ones
	}
	return append(points, p)
}

// A message is what a browser is told: text to put in places, and numbers to draw.
type message struct {
	Text   map[string]string `json:"text"`
	Done   float64           `json:"done"` // share of the cell's load
	Faults string            `json:"faults"`
	Points []Point           `json:"points"` // that the browser does not have yet
	Ended  int               `json:"ended"`
	Over   bool              `json:"over"`
	Quiet  bool              `json:"quiet"`
}

// message returns what to tell a browser that has the points up to seq.
func (f Figures) message(seq int64) message {
	m := message{
		Ended: f.Ended, Over: f.Over, Quiet: f.Quiet > 0, Points: []Point{},
		Text: map[string]string{
			"where": f.where(), "note": f.note(),
			"rate": words.Digits(f.OKPerS), "p50": latency(f.P50), "p99": latency(f.P99), "inflight": words.Absent,
			"bad": words.Count(f.Measured.Failed + f.Measured.Unknown + f.Measured.Dropped),
		},
	}
	if f.Length > 0 {
		m.Done = min(float64(max(f.Elapsed, 0))/float64(f.Length), 1)
	}
	if f.InFlight >= 0 {
		m.Text["inflight"] = words.Count(f.InFlight)
	}
	var names []string
	for _, name := range f.Active {
		names = append(names, words.Clean(name))
	}
	m.Faults = strings.Join(names, ", ")
	for phase, c := range map[string]results.Counts{"measured": f.Measured, "warmup": f.Warmup} {
		for name, n := range map[string]int64{
			"due": c.Due, "ok": c.OK, "failed": c.Failed, "unknown": c.Unknown, "dropped": c.Dropped,
		} {
			m.Text[phase+"-"+name] = words.Count(n)
		}
	}
	for _, class := range classes(f.Account) {
		m.Text["account-"+class.name] = words.Count(class.n)
	}
	for i, p := range f.Points {
		if p.Seq > seq {
			m.Points = f.Points[i:]
			break
		}
	}
	return m
}

// where says which cell is under way and how far it is.
func (f Figures) where() string {
	switch {
	case f.Over:
		return fmt.Sprintf("%d of %s ended.", f.Ended, words.Plural(int64(f.Cells), "cell"))
	case f.Cell == "":
		return fmt.Sprintf("No cell of %d has begun yet.", f.Cells)
	}
	s := fmt.Sprintf("Cell %d of %d, %s", f.Index+1, f.Cells, words.Clean(f.Cell))
	if f.Trial != "" {
		s += ", " + words.Clean(f.Trial)
	}
	s += ": " + words.Clean(f.Phase)
	if f.Elapsed > 0 && f.Length > 0 {
		s += fmt.Sprintf(", %s of %s", whole(min(f.Elapsed, f.Length)), whole(f.Length))
	}
	if f.Left > 0 {
		s += fmt.Sprintf("; about %s left in all", whole(f.Left))
	}
	return s + "."
}

func (f Figures) note() string {
	switch {
	case f.Over:
		return ""
	case f.Quiet > 0:
		return fmt.Sprintf("Nothing has been written for %s: the run may have been killed.", whole(f.Quiet))
	case f.Behind > 0:
		return fmt.Sprintf("Read from the run directory, where a second is written when all of its operations have "+
			"ended: about %s behind.", whole(f.Behind))
	}
	return ""
}

// whole returns d in whole seconds, as people say it.
func whole(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s < 120 {
		return fmt.Sprintf("%d s", s)
	}
	return fmt.Sprintf("%d min %d s", s/60, s%60)
}

func latency(d time.Duration) string {
	if d == 0 {
		return words.Absent
	}
	return words.Duration(d)
}

// A class is one number of an account.
type class struct {
	name string
	n    int64
}

// classes returns what of an account can be told while a cell is under way. All of
// them but undecided only grow.
func classes(a results.Accounting) []class {
	decided := a.OK + a.Failed + a.Lost + a.Vanished + a.Refused + a.Phantom + a.UnknownApplied + a.UnknownNever
	return []class{
		{"attempted", a.Attempted}, {"acknowledged", a.Acknowledged}, {"applied", a.Applied},
		{"duplicated", a.Duplicated}, {"reordered", a.Reordered}, {"unexpected", a.Unexpected},
		{"redelivered", a.Redelivered}, {"undecided", max(a.Attempted-decided, 0)},
	}
}
