package live

import (
	"context"
	"os"
	"path"
	"sync"
	"time"

	"flowbench/results"
)

const (
	reading = time.Second      // between two looks at a run directory
	quiet   = 20 * time.Second // that nothing is written, beyond the timeout, before it is remarkable
)

// A follower knows how a run is doing from the directory that it is written to. It
// looks only while somebody asks.
type follower struct {
	open func() (*os.Root, error)

	mu      sync.Mutex
	looked  time.Time
	version uint64
	figures Figures
	brief   *results.Brief
	cell    string // that is under way
	index   int    // of it
	tail    results.Follower
	phase   string
}

// tell implements teller.
func (f *follower) tell(ctx context.Context, seen uint64) (Figures, uint64, error) {
	for {
		figures, version, err := f.look()
		if err != nil || version > seen {
			return figures, version, err
		}
		select {
		case <-time.After(reading):
		case <-ctx.Done():
			return Figures{}, seen, ctx.Err()
		}
	}
}

// look reads what is new, unless that was done just now.
func (f *follower) look() (Figures, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < reading {
		return f.figures, f.version, nil
	}
	root, err := f.open()
	if err != nil {
		return Figures{}, 0, err
	}
	defer root.Close() // nothing was written, so closing has nothing to say
	if err := f.read(root); err != nil {
		return Figures{}, 0, err
	}
	f.looked = time.Now()
	f.version++
	return f.figures, f.version, nil
}

func (f *follower) read(root *os.Root) error {
	brief, err := results.ReadBrief(root, f.brief)
	if err != nil {
		return err
	}
	f.brief = brief
	g := &f.figures
	g.Cells, g.Ended, g.Over, g.InFlight = len(brief.CellIDs), brief.Ended(), brief.Over(), -1
	open, index := underWay(brief)
	if open == nil || g.Over {
		g.Active = nil
		return f.finish(root)
	}
	if open.ID != f.cell {
		if err := f.finish(root); err != nil {
			return err
		}
		f.cell, f.index, f.tail, f.phase = open.ID, index, results.Follower{}, "opening"
		g.Measured, g.Warmup, g.Elapsed = results.Counts{}, results.Counts{}, 0
		g.OKPerS, g.P50, g.P99 = 0, 0, 0
	}
	seconds, events, err := f.tail.Next(root, open.ID)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Kind == "phase" {
			f.phase = e.Name
		}
	}
	for _, s := range seconds {
		f.add(s)
	}
	g.Cell, g.Index, g.Phase, g.Active = open.ID, index, f.phase, append([]string(nil), f.tail.Active...)
	g.Length = open.Load.Warmup + open.Load.Measured
	g.Behind = open.Load.Timeout + time.Second
	g.Quiet = 0
	if info, err := root.Stat(path.Join(ofCells, open.ID+".jsonl")); err == nil {
		if since := time.Since(info.ModTime()); since > open.Load.Timeout+quiet {
			g.Quiet = since
		}
	}
	return nil
}

// finish reads what the cell that was under way has still written: where cells are
// shorter than the timeout of their operations, that is all of it.
func (f *follower) finish(root *os.Root) error {
	if f.cell == "" {
		return nil
	}
	seconds, _, err := f.tail.Next(root, f.cell)
	for _, s := range seconds {
		f.add(s)
	}
	return err
}

// add takes a second of the cell that is under way into the figures.
func (f *follower) add(s results.Second) {
	g := &f.figures
	to := &g.Measured
	if s.Phase != "measured" {
		to = &g.Warmup
	}
	to.Due += s.Counts.Due
	to.OK += s.Counts.OK
	to.Failed += s.Counts.Failed
	to.Unknown += s.Counts.Unknown
	to.Dropped += s.Counts.Dropped
	g.Elapsed = time.Duration(s.At+1) * time.Second
	g.OKPerS, g.P50, g.P99 = float64(s.Counts.OK), 0, 0
	h := s.Merged(results.AnsweredStage)
	if h == nil {
		h = s.Merged(results.AcceptedStage)
	}
	if h != nil {
		g.P50, g.P99 = h.Quantile(0.5), h.Quantile(0.99)
	}
	g.Points = addPoint(g.Points, newPoint(f.index, g.OKPerS, g.P99, f.tail.Active))
}

// underWay returns the first cell that began and has not ended, and its place in the
// plan. Cells of simulations may be under way beside each other.
func underWay(b *results.Brief) (*results.BriefCell, int) {
	for i := range b.Begun {
		if c := &b.Begun[i]; !c.Finished {
			for index, id := range b.CellIDs {
				if id == c.ID {
					return c, index
				}
			}
		}
	}
	return nil, 0
}
