package des_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/des"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// run runs main on a fresh kernel, which must end well.
func run(t *testing.T, main func(ctx context.Context, k *des.Kernel)) {
	t.Helper()
	k := des.New()
	if err := k.Run(t.Context(), func(ctx context.Context) { main(ctx, k) }); err != nil {
		t.Error(err)
	}
}

// TestTiesRunInTheOrderOfScheduling has more events due at one instant than any
// 16-bit sequence could number, scheduled before the instant and at it.
func TestTiesRunInTheOrderOfScheduling(t *testing.T) {
	k := des.New()
	const n = 200_000
	var next uint32
	var h des.Handler
	h = k.Handle(func(arg uint32) {
		if arg != next {
			t.Fatalf("event %d ran; want %d", arg, next)
		}
		if k.Now() != time.Second {
			t.Fatalf("it is %v; want 1s", k.Now())
		}
		next++
		if arg < n {
			k.After(0, h, n+arg)
		}
	})
	for i := range uint32(n) {
		k.At(time.Second, h, i)
	}
	if err := k.Run(t.Context(), func(context.Context) {}); err != nil || next != 2*n {
		t.Errorf("%d events ran, error %v; want %d", next, err, 2*n)
	}
}

func TestWhatIsDueInThePastIsDueNow(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		var at []time.Duration
		h := k.Handle(func(uint32) { at = append(at, k.Now()) })
		_ = k.Sleep(ctx, 5*ms)
		k.At(2*ms, h, 0)
		k.After(-time.Hour, h, 0)
		k.At(7*ms, h, 0)
		_ = k.Sleep(ctx, 10*ms)
		if !slices.Equal(at, []time.Duration{5 * ms, 5 * ms, 7 * ms}) {
			t.Errorf("events ran at %v", at)
		}
	})
}

// hubbub is a model that uses everything, and its trace.
func hubbub(seed uint64) (string, error) {
	k := des.New()
	trace := sha256.New()
	stream := des.Stream(seed, "hubbub")
	q := des.NewQueue[int](k, "orders")
	draw := func() time.Duration { return time.Duration(stream.IntN(20)) * ms } // many ties
	h := k.Handle(func(arg uint32) { fmt.Fprintln(trace, "event", arg, k.Now()) })
	err := k.Run(context.Background(), func(ctx context.Context) {
		stop, cancel := k.WithCancel(ctx)
		for w := range 5 {
			k.Go(stop, func(ctx context.Context) { take(ctx, k, q, trace, w, draw) })
		}
		for i := range 500 {
			k.After(draw(), h, uint32(i))
			wait := k.Go(ctx, func(ctx context.Context) {
				short, cancel := k.WithTimeout(ctx, draw())
				defer cancel()
				fmt.Fprintln(trace, "slept", i, k.Sleep(short, draw()), k.Now())
				q.Put(i)
			})
			if stream.IntN(3) == 0 {
				_ = wait(ctx)
			}
		}
		_ = k.Sleep(ctx, time.Second)
		cancel()
	})
	return fmt.Sprintf("%x", trace.Sum(nil)), err
}

func take(
	ctx context.Context, k *des.Kernel, q *des.Queue[int], trace hash.Hash, worker int, draw func() time.Duration,
) {
	for {
		x, err := q.Get(ctx)
		fmt.Fprintln(trace, "got", worker, x, err, k.Now())
		if err != nil || k.Sleep(ctx, draw()) != nil {
			return
		}
	}
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	seen := make(map[string]uint64)
	for seed := range uint64(4) {
		first, err := hubbub(seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, procs := range []int{1, 2} {
			runtime.GOMAXPROCS(procs)
			if again, err := hubbub(seed); err != nil || again != first {
				t.Errorf("seed %d on %d processors: trace %s, error %v; want %s", seed, procs, again, err, first)
			}
		}
		if other, twice := seen[first]; twice {
			t.Errorf("seeds %d and %d have the same trace", seed, other)
		}
		seen[first] = seed
	}
}

func TestADeadlockSaysWhoWaitsForWhat(t *testing.T) {
	k := des.New()
	err := k.Run(t.Context(), func(ctx context.Context) {
		q := des.NewQueue[int](k, "orders")
		for range 2 {
			k.Go(ctx, func(ctx context.Context) { _, _ = q.Get(ctx) })
		}
		_ = k.Sleep(ctx, 3*ms)
		_, _ = k.Promise().Wait(ctx)
		t.Error("the wait ended")
	})
	var dead *des.Deadlock
	if !errors.As(err, &dead) || dead.Waiting != 3 || dead.At != 3*ms {
		t.Fatalf("got %v; want a deadlock of 3 at 3ms", err)
	}
	if want := "3 activities wait: 1 for a promise, 2 for queue orders"; !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %q; want %q in it", err, want)
	}
}

func TestWhatIsLeftIsUnwound(t *testing.T) {
	k := des.New()
	var said []string
	err := k.Run(t.Context(), func(ctx context.Context) {
		k.Go(ctx, func(ctx context.Context) {
			defer func() { said = append(said, "unwound") }()
			defer func() { _ = k.Sleep(ctx, ms) }() // cannot be had any more, and must do no harm
			_, _ = k.Promise().Wait(ctx)
			said = append(said, "woken")
		})
		k.Go(ctx, func(ctx context.Context) { _, _ = k.Promise().Wait(ctx) })
	})
	if err == nil || !slices.Equal(said, []string{"unwound"}) {
		t.Errorf("error %v, said %q; want a deadlock, unwound", err, said)
	}
	if err := k.Run(t.Context(), func(ctx context.Context) { _ = k.Sleep(ctx, ms) }); err != nil || k.Now() != ms {
		t.Errorf("a second run ended at %v with %v; want 1ms", k.Now(), err)
	}
}

func TestARealCancellationEndsTheRun(t *testing.T) {
	k := des.New()
	real, cancel := context.WithCancel(t.Context())
	closed := false
	err := k.Run(real, func(ctx context.Context) {
		k.Go(ctx, func(ctx context.Context) { // closes what it has open
			_, err := k.Promise().Wait(ctx)
			closed = errors.Is(err, context.Canceled) && k.Sleep(context.WithoutCancel(ctx), ms) == nil
		})
		for i := 0; ; i++ { // and this one never ends
			if i == 100 {
				cancel()
			}
			_ = k.Sleep(context.WithoutCancel(ctx), ms)
		}
	})
	if !errors.Is(err, context.Canceled) || !closed {
		t.Errorf("the run ended with %v, closed %v; want canceled, closed", err, closed)
	}
	err = des.New().Run(real, func(ctx context.Context) {
		if ctx.Err() == nil {
			t.Error("the context of a run that was over before it began has not ended")
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a run with a cancelled context ended with %v; want canceled", err)
	}
}

func TestAPanicComesOutOfTheRun(t *testing.T) {
	k := des.New()
	unwound := false
	defer func() {
		p, ok := recover().(*des.Panic)
		if !ok || p.Value != "oops" || !strings.Contains(string(p.Stack), "kernel_test.go") {
			t.Errorf("recovered %v; want oops with its stack", p)
		}
		if !unwound {
			t.Error("the other activity was not unwound")
		}
	}()
	_ = k.Run(t.Context(), func(ctx context.Context) {
		k.Go(ctx, func(ctx context.Context) {
			defer func() { unwound = true }()
			_, _ = k.Promise().Wait(ctx)
		})
		_ = k.Sleep(ctx, ms)
		panic("oops")
	})
}

// TestAnActivityMayEndItsTest checks what testing does for FailNow and SkipNow.
func TestAnActivityMayEndItsTest(t *testing.T) {
	unwound := false
	t.Run("inner", func(t *testing.T) {
		k := des.New()
		_ = k.Run(t.Context(), func(ctx context.Context) {
			k.Go(ctx, func(ctx context.Context) {
				defer func() { unwound = true }()
				_, _ = k.Promise().Wait(ctx)
			})
			_ = k.Sleep(ctx, ms)
			t.Skip("on purpose")
		})
	})
	if !unwound {
		t.Error("the other activity was not unwound")
	}
}

func TestTimeHasAnEnd(t *testing.T) {
	k := des.New()
	err := k.Run(t.Context(), func(ctx context.Context) {
		long, cancel := k.WithTimeout(ctx, math.MaxInt64)
		if err := k.Sleep(long, ms); err != nil {
			t.Error(err)
		}
		cancel() // what was taken back does not count
	})
	if err != nil || k.Now() != ms {
		t.Errorf("the run ended at %v with %v; want 1ms", k.Now(), err)
	}
	err = k.Run(t.Context(), func(ctx context.Context) { _ = k.Sleep(ctx, math.MaxInt64) })
	if !errors.Is(err, des.ErrEndOfTime) {
		t.Errorf("sleeping for ever ended with %v; want the end of time", err)
	}
}

func TestAKernelRunsOnceAtATime(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		if err := k.Run(ctx, func(context.Context) {}); err == nil {
			t.Error("a kernel ran inside itself")
		}
	})
}

func TestActivitiesShareCoroutines(t *testing.T) {
	run(t, func(ctx context.Context, k *des.Kernel) {
		before := runtime.NumGoroutine()
		for range 10_000 {
			if err := k.Go(ctx, func(ctx context.Context) { _ = k.Sleep(ctx, ms) })(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if n := runtime.NumGoroutine() - before; n > 1 {
			t.Errorf("10000 activities, one after the other, left %d coroutines; want 1", n)
		}
	})
}

func TestStreamsAreTheirRoles(t *testing.T) {
	a, b := des.Stream(1, "arrivals"), des.Stream(1, "service")
	c, again := des.Stream(2, "arrivals"), des.Stream(1, "arrivals")
	first := a.Uint64()
	if first == b.Uint64() || first == c.Uint64() {
		t.Error("two streams begin with the same number")
	}
	if got := again.Uint64(); got != first {
		t.Errorf("the stream begins with %d, and again with %d", first, got)
	}
}

var _ flows.Runtime = (*des.Kernel)(nil)
