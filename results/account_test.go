package results

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// ok is a command that its client was told of at the given millisecond, having
// started it two milliseconds before.
func ok(op uint64, key uint32, answeredMs int) Outcome {
	at := time.Duration(answeredMs) * time.Millisecond
	return Outcome{
		Op:       op,
		Key:      key,
		Status:   OK,
		Due:      at - 2*time.Millisecond,
		Started:  at - 2*time.Millisecond,
		Answered: at,
	}
}

func ended(op uint64, s Status) Outcome {
	return Outcome{Op: op, Status: s, Due: 1, Started: 1}
}

func applied(op uint64, key uint32, version uint64) Applied {
	return Applied{Op: op, Key: key, Version: version, At: time.Duration(op) * time.Millisecond}
}

// TestAccount tells short histories, each with one thing in it that the account
// must notice.
func TestAccount(t *testing.T) {
	tests := []struct {
		name    string
		history []any
		want    Accounting
	}{
		{
			"a command that was answered and applied is in order",
			[]any{ok(1, 0, 5), applied(1, 0, 1)},
			Accounting{Attempted: 1, Acknowledged: 1, Applied: 1, OK: 1},
		},
		{
			"it does not matter which end reports first",
			[]any{applied(1, 0, 1), ok(1, 0, 5)},
			Accounting{Attempted: 1, Acknowledged: 1, Applied: 1, OK: 1},
		},
		{
			"a command that was acknowledged and never applied is lost",
			[]any{ok(1, 0, 5)},
			Accounting{Attempted: 1, Acknowledged: 1, Lost: 1},
		},
		{
			"one that was accepted and then timed out is lost as well if it is never applied",
			[]any{Outcome{Op: 1, Status: Unknown, Due: 1, Started: 1, Accepted: 2}},
			Accounting{Attempted: 1, Acknowledged: 1, Lost: 1},
		},
		{
			"one that was accepted and then refused is not: its client was told",
			[]any{Outcome{Op: 1, Status: Failed, Class: "rejected", Due: 1, Started: 1, Accepted: 2}},
			Accounting{Attempted: 1, Acknowledged: 1, Failed: 1},
		},
		{
			"a duplicate does not hide a loss",
			[]any{ok(1, 0, 5), ok(2, 0, 6), applied(1, 0, 1), applied(1, 0, 2)},
			Accounting{Attempted: 2, Acknowledged: 2, Applied: 1, Lost: 1, Duplicated: 1, Extra: 1, OK: 1},
		},
		{
			"a command applied three times is one duplicate with two applications too many",
			[]any{applied(1, 0, 1), applied(1, 0, 2), applied(1, 0, 3), ok(1, 0, 5)},
			Accounting{Attempted: 1, Acknowledged: 1, Applied: 1, Duplicated: 1, Extra: 2, OK: 1},
		},
		{
			"applied again after it was settled is the same duplicate",
			[]any{ok(1, 0, 5), applied(1, 0, 1), applied(1, 0, 2), applied(1, 0, 3)},
			Accounting{Attempted: 1, Acknowledged: 1, Applied: 1, Duplicated: 1, Extra: 2, OK: 1},
		},
		{
			"a command that failed and was applied all the same is a phantom",
			[]any{ended(1, Failed), applied(1, 0, 1)},
			Accounting{Attempted: 1, Applied: 1, Phantom: 1},
		},
		{
			"unknown ones are told apart by what became of them",
			[]any{ended(1, Unknown), ended(2, Unknown), applied(2, 0, 1)},
			Accounting{Attempted: 2, Applied: 1, UnknownApplied: 1, UnknownNever: 1},
		},
		{
			"one that nobody confirmed and nobody applied has vanished",
			[]any{ended(1, OK)},
			Accounting{Attempted: 1, Vanished: 1},
		},
		{
			"one that nobody confirmed and that was applied is in order",
			[]any{ended(1, OK), applied(1, 0, 1)},
			Accounting{Attempted: 1, Applied: 1, OK: 1},
		},
		{
			"one that the service refused when its client was gone is not lost",
			[]any{Outcome{Op: 1, Status: OK, Due: 1, Started: 1, Accepted: 2}, Applied{Op: 1, Refused: true}},
			Accounting{Attempted: 1, Acknowledged: 1, Refused: 1},
		},
		{
			"nor if the refusal is heard of first, or again",
			[]any{
				Applied{Op: 1, Refused: true}, Outcome{Op: 1, Status: OK, Due: 1, Started: 1, Accepted: 2},
				Applied{Op: 1, Refused: true},
			},
			Accounting{Attempted: 1, Acknowledged: 1, Refused: 1},
		},
		{
			"a refusal that the client was told of needs no mention",
			[]any{ended(1, Failed), Applied{Op: 1, Refused: true}},
			Accounting{Attempted: 1, Failed: 1},
		},
		{
			"what nobody attempted is unexpected",
			[]any{applied(99, 0, 1)},
			Accounting{Unexpected: 1},
		},
		{
			"other bytes than were sent are unexpected, and not an application",
			[]any{ok(1, 0, 5), Applied{Op: 1, Version: 1, Corrupt: true}},
			Accounting{Attempted: 1, Acknowledged: 1, Lost: 1, Unexpected: 1},
		},
		{
			"applied after a later command of its key, though acknowledged before that began, is reordered",
			[]any{ok(1, 7, 5), ok(2, 7, 20), applied(2, 7, 1), applied(1, 7, 2)},
			Accounting{Attempted: 2, Acknowledged: 2, Applied: 2, Reordered: 1, OK: 2},
		},
		{
			"commands that overlapped may be applied in either order",
			[]any{ok(1, 7, 5), ok(2, 7, 6), applied(2, 7, 1), applied(1, 7, 2)},
			Accounting{Attempted: 2, Acknowledged: 2, Applied: 2, OK: 2},
		},
		{
			"other keys have nothing to do with it",
			[]any{ok(1, 7, 5), ok(2, 8, 20), applied(2, 8, 1), applied(1, 7, 1)},
			Accounting{Attempted: 2, Acknowledged: 2, Applied: 2, OK: 2},
		},
		{
			"versions that are reported out of order are looked at in order",
			[]any{ok(1, 7, 5), ok(2, 7, 20), applied(2, 7, 2), applied(1, 7, 1)},
			Accounting{Attempted: 2, Acknowledged: 2, Applied: 2, OK: 2},
		},
		{
			"a version that nobody tells of does not keep the later ones from being looked at",
			[]any{ok(1, 7, 5), ok(2, 7, 20), applied(2, 7, 2), applied(1, 7, 3)},
			Accounting{Attempted: 2, Acknowledged: 2, Applied: 2, Reordered: 1, OK: 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tell(tt.history, 10)); diff != "" {
				t.Errorf("account differs (-want +got):\n%s", diff)
			}
		})
	}
}

// tell plays a history to an account in which operations up to issued exist.
func tell(history []any, issued uint64) Accounting {
	var top atomic.Uint64
	top.Store(issued)
	a := newAccount(&top, func(Outcome, Applied) {})
	for _, h := range history {
		switch h := h.(type) {
		case Outcome:
			a.end(h)
		case Applied:
			a.apply(h)
		}
	}
	a.close()
	return a.sums
}

// TestCleanHistoriesHaveACleanAccount plays random histories in which every
// command is applied once, in any interleaving, and expects no complaint.
func TestCleanHistoriesHaveACleanAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "commands")
		keys := uint32(rapid.IntRange(1, 5).Draw(t, "keys"))
		versions := make(map[uint32]uint64)
		var history []any
		for op := 1; op <= n; op++ {
			key := uint32(op) % keys
			versions[key]++
			history = append(history, ok(uint64(op), key, 10*op), applied(uint64(op), key, versions[key]))
		}
		shuffled := rapid.Permutation(history).Draw(t, "order")
		want := Accounting{Attempted: int64(n), Acknowledged: int64(n), Applied: int64(n), OK: int64(n)}
		if got := tell(shuffled, uint64(n)); got != want {
			t.Fatalf("got %+v; want %+v", got, want)
		}
	})
}

// TestAccountAgreesWithSets compares the account with the same sums computed
// the simple way, over whole sets, on histories in which anything may happen.
func TestAccountAgreesWithSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := uint64(rapid.IntRange(1, 30).Draw(t, "commands"))
		var history []any
		var version uint64
		outcomes, times := make(map[uint64]Outcome), make(map[uint64]int64)
		for op := uint64(1); op <= n; op++ {
			o := ended(op, Status(rapid.IntRange(0, 2).Draw(t, "status")))
			if o.Status == OK || rapid.Bool().Draw(t, "accepted") && o.Status == Unknown {
				o.Accepted = 2
			}
			history, outcomes[op] = append(history, o), o
			times[op] = int64(rapid.IntRange(0, 3).Draw(t, "times"))
			for range times[op] {
				version++
				history = append(history, applied(op, 0, version))
			}
		}
		want := Accounting{Attempted: int64(n)}
		for op, o := range outcomes {
			count := func(c *int64, yes bool) {
				if yes {
					*c++
				}
			}
			count(&want.Acknowledged, o.Accepted > 0)
			count(&want.Applied, times[op] > 0)
			count(&want.OK, o.Status == OK && times[op] > 0)
			count(&want.Failed, o.Status == Failed && times[op] == 0)
			count(&want.Lost, o.Accepted > 0 && times[op] == 0)
			count(&want.Duplicated, times[op] > 1)
			count(&want.Phantom, o.Status == Failed && times[op] > 0)
			count(&want.UnknownApplied, o.Status == Unknown && times[op] > 0)
			count(&want.UnknownNever, o.Status == Unknown && o.Accepted == 0 && times[op] == 0)
			want.Extra += max(times[op]-1, 0)
		}
		got := tell(rapid.Permutation(history).Draw(t, "order"), n)
		got.Reordered = 0 // that depends on times, which the sets do not have
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("account differs (-want +got):\n%s", diff)
		}
	})
}

func TestMemoryForgetsOnlyWhatIsOld(t *testing.T) {
	m := newMemory(128)
	for id := uint64(1); id <= 1000; id += 3 {
		m.set(id, mark(id))
	}
	for id := uint64(1); id <= 1003; id++ {
		want := mark(0)
		if id+128 > 1000 && id <= 1000 && id%3 == 1 {
			want = mark(id)
		}
		if got := m.get(id); got != want {
			t.Errorf("the mark of %d is %d; want %d", id, got, want)
		}
		if got, want := m.forgotten(id), id+128 <= 1000; got != want {
			t.Errorf("%d forgotten: %v; want %v", id, got, want)
		}
	}
	m.set(1<<40, 7)
	if m.get(1<<40) != 7 || m.get(1<<40-3) != 0 || !m.forgotten(1000) {
		t.Error("a leap does not clear what it leaps over")
	}
}

func ExampleResolved() {
	fmt.Println(Resolved(1000, 0.99), Resolved(999, 0.99))
	// Output: true false
}
