package flows

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// bubble is a runtime in the virtual time of testing/synctest.
type bubble struct{ start time.Time }

func (b bubble) Now() time.Duration { return time.Since(b.start) }

func (bubble) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (bubble) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (bubble) Go(ctx context.Context, f func(context.Context)) func(context.Context) error {
	go f(ctx)
	return func(context.Context) error { return nil }
}

func (bubble) Promise() Promise { return make(kept, 1) }

type kept chan error

func (k kept) Keep(_ Message, err error) {
	select {
	case k <- err:
	default:
	}
}

func (k kept) Wait(ctx context.Context) (Message, error) {
	select {
	case err := <-k:
		return Message{}, err
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

// board returns a board whose clients wait a second for an operation.
func testBoard() *board {
	return newBoard(Env{Runtime: bubble{time.Now()}, Settings: Settings{Timeout: time.Second}})
}

// put has the front end hear of versions of key k, each made by the operation of
// the same number.
func put(ctx context.Context, b *board, versions ...uint64) {
	for _, v := range versions {
		b.put(ctx, "k", change{op: v, version: v, value: []byte{byte(v)}})
	}
}

// shown returns the versions that w is pushed without waiting, and how it ended
// if it did.
func shown(ctx context.Context, w *watcher) string {
	var versions []uint64
	for {
		ctx, cancel := context.WithTimeout(ctx, time.Nanosecond)
		c, err := w.next(ctx)
		cancel()
		if err != nil {
			if outcome, class := OutcomeOf(err); class != Timeout {
				return fmt.Sprint(versions, outcome, " ", class)
			}
			return fmt.Sprint(versions)
		}
		versions = append(versions, c.version)
	}
}

func watching(t *testing.T, b *board) *watcher {
	t.Helper()
	w, err := b.watch("k")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestChangesArePutUpInTheOrderOfTheirVersions tells a board of changes in some
// order. The watcher has read version 2 at the place that is written as 0.
func TestChangesArePutUpInTheOrderOfTheirVersions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		comes []uint64
		want  string
	}{
		{"in order", []uint64{0, 3, 4, 5}, "[3 4 5]"},
		{"in any order", []uint64{0, 5, 3, 4}, "[3 4 5]"},
		{"between the watching and the read", []uint64{3, 0, 4}, "[3 4]"},
		{"in the read already", []uint64{1, 2, 0, 1, 2, 3}, "[3]"},
		{"twice", []uint64{0, 3, 3, 4, 3, 4}, "[3 4]"},
		{"ahead of the read, one never", []uint64{4, 0}, "[]"},
		{"ahead of the read and in any order", []uint64{4, 2, 3, 0}, "[3 4]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := testBoard()
				w := watching(t, b)
				for _, v := range tt.comes {
					if v == 0 {
						b.begin(t.Context(), w, 2)
						continue
					}
					put(t.Context(), b, v)
				}
				if got := shown(t.Context(), w); got != tt.want {
					t.Errorf("the watcher was shown %s; want %s", got, tt.want)
				}
				time.Sleep(2 * time.Second) // whoever waits for a gap has passed over it
				if got := shown(t.Context(), w); tt.want == "[]" && got != "[4]" {
					t.Errorf("after a while the watcher was shown %s; want what was held back", got)
				}
			})
		})
	}
}

func TestAWatcherIsNotShownWhatItHasReadHoweverLateThatIsPutUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard()
		first, second := watching(t, b), watching(t, b)
		b.begin(t.Context(), first, 2)
		b.begin(t.Context(), second, 4) // ahead of the events
		put(t.Context(), b, 3, 4, 5)
		if got := shown(t.Context(), first); got != "[3 4 5]" {
			t.Errorf("who read version 2 was shown %s; want [3 4 5]", got)
		}
		if got := shown(t.Context(), second); got != "[5]" {
			t.Errorf("who read version 4 was shown %s; want [5]", got)
		}
	})
}

func TestAChangeThatDoesNotComeIsPassedOverAndNotShownLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard()
		w := watching(t, b)
		b.begin(t.Context(), w, 0)
		put(t.Context(), b, 1, 3, 4, 6) // 2 and 5 are late
		time.Sleep(900 * time.Millisecond)
		if got := shown(t.Context(), w); got != "[1]" {
			t.Errorf("before the patience ends the watcher was shown %s; want [1]", got)
		}
		time.Sleep(200 * time.Millisecond)
		if got := shown(t.Context(), w); got != "[3 4]" {
			t.Errorf("then it was shown %s; want [3 4]", got)
		}
		put(t.Context(), b, 2, 5) // one too late, one just in time
		if got := shown(t.Context(), w); got != "[5 6]" {
			t.Errorf("then it was shown %s; want [5 6]", got)
		}
		put(t.Context(), b, 8)
		time.Sleep(1100 * time.Millisecond)
		if got := shown(t.Context(), w); got != "[8]" {
			t.Errorf("after a second gap it was shown %s; want [8]", got)
		}
		time.Sleep(2 * time.Second)
	})
}

func TestABoardHoldsABoundedNumberOfChangesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard()
		w := watching(t, b)
		for v := range uint64(3 * maxHeld) {
			put(t.Context(), b, v+2) // before anything was read
		}
		if n := len(b.keys["k"].held); n > maxHeld {
			t.Errorf("%d changes are held; want at most %d", n, maxHeld)
		}
		b.begin(t.Context(), w, 0) // and now 1 is missing
		for v := range uint64(maxHeld) {
			put(t.Context(), b, v+3*maxHeld+2)
		}
		if n := len(b.keys["k"].held); n > maxHeld {
			t.Errorf("%d changes are held; want at most %d", n, maxHeld)
		}
		if got := shown(t.Context(), w); got == "[]" {
			t.Error("nothing is shown although too much was held back to wait any longer")
		}
		time.Sleep(3 * time.Second)
	})
}

func TestAWatcherThatDoesNotKeepUpIsSentAwayAndTheOthersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard()
		slow, quick := watching(t, b), watching(t, b)
		b.begin(t.Context(), slow, 0)
		b.begin(t.Context(), quick, 0)
		for v := range uint64(maxQueued + 1) {
			put(t.Context(), b, v+1)
			if got, want := shown(t.Context(), quick), fmt.Sprintf("[%d]", v+1); got != want {
				t.Fatalf("the quick watcher was shown %s; want %s", got, want)
			}
		}
		if got := shown(t.Context(), slow); got != "[] failed overloaded" {
			t.Errorf("the slow watcher was shown %s; want it to be sent away", got)
		}
		b.leave(slow)
		put(t.Context(), b, maxQueued+2)
		if got := shown(t.Context(), quick); got == "[]" {
			t.Error("the quick watcher is shown nothing any more")
		}
	})
}

func TestLiveQueriesAreBoundedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard()
		var all []*watcher
		for range MaxWatches {
			all = append(all, watching(t, b))
		}
		_, err := b.watch("another")
		if outcome, class := OutcomeOf(err); outcome != Failed || class != Overloaded {
			t.Errorf("one more than there may be ends with %v; want it to be refused", err)
		}
		for i := len(all) - 1; i >= 0; i-- {
			b.leave(all[i])
		}
		if len(b.keys) != 0 || b.total != 0 {
			t.Errorf("%d keys and %d watchers are left; want none", len(b.keys), b.total)
		}
		watching(t, b)
		b.close()
		_, err = b.watch("k")
		if outcome, class := OutcomeOf(err); outcome != Failed || class != Unreachable {
			t.Errorf("a watch of a closed board ends with %v; want unreachable", err)
		}
	})
}

func TestWhoWaitsForAChangeIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard()
		w := watching(t, b)
		b.begin(t.Context(), w, 0)
		got := make(chan string, 2)
		go func() {
			for range 2 {
				c, err := w.next(t.Context())
				_, class := OutcomeOf(err)
				got <- fmt.Sprint(c.version, " ", class)
			}
		}()
		synctest.Wait()
		put(t.Context(), b, 1)
		if g := <-got; g != "1 " {
			t.Errorf("the one who waits got %q; want the change", g)
		}
		synctest.Wait()
		b.close()
		if g := <-got; g != "0 unreachable" {
			t.Errorf("when the front end closes it got %q; want to be told", g)
		}
	})
}

func FuzzParseChange(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(change{version: 7, value: []byte("value")}.bytes())
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseChange(9, body)
		if err != nil {
			if outcome, class := OutcomeOf(err); outcome != Undecided || class != Corrupt || len(body) >= changeHead {
				t.Errorf("%x is refused with %v", body, err)
			}
			return
		}
		if back := c.bytes(); string(back) != string(body) || c.op != 9 {
			t.Errorf("%x reads as %+v, which is written as %x", body, c, back)
		}
	})
}
