package des

import (
	"math/bits"
	"time"
)

// An event is one number of 128 bits in two words: the instant (48 bits of
// nanoseconds), the sequence number (40 bits), the handler (8 bits) and its
// argument (32 bits). To compare two events is to compare two numbers: the
// earlier instant first, then the event that was scheduled first. Sequence
// numbers differ, so what stands below them never decides.
//
// The usual shorter key, an instant and 16 bits of sequence in one word, saves
// one instruction of the comparison, and runs out of numbers after 65,536
// events: then ties come out in the wrong order, or every pending event has to
// be numbered anew. With 128 bits the clock lasts for 78 hours and the numbers
// for 10¹² events, and the comparison is a subtraction with borrow, without a
// branch that could be guessed wrong. An event holds no pointer, so the garbage
// collector never looks into the heap.
type event struct{ hi, lo uint64 }

const (
	seqBits     = 40
	handlerBits = 8
	argBits     = 32
	seqInHigh   = 16 // of the sequence number's bits, those that stand in the upper word
	seqInLow    = seqBits - seqInHigh

	// endOfTime is the instant at which the clock stands still. Whatever would be
	// due later is due then.
	endOfTime = time.Duration(1<<(64-seqInHigh) - 1)

	maxEvents   = 1 << seqBits
	maxHandlers = 1 << handlerBits
)

func newEvent(at time.Duration, seq uint64, h Handler, arg uint32) event {
	return event{
		hi: uint64(at)<<seqInHigh | seq>>seqInLow,
		lo: seq<<(64-seqInLow) | uint64(h)<<argBits | uint64(arg),
	}
}

func (e event) at() time.Duration { return time.Duration(e.hi >> seqInHigh) }

func (e event) handler() Handler { return Handler(e.lo >> argBits) }

func (e event) arg() uint32 { return uint32(e.lo) }

// before reports whether e comes before f.
func (e event) before(f event) bool {
	_, borrow := bits.Sub64(e.lo, f.lo, 0)
	_, borrow = bits.Sub64(e.hi, f.hi, borrow)
	return borrow != 0
}

// A heap is the pending events, the earliest on top: a binary heap of values.
//
// Most events schedule another. So the place of an event that was taken stays
// open, and the first that is scheduled meanwhile falls into it and sinks from
// there: one walk through the heap where there would be two.
type heap struct {
	events []event
	open   bool // the top has been taken, and its place not filled yet
}

func (h *heap) push(e event) {
	if h.open {
		h.open = false
		h.sink(0, e)
		return
	}
	h.events = append(h.events, e)
	i := len(h.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(h.events[parent]) {
			break
		}
		h.events[i] = h.events[parent]
		i = parent
	}
	h.events[i] = e
}

// top returns the earliest event. ok is false if there is none.
func (h *heap) top() (e event, ok bool) {
	h.settle()
	if len(h.events) == 0 {
		return event{}, false
	}
	return h.events[0], true
}

// take removes what top returned.
func (h *heap) take() { h.open = true }

// settle closes the place of a taken event.
func (h *heap) settle() {
	if !h.open {
		return
	}
	h.open = false
	n := len(h.events) - 1
	last := h.events[n]
	h.events = h.events[:n]
	if n > 0 {
		h.sink(0, last)
	}
}

// sink puts e at i or below.
func (h *heap) sink(i int, e event) {
	events := h.events
	for {
		child := 2*i + 1
		if child >= len(events) {
			break
		}
		if right := child + 1; right < len(events) && events[right].before(events[child]) {
			child = right
		}
		if !events[child].before(e) {
			break
		}
		events[i] = events[child]
		i = child
	}
	events[i] = e
}

// filter keeps the events that keep says, in time proportional to their number.
func (h *heap) filter(keep func(event) bool) {
	h.settle()
	kept := h.events[:0]
	for _, e := range h.events {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	h.events = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		h.sink(i, kept[i])
	}
}

// A call is an event without its instant: what is due now.
type call struct {
	handler Handler
	arg     uint32
}

// A fifo is values in order, in a ring that grows as needed.
type fifo[T any] struct {
	ring []T // its length is zero or a power of two
	head int
	n    int
}

func (f *fifo[T]) push(x T) {
	f.grow()
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = x
	f.n++
}

// unpop puts x in front.
func (f *fifo[T]) unpop(x T) {
	f.grow()
	f.head = (f.head - 1) & (len(f.ring) - 1)
	f.ring[f.head] = x
	f.n++
}

// pop takes the oldest value. There must be one.
func (f *fifo[T]) pop() T {
	var none T
	x := f.ring[f.head]
	f.ring[f.head] = none // lets go of what it points to
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	return x
}

func (f *fifo[T]) grow() {
	if f.n < len(f.ring) {
		return
	}
	ring := make([]T, max(8, 2*len(f.ring)))
	copy(ring[copy(ring, f.ring[f.head:]):], f.ring[:f.head])
	f.ring, f.head = ring, 0
}
