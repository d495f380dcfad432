package des_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows"
	"flowbench/sim"
	"flowbench/sim/des"
)

// TestPromisesAreThoseOfTheWallClock has both runtimes go through the same steps
// of keeping, waiting and ending contexts, wherever the wall clock's answer does
// not depend on a race.
func TestPromisesAreThoseOfTheWallClock(t *testing.T) {
	steps := func(rt flows.Runtime, kept, ended, late bool) (uint64, bool, bool) {
		var m flows.Message
		var err error
		ctx, cancel := rt.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		p := rt.Promise()
		if kept {
			p.Keep(flows.Message{ID: 1}, nil)
			p.Keep(flows.Message{ID: 2}, flows.ErrClosed)
		}
		if ended && !kept {
			cancel()
		}
		waiting := rt.Go(context.Background(), func(context.Context) { m, err = p.Wait(ctx) })
		if late && !ended {
			p.Keep(flows.Message{ID: 3}, flows.ErrClosed)
		}
		if !kept && !late {
			cancel()
		}
		if werr := waiting(context.Background()); werr != nil {
			t.Error(werr)
		}
		return m.ID, errors.Is(err, flows.ErrClosed), errors.Is(err, context.Canceled)
	}
	rapid.Check(t, func(rt *rapid.T) {
		kept, ended := rapid.Bool().Draw(rt, "kept"), rapid.Bool().Draw(rt, "ended")
		late := rapid.Bool().Draw(rt, "late")
		wall := sim.NewWall()
		id, closed, canceled := steps(wall, kept, ended, late)
		wall.Close()
		run(t, func(_ context.Context, k *des.Kernel) {
			if i, cl, ca := steps(k, kept, ended, late); i != id || cl != closed || ca != canceled {
				rt.Errorf("the kernel says %d, %v, %v; the wall clock %d, %v, %v", i, cl, ca, id, closed, canceled)
			}
		})
	})
}

// TestAWaitEndsWithWhateverComesFirst checks every wait against the earliest of
// the deadlines above it and the event that it waits for.
func TestAWaitEndsWithWhateverComesFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		outer := time.Duration(rapid.IntRange(1, 20).Draw(rt, "outer"))
		inner := time.Duration(rapid.IntRange(1, 20).Draw(rt, "inner"))
		cancelled := time.Duration(rapid.IntRange(1, 20).Draw(rt, "cancelled"))
		length := time.Duration(rapid.IntRange(1, 20).Draw(rt, "length"))
		wrap := rapid.IntRange(0, 2).Draw(rt, "wrap")
		run(t, func(ctx context.Context, k *des.Kernel) {
			a, cancelA := k.WithTimeout(ctx, outer)
			defer cancelA()
			switch wrap {
			case 1:
				a = context.WithValue(a, wrapKey{}, true)
			case 2:
				var cancel context.CancelFunc
				a, cancel = context.WithCancel(a)
				defer cancel()
			}
			b, cancelB := k.WithTimeout(a, inner)
			defer cancelB()
			k.AfterFunc(cancelled, cancelB)
			err := k.Sleep(b, length)
			first := min(outer, inner, cancelled, length)
			if k.Now() != first {
				rt.Errorf("woke at %v with %v; want %v", k.Now(), err, first)
			}
			if err == nil && length > first || errors.Is(err, context.Canceled) && cancelled > first ||
				errors.Is(err, context.DeadlineExceeded) && min(outer, inner) > first {
				rt.Errorf("woke at %v with %v", k.Now(), err)
			}
			if (err != nil) != (b.Err() != nil) && length != first {
				rt.Errorf("the sleep ended with %v, the context with %v", err, b.Err())
			}
		})
	})
}

type wrapKey struct{}

func TestCancellationWakesInTheOrderOfWaiting(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		shared, cancel := k.WithCancel(ctx)
		never := k.Promise()
		var woken []int
		var waits []func(context.Context) error
		for i := range 20 {
			ctx := shared
			if i%2 == 1 { // a context below wakes in its parent's place
				below, cancel := k.WithTimeout(shared, time.Hour)
				defer cancel()
				ctx = below
			}
			waits = append(waits, k.Go(ctx, func(ctx context.Context) {
				if _, err := never.Wait(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("the wait ended with %v", err)
				}
				woken = append(woken, i)
			}))
		}
		_ = k.Sleep(ctx, ms)
		cancel()
		for _, wait := range waits {
			_ = wait(ctx)
		}
		var want []int // below comes first: those contexts were made before anybody waited
		for i := 1; i < 20; i += 2 {
			want = append(want, i)
		}
		for i := 0; i < 20; i += 2 {
			want = append(want, i)
		}
		if !slices.Equal(woken, want) {
			t.Errorf("woken in the order %v; want %v", woken, want)
		}
	})
}

func TestContextsTellWhatTheyAre(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		c, cancel := k.WithTimeout(context.WithValue(ctx, wrapKey{}, "v"), ms)
		defer cancel()
		select {
		case <-c.Done():
			t.Error("done at once")
		default:
		}
		derived, stop := context.WithCancel(c)
		defer stop()
		if c.Value(wrapKey{}) != "v" {
			t.Error("the value is lost")
		}
		_ = k.Sleep(context.WithoutCancel(c), 2*ms)
		<-c.Done()
		<-derived.Done()
		if !errors.Is(c.Err(), context.DeadlineExceeded) || !errors.Is(derived.Err(), context.DeadlineExceeded) ||
			!errors.Is(context.Cause(derived), context.DeadlineExceeded) {
			t.Errorf("ended with %v, and below with %v", c.Err(), derived.Err())
		}
		late, cancel := k.WithCancel(c)
		defer cancel()
		if !errors.Is(late.Err(), context.DeadlineExceeded) {
			t.Errorf("a context below one that has ended says %v", late.Err())
		}
		gone, cancel := k.WithTimeout(ctx, 0)
		defer cancel()
		if !errors.Is(gone.Err(), context.DeadlineExceeded) {
			t.Errorf("a context without any time says %v", gone.Err())
		}
	})
}

// TestForeignContextsAreLookedAt cancels contexts behind the kernel's back.
func TestForeignContextsAreLookedAt(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		foreign, cancel := context.WithCancel(context.WithoutCancel(ctx))
		below, stop := k.WithTimeout(foreign, time.Hour)
		defer stop()
		p := k.Promise()
		var errs [2]error
		var waits []func(context.Context) error
		for i, c := range []context.Context{foreign, below} {
			waits = append(waits, k.Go(ctx, func(context.Context) { _, errs[i] = p.Wait(c) }))
		}
		_ = k.Sleep(ctx, ms)
		cancel()
		if err := k.Sleep(foreign, ms); !errors.Is(err, context.Canceled) || k.Now() != ms {
			t.Errorf("a sleep with a foreign context that has ended returned %v at %v", err, k.Now())
		}
		if err := k.Sleep(below, ms); !errors.Is(err, context.Canceled) || k.Now() != ms {
			t.Errorf("a sleep with a context below it returned %v at %v", err, k.Now())
		}
		for i, wait := range waits {
			if err := wait(ctx); err != nil || !errors.Is(errs[i], context.Canceled) {
				t.Errorf("wait %d ended with %v, %v", i, errs[i], err)
			}
		}
	})
}

// TestQueuesLoseNothing has takers give up all the time while values arrive.
func TestQueuesLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		takers, n := rapid.IntRange(1, 4).Draw(rt, "takers"), rapid.IntRange(1, 50).Draw(rt, "values")
		patience := time.Duration(rapid.IntRange(1, 4).Draw(rt, "patience"))
		pause := time.Duration(rapid.IntRange(0, 4).Draw(rt, "pause"))
		run(t, func(ctx context.Context, k *des.Kernel) {
			q := des.NewQueue[int](k, "values")
			var got []int
			var waits []func(context.Context) error
			for range takers {
				waits = append(waits, k.Go(ctx, func(ctx context.Context) {
					for {
						short, cancel := k.WithTimeout(ctx, patience)
						x, err := q.Get(short)
						cancel()
						switch {
						case errors.Is(err, flows.ErrClosed):
							return
						case err == nil:
							got = append(got, x)
						}
					}
				}))
			}
			for i := range n {
				q.Put(i)
				_ = k.Sleep(ctx, pause)
			}
			_ = k.Sleep(ctx, time.Microsecond)
			q.Close()
			for _, wait := range waits {
				_ = wait(ctx)
			}
			if len(got) != n || !slices.IsSorted(got) || q.Len() != 0 {
				rt.Errorf("took %v; want %d values in order", got, n)
			}
		})
	})
}

func TestAQueuePutsBackInFront(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		q := des.NewQueue[int](k, "values")
		q.Put(2)
		q.PutFront(1)
		q.Close()
		if _, err := q.Get(ctx); !errors.Is(err, flows.ErrClosed) {
			t.Errorf("a closed queue says %v", err)
		}
		a, _ := q.TryGet()
		b, _ := q.TryGet()
		if _, more := q.TryGet(); a != 1 || b != 2 || more {
			t.Errorf("took %d, %d, and more: %v; want 1, 2", a, b, more)
		}
	})
}
