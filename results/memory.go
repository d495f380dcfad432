package results

// What the account remembers of an operation once it needs no more than a few
// facts of it: which of the things that count only once have been counted, and
// in which window it was due. It takes four bytes.
type mark uint32

// The facts. The two lowest bits are the status, the highest ones the bin in
// which the operation was due, as windows number them.
const (
	markCommand  mark = 1 << (iota + 2)
	markEnded         // its outcome is known
	markSettled       // and so is its first application, or its refusal
	markRefused       // it was settled by a refusal, and has not been applied since
	markAgain         // it counts as duplicated
	markAnswered      // its client was answered
	markTimedOut      // its client's patience ended
	markLate          // an answer that came too late has been counted

	markBits = 10
	maxBin   = 1<<(32-markBits) - 1
)

func newMark(o Outcome, bin uint32) mark {
	m := mark(o.Status) | markEnded | mark(min(bin, maxBin))<<markBits
	if o.Kind == Command {
		m |= markCommand
	}
	if o.Answered > 0 {
		m |= markAnswered
	}
	if o.Class == timeoutClass {
		m |= markTimedOut
	}
	return m
}

func (m mark) has(fact mark) bool { return m&fact != 0 }

func (m mark) status() Status { return Status(m & 3) }

func (m mark) bin() uint32 { return uint32(m >> markBits) }

// timeoutClass is the class of operations whose clients ran out of patience.
const timeoutClass = "timeout"

// A memory holds the marks of the latest operations. It grows with the highest
// id up to its size, a power of two, and then forgets the oldest.
type memory struct {
	marks []mark
	size  uint64
	top   uint64 // the highest id seen
}

func newMemory(size uint64) memory { return memory{size: size} }

// forgotten reports whether id is too old to be remembered.
func (m *memory) forgotten(id uint64) bool { return id+m.size <= m.top }

// get returns the mark of id, 0 if it has none.
func (m *memory) get(id uint64) mark {
	if id == 0 || id > m.top || m.forgotten(id) {
		return 0
	}
	return m.marks[id%m.size]
}

// set replaces the mark of id, unless that is forgotten.
func (m *memory) set(id uint64, k mark) {
	if m.forgotten(id) {
		return
	}
	if id > m.top {
		m.reach(id)
	}
	m.marks[id%m.size] = k
}

// reach makes room for id and clears what the memory moves over.
func (m *memory) reach(id uint64) {
	const step = 1 << 12
	if n := uint64(len(m.marks)); n < m.size && n <= id {
		grown := max(step, 2*n)
		for grown <= id && grown < m.size {
			grown *= 2
		}
		m.marks = append(m.marks, make([]mark, min(grown, m.size)-n)...)
	}
	if id-m.top >= m.size {
		clear(m.marks)
		m.top = id
	}
	for m.top < id {
		m.top++
		m.marks[m.top%m.size] = 0
	}
}
