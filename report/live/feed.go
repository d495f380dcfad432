package live

import (
	"context"
	"sync"
	"time"

	"flowbench/results"
)

// Progress is what an engine tells of a run, several times a second. Its
// histograms are read for as long as they are among the latest, and never changed.
type Progress struct {
	Cell    string
	Index   int // of the cell, counting from 0
	Cells   int
	Trial   string // of a sweep: which one runs, in words; empty in other cells
	Phase   string
	Elapsed time.Duration // since the load of the cell began; 0 where it has not, or is over
	Length  time.Duration // of the load of the cell
	Left    time.Duration // estimate for the whole run; 0 where there is none
	Live    results.Live

	InFlight int64
}

// A Feed knows how a run of this process is doing. Its methods may be called
// concurrently.
type Feed struct {
	run results.Run // as it was described when it began

	mu      sync.Mutex
	changed chan struct{} // closed when there is something newer, and replaced
	version uint64
	latest  Progress
	begun   bool
	over    bool
	recent  []Progress // of the cell under way, those of the last second
	points  []Point
	cells   []*cellTotals // for metrics, in the order in which they began
}

// NewFeed returns a feed for the run that is described.
func NewFeed(run *results.Run) *Feed {
	return &Feed{run: *run, changed: make(chan struct{})}
}

// Update takes in how the run is doing. It takes microseconds and waits for nobody.
func (f *Feed) Update(p Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.wake()
	switch {
	case !f.begun || p.Cell != f.latest.Cell:
		f.closeCell()
		f.recent = nil
		f.cells = append(f.cells, newCellTotals(p.Cell))
	case p.Trial != f.latest.Trial:
		f.recent = nil // its clock and its counts begin anew
	case p.Live.Counts.Due+p.Live.Warmup.Due == 0: // opening and closing tell no figures
		p.Elapsed, p.Live = f.latest.Elapsed, f.latest.Live
		p.Live.Latency, p.Live.SendLag, p.Live.Active = nil, nil, nil
	}
	second := p.Elapsed/time.Second > f.latest.Elapsed/time.Second && f.begun
	f.latest, f.begun = p, true
	f.cells[len(f.cells)-1].take(p)
	f.recent = append(f.recent, p)
	for len(f.recent) > 2 && f.recent[1].Elapsed <= p.Elapsed-time.Second {
		f.recent = append(f.recent[:0], f.recent[1:]...)
	}
	if second {
		rate, _, p99 := f.lastSecond()
		f.points = addPoint(f.points, newPoint(p.Index, rate, p99, p.Live.Active))
	}
}

// End says that the run has ended and its directory is complete.
func (f *Feed) End() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.closeCell()
	f.wake()
}

func (f *Feed) wake() {
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Feed) closeCell() {
	if n := len(f.cells); n > 0 {
		f.cells[n-1].end()
	}
}

// lastSecond returns how many operations per second ended ok, and their latency,
// since about a second.
func (f *Feed) lastSecond() (okPerS float64, p50, p99 time.Duration) {
	if len(f.recent) == 0 {
		return 0, 0, 0
	}
	from, to := f.recent[0], f.recent[len(f.recent)-1]
	hist := results.NewHist()
	for _, p := range f.recent[1:] {
		if p.Live.Latency != nil {
			hist.Merge(p.Live.Latency)
		}
	}
	if span := to.Elapsed - from.Elapsed; span > 0 {
		n := to.Live.Counts.OK + to.Live.Warmup.OK - from.Live.Counts.OK - from.Live.Warmup.OK
		okPerS = float64(n) / span.Seconds()
	}
	if hist.N() == 0 {
		return okPerS, 0, 0
	}
	return okPerS, hist.Quantile(0.5), hist.Quantile(0.99)
}

// figures returns how the run is doing now.
func (f *Feed) figures() Figures {
	p := f.latest
	g := Figures{
		Cell: p.Cell, Index: p.Index, Cells: len(f.run.CellIDs), Trial: p.Trial, Phase: p.Phase, Elapsed: p.Elapsed,
		Length: p.Length, Left: p.Left, InFlight: p.InFlight, Measured: p.Live.Counts, Warmup: p.Live.Warmup,
		Account: p.Live.Account, Active: p.Live.Active, Points: f.points, Over: f.over, Ended: p.Index,
	}
	if f.over {
		g.Ended, g.Active = f.ended(), nil
	}
	g.OKPerS, g.P50, g.P99 = f.lastSecond()
	return g
}

// ended returns how many cells came to their end, of a run that has.
func (f *Feed) ended() int {
	n := len(f.cells)
	if n > 0 && f.latest.Phase != closing {
		n--
	}
	return n
}

// closing is the phase that only a cell reaches that came to its end.
const closing = "closing"

// tell implements teller.
func (f *Feed) tell(ctx context.Context, seen uint64) (Figures, uint64, error) {
	for {
		f.mu.Lock()
		if f.version > seen {
			defer f.mu.Unlock()
			return f.figures(), f.version, nil
		}
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Figures{}, seen, ctx.Err()
		}
	}
}
