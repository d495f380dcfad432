package results

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWhatIsSentAgainAmplifiesALoad has one operation due every millisecond, which
// takes a message and a request, and three more requests while a fault is on. One
// in ten of those comes again as well.
func TestWhatIsSentAgainAmplifiesALoad(t *testing.T) {
	cell := newCell(1)
	cell.Load.Measured = 11 * time.Second
	r := NewCellRecorder(CellConfig{Cell: cell, Origin: origin, Faults: true, Seconds: &bytes.Buffer{}})
	const n = 12_000
	r.Issue(n)
	var messages, requests int64 = 7, 9 // the counters do not begin at zero
	for i := range uint64(n) {
		due := time.Duration(i) * time.Millisecond
		if due%BinWidth == 0 {
			r.Sent(origin+due+30*time.Microsecond, messages, requests)
		}
		o := at(i+1, due)
		o.Ended = o.Answered
		messages, requests = messages+1, requests+1
		if inOutage(due) {
			o.Status, o.Answered = Failed, 0
			requests += 3
			if i%10 == 0 {
				r.Redelivered(o.Op, origin+due)
			}
		}
		r.Outcome(o)
	}
	r.Sent(origin+n*time.Millisecond, messages, requests)
	cell.Faults = []Fault{{Begin: outageBegin, Begun: outageBegin, Heal: outageHeal, Healed: outageHeal}}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	got := cell.Faults[0].Recovery
	if got == nil || got.Traffic == nil {
		t.Fatalf("the recovery is %+v; want one with traffic", got)
	}
	want := Traffic{
		Before: Sent{Due: 3000, Messages: 3000, Requests: 3000},
		During: Sent{Due: 2000, Messages: 2000, Redelivered: 200, Requests: 8000},
	}
	if *got.Traffic != want {
		t.Errorf("sent %+v; want %+v", *got.Traffic, want)
	}
	if factor, why := got.Traffic.Amplification(); factor != 5.1/2 || why != "" {
		t.Errorf("amplified by %g (%s); want %g", factor, why, 5.1/2)
	}
	if burn, ok := got.Burn(); !ok || burn < 99.9 || burn > 100.1 {
		t.Errorf("the budget burnt at %g, %v; want 100 where everything fails", burn, ok)
	}
	// 2,000 of 11,000 operations were bad, and 110 may be.
	if used, ok := got.BudgetUsed(); !ok || used < 18.1 || used > 18.2 {
		t.Errorf("it used %g of the budget, %v; want 2000/110", used, ok)
	}
}

func TestThereIsNoAmplificationWithoutSomethingToCompare(t *testing.T) {
	enough := Sent{Due: MinShare, Messages: MinShare}
	for _, tt := range []struct {
		about   string
		traffic *Traffic
		want    string
	}{
		{"nobody counted", nil, "nobody counted what was sent"},
		{"little before", &Traffic{Sent{Due: MinShare - 1, Messages: 99}, enough},
			"too few operations were due before the fault"},
		{"little during", &Traffic{enough, Sent{Due: MinShare - 1, Messages: 99}},
			"too few operations were due until all was well again"},
		{"nothing sent before", &Traffic{Sent{Due: MinShare}, enough},
			"nothing was sent before the fault that is counted"},
		{"enough", &Traffic{enough, enough}, ""},
		{"nothing sent during", &Traffic{enough, Sent{Due: MinShare}}, ""},
	} {
		if factor, why := tt.traffic.Amplification(); why != tt.want || why != "" && factor != 0 {
			t.Errorf("%s: %g, %q; want %q", tt.about, factor, why, tt.want)
		}
	}
}

// TestABudgetIsAtLeastOneOperation holds the fewest operations that a budget is
// told of to the share that is asked for.
func TestABudgetIsAtLeastOneOperation(t *testing.T) {
	if one := MinShare * (1 - WellShare); one < 0.9999 || one > 1.0001 {
		t.Errorf("the budget of %d operations is %g; want 1", MinShare, one)
	}
	few := Recovery{Offered: MinShare - 1, Measured: MinShare - 1, Bad: 1}
	if rate, ok := few.Burn(); ok {
		t.Errorf("too few operations burn at %g", rate)
	}
	if share, ok := few.BudgetUsed(); ok {
		t.Errorf("too few operations use %g of the budget", share)
	}
}

func TestCellsWhoseMetersNobodyReadHaveNoTraffic(t *testing.T) {
	r := newTimelineRecorder(0)
	r.outcome(Outcome{Op: 1, Due: time.Second, Ended: time.Second, Status: OK})
	r.count(&r.line.Redelivered, time.Second)
	if l := r.close(); l.Messages != nil || l.Redelivered != nil || l.Requests != nil {
		t.Errorf("the timeline is %+v; want nothing sent", l)
	}
}

// TestNothingThatWasSentIsForgotten reads counters at any times: the bins add up
// to what they counted, and nothing is in a bin after the last reading.
func TestNothingThatWasSentIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newTimelineRecorder(origin)
		now := meterReading{at: origin + time.Duration(rapid.IntRange(0, 99).Draw(t, "first"))*time.Millisecond}
		r.meters(now)
		for range rapid.IntRange(1, 20).Draw(t, "readings") {
			now.at += time.Duration(rapid.IntRange(0, 500).Draw(t, "ms")) * time.Millisecond
			now.messages += int64(rapid.IntRange(0, 1000).Draw(t, "messages"))
			r.meters(now)
		}
		var got int64
		for _, n := range r.line.Messages {
			if n < 0 {
				t.Fatalf("a bin has %d messages", n)
			}
			got += int64(n)
		}
		if got != now.messages {
			t.Errorf("the bins hold %d of %d messages", got, now.messages)
		}
		if last := int((now.at - origin) / BinWidth); len(r.line.Messages) > last+2 {
			t.Errorf("there are %d bins after a last reading in bin %d", len(r.line.Messages), last)
		}
	})
}

// TestTheRulesOfRecoveryAreDescribed holds the figures in docs/results.md to the
// constants that recoveries are judged by.
func TestTheRulesOfRecoveryAreDescribed(t *testing.T) {
	b, err := os.ReadFile("../docs/results.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n### Faults\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	bin, tail, floor := BinWidth.Milliseconds(), TailWidth.Milliseconds(), WellFloor.Milliseconds()
	if DownShare != 0.5 || BacklogBefore != time.Second || BacklogShare != 0.01 {
		t.Error("the page says half, second and hundredth; write other words there, and here")
	}
	for field, want := range map[string]string{
		"base_p99_us": fmt.Sprintf("stretches of %d ms", tail),
		"unsteady": fmt.Sprintf("fewer than %d,%03d operations, or a rate that changed by over %g %%",
			MinBase/1000, MinBase%1000, 100*DriftLimit),
		"detect_ms": fmt.Sprintf("first %d ms in which an operation did not end ok, or one did that took over "+
			"%d × the base's p99 and over %d ms", bin, DetectFactor, floor),
		"down_ms": fmt.Sprintf("all bins of %d ms from `begin` to the end of the load in which less than half of the "+
			"base's rate ended ok; where few operations are due, several bins together that should have %d",
			bin, DownCount),
		"gap_ms": fmt.Sprintf("in steps of %d ms", bin),
		"recover_ms": fmt.Sprintf("%d stretches of %d ms in a row in each of which %g %% of the operations due ended "+
			"ok, and their p99 was at most %g × the base's, %d ms above it", WellInARow, tail, 100*WellShare,
			WellFactor, floor),
		"backlog":       fmt.Sprintf("at the end of a bin of %d ms", bin),
		"drain_ms":      "no more than in the second before the fault, or than a hundredth of its peak",
		"burn":          fmt.Sprintf("with %g %% asked for; absent if `offered` is under %d", 100*WellShare, MinShare),
		"budget_used":   fmt.Sprintf("`bad` / (operations due in the measured time × %g)", float64(1-WellShare)),
		"amplification": fmt.Sprintf("fewer than %d operations", MinShare),
	} {
		if !strings.Contains(rowOf(section, field), want) {
			t.Errorf("docs/results.md does not say %q of %s, but\n%s", want, field, rowOf(section, field))
		}
	}
}

// rowOf returns the line of a table that is about a field of a recovery.
func rowOf(section, field string) string {
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `recovery."+field+"`") {
			return line
		}
	}
	return ""
}
