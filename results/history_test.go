package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// someHistory returns a history with one event of every kind, and the events.
func someHistory(t testing.TB) (string, []HistoryEvent) {
	t.Helper()
	var b bytes.Buffer
	cell := newCell(1)
	cell.Heard = &Heard{Subscribers: 2}
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &bytes.Buffer{}, History: &b})
	r.Issue(9)
	op, other := uint64(4), uint64(0)
	o := at(1, 1500*time.Millisecond)
	o.Ended, o.Read = o.Answered, AfterAnswered
	odd := Outcome{
		Op: 2, Kind: Query, Key: 1 << 31, Status: Unknown, Class: "a\"\n\u2028", Due: origin - 1, Started: origin - 2,
	}
	events := []HistoryEvent{
		{Stray: &op}, {Stray: &other}, {Redelivered: &op},
		{Heard: &HistoryNotice{4, 1}}, {Heard: &HistoryNotice{0, -1}},
		{Applied: &Applied{Op: 1, Key: 3, Version: 1 << 60, At: origin + 1, Instance: 1}},
		{Applied: &Applied{Op: 1, Key: 3, Version: 2, At: origin - 1, Corrupt: true}},
		{Applied: &Applied{Op: 1<<64 - 1, At: origin, Repeated: true}},
		{Applied: &Applied{Op: 1, At: origin, Refused: true}},
		{Outcome: &o}, {Outcome: &odd}, {Outcome: &Outcome{Op: 3, Due: origin, Status: Dropped}},
	}
	for _, e := range events {
		switch {
		case e.Stray != nil:
			r.Stray(*e.Stray)
		case e.Redelivered != nil:
			r.Redelivered(*e.Redelivered, 0)
		case e.Heard != nil:
			r.Heard(e.Heard.Op, e.Heard.Subscriber, origin)
		case e.Applied != nil:
			r.Applied(*e.Applied)
		default:
			r.Outcome(*e.Outcome)
		}
		r.Collect(origin)
	}
	r.cell.Drained = true
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), events
}

func TestAHistoryIsReadAsItWasWritten(t *testing.T) {
	text, want := someHistory(t)
	var got []HistoryEvent
	h, err := ReadHistory(strings.NewReader(text), func(e HistoryEvent) { got = append(got, e) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the events differ (-written +read):\n%s", diff)
	}
	if h.Torn || h.End == nil || h.End.Issued != 9 || !h.End.Drained || h.Cell != "flow-broker" ||
		h.Warmup != time.Second {
		t.Errorf("the history is %+v, its end %+v", h, h.End)
	}
}

// TestDamagedHistoriesSayWhereOrThatTheyAreTorn damages a history as crashes and
// people do.
func TestDamagedHistoriesSayWhereOrThatTheyAreTorn(t *testing.T) {
	whole, _ := someHistory(t)
	lines := strings.SplitAfter(whole, "\n")
	head, event, end := lines[0], lines[4], lines[len(lines)-2]
	for _, tt := range []struct{ name, text, want string }{
		{"killed between two lines", head + event, "torn false, end false"},
		{"killed in the middle of one", head + event + event[:10], "torn true, end false"},
		{"killed in the middle of the end", head + event + end[:20], "torn true, end false"},
		{"killed before the first line", "", "it is empty"},
		{"killed in the first line", head[:10], "read line 1: "},
		{"of another layout", `{"schema":"flowbench.history/9"}`, `schema is "flowbench.history/9"; this`},
		{"torn in the middle", head + event[:10] + "\n" + event, "read line 2: "},
		{"with something after the end", head + end + event, "read line 3: something follows the end"},
		{"with an event that there is not", head + `["done",1]` + "\n" + end, `there is no event "done"`},
		{"with a field too few", head + `["stray"]` + "\n" + end, "it has 0 fields; want 1"},
		{"with a kind that there is not", head + strings.Replace(lines[10], "command", "wish", 1) + end,
			`there is no kind "wish"`},
		{"with an empty line", head + "[]\n" + end, "the line is empty"},
		{"with an end that is none", head + "{}\n" + end, "neither an event nor the end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := ReadHistory(strings.NewReader(tt.text), func(HistoryEvent) {})
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprintf("torn %v, end %v", h.Torn, h.End != nil)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

// FuzzReadHistory reads arbitrary text as a history. What can be read must be the
// same when it is written and read again.
func FuzzReadHistory(f *testing.F) {
	text, _ := someHistory(f)
	f.Add(text)
	f.Add(`{"schema":"flowbench.history/1"}` + "\n" + `["outcome",1,0,"query",0,"ok","",0,null,null,null,null,0]`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		var first, second []HistoryEvent
		h, err := ReadHistory(strings.NewReader(text), func(e HistoryEvent) { first = append(first, e) })
		if err != nil {
			return
		}
		var b bytes.Buffer
		cell := newCell(1)
		w := newHistoryWriter(CellConfig{Cell: cell, Origin: h.Origin, History: &b})
		for _, e := range first {
			switch {
			case e.Stray != nil:
				w.stray(*e.Stray)
			case e.Redelivered != nil:
				w.redelivered(*e.Redelivered)
			case e.Heard != nil:
				w.heard(e.Heard.Op, e.Heard.Subscriber)
			case e.Applied != nil:
				if e.Applied.Instance < 0 {
					return // no recorder writes these
				}
				w.applied(*e.Applied)
			default:
				if e.Outcome.Client < 0 || unstarted(e.Outcome) {
					return // nor these
				}
				w.outcome(*e.Outcome)
			}
		}
		if err := w.close(cell, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadHistory(&b, func(e HistoryEvent) { second = append(second, e) }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("written again it differs:\n%s", diff)
		}
	})
}

// unstarted reports whether a stage was reached at the very beginning of the
// runtime's clock, which a recorder takes for not reached.
func unstarted(o *Outcome) bool {
	return o.Started == 0 || o.Accepted == 0 || o.Answered == 0 || o.Ended == 0
}

// TestAHistoryThatIsTooLongIsCut has one begin where it may not go on.
func TestAHistoryThatIsTooLongIsCut(t *testing.T) {
	var b bytes.Buffer
	cell := newCell(1)
	w := newHistoryWriter(CellConfig{Cell: cell, Origin: origin, History: &b})
	w.stray(1)
	w.size = maxHistory
	w.stray(2)
	if err := w.close(cell, 2); err != nil {
		t.Fatal(err)
	}
	n := 0
	h, err := ReadHistory(&b, func(HistoryEvent) { n++ })
	if err != nil || n != 1 || h.End == nil || !h.End.Cut {
		t.Errorf("read %d events, end %+v (%v); want one, and that it was cut", n, h.End, err)
	}
}

// TestAHistoryIsThereUpToTheLastCompleteSecond looks at what a crash would leave.
func TestAHistoryIsThereUpToTheLastCompleteSecond(t *testing.T) {
	var b bytes.Buffer
	r := NewCellRecorder(CellConfig{Cell: newCell(1), Origin: origin, Seconds: &bytes.Buffer{}, History: &b})
	r.Issue(1)
	r.Outcome(at(1, 0))
	r.Collect(origin + 10*time.Second)
	n := 0
	if _, err := ReadHistory(&b, func(HistoryEvent) { n++ }); err != nil || n != 1 {
		t.Errorf("read %d events (%v); want the one that there was", n, err)
	}
}

func TestAHistoryThatCannotBeWrittenIsAnError(t *testing.T) {
	r := NewCellRecorder(CellConfig{Cell: newCell(1), Origin: origin, Seconds: &bytes.Buffer{}, History: full{}})
	r.Stray(1)
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "write history: no space") {
		t.Errorf("got %v; want that the history could not be written", err)
	}
}

// full is a disk with no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space") }

// TestClassesAreTheFieldsOfTheAccount counts one of each class and looks where it
// went.
func TestClassesAreTheFieldsOfTheAccount(t *testing.T) {
	classes := Classes()
	if n := reflect.TypeFor[Accounting]().NumField(); n != len(classes) {
		t.Fatalf("%d classes for %d fields", len(classes), n)
	}
	for i, c := range classes {
		var a Accounting
		*a.of(class(i)) = 1
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), fmt.Sprintf("%q:1", c.Key)) || c.Of(a) != 1 || c.Name == "" || c.Rule == "" {
			t.Errorf("class %q (%s) is counted in %s", c.Name, c.Key, b)
		}
	}
}

func TestBucketsAreAsPreciseAsTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(highest)).Draw(t, "latency"))
		got := bucketMiddle(bucketOf(d))
		if off := (got - d).Abs(); off > time.Microsecond && float64(off) > 0.01*float64(d) {
			t.Fatalf("%v becomes %v", d, got)
		}
		if bucketOf(d+time.Microsecond) < bucketOf(d) {
			t.Fatalf("the bucket of a longer latency than %v comes before its own", d)
		}
	})
}
