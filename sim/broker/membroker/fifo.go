package membroker

import "flowbench/flows"

// A fifo is messages in order, in a ring that grows as needed and shrinks when
// it is empty.
type fifo struct {
	ring []flows.Message // its length is zero or a power of two
	head int
	n    int
}

// smallRing is a ring that is kept when its queue runs empty.
const smallRing = 64

func (f *fifo) len() int { return f.n }

func (f *fifo) push(m flows.Message) {
	f.grow()
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = m
	f.n++
}

// unpop puts m in front.
func (f *fifo) unpop(m flows.Message) {
	f.grow()
	f.head = (f.head - 1) & (len(f.ring) - 1)
	f.ring[f.head] = m
	f.n++
}

// pop takes the oldest message. There must be one.
func (f *fifo) pop() flows.Message {
	m := f.ring[f.head]
	f.ring[f.head] = flows.Message{} // lets go of the body
	f.head = (f.head + 1) & (len(f.ring) - 1)
	if f.n--; f.n == 0 && len(f.ring) > smallRing {
		f.ring, f.head = nil, 0
	}
	return m
}

func (f *fifo) grow() {
	if f.n < len(f.ring) {
		return
	}
	ring := make([]flows.Message, max(8, 2*len(f.ring)))
	copy(ring[copy(ring, f.ring[f.head:]):], f.ring[:f.head])
	f.ring, f.head = ring, 0
}
