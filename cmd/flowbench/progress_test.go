package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	"flowbench/results"
	"flowbench/sim"
)

// show plays a run of two cells to a progress display.
func show(p progress) {
	for i, cell := range []string{"one", "two"} {
		at := func(phase sim.Phase, elapsed time.Duration, ok int64) {
			h := results.NewHist()
			h.Record(time.Duration(i+1) * time.Millisecond)
			p.update(sim.Progress{
				Cell: cell, Index: i, Cells: 2, Phase: phase, Elapsed: elapsed, Length: 3 * time.Second,
				Left: time.Second,
				Live: results.Live{Counts: results.Counts{OK: ok}, Latency: h},
			})
		}
		at(sim.Opening, 0, 0)
		for n := range 300 {
			at(sim.Measured, time.Duration(n)*10*time.Millisecond, int64(n))
		}
		at(sim.Closing, 0, 0)
	}
	p.close()
}

// TestBarsNeverHoldUpTheRun draws as fast as it can while it is updated. The bar
// library calls back while it is drawing; a lock that both sides take would stop
// the run for ever.
func TestBarsNeverHoldUpTheRun(t *testing.T) {
	var buf buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		show(&bars{out: mpb.New(mpb.WithOutput(&buf), mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond))})
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the display did not end")
	}
	last := buf.String()[strings.LastIndex(buf.String(), "1/2"):]
	for _, want := range []string{"one", "p50 1 ms", "two", "p50 2 ms"} {
		if !strings.Contains(last, want) {
			t.Errorf("the last picture lacks %q:\n%s", want, last)
		}
	}
}

func TestLinesTellWhenACellBeginsAndEnds(t *testing.T) {
	var buf bytes.Buffer
	show(&lines{out: &buf, tally: newTally()})
	want := []string{"1/2  one: 3s, about 1s left", "1/2  one:", "2/2  two: 3s", "2/2  two:"}
	got := strings.Split(strings.TrimSpace(buf.String()), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d lines; want %d:\n%s", len(got), len(want), buf.String())
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("line %d is %q; want it to begin with %q", i, got[i], want[i])
		}
	}
	if !strings.Contains(got[1], "p50 1 ms") || !strings.Contains(got[3], "p50 2 ms") {
		t.Errorf("cells do not end with figures of their own:\n%s", buf.String())
	}
}

// buffer is a bytes.Buffer that a display may write to while a test reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// showTrials plays a sweep of two trials to a progress display.
func showTrials(p progress) {
	for n, rate := range []float64{100, 200} {
		at := func(phase sim.Phase, elapsed time.Duration, ok int64) {
			h := results.NewHist()
			h.Record(time.Duration(n+1) * time.Millisecond)
			p.update(sim.Progress{
				Cell: "one", Cells: 1, Phase: phase, Elapsed: elapsed, Length: 3 * time.Second, Left: time.Minute,
				Live:  results.Live{Counts: results.Counts{OK: ok}, Latency: h},
				Trial: &sim.TrialProgress{Number: n + 1, Most: 9, Purpose: "search", RatePerS: rate},
			})
		}
		at(sim.Opening, 0, 0)
		at(sim.Measured, time.Second, 100)
		at(sim.Measured, 3*time.Second, 300)
		at(sim.Closing, 0, 0)
	}
	p.close()
}

func TestProgressSaysWhichTrialRuns(t *testing.T) {
	var buf buffer
	showTrials(&lines{out: &buf, tally: newTally()})
	const want = `1/1  one, trial 1 of at most 9, search 100/s: 3s, at most 1m0s left
1/1  one, trial 1 of at most 9, search 100/s:   100/s  p50 1 ms    p99 1 ms   
1/1  one, trial 2 of at most 9, search 200/s: 3s, at most 1m0s left
1/1  one, trial 2 of at most 9, search 200/s:   100/s  p50 2 ms    p99 2 ms   
`
	if got := buf.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	var drawn buffer
	showTrials(&bars{out: mpb.New(mpb.WithOutput(&drawn), mpb.WithAutoRefresh(),
		mpb.WithRefreshRate(time.Millisecond))})
	last := drawn.String()[strings.LastIndex(drawn.String(), "1/1"):]
	if !strings.Contains(last, "trial 2 of at most 9, search 200/s") {
		t.Errorf("the last picture lacks the trial:\n%s", last)
	}
}
