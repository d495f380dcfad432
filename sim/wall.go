package sim

import (
	"context"
	"sync"
	"time"

	"flowbench/flows"
	"flowbench/sim/alarm"
	"flowbench/sim/pace"
)

// Wall is the Go runtime as a [flows.Runtime]: real time, real goroutines.
type Wall struct {
	clock  pace.Clock
	alarms *alarm.Clock

	mu     sync.Mutex // guards closed; wg.Add must not race with wg.Wait
	closed bool
	wg     sync.WaitGroup
}

// NewWall returns a runtime that begins now. Close must be called.
func NewWall() *Wall {
	return &Wall{clock: pace.Clock{Start: time.Now()}, alarms: alarm.New()}
}

// Close waits for all activities to end. Their contexts must have been
// cancelled, or they must end by themselves.
func (w *Wall) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wg.Wait()
	w.alarms.Close()
}

// Now implements [flows.Runtime].
func (w *Wall) Now() time.Duration { return w.clock.Now() }

// Join implements [runtime].
func (w *Wall) Join(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		w.Close()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithCancel implements [runtime].
func (w *Wall) WithCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Pace implements [runtime].
func (w *Wall) Pace(ctx context.Context, s pace.Schedule, origin time.Duration, emit func(due time.Duration)) error {
	return pace.Run(ctx, w.clock, s, origin, emit)
}

// coarse is the length from which a sleep may be late by the millisecond of the
// Go runtime's timers.
const coarse = 50 * time.Millisecond

// Sleep implements [flows.Runtime].
func (w *Wall) Sleep(ctx context.Context, d time.Duration) error {
	switch {
	case d <= 0:
		return ctx.Err()
	case d < coarse:
		return w.alarms.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout implements [flows.Runtime].
func (w *Wall) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Go implements [flows.Runtime]. After Close it runs nothing.
func (w *Wall) Go(ctx context.Context, f func(ctx context.Context)) func(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return func(context.Context) error { return flows.ErrClosed }
	}
	done := make(chan struct{})
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		defer close(done)
		f(ctx)
	}()
	return func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Promise implements [flows.Runtime].
func (w *Wall) Promise() flows.Promise { return &promise{done: make(chan struct{})} }

type promise struct {
	once sync.Once
	done chan struct{}
	m    flows.Message
	err  error
}

func (p *promise) Keep(m flows.Message, err error) {
	p.once.Do(func() {
		p.m, p.err = m, err
		close(p.done)
	})
}

func (p *promise) Wait(ctx context.Context) (flows.Message, error) {
	select {
	case <-p.done:
		return p.m, p.err
	case <-ctx.Done():
		return flows.Message{}, ctx.Err()
	}
}
