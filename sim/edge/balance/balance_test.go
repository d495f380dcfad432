package balance_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"flowbench/sim/edge/balance"
)

// A step is something that happens to a backend, and what it should lead to.
type step struct {
	what    string // "request" or "check", and how it went
	changed bool
	ejected bool // afterwards
}

func TestHealthGoesByWhatHappensInARow(t *testing.T) {
	h := balance.Health{FailedChecks: 2, FailedRequests: 3, GoodChecks: 2}
	for name, steps := range map[string][]step{
		"checks that fail in a row eject": {
			{"check bad", false, false}, {"check bad", true, true}, {"check bad", false, true},
		},
		"a good check begins the count anew": {
			{"check bad", false, false}, {"check good", false, false}, {"check bad", false, false},
			{"check bad", true, true},
		},
		"requests that fail in a row eject": {
			{"request bad", false, false}, {"request bad", false, false}, {"request bad", true, true},
			{"request bad", false, true},
		},
		"a good request begins the count anew": {
			{"request bad", false, false}, {"request bad", false, false}, {"request good", false, false},
			{"request bad", false, false}, {"request bad", false, false}, {"request bad", true, true},
		},
		"good checks do not hide that requests fail": {
			{"request bad", false, false}, {"check good", false, false}, {"request bad", false, false},
			{"check good", false, false}, {"request bad", true, true},
		},
		"only good checks in a row bring back": {
			{"check bad", false, false}, {"check bad", true, true}, {"request good", false, true},
			{"check good", false, true}, {"check bad", false, true}, {"check good", false, true},
			{"request good", false, true}, {"check good", true, false},
		},
		"who comes back begins anew": {
			{"request bad", false, false}, {"check bad", false, false}, {"check bad", true, true},
			{"request bad", false, true}, {"check good", false, true}, {"check good", true, false},
			{"request bad", false, false}, {"request bad", false, false}, {"request bad", true, true},
			{"check good", false, true}, {"check good", true, false}, {"check bad", false, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := balance.New(2, false, h)
			for i, s := range steps {
				var changed bool
				switch s.what {
				case "request good", "request bad":
					changed = p.Requested(1, s.what == "request good")
				default:
					changed = p.Checked(1, s.what == "check good")
				}
				if changed != s.changed || p.Ejected(1) != s.ejected || p.Ejected(0) {
					t.Fatalf("after step %d, %s: changed %v, ejected %v, the other %v; want %v, %v, false", i, s.what,
						changed, p.Ejected(1), p.Ejected(0), s.changed, s.ejected)
				}
			}
		})
	}
}

func TestTheIdlestIsTakenAndTheIdleTakeTurns(t *testing.T) {
	for _, tt := range []struct {
		least bool
		want  string
	}{{false, "[0 1 2 0 1 2 0]"}, {true, "[0 1 2 1 2 1 2]"}} {
		p := balance.New(3, tt.least, balance.Defaults())
		var got []int
		for range 7 {
			i, ok := p.Take(balance.None)
			if !ok {
				t.Fatal("nobody was picked")
			}
			if i != 0 {
				p.Leave(i) // while backend 0 is at its first request for ever
			}
			got = append(got, i)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("least pending %v: the picks were %v; want %v", tt.least, got, tt.want)
		}
	}
}

func TestWithNobodyWellNobodyIsPicked(t *testing.T) {
	p := balance.New(2, true, balance.Health{FailedChecks: 1, FailedRequests: 1, GoodChecks: 1})
	p.Checked(0, false)
	if i, ok := p.Take(1); ok || i != balance.None {
		t.Errorf("backend %d was picked; want none, as one is ejected and the other excluded", i)
	}
	p.Requested(1, false)
	if i, ok := p.Take(balance.None); ok || i != balance.None {
		t.Errorf("backend %d was picked; want none", i)
	}
	p.Checked(0, true)
	if i, ok := p.Take(balance.None); !ok || i != 0 {
		t.Errorf("backend %d was picked; want the one that came back", i)
	}
}

func TestDefaultsStandInForNothing(t *testing.T) {
	if h := (balance.Health{}).OrDefaults(); h != balance.Defaults() {
		t.Errorf("nothing stands for %v", h)
	}
	if h := (balance.Health{GoodChecks: 7}).OrDefaults(); h.GoodChecks != 7 {
		t.Errorf("what is set became %v", h)
	}
	want := "checks every 250ms within 500ms, ejects after 2 failed checks or 3 failed requests in a row, " +
		"takes back after 2 good checks"
	if got := balance.Defaults().String(); got != want {
		t.Errorf("the defaults read %q; want %q", got, want)
	}
}

// A world is a pool and a plain account of what was done with it.
type world struct {
	pool    *balance.Pool
	least   bool
	pending []int
	under   []int // backends of the requests under way
	shares  []int // picks of each since somebody was ejected or came back
}

// TestPicksKeepTheirPromises checks after any history that a pick is one of the
// well, that the idlest is taken where that is promised, and that turns differ by
// one at most where they are.
func TestPicksKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "backends")
		w := &world{least: rapid.Bool().Draw(t, "least"), pending: make([]int, n), shares: make([]int, n)}
		w.pool = balance.New(n, w.least, balance.Health{
			FailedChecks:   rapid.IntRange(1, 3).Draw(t, "failed checks"),
			FailedRequests: rapid.IntRange(1, 3).Draw(t, "failed requests"),
			GoodChecks:     rapid.IntRange(1, 3).Draw(t, "good checks"),
		})
		t.Repeat(map[string]func(*rapid.T){
			"take": w.take,
			"leave": func(t *rapid.T) {
				if len(w.under) == 0 {
					t.Skip("nothing is under way")
				}
				at := rapid.IntRange(0, len(w.under)-1).Draw(t, "request")
				i := w.under[at]
				w.under = slices.Delete(w.under, at, at+1)
				w.pool.Leave(i)
				w.pending[i]--
			},
			"request": func(t *rapid.T) { w.happens(t, w.pool.Requested) },
			"check":   func(t *rapid.T) { w.happens(t, w.pool.Checked) },
			"": func(t *rapid.T) {
				for i, want := range w.pending {
					if got := w.pool.Pending(i); got != want {
						t.Fatalf("backend %d has %d requests under way; want %d", i, got, want)
					}
				}
			},
		})
	})
}

// happens reports something about a backend.
func (w *world) happens(t *rapid.T, report func(int, bool) bool) {
	i := rapid.IntRange(0, len(w.pending)-1).Draw(t, "backend")
	before := w.pool.Ejected(i)
	changed := report(i, rapid.Bool().Draw(t, "well"))
	if changed != (w.pool.Ejected(i) != before) {
		t.Fatalf("backend %d: ejected %v, then %v, and it is said to have changed: %v", i, before, w.pool.Ejected(i),
			changed)
	}
	if changed {
		clear(w.shares)
	}
}

func (w *world) take(t *rapid.T) {
	excluded := rapid.IntRange(balance.None, len(w.pending)-1).Draw(t, "excluded")
	if rapid.IntRange(0, 3).Draw(t, "retry") > 0 {
		excluded = balance.None
	}
	var open []int
	for i := range w.pending {
		if i != excluded && !w.pool.Ejected(i) {
			open = append(open, i)
		}
	}
	i, ok := w.pool.Take(excluded)
	if ok != (len(open) > 0) || ok && !slices.Contains(open, i) {
		t.Fatalf("picked %d, %v; want one of %v", i, ok, open)
	}
	if !ok {
		return
	}
	for _, other := range open {
		if w.least && w.pending[other] < w.pending[i] {
			t.Fatalf("picked %d of %v; want the idlest", i, w.pending)
		}
	}
	w.pending[i]++
	w.under = append(w.under, i)
	if excluded != balance.None {
		clear(w.shares) // a turn was passed over, and fairness is counted anew
	}
	w.shares[i]++
	if w.least {
		return
	}
	lowest, highest := w.shares[i], w.shares[i]
	for b, n := range w.shares {
		if !w.pool.Ejected(b) {
			lowest, highest = min(lowest, n), max(highest, n)
		}
	}
	if highest-lowest > 1 {
		t.Fatalf("the shares since the last change are %v; want them to differ by one at most", w.shares)
	}
}
