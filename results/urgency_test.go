package results

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

func TestUrgentAndNormalLatenciesAreKeptApartAndAddUp(t *testing.T) {
	cell := newCell(4)
	cell.Urgency = NewUrgency("by the queue")
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Seconds: &bytes.Buffer{}})
	r.Issue(7)
	for op := uint64(1); op <= 7; op++ {
		o := at(op, 1500*time.Millisecond)
		o.Urgent = op%3 == 0
		switch op {
		case 5:
			o.Kind = Query
		case 6:
			o.Due, o.Started, o.Answered = origin, origin, origin+time.Hour // in the warm-up
		case 7:
			o.Status, o.Answered = Unknown, 0
		}
		if !o.Urgent {
			o.Answered += time.Second
		}
		r.Outcome(o)
		if o.Kind == Command {
			r.Applied(Applied{Op: op, Version: op, At: o.Due + 500*time.Microsecond})
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what   string
		urgent bool
		kind   Kind
		stage  Stage
		n      int64
		from   time.Duration
		to     time.Duration
	}{
		{"urgent commands answered", true, Command, AnsweredStage, 1, 999 * time.Microsecond, 2 * time.Millisecond},
		{"urgent commands applied", true, Command, AppliedStage, 1, 499 * time.Microsecond, 501 * time.Microsecond},
		{"normal commands answered", false, Command, AnsweredStage, 3, time.Second, 2 * time.Second},
		{"normal commands applied", false, Command, AppliedStage, 3, 499 * time.Microsecond, 501 * time.Microsecond},
		{"normal queries answered", false, Query, AnsweredStage, 1, time.Second, 2 * time.Second},
		{"urgent queries answered", true, Query, AnsweredStage, 0, 0, 0},
		{"urgent commands accepted", true, Command, AcceptedStage, 0, 0, 0},
	} {
		h := cell.Urgency.LatencyOf(tt.urgent, tt.kind, tt.stage)
		if tt.n == 0 {
			if h != nil {
				t.Errorf("%s: there are %d; want none", tt.what, h.N())
			}
			continue
		}
		if h == nil || h.N() != tt.n || h.Min() < tt.from || h.Max() > tt.to {
			t.Errorf("%s: got %+v; want %d between %v and %v", tt.what, summarize(h), tt.n, tt.from, tt.to)
		}
	}
	for _, k := range Kinds() {
		for _, s := range Stages() {
			var parts int64
			for _, urgent := range []bool{true, false} {
				if h := cell.Urgency.LatencyOf(urgent, k, s); h != nil {
					parts += h.N()
				}
			}
			if h := cell.LatencyOf(k, s); h != nil && h.N() != parts || h == nil && parts > 0 {
				t.Errorf("%v %v: urgent and normal ones are %d; want as many as there are in all", k, s, parts)
			}
		}
	}
}

func TestTheSummaryHasUrgencyOnlyWhereSomethingIsUrgent(t *testing.T) {
	cell := newCell(1)
	b, err := json.Marshal(cell.summary())
	if err != nil || bytes.Contains(b, []byte("urgency")) {
		t.Errorf("the summary of a cell without urgent operations is %s, %v", b, err)
	}
	cell.Urgency = NewUrgency("none")
	cell.Urgency.record(Outcome{Urgent: true}, AnsweredStage, time.Millisecond)
	b, err = json.Marshal(cell.summary().Urgency)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"mechanism":"none","urgent":{"command":{"answered":{"n":1,"p50":1000.447,"p90":1000.447,` +
		`"p99":1000.447,"p99_9":1000.447,"max":1000.447}}},"normal":{}}`
	if string(b) != want {
		t.Errorf("got %s; want %s", b, want)
	}
}
