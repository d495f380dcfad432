package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"flowbench/results"
	"flowbench/sim"
)

// A progress shows how a run is doing.
type progress interface {
	update(p sim.Progress)
	close()
}

// newProgress returns bars for a terminal, lines for anything else, and silence
// where it was asked for.
func newProgress(sh shell, none bool) progress {
	switch {
	case none:
		return silence{}
	case sh.bars:
		return &bars{out: mpb.New(mpb.WithOutput(sh.stderr), mpb.WithWidth(barWidth))}
	default:
		return &lines{out: sh.stderr, tally: newTally()}
	}
}

type silence struct{}

func (silence) update(sim.Progress) {}
func (silence) close()              {}

// A tally turns what progress tells into what people want to know: how fast it
// goes now, and the latency of the cell so far.
type tally struct {
	cell    string
	trial   int // of a sweep
	hist    *results.Hist
	at      time.Duration
	ended   int64
	ratePer float64
}

func newTally() *tally { return &tally{hist: results.NewHist()} }

func (t *tally) take(p sim.Progress) {
	if p.Cell != t.cell || trialOf(p) != t.trial {
		*t = tally{cell: p.Cell, trial: trialOf(p), hist: t.hist}
		t.hist.Reset()
	}
	if p.Live.Latency != nil {
		t.hist.Merge(p.Live.Latency)
	}
	ended := p.Live.Counts.OK + p.Live.Warmup.OK
	if span := p.Elapsed - t.at; span >= time.Second && ended > 0 {
		t.ratePer = float64(ended-t.ended) / span.Seconds()
		t.at, t.ended = p.Elapsed, ended
	}
}

// String returns the tally as one phrase.
func (t *tally) String() string {
	if t.hist.N() == 0 {
		return "no answer yet"
	}
	return fmt.Sprintf("%5.0f/s  p50 %-7s p99 %-7s", t.ratePer, ms(t.hist.Quantile(0.5)), ms(t.hist.Quantile(0.99)))
}

// ms returns d in milliseconds, short.
func ms(d time.Duration) string { return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1000) }

const barWidth = 24

// bars draws a progress bar for each cell on a terminal.
type bars struct {
	out *mpb.Progress

	mu  sync.Mutex
	row *row
}

// A row is the bar of one cell. What stands behind the bar is handed over as
// finished text: a bar that waited for a lock while it is drawn would wait for
// those who wait for the bar.
type row struct {
	bar   *mpb.Bar
	tally *tally
	last  sim.Progress
	text  atomic.Pointer[string]
}

// say updates the text behind the bar.
func (r *row) say() {
	s := r.tally.String()
	if r.last.Trial != nil {
		s = trialText(r.last.Trial) + "  " + s
	}
	if r.last.Phase != sim.Closing {
		s = fmt.Sprintf("%s  %s", s, r.last.Phase)
		if r.last.Left > 0 {
			s += fmt.Sprintf(", %s left", r.last.Left.Round(time.Second))
		}
	}
	r.text.Store(&s)
}

func (b *bars) update(p sim.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.row == nil || b.row.last.Cell != p.Cell {
		b.finish()
		b.add(p)
	}
	if p.Phase == sim.Opening || p.Phase == sim.Closing {
		p.Elapsed = b.row.last.Elapsed // they tell no time
	} else {
		b.row.tally.take(p)
	}
	b.row.last = p
	b.row.say()
	done, _ := extent(p)
	b.row.bar.SetCurrent(done)
}

// add begins the bar of a cell.
func (b *bars) add(p sim.Progress) {
	r := &row{tally: newTally(), last: p}
	r.say()
	style := mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]").TipOnComplete()
	_, all := extent(p)
	r.bar = b.out.New(all, style,
		mpb.PrependDecorators(decor.Name(fmt.Sprintf("%2d/%d  %-28s", p.Index+1, p.Cells, p.Cell))),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *r.text.Load() })),
	)
	b.row = r
}

// finish ends the bar of the cell before, full if the cell came to its end.
func (b *bars) finish() {
	if b.row == nil {
		return
	}
	if b.row.last.Phase == sim.Closing {
		_, all := extent(b.row.last)
		b.row.bar.SetCurrent(all)
	}
	b.row.last.Phase = sim.Closing
	b.row.say()
	b.row.bar.SetTotal(-1, true)
}

func (b *bars) close() {
	b.mu.Lock()
	b.finish()
	b.mu.Unlock()
	b.out.Wait()
}

// lines writes a line when something new begins.
type lines struct {
	out io.Writer

	mu    sync.Mutex
	tally *tally
	phase sim.Phase
}

func (l *lines) update(p sim.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Phase != sim.Opening && p.Phase != sim.Closing {
		l.tally.take(p)
	}
	if p.Phase == l.phase {
		return
	}
	l.phase = p.Phase
	switch p.Phase {
	case sim.Opening:
		left := ""
		if p.Left > 0 {
			left = fmt.Sprintf(", about %v left", p.Left.Round(time.Second))
		}
		if p.Trial != nil {
			left = strings.Replace(left, "about", "at most", 1)
		}
		fmt.Fprintf(l.out, "%d/%d  %s: %v%s\n", p.Index+1, p.Cells, nameOf(p), p.Length, left)
	case sim.Closing:
		fmt.Fprintf(l.out, "%d/%d  %s: %s\n", p.Index+1, p.Cells, nameOf(p), l.tally)
	}
}

func (l *lines) close() {}
