package sim

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync"

	"flowbench/results"
	"flowbench/scenarios"
)

// simulate runs the cells of a plan in virtual time, as many at once as there
// are processors: kernels share nothing, so which of them run beside each other
// changes no result.
func (e *Engine) simulate(ctx context.Context, p *scenarios.Plan, w *results.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := newProgressQueue(e.Progress)
	cells := make(chan int)
	var workers sync.WaitGroup
	for range min(goruntime.GOMAXPROCS(0), len(p.Cells)) {
		workers.Go(func() {
			for i := range cells {
				// What a cell tells goes through the queue; it has the rest of the engine.
				own := *e
				own.Progress = func(pr Progress) { queue.tell(i, pr) }
				if err := own.perform(ctx, p, i, w); err != nil {
					cancel(fmt.Errorf("simulate cell %s: %w", p.Cells[i].ID, err))
				}
				queue.end(i)
			}
		})
	}
	for i := range p.Cells {
		select {
		case cells <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(cells)
	workers.Wait()
	return context.Cause(ctx)
}

// A progressQueue passes on the progress of cells that run beside each other as
// if they ran one after the other, which is how it is shown: that of the first
// that has not ended as it comes, and of those behind it what they told last.
type progressQueue struct {
	show func(Progress)

	mu    sync.Mutex
	first int
	held  map[int][]Progress // of each cell behind the first, the latest of each phase
	ended map[int]bool
}

func newProgressQueue(show func(Progress)) *progressQueue {
	if show == nil {
		show = func(Progress) {}
	}
	return &progressQueue{show: show, held: make(map[int][]Progress), ended: make(map[int]bool)}
}

func (q *progressQueue) tell(cell int, p Progress) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cell == q.first {
		q.show(p)
		return
	}
	held := q.held[cell]
	if len(held) > 0 && held[len(held)-1].Phase == p.Phase {
		if latest := held[len(held)-1].Live.Latency; latest != nil && p.Live.Latency != nil {
			latest.Merge(p.Live.Latency) // each tells of what came since the one before
			p.Live.Latency = latest
		}
		held[len(held)-1] = p
		return
	}
	q.held[cell] = append(held, p)
}

// end says that a cell will tell no more.
func (q *progressQueue) end(cell int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended[cell] = true
	for q.ended[q.first] {
		delete(q.ended, q.first)
		q.first++
		for _, p := range q.held[q.first] {
			q.show(p)
		}
		delete(q.held, q.first)
	}
}
