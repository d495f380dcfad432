package des

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTheHeapSorts has the heap and a sorted list go through the same pushes,
// takes and filters.
func TestTheHeapSorts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h heap
		var want []event
		var seq uint64
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3, 4:
				seq += rapid.Uint64Range(1, 1<<25).Draw(t, "gap") // so that both words of the number decide
				at := time.Duration(rapid.IntRange(0, 5).Draw(t, "at"))
				h8 := Handler(rapid.IntRange(0, 255).Draw(t, "handler"))
				e := newEvent(at, seq, h8, rapid.Uint32().Draw(t, "arg"))
				h.push(e)
				i, _ := slices.BinarySearchFunc(want, e, compare)
				want = slices.Insert(want, i, e)
			case 5:
				odd := func(e event) bool { return e.arg()%2 == 1 }
				h.filter(odd)
				want = slices.DeleteFunc(want, func(e event) bool { return !odd(e) })
			default:
				e, ok := h.top()
				if ok != (len(want) > 0) || ok && e != want[0] {
					t.Fatalf("took %v, %v; want the first of %v", e, ok, want)
				}
				if ok {
					h.take()
					want = want[1:]
				}
			}
		}
	})
}

// compare is the order of events by their fields.
func compare(a, b event) int {
	seq := func(e event) uint64 { return e.hi<<(64-seqInHigh)>>(64-seqBits) | e.lo>>(64-seqInLow) }
	if a.at() != b.at() {
		return int(a.at() - b.at())
	}
	if seq(a) < seq(b) {
		return -1
	}
	return 1
}

func TestAnEventKeepsItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Duration(rapid.Int64Range(0, int64(endOfTime)).Draw(t, "at"))
		h := Handler(rapid.IntRange(0, 255).Draw(t, "handler"))
		arg := rapid.Uint32().Draw(t, "arg")
		e := newEvent(at, rapid.Uint64Range(0, maxEvents-1).Draw(t, "seq"), h, arg)
		if e.at() != at || e.handler() != h || e.arg() != arg {
			t.Fatalf("got %v, %d, %d; want %v, %d, %d", e.at(), e.handler(), e.arg(), at, h, arg)
		}
	})
}

func TestAFifoIsADeque(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f fifo[int]
		var want []int
		for i := range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 3).Draw(t, "step"); {
			case step == 0:
				f.unpop(i)
				want = append([]int{i}, want...)
			case step == 1 && len(want) > 0:
				if got := f.pop(); got != want[0] {
					t.Fatalf("popped %d; want %d", got, want[0])
				}
				want = want[1:]
			default:
				f.push(i)
				want = append(want, i)
			}
			if f.n != len(want) {
				t.Fatalf("holds %d; want %d", f.n, len(want))
			}
		}
	})
}

func TestStoppedTimersDoNotFillTheHeap(t *testing.T) {
	k := New()
	fired := 0
	for i := range 100_000 {
		timer := k.AfterFunc(time.Hour, func() { fired++ })
		if i%1000 == 0 {
			continue
		}
		if !timer.Stop() || timer.Stop() {
			t.Fatal("a timer stops once")
		}
	}
	if n := len(k.events.events); n > 1000 {
		t.Errorf("the heap holds %d events for 100 timers", n)
	}
	if err := k.Run(t.Context(), func(context.Context) {}); err != nil || fired != 100 {
		t.Errorf("%d timers fired, error %v; want 100", fired, err)
	}
}
