package alarm

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clocks are one with the best timer of this system, and one with that of the Go
// runtime.
func clocks() map[string]func() *Clock {
	return map[string]func() *Clock{
		"the system's": New,
		"the runtime's": func() *Clock {
			return newClock(newRuntimeTimer())
		},
	}
}

func TestEverySleeperWakesAndNoneEarly(t *testing.T) {
	for name, open := range clocks() {
		t.Run(name, func(t *testing.T) {
			c := open()
			defer c.Close()
			var wg sync.WaitGroup
			for i := range 40 {
				d := time.Duration(i-1) * 200 * time.Microsecond
				wg.Go(func() {
					before := time.Now()
					if err := c.Sleep(t.Context(), d); err != nil {
						t.Error(err)
					}
					if slept := time.Since(before); slept < d {
						t.Errorf("slept %v; want at least %v", slept, d)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestALaterAlarmDoesNotHoldUpAnEarlierOne(t *testing.T) {
	c := New()
	defer c.Close()
	late := c.At(time.Now().Add(time.Hour))
	defer late.Stop()
	select {
	case <-c.At(time.Now().Add(time.Millisecond)).Rings():
	case <-time.After(5 * time.Second):
		t.Fatal("the earlier alarm did not ring")
	}
	select {
	case <-late.Rings():
		t.Error("the later alarm has rung")
	default:
	}
}

func TestWhatNobodyWaitsForIsTakenBack(t *testing.T) {
	c := New()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep returned %v; want the context's error", err)
	}
	a := c.At(time.Now().Add(time.Hour))
	a.Stop()
	a.Stop()
	if n := c.Pending(); n != 0 {
		t.Errorf("%d alarms are pending; want none", n)
	}
}
