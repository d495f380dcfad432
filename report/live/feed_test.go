package live

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/results"
)

// live returns what an engine tells: so many operations ended ok, one of them since the
// last look, with a latency.
func live(ok int64, latency time.Duration) results.Live {
	h := results.NewHist()
	h.Record(latency)
	return results.Live{Counts: results.Counts{Due: ok, OK: ok}, Latency: h, SendLag: h}
}

func TestFiguresAreOfTheLastSecond(t *testing.T) {
	f := NewFeed(&results.Run{CellIDs: []string{"one", "two"}})
	f.Update(Progress{Cell: "one", Phase: "opening", Length: 5 * time.Second})
	for i := range 50 { // 10 per second for 5 seconds, slow in the beginning
		latency := 100 * time.Millisecond
		if i > 35 {
			latency = 2 * time.Millisecond
		}
		f.Update(Progress{Cell: "one", Phase: "measured", Elapsed: time.Duration(i) * 100 * time.Millisecond,
			Length: 5 * time.Second, Live: live(int64(i)+1, latency)})
	}
	g := f.figures()
	if g.OKPerS < 9.9 || g.OKPerS > 10.1 || g.P99 < time.Millisecond || g.P99 > 3*time.Millisecond {
		t.Errorf("rate is %v, p99 is %v; want 10 and 2 ms", g.OKPerS, g.P99)
	}
	if len(g.Points) != 4 || *g.Points[0].P99 < 90 {
		t.Errorf("points are %+v; want one for each second, with what was then", g.Points)
	}
	f.Update(Progress{Cell: "one", Phase: "closing"})
	if g = f.figures(); g.Measured.OK != 50 || g.Elapsed < 4*time.Second {
		t.Errorf("closing, figures are %+v; want those of the cell", g)
	}
	f.Update(Progress{Cell: "one", Trial: "trial 2", Phase: "opening"})
	for i := range 20 { // 5 per second, from 0 again
		f.Update(Progress{
			Cell: "one", Trial: "trial 2", Phase: "measured", Elapsed: time.Duration(i) * 200 * time.Millisecond,
			Length: 4 * time.Second, Live: live(int64(i)+1, time.Millisecond)})
		if g = f.figures(); i > 5 && (g.OKPerS < 4.9 || g.OKPerS > 5.1) || g.Trial != "trial 2" ||
			g.Measured.OK != int64(i)+1 {
			t.Errorf("in the next trial of a sweep, figures are %+v; want none of the last", g)
		}
	}
	f.Update(Progress{Cell: "two", Index: 1, Phase: "opening"})
	if g = f.figures(); g.Measured.OK != 0 || g.P99 != 0 || g.Ended != 1 || g.Elapsed != 0 {
		t.Errorf("in the next cell, figures are %+v; want none of the last", g)
	}
	f.End()
	if g = f.figures(); g.Ended != 1 || !g.Over {
		t.Errorf("ended in the second cell, figures are %+v", g)
	}
}

// TestNoPointIsToldTwiceOrLeftOut plays browsers that ask whenever they like.
func TestNoPointIsToldTwiceOrLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := NewFeed(&results.Run{CellIDs: []string{"0", "1", "2"}})
		cell, elapsed, made := 0, time.Duration(0), 0
		seq, next := int64(-1), int64(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				if cell < 2 {
					cell, elapsed = cell+1, 0
				}
			case 1:
				for _, p := range f.figures().message(seq).messagePoints(t) {
					if p.Seq < next || p.Seq > next && int64(made)-p.Seq < maxPoints-1 {
						t.Fatalf("point %d comes after %d", p.Seq, next-1)
					}
					seq, next = p.Seq, p.Seq+1
				}
			default:
				before := elapsed / time.Second
				elapsed += time.Duration(rapid.IntRange(0, 900).Draw(t, "ms")) * time.Millisecond
				if f.latest.Cell == fmt.Sprint(cell) && elapsed/time.Second > before {
					made++
				}
				f.Update(Progress{Cell: fmt.Sprint(cell), Index: cell, Elapsed: elapsed, Live: live(1, 1)})
			}
		}
		if n := len(f.points); n > maxPoints || n != min(made, maxPoints) {
			t.Fatalf("%d seconds made %d points", made, n)
		}
	})
}

// messagePoints returns the points of m as a browser gets them.
func (m message) messagePoints(t *rapid.T) []Point {
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m.Points
}

func TestWhatAPanelSays(t *testing.T) {
	base := Figures{Cell: "a\x1b[31m-nats", Index: 1, Cells: 3, Phase: "measured", Elapsed: 2 * time.Second,
		Length: 10 * time.Second, Left: 150 * time.Second}
	for name, c := range map[string]struct {
		change      func(*Figures)
		where, note string
	}{
		"in the middle": {func(*Figures) {},
			"Cell 2 of 3, a-nats: measured, 2 s of 10 s; about 2 min 30 s left in all.", ""},
		"before the first cell": {func(f *Figures) { f.Cell = "" }, "No cell of 3 has begun yet.", ""},
		"in virtual time":       {func(f *Figures) { f.Left = 0 }, "Cell 2 of 3, a-nats: measured, 2 s of 10 s.", ""},
		"in a sweep": {func(f *Figures) { f.Trial, f.Left = "trial 3 of at most 22, search 400/s", 0 },
			"Cell 2 of 3, a-nats, trial 3 of at most 22, search 400/s: measured, 2 s of 10 s.", ""},
		"before the load": {func(f *Figures) { f.Elapsed, f.Left = -1, 0 }, "Cell 2 of 3, a-nats: measured.", ""},
		"when it is over": {func(f *Figures) { f.Over, f.Ended = true, 3 }, "3 of 3 cells ended.", ""},
		"when nothing is written": {func(f *Figures) { f.Left, f.Quiet = 0, time.Minute },
			"Cell 2 of 3, a-nats: measured, 2 s of 10 s.",
			"Nothing has been written for 60 s: the run may have been killed."},
	} {
		t.Run(name, func(t *testing.T) {
			f := base
			c.change(&f)
			m := f.message(-1)
			if m.Text["where"] != c.where || m.Text["note"] != c.note {
				t.Errorf("it says %q and %q; want %q and %q", m.Text["where"], m.Text["note"], c.where, c.note)
			}
		})
	}
}
