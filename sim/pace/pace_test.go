package pace

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// virtual is a waiter whose time moves only when it is waited for, by as much
// as was asked and some lateness more.
type virtual struct {
	now   time.Duration
	late  func() time.Duration
	wakes []time.Duration
}

func (v *virtual) Now() time.Duration { return v.now }

func (v *virtual) Wait(d time.Duration) {
	v.now += d
	if v.late != nil {
		v.now += v.late()
	}
	v.wakes = append(v.wakes, v.now)
}

type list []time.Duration

func (l *list) Next() (time.Duration, bool) {
	if len(*l) == 0 {
		return 0, false
	}
	at := (*l)[0]
	*l = (*l)[1:]
	return at, true
}

// TestEverythingDueIsEmittedInOrderWithItsDueTime lets waits be late as they
// please: nothing is lost, nothing changes its due time, nothing comes early.
func TestEverythingDueIsEmittedInOrderWithItsDueTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOf(rapid.Int64Range(0, int64(2*time.Second))).Draw(t, "due")
		slices.Sort(times)
		var schedule list
		for _, x := range times {
			schedule = append(schedule, time.Duration(x))
		}
		want := slices.Clone(schedule)
		origin := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "origin"))
		v := &virtual{late: func() time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(30*time.Millisecond)).Draw(t, "late"))
		}}
		var got list
		err := run(context.Background(), v, &schedule, origin, func(due time.Duration) {
			if v.now < due {
				t.Fatalf("emitted at %v what is due at %v", v.now, due)
			}
			got = append(got, due-origin)
		})
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("emitted %v, %v; want %v", got, err, want)
		}
	})
}

func TestWakesAreAGapApart(t *testing.T) {
	var schedule list
	for i := range 2000 {
		schedule = append(schedule, time.Duration(i)*10*time.Microsecond)
	}
	v := &virtual{}
	if err := run(t.Context(), v, &schedule, 0, func(time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(v.wakes); i++ {
		if apart := v.wakes[i] - v.wakes[i-1]; apart < Gap {
			t.Fatalf("wakes %d and %d are %v apart; want at least %v", i-1, i, apart, Gap)
		}
	}
	if most := int(20*time.Millisecond/Gap) + 1; len(v.wakes) > most {
		t.Errorf("woke %d times in 20ms; want at most %d", len(v.wakes), most)
	}
}

func TestALonelyOperationIsNotHeldBackByTheGap(t *testing.T) {
	v := &virtual{}
	schedule := list{0, time.Second, 2 * time.Second}
	var late time.Duration
	if err := run(t.Context(), v, &schedule, 0, func(due time.Duration) { late = max(late, v.now-due) }); err != nil {
		t.Fatal(err)
	}
	if late != 0 {
		t.Errorf("an operation was emitted %v late although every wait was exact", late)
	}
}

func TestAPacerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v := &virtual{late: func() time.Duration { cancel(); return 0 }}
	schedule := list{time.Hour}
	emitted := false
	err := run(ctx, v, &schedule, 0, func(time.Duration) { emitted = true })
	if !errors.Is(err, context.Canceled) || emitted {
		t.Errorf("got %v, emitted %v; want the context's error and nothing emitted", err, emitted)
	}
	if len(v.wakes) != 1 || v.wakes[0] > longestWait {
		t.Errorf("woke at %v; want once, within %v", v.wakes, longestWait)
	}
}

func TestTheRealClockPacesToo(t *testing.T) {
	schedule := list{0, time.Millisecond, 2 * time.Millisecond}
	var due list
	c := Clock{Start: time.Now()}
	if err := Run(t.Context(), c, &schedule, 0, func(d time.Duration) {
		if c.Now() < d {
			t.Errorf("emitted at %v what is due at %v", c.Now(), d)
		}
		due = append(due, d)
	}); err != nil {
		t.Fatal(err)
	}
	if len(due) != 3 {
		t.Errorf("emitted %v; want three operations", due)
	}
}
