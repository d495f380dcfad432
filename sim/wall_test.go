package sim

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"flowbench/flows"
)

func TestSleepersWakeInOrderAndNeverEarly(t *testing.T) {
	w := NewWall()
	defer w.Close()
	var wg sync.WaitGroup
	for _, d := range []time.Duration{
		3 * time.Millisecond, 100 * time.Microsecond, 20 * time.Millisecond, time.Millisecond, 0, -1,
	} {
		for range 4 {
			wg.Go(func() {
				before := w.Now()
				if err := w.Sleep(t.Context(), d); err != nil {
					t.Error(err)
				}
				if slept := w.Now() - before; slept < d {
					t.Errorf("slept %v; want at least %v", slept, d)
				}
			})
		}
	}
	wg.Wait()
}

func TestASleeperLeavesWhenItsContextEnds(t *testing.T) {
	w := NewWall()
	defer w.Close()
	for _, d := range []time.Duration{coarse - 1, time.Hour} {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		for { // a sleep below coarse may end by itself before the context does
			err := w.Sleep(ctx, d)
			if errors.Is(err, context.Canceled) {
				break
			}
			if err != nil {
				t.Fatalf("sleep returned %v; want the context's error", err)
			}
		}
		cancel()
	}
	if n := w.alarms.Pending(); n != 0 {
		t.Errorf("%d alarms are still pending", n)
	}
}

func TestAPromiseIsKeptOnce(t *testing.T) {
	w := NewWall()
	defer w.Close()
	p := w.Promise()
	p.Keep(flows.Message{ID: 1}, nil)
	p.Keep(flows.Message{ID: 2}, errors.New("late"))
	for range 2 {
		if m, err := p.Wait(t.Context()); err != nil || m.ID != 1 {
			t.Errorf("got %d, %v; want what was kept first", m.ID, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Promise().Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for an empty promise says %v; want the context's error", err)
	}
}

func TestACloseWaitsForActivitiesAndStartsNoMore(t *testing.T) {
	w := NewWall()
	release := make(chan struct{})
	ended := false
	wait := w.Go(t.Context(), func(context.Context) { <-release; ended = true })
	close(release)
	w.Close()
	if !ended {
		t.Error("closed before its activity had ended")
	}
	if err := wait(t.Context()); err != nil {
		t.Errorf("waiting for an ended activity says %v", err)
	}
	if err := w.Go(t.Context(), func(context.Context) { t.Error("ran after close") })(t.Context()); !errors.Is(
		err,
		flows.ErrClosed,
	) {
		t.Errorf("an activity after close says %v; want closed", err)
	}
}
