package live

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// TestAFollowerKnowsWhatARunWrites records a cell and follows the directory meanwhile.
func TestAFollowerKnowsWhatARunWrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run := fixture.Run(fixture.Default()[:2], 6, 400)
	run.Cells[1].Finished = false
	w := written(t, dir, run, false)
	cell := &results.Cell{ID: run.Cells[0].ID, Load: results.Load{
		Arrivals: "constant", Clients: 1, Timeout: time.Second, Warmup: 2 * time.Second, Measured: 8 * time.Second,
	}}
	out, err := w.BeginCell(cell)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	recorder := results.NewCellRecorder(results.CellConfig{Cell: cell, Origin: 0, Seconds: out})
	f := &follower{open: func() (*os.Root, error) { return os.OpenRoot(dir) }}
	look := func() Figures {
		t.Helper()
		f.looked = time.Time{}
		g, _, err := f.look()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	if g := look(); g.Cell != cell.ID || g.Phase != "opening" || g.InFlight != -1 || g.Length != 10*time.Second {
		t.Errorf("before the load, figures are %+v", g)
	}
	recorder.Event(results.Event{Kind: "phase", Name: "warm-up"})
	recorder.Event(results.Event{Kind: results.FaultBegins, Name: "outage on broker"})
	for i := range 70 { // 10 per second
		due := time.Duration(i) * 100 * time.Millisecond
		recorder.Issue(uint64(i) + 1)
		recorder.Outcome(results.Outcome{
			Op: uint64(i) + 1, Kind: results.Query, Status: results.OK, Due: due, Started: due,
			Answered: due + 5*time.Millisecond, Ended: due + 5*time.Millisecond,
		})
	}
	recorder.Collect(7 * time.Second) // the last two seconds may still change
	g := look()
	if g.Warmup.OK != 20 || g.Measured.OK != 30 || g.Elapsed != 5*time.Second || len(g.Points) != 5 || g.OKPerS != 10 ||
		g.P99 < 4*time.Millisecond || g.Phase != "warm-up" || len(g.Active) != 1 || !g.Points[4].Fault {
		t.Errorf("after 5 seconds, figures are %+v", g)
	}
	recorder.Event(results.Event{Kind: results.FaultEnds, Name: "outage on broker"})
	if g = look(); len(g.Active) != 0 || len(g.Points) != 5 {
		t.Errorf("after the fault, figures are %+v", g)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "cells", cell.ID+".jsonl"), old, old); err != nil {
		t.Fatal(err)
	}
	if g = look(); g.Quiet < 59*time.Minute {
		t.Errorf("nothing was written for an hour, and the figures say %v", g.Quiet)
	}
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	cell.Finished = true
	if err := w.WriteCell(cell); err != nil {
		t.Fatal(err)
	}
	if g = look(); g.Cell != run.Cells[1].ID || g.Index != 1 || g.Ended != 1 || g.Measured.OK != 0 ||
		len(g.Points) != 7 {
		t.Errorf("in the next cell, figures are %+v; want its own, and all points of the one before", g)
	}
	if err := w.Update(func(r *results.Run) { r.Reason = "interrupted" }); err != nil {
		t.Fatal(err)
	}
	if g = look(); !g.Over {
		t.Error("the run was interrupted and the figures do not say so")
	}
}

func TestManyAskAndOneLooks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	written(t, dir, small(), false)
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		f := &follower{open: func() (*os.Root, error) { looks++; return os.OpenRoot(dir) }}
		done := make(chan int)
		for range maxStreams {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*reading+reading/2)
				defer cancel()
				n, seen := 0, uint64(0)
				for {
					_, version, err := f.tell(ctx, seen)
					if err != nil {
						break
					}
					n, seen = n+1, version
				}
				done <- n
			}()
		}
		for range maxStreams {
			if n := <-done; n < 10 || n > 11 {
				t.Errorf("somebody was told %d times in ten seconds", n)
			}
		}
		if looks < 10 || looks > 12 {
			t.Errorf("the directory was looked at %d times in ten seconds", looks)
		}
	})
}
