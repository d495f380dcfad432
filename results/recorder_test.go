package results

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCell(clients int) *Cell {
	return &Cell{
		ID: "flow-broker", Flow: "flow", Broker: "broker", Payload: "inline",
		Load: Load{
			Arrivals:    "constant",
			Clients:     clients,
			Timeout:     time.Second,
			Warmup:      time.Second,
			Measured:    3 * time.Second,
			MaxInFlight: 10,
		},
		Served: make([]int64, 2),
	}
}

const origin = 5 * time.Second

// at returns an operation that was due d after the origin and answered in one
// millisecond.
func at(op uint64, d time.Duration) Outcome {
	due := origin + d
	return Outcome{
		Op:       op,
		Client:   int(op),
		Kind:     Command,
		Due:      due,
		Started:  due + 50*time.Microsecond,
		Answered: due + time.Millisecond,
	}
}

func TestOperationsBelongToTheSecondAndThePhaseInWhichTheyWereDue(t *testing.T) {
	var seconds bytes.Buffer
	cell := newCell(4)
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &seconds})
	r.Issue(6)
	late := at(3, 1900*time.Millisecond)
	late.Answered += 2 * time.Second // answered in another second than it was due
	dropped := Outcome{Op: 4, Status: Dropped, Due: origin + 2500*time.Millisecond}
	timedOut := Outcome{
		Op:      5,
		Status:  Unknown,
		Class:   "timeout",
		Due:     origin + 3500*time.Millisecond,
		Started: origin + 3500*time.Millisecond,
	}
	for _, o := range []Outcome{at(1, 0), at(2, 1100*time.Millisecond), late, dropped, timedOut} {
		r.Outcome(o)
	}
	for op := uint64(1); op <= 3; op++ {
		r.Applied(Applied{Op: op, Key: 0, Version: op, At: origin + 2*time.Second, Instance: int(op % 2)})
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	if want := (Counts{Due: 4, OK: 2, Unknown: 1, Dropped: 1}); cell.Counts != want {
		t.Errorf("counts are %+v; want %+v", cell.Counts, want)
	}
	if want := (Counts{Due: 1, OK: 1}); cell.WarmupOps != want {
		t.Errorf("warm-up counts are %+v; want %+v", cell.WarmupOps, want)
	}
	if !cell.Counts.Closes() {
		t.Error("the counts do not close")
	}
	if h := cell.LatencyOf(Command, AnsweredStage); h == nil || h.N() != 2 || h.Max() < 2*time.Second {
		t.Errorf("answered latency is %v; want two, one of them over 2s", h)
	}
	if h := cell.LatencyOf(Command, AppliedStage); h == nil || h.N() != 2 {
		t.Errorf("applied latency is %v; want two", h)
	}
	if h := cell.LatencyOf(Command, AcceptedStage); h != nil {
		t.Errorf("accepted latency is %v; want none, since no operation reached that stage", h)
	}
	if cell.SendLag.N() != 3 { // the dropped one never started
		t.Errorf("send lag has %d values; want 3", cell.SendLag.N())
	}
	if got := cell.Served; got[0] != 1 || got[1] != 2 {
		t.Errorf("served %v; want [1 2]", got)
	}
	var got []string
	for text := range strings.Lines(seconds.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		got = append(got, l.Second.Phase+":"+string('0'+rune(l.Second.Counts.Due)))
	}
	if want := "warmup:1 measured:2 measured:1 measured:1"; strings.Join(got, " ") != want {
		t.Errorf("seconds are %v; want %s", got, want)
	}
}

func TestManyClientsRecordAtOnce(t *testing.T) {
	const clients, each = 20, 2000 // more than a lane takes between two collections
	var seconds bytes.Buffer
	cell := newCell(clients)
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &seconds})
	r.Issue(clients * each)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				op := uint64(c*each + i + 1)
				o := at(op, time.Duration(i)*time.Millisecond)
				o.Client = c
				r.Outcome(o)
				r.Applied(Applied{Op: op, Key: uint32(c), Version: uint64(i + 1), At: o.Answered})
			}
		})
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for now := origin; ; now += time.Millisecond {
			select {
			case <-stop:
				return
			default:
				r.Collect(now)
				r.Live()
			}
		}
	}()
	wg.Wait()
	close(stop)
	<-done
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got := cell.Counts.Due + cell.WarmupOps.Due; got != clients*each {
		t.Errorf("%d operations recorded; want %d", got, clients*each)
	}
	want := Accounting{
		Attempted: clients * each, Acknowledged: clients * each, Applied: clients * each, OK: clients * each,
	}
	if cell.Accounting != want {
		t.Errorf("account is %+v; want %+v", cell.Accounting, want)
	}
}

// TestRecordingDoesNotAllocate looks at what a client pays. The collector's side
// is in BenchmarkRecord.
func TestRecordingDoesNotAllocate(t *testing.T) {
	r := NewCellRecorder(CellConfig{Cell: newCell(1), Origin: origin, Seconds: &bytes.Buffer{}})
	o := at(1, 0)
	if n := testing.AllocsPerRun(laneBuffer/2, func() { r.Outcome(o) }); n != 0 {
		t.Errorf("recording an outcome allocates %v times; want 0", n)
	}
}

func testRun() *Run {
	return &Run{
		Schema:   RunSchema,
		ID:       "r",
		Scenario: "s",
		Versions: map[string]string{},
		CellIDs:  []string{"flow-broker", "later"},
	}
}

// writeUnfinished writes a run that was killed in its first cell.
func writeUnfinished(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testRun(), map[string][]byte{"scenario.yaml": []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cell := newCell(1)
	seconds, err := w.BeginCell(cell)
	if err != nil {
		t.Fatal(err)
	}
	defer seconds.Close()
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: seconds})
	r.Issue(4000)
	for i := range uint64(3500) {
		r.Outcome(at(i+1, time.Duration(i)*time.Millisecond))
	}
	r.Collect(origin + 5*time.Second) // the first three seconds have timed out by now
	return dir
}

func TestARunThatWasKilledReadsAsUnfinished(t *testing.T) {
	dir := writeUnfinished(t)
	run, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if run.Finished || run.Sound() || len(run.Cells) != 1 {
		t.Fatalf(
			"finished %v, sound %v, %d cells; want an unfinished run with one cell",
			run.Finished,
			run.Sound(),
			len(run.Cells),
		)
	}
	c := run.Cells[0]
	if c.Valid || len(c.Why) == 0 {
		t.Errorf("valid %v, why %q; want not valid, and why", c.Valid, c.Why)
	}
	if want := (Counts{Due: 2000, OK: 2000}); c.Counts != want {
		t.Errorf("counts are %+v; want those of the two measured seconds that were written, %+v", c.Counts, want)
	}
	h := c.LatencyOf(Command, AnsweredStage)
	if h == nil || h.N() != 2000 || h.Quantile(0.5).Round(100*time.Microsecond) != time.Millisecond {
		t.Errorf("latency is %v; want 2000 of 1ms", h)
	}
}

func TestATornLastLineIsForgivenAndATornMiddleIsNot(t *testing.T) {
	dir := writeUnfinished(t)
	name := filepath.Join(dir, "cells", "flow-broker.jsonl")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data[:len(data)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := Read(dir)
	if err != nil || len(run.Cells[0].Seconds) != 2 {
		t.Fatalf("got %v; want the two whole seconds", err)
	}
	if err := os.WriteFile(name, append([]byte("{torn\n"), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "flow-broker.jsonl:1") {
		t.Errorf("got %v; want an error that names the line", err)
	}
}

func TestCreateTouchesNothingThatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, testRun(), nil); err == nil {
		t.Error("created a run in a directory with something in it")
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "holds no run") {
		t.Errorf("reading it says %v; want that it holds no run", err)
	}
}

func TestHistogramsSurviveJSON(t *testing.T) {
	h := NewHist()
	for i := range 1000 {
		h.Record(time.Duration(i*i) * time.Microsecond)
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back Hist
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	for _, p := range []float64{0, 0.5, 0.99, 1} {
		if got, want := back.Quantile(p), h.Quantile(p); got != want {
			t.Errorf("quantile %v is %v after reading; want %v", p, got, want)
		}
	}
	if back.N() != 1000 {
		t.Errorf("n is %d after reading; want 1000", back.N())
	}
}

func TestRecordKeepsWhatIsOutOfRangeAtTheBound(t *testing.T) {
	h := NewHist()
	h.Record(-time.Second)
	h.Record(24 * time.Hour)
	if h.N() != 2 || h.Max() < highest {
		t.Errorf("n %d, max %v; want both values kept, at most %v", h.N(), h.Max(), highest)
	}
}

// TestJudge holds each reason for not trusting a cell against a cell that has
// only that.
func TestJudge(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(c *Cell)
		why   string
	}{
		{"a sound cell is valid", func(*Cell) {}, ""},
		{"one that was cut short is not", func(c *Cell) { c.Finished = false }, "cut short"},
		{"nor one without operations", func(c *Cell) { c.Counts = Counts{} }, "no operation was due"},
		{"nor one whose sums do not close", func(c *Cell) { c.Counts.Due++ }, "defect"},
		{"nor one with dropped operations", func(c *Cell) { c.Counts.Dropped++; c.Counts.OK-- }, "max_in_flight"},
		{"nor one that was not drained", func(c *Cell) { c.Drained = false }, "drain ended"},
		{"nor one whose account gave up", func(c *Cell) { c.Accounting.Unresolved = 1 }, "gave up"},
		{"nor one that started its operations late", func(c *Cell) {
			for range 1000 {
				c.SendLag.Record(8 * time.Millisecond)
			}
		}, "send lag"},
		{"and where the generator got no CPU, it says so", func(c *Cell) {
			c.Counts.Dropped++
			c.Counts.OK--
			c.Pressure.CPUSome = 0.83
		}, "(max_in_flight), while tasks waited for a CPU in 83 % of the time"},
		{"or that the hypervisor had it", func(c *Cell) {
			c.Counts.Dropped++
			c.Counts.OK--
			c.Pressure.Steal = 0.1
		}, "(max_in_flight), while the hypervisor took 10 % of the CPU time"},
		{"or that all of it was in use", func(c *Cell) {
			for range 1000 {
				c.SendLag.Record(8 * time.Millisecond)
			}
			c.Pressure.Busy = 0.97
		}, "a latency p99 of 10 ms, while the CPUs were busy 97 % of the time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCell(1)
			c.Finished, c.Drained, c.SendLag = true, true, NewHist()
			h := NewHist()
			for range 1000 {
				h.Record(10 * time.Millisecond)
			}
			c.Latency = map[string]map[string]*Hist{"query": {"answered": h}}
			c.Counts = Counts{Due: 1000, OK: 1000}
			tt.spoil(c)
			c.Judge()
			if got := strings.Join(c.Why, "; "); c.Valid != (tt.why == "") || !strings.Contains(got, tt.why) {
				t.Errorf("valid %v, why %q; want %q", c.Valid, got, tt.why)
			}
		})
	}
}

// BenchmarkRecord measures what recording one outcome costs its client, and
// apart from that what it costs the collector.
func BenchmarkRecord(b *testing.B) {
	r := NewCellRecorder(CellConfig{Cell: newCell(1), Origin: origin, Seconds: &bytes.Buffer{}})
	r.Issue(1 << 62)
	o := at(1, 2*time.Second)
	o.Kind = Query
	b.ReportAllocs()
	var collecting time.Duration
	for i := range b.N {
		o.Op = uint64(i + 1)
		r.Outcome(o)
		if i%(laneBuffer/2) == 0 {
			b.StopTimer()
			before := time.Now()
			r.Collect(origin)
			collecting += time.Since(before)
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(collecting.Nanoseconds())/float64(b.N), "collector-ns/op")
}

// BenchmarkRecordHistory measures what a command costs whose history is kept: its
// client, the collector, and the disk.
func BenchmarkRecordHistory(b *testing.B) {
	var size counter
	r := NewCellRecorder(CellConfig{Cell: newCell(1), Origin: origin, Seconds: &bytes.Buffer{}, History: &size})
	r.Issue(1 << 62)
	b.ReportAllocs()
	var collecting time.Duration
	for i := range b.N {
		o := at(uint64(i+1), time.Duration(i)*100*time.Microsecond)
		o.Client, o.Key, o.Accepted, o.Ended = 0, uint32(i%1000), o.Due+654321, o.Answered
		r.Outcome(o)
		r.Applied(Applied{Op: o.Op, Key: o.Key, Version: uint64(1 + i/1000), At: o.Due + 765432})
		if i%(laneBuffer/2) == 0 {
			b.StopTimer()
			before := time.Now()
			r.Collect(origin)
			collecting += time.Since(before)
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(collecting.Nanoseconds())/float64(b.N), "collector-ns/op")
	b.ReportMetric(float64(size)/float64(b.N), "disk-B/op")
}

// counter is a disk that only counts.
type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }
