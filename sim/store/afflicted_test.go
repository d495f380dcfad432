package store_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/store"
	"flowbench/sim/store/memstore"
)

// afflicted runs body with a party of a store that troubles can be put on, in
// virtual time.
func afflicted(t *testing.T, seed uint64, body func(context.Context, *des.Kernel, *store.Afflicted, flows.Objects)) {
	t.Helper()
	k := des.New()
	err := k.Run(t.Context(), func(ctx context.Context) {
		session, err := memstore.New().Open(ctx, store.Config{
			Prefix: "t", MaxBytes: 1 << 20, Meter: &store.Meter{}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		a := store.Afflictable(session, k, seed)
		o, err := a.Connect(ctx, "party")
		if err != nil {
			t.Fatal(err)
		}
		body(ctx, k, a, o)
		if err := errors.Join(o.Close(), a.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// ask makes n requests of an object that is there, of each kind in turn, and
// returns which of them failed, counting from 1.
func ask(ctx context.Context, t *testing.T, o flows.Objects, n int) (failed []int) {
	t.Helper()
	uri := ""
	for i := 1; i <= n; i++ {
		var err error
		switch i % 3 {
		case 0:
			err = o.Delete(ctx, uri)
		case 1:
			name := "o-" + strings.Repeat("x", i)
			uri, err = o.Put(ctx, name, 3, strings.NewReader("abc"))
			if err != nil {
				uri = "mem:t." + name
			}
		case 2:
			var body io.ReadCloser
			if body, err = o.Get(ctx, uri, flows.Span{}); err == nil {
				err = body.Close()
			}
		}
		if outcome, class := flows.OutcomeOf(err); err != nil && !errors.Is(err, flows.ErrNoObject) {
			if failed = append(failed, i); outcome != flows.Failed || class != flows.Rejected {
				t.Errorf("request %d ended with %v; want that it was rejected", i, err)
			}
		}
	}
	return failed
}

func TestTroublesBefallRequestsOfEveryKind(t *testing.T) {
	ms := time.Millisecond
	for name, tt := range map[string]struct {
		troubles []*store.Trouble
		failed   []int
		took     time.Duration
		touched  int64 // by the first
	}{
		"none":              {nil, nil, 0, 0},
		"slow":              {[]*store.Trouble{{Slow: 5 * ms}}, nil, 45 * ms, 9},
		"every fourth":      {[]*store.Trouble{{ErrorEvery: 4}}, []int{4, 8}, 0, 2},
		"the first three":   {[]*store.Trouble{{ErrorFirst: 3}}, []int{1, 2, 3}, 0, 3},
		"all":               {[]*store.Trouble{{ErrorShare: 1}}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, 9},
		"two at once":       {[]*store.Trouble{{ErrorEvery: 4}, {ErrorFirst: 1}}, []int{1, 4, 8}, 0, 2},
		"slow and refusing": {[]*store.Trouble{{Slow: ms, ErrorFirst: 1}, {Slow: ms}}, []int{1}, 18 * ms, 9},
	} {
		t.Run(name, func(t *testing.T) {
			afflicted(t, 1, func(ctx context.Context, k *des.Kernel, a *store.Afflicted, o flows.Objects) {
				var heal []func()
				for _, trouble := range tt.troubles {
					heal = append(heal, a.Afflict(trouble))
				}
				began := k.Now()
				if failed := ask(ctx, t, o, 9); !slices.Equal(failed, tt.failed) || k.Now()-began != tt.took {
					t.Errorf("%v failed, in %v; want %v in %v", failed, k.Now()-began, tt.failed, tt.took)
				}
				if len(tt.troubles) > 0 && tt.troubles[0].Touched() != tt.touched {
					t.Errorf("the first trouble touched %d requests; want %d", tt.troubles[0].Touched(), tt.touched)
				}
				for _, h := range heal {
					h()
					h() // healing twice heals nothing else
				}
				began = k.Now()
				if failed := ask(ctx, t, o, 9); failed != nil || k.Now() != began {
					t.Errorf("when all is healed, %v failed in %v", failed, k.Now()-began)
				}
			})
		})
	}
}

func TestHealingOneTroubleLeavesTheOthers(t *testing.T) {
	afflicted(t, 1, func(ctx context.Context, _ *des.Kernel, a *store.Afflicted, o flows.Objects) {
		first := a.Afflict(&store.Trouble{ErrorShare: 1})
		second := a.Afflict(&store.Trouble{ErrorEvery: 2})
		first()
		if failed := ask(ctx, t, o, 4); !slices.Equal(failed, []int{2, 4}) {
			t.Errorf("%v failed; want every second", failed)
		}
		second()
	})
}

func TestWhatFailsFollowsFromTheSeed(t *testing.T) {
	draw := func(seed uint64) (failed []int) {
		afflicted(t, seed, func(ctx context.Context, _ *des.Kernel, a *store.Afflicted, o flows.Objects) {
			a.Afflict(&store.Trouble{ErrorShare: 0.3})
			failed = ask(ctx, t, o, 100)
		})
		return failed
	}
	once, again, other := draw(7), draw(7), draw(8)
	if !slices.Equal(once, again) || slices.Equal(once, other) || len(once) < 15 || len(once) > 45 {
		t.Errorf("of 100 failed %d, %d with the same seed, %d with another", len(once), len(again), len(other))
	}
}

func TestASlowStoreWaitsNoLongerThanTheRequest(t *testing.T) {
	afflicted(t, 1, func(ctx context.Context, k *des.Kernel, a *store.Afflicted, o flows.Objects) {
		defer a.Afflict(&store.Trouble{Slow: time.Hour})()
		began := k.Now()
		ctx, cancel := k.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := o.Put(ctx, "o", 3, strings.NewReader("abc"))
		if outcome, class := flows.OutcomeOf(err); outcome != flows.Undecided || class != flows.Timeout {
			t.Errorf("it ended with %v; want a timeout that leaves it open", err)
		}
		if took := k.Now() - began; took != time.Second {
			t.Errorf("it took %v; want a second", took)
		}
	})
}
