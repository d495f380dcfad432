package results

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyOutcome draws the end of an operation, large or small, with a service that
// has done the commands of it.
func anyOutcome(t *rapid.T, op uint64) Outcome {
	o := at(op, time.Duration(rapid.IntRange(0, 3900).Draw(t, "due"))*time.Millisecond)
	o.Status = rapid.SampledFrom([]Status{OK, OK, OK, Failed, Unknown, Dropped}).Draw(t, "status")
	o.Kind = rapid.SampledFrom(Kinds()).Draw(t, "kind")
	switch rapid.IntRange(0, 3).Draw(t, "size") {
	case 0:
		o.Kind, o.Bulk = Command, true
		o.Answered += time.Second
	case 1:
		o.Beside = true
	case 2:
		o.Beside, o.Instead = true, true
	}
	if rapid.Bool().Draw(t, "accepted") {
		o.Accepted = o.Started + time.Microsecond
	}
	if o.Status != OK {
		o.Accepted, o.Answered = 0, 0
	}
	return o
}

func TestOperationsAloneBesideAndLargeAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := newCell(4)
		cell.Bulk = NewBulk(64<<20, 4, 30*time.Second)
		r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &bytes.Buffer{}})
		n := uint64(rapid.IntRange(0, 60).Draw(t, "operations"))
		r.Issue(n)
		var all, small [numStages]int64
		var large, instead int64
		for op := uint64(1); op <= n; op++ {
			o := anyOutcome(t, op)
			r.Outcome(o)
			reached := [numStages]bool{o.Accepted > 0, o.Kind == Command, o.Answered > 0}
			if o.Kind == Command && o.Status == OK {
				r.Applied(Applied{Op: op, Version: op, At: o.Due + 500*time.Microsecond})
			}
			if o.Due-origin < cell.Load.Warmup {
				continue
			}
			if o.Bulk {
				large++
			}
			if o.Instead {
				instead++
			}
			for s, there := range reached {
				if there && o.Status == OK {
					if all[s]++; !o.Bulk {
						small[s]++
					}
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		b := cell.Bulk
		if b.Counts.Due != large || !b.Counts.Closes() || b.Instead != instead || b.Counts.OK > cell.Counts.OK {
			t.Fatalf("%+v large ones and %d instead of them; want %d and %d", b.Counts, b.Instead, large, instead)
		}
		for _, s := range Stages() {
			var parts, whole int64
			for _, k := range Kinds() {
				whole += count(cell.LatencyOf(k, s))
				parts += count(b.SmallOf(false, k, s)) + count(b.SmallOf(true, k, s))
			}
			if whole != small[s] || parts != small[s] || parts+count(b.LargeOf(s)) != all[s] {
				t.Fatalf("%v: %d alone and beside, %d large ones, %d in the latency of the cell; want %d small of %d",
					s, parts, count(b.LargeOf(s)), whole, small[s], all[s])
			}
		}
	})
}

func count(h *Hist) int64 {
	if h == nil {
		return 0
	}
	return h.N()
}

// TestOnlyLatenciesLeaveLargeOperationsOut looks for the large one wherever
// operations are counted, and not where they are timed.
func TestOnlyLatenciesLeaveLargeOperationsOut(t *testing.T) {
	var seconds bytes.Buffer
	cell := newCell(4)
	cell.Load.PayloadBytes = 100
	cell.Bulk = NewBulk(1000, 2, 30*time.Second)
	cell.Payloads = &Payloads{}
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &seconds, Faults: true})
	r.Issue(2)
	for op := uint64(1); op <= 2; op++ {
		o := at(op, 1500*time.Millisecond)
		if o.Bulk = op == 2; o.Bulk {
			o.Answered += 20 * time.Second
			o.Ended = o.Answered
		}
		r.Outcome(o)
		r.Applied(Applied{Op: op, Version: op, At: o.Answered, FirstByte: o.Answered, LastByte: o.Answered})
	}
	if live := r.Live(); live.Latency != nil && live.Latency.N() > 1 {
		t.Errorf("the display has the latency of %d operations; want that of the small one", live.Latency.N())
	}
	r.Collect(origin + 20*time.Second)
	if seconds.Len() > 0 {
		t.Error("a second is written whose large operation may still end")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if cell.Counts.OK != 2 || cell.Accounting.OK != 2 || cell.Bulk.Counts.OK != 1 || cell.SendLag.N() != 2 {
		t.Errorf("counts are %+v, of large ones %+v, the account %+v; want both operations in all of them", cell.Counts,
			cell.Bulk.Counts, cell.Accounting)
	}
	window := cell.Windows[SteadyWindow]
	for what, h := range map[string]*Hist{
		"the cell": cell.LatencyOf(Command, AnsweredStage), "its window": window.Latency["answered"],
		"the first byte": cell.Payloads.FirstByte, "the last byte": cell.Payloads.LastByte,
	} {
		if count(h) != 1 {
			t.Errorf("the latency of %s is that of %d operations; want only the small one", what, count(h))
		}
	}
	if h := cell.Bulk.LargeOf(AnsweredStage); count(h) != 1 || h.Min() < 19*time.Second {
		t.Errorf("the large ones took %+v; want one of 20 s", summarize(h))
	}
	for _, d := range cell.Timeline.Slowest {
		if d > time.Second {
			t.Errorf("the slowest operation of a bin took %v; want the small one", d)
		}
	}
	if got := cell.ThroughputPerS() * cell.Load.Measured.Seconds(); got < 1099 || got > 1101 {
		t.Errorf("%v bytes of payload got through; want the 1100 of both", got)
	}
}

func TestASummaryHasLargePayloadsOnlyWhereThereAreAny(t *testing.T) {
	cell := newCell(1)
	b, err := json.Marshal(cell.summary())
	if err != nil || bytes.Contains(b, []byte("bulk")) {
		t.Errorf("the summary of a cell without large payloads is %s, %v", b, err)
	}
	cell.Bulk = NewBulk(1024, 10, time.Second)
	cell.Bulk.record(Outcome{Bulk: true}, AnsweredStage, time.Millisecond)
	cell.Bulk.record(Outcome{Kind: Query, Beside: true}, AnsweredStage, time.Millisecond)
	cell.Bulk.count(Outcome{Bulk: true})
	b, err = json.Marshal(cell.summary().Bulk)
	const one = `{"n":1,"p50":1000.447,"p90":1000.447,"p99":1000.447,"p99_9":1000.447,"max":1000.447}`
	want := strings.ReplaceAll(`{"bytes":1024,"every":10,"counts":{"due":1,"ok":1,"failed":0,"unknown":0,"dropped":0},`+
		`"instead":0,"alone":{},"beside":{"query":{"answered":ONE}},"large":{"answered":ONE}}`, "ONE", one)
	if err != nil || string(b) != want {
		t.Errorf("the summary is %s, %v; want %s", b, err, want)
	}
	var back Cell
	if b, err = json.Marshal(cell); err == nil {
		err = json.Unmarshal(b, &back)
	}
	if err != nil || back.Bulk == nil || count(back.Bulk.LargeOf(AnsweredStage)) != 1 || back.Bulk.Every != 10 {
		t.Errorf("what is read back is %+v, %v", back.Bulk, err)
	}
}

func TestACellSaysWhatQualifiesItsLargePayloads(t *testing.T) {
	for name, tt := range map[string]struct {
		counts  Counts
		instead int64
		want    string
	}{
		"all is well":    {Counts{Due: 2, OK: 2}, 0, ""},
		"none was due":   {Counts{}, 0, "no large payload was due"},
		"none ended ok":  {Counts{Due: 2, Unknown: 2}, 0, "none of 2 large payloads ended ok"},
		"they were slow": {Counts{Due: 2, OK: 2}, 3, "3 of 5 payloads that were to be large were small"},
		"one timed out":  {Counts{Due: 2, OK: 1, Unknown: 1}, 0, ""},
	} {
		cell := newCell(1)
		cell.Bulk = NewBulk(1024, 10, time.Second)
		cell.Bulk.Counts, cell.Bulk.Instead = tt.counts, tt.instead
		cell.judgeBulk()
		got := strings.Join(cell.Warnings, "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: the warnings are %q; want %q", name, got, tt.want)
		}
	}
}
