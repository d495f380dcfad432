package results

import (
	"sync/atomic"
	"time"
)

// The account follows every command from both ends: what its client was told,
// and what the service did. It works on sets of operations and never on bare
// counters, or one duplicate would hide one loss.

// maxUndecided bounds how many commands the account holds at once. Those are
// the ones under way and those that ended without a trace at the service.
const maxUndecided = 1 << 20

// remembered is how many of the latest operations the account remembers once
// they are settled, to tell a second application from a first. It is a power of
// two and far larger than any bound on operations under way.
const remembered = 1 << 22

// An account joins outcomes with applications. It is not safe for concurrent use.
type account struct {
	sums      Accounting
	windows   *windows       // nil unless the cell has faults
	issued    *atomic.Uint64 // the highest operation id that a client may have taken up
	undecided map[uint64]entry
	memory    memory
	early     map[uint64][]class // what was seen of operations before their outcomes
	keys      map[uint32]*keyOrder
	copies    map[uint64]int32 // of operations that came again: how often, less redeliveries; nil without a broker
	recent    *recent          // nil unless the cell has faults

	// joined is called once for every command whose outcome and first
	// application are both known.
	joined func(o Outcome, a Applied)

	// first, if set, is called for the first application of every command.
	first func(a Applied)
}

// An entry is what is known of a command that is not settled.
type entry struct {
	outcome Outcome
	applied Applied // the first application
	times   int32   // applications so far
	ended   bool    // outcome is known
	refused bool    // the service said no before anything else
}

func newAccount(issued *atomic.Uint64, joined func(Outcome, Applied)) *account {
	return &account{
		issued:    issued,
		undecided: make(map[uint64]entry),
		memory:    newMemory(remembered),
		early:     make(map[uint64][]class),
		keys:      make(map[uint32]*keyOrder),
		joined:    joined,
	}
}

// count adds one to a class, for an operation that was due in the given bin.
func (a *account) count(c class, bin uint32) { a.add(c, bin, 1) }

func (a *account) add(c class, bin uint32, n int64) {
	*a.sums.of(c) += n
	a.windows.add(c, bin, n)
}

// exists reports whether a client may have started op.
func (a *account) exists(op uint64) bool { return op > 0 && op <= a.issued.Load() }

// end takes the outcome of an operation that was started.
func (a *account) end(o Outcome) {
	bin := a.windows.binOf(o.Due)
	a.memory.set(o.Op, newMark(o, bin))
	if o.Class == corruptClass {
		a.count(classUnexpected, bin)
	}
	if o.Kind == Command {
		a.count(classAttempted, bin)
		if told(o) {
			a.count(classAcknowledged, bin)
		}
		if o.Class == timeoutClass {
			a.count(classTimedOut, bin)
		}
		e := a.undecided[o.Op]
		e.outcome, e.ended = o, true
		a.put(o.Op, e)
	}
	for _, c := range a.early[o.Op] {
		a.see(o.Op, c)
	}
	delete(a.early, o.Op)
}

// saw takes what was seen of an operation besides its outcome and its
// applications. It is counted where the operation was due, which its outcome
// tells.
func (a *account) saw(op uint64, c class) {
	switch c {
	case classRepeated:
		a.again(op, 1)
	case classRedelivered:
		a.again(op, -1)
	}
	switch {
	case !a.exists(op) && c == classLateAnswers:
		a.count(classUnexpected, 0)
	case a.exists(op) && !a.memory.get(op).has(markEnded) && len(a.early) < maxUndecided:
		a.early[op] = append(a.early[op], c)
	default:
		a.see(op, c)
	}
}

// again notes that op came again, or with n below 0 that the broker delivered it
// again.
func (a *account) again(op uint64, n int32) {
	if _, there := a.copies[op]; a.copies != nil && (there || len(a.copies) < maxUndecided) {
		a.copies[op] += n
	}
}

func (a *account) see(op uint64, c class) {
	m := a.memory.get(op)
	a.count(c, m.bin())
	if c != classLateAnswers || m.has(markLate) {
		return
	}
	switch {
	case m.has(markAnswered):
		a.count(classReplyDuplicated, m.bin())
	case m.has(markCommand) && m.has(markTimedOut):
		a.count(classRepliedLate, m.bin())
	}
	if m != 0 {
		a.memory.set(op, m|markLate)
	}
}

// apply takes one application of a command.
func (a *account) apply(ap Applied) {
	switch {
	case ap.Refused:
		a.refuse(ap.Op)
		return
	case ap.Repeated:
		a.saw(ap.Op, classRepeated)
		return
	case ap.Corrupt || !a.exists(ap.Op):
		a.count(classUnexpected, 0)
		a.order(ap.Key).pass(a, ap.Version, span{})
		return
	case a.memory.forgotten(ap.Op):
		a.count(classExtra, 0)
		a.count(classUnresolved, 0)
		a.order(ap.Key).pass(a, ap.Version, span{})
		return
	case a.memory.get(ap.Op).has(markSettled):
		a.applyAgain(ap)
		return
	}
	e := a.undecided[ap.Op]
	e.times++
	if e.times > 1 {
		a.again(ap.Op, 1)
	}
	if e.times == 1 {
		e.applied = ap
		if a.first != nil {
			a.first(ap)
		}
	} else {
		a.order(ap.Key).pass(a, ap.Version, span{})
	}
	a.put(ap.Op, e)
}

// applyAgain takes an application of a command that was settled before.
func (a *account) applyAgain(ap Applied) {
	m := a.memory.get(ap.Op)
	switch {
	case m.has(markRefused): // one instance said no, and the next one did it
		m &^= markRefused
		if m.status() == Failed {
			a.add(classFailed, m.bin(), -1)
		} else {
			a.add(classRefused, m.bin(), -1)
		}
		a.count(classApplied, m.bin())
		a.count(afterApplied(m.status()), m.bin())
		if a.first != nil {
			a.first(ap)
		}
		a.joined(Outcome{Op: ap.Op, Status: Failed}, ap) // of no latency, whatever it was
	default:
		a.again(ap.Op, 1)
		a.count(classExtra, m.bin())
		if !m.has(markAgain) {
			a.count(classDuplicated, m.bin())
		}
		m |= markAgain
	}
	a.memory.set(ap.Op, m)
	a.order(ap.Key).pass(a, ap.Version, span{})
}

// refuse takes the service's refusal of a command.
func (a *account) refuse(op uint64) {
	if !a.exists(op) || a.memory.forgotten(op) || a.memory.get(op).has(markSettled) {
		return // whoever sent it is counted elsewhere
	}
	e := a.undecided[op]
	e.refused = e.refused || e.times == 0
	a.put(op, e)
}

// put keeps e, or settles it if both ends are known.
func (a *account) put(op uint64, e entry) {
	if e.ended && (e.times > 0 || e.refused) {
		delete(a.undecided, op)
		a.settle(op, e)
		return
	}
	if _, there := a.undecided[op]; !there && len(a.undecided) >= maxUndecided {
		a.count(classUnresolved, 0)
		return
	}
	a.undecided[op] = e
}

// settle counts a command of which both ends are known. One that was refused
// before it was applied says nothing about order or time: the refusal was final
// for whoever waited.
func (a *account) settle(op uint64, e entry) {
	m, o := a.memory.get(op)|markSettled, e.outcome
	bin := m.bin()
	if e.times == 0 {
		a.memory.set(op, m|markRefused)
		if o.Status == Failed {
			a.count(classFailed, bin)
		} else {
			a.count(classRefused, bin)
		}
		return
	}
	if e.times > 1 {
		m |= markAgain
	}
	a.memory.set(op, m)
	a.countApplied(e, bin)
	a.count(afterApplied(o.Status), bin)
	a.joined(o, e.applied)
	if e.refused {
		a.order(e.applied.Key).pass(a, e.applied.Version, span{})
		return
	}
	if o.Class == timeoutClass && e.applied.At > o.Ended {
		a.count(classTimedOutApplied, bin)
	}
	if a.recent.took(taken{o.Started, e.applied.At, bin}) {
		a.count(classRecovered, bin)
	}
	a.order(e.applied.Key).pass(a, e.applied.Version, span{o.Started, acknowledgedAt(o), bin})
}

func (a *account) countApplied(e entry, bin uint32) {
	a.count(classApplied, bin)
	if e.times > 1 {
		a.count(classDuplicated, bin)
		a.add(classExtra, bin, int64(e.times-1))
	}
}

// afterApplied returns what a command that was applied turned out to be.
func afterApplied(s Status) class {
	switch s {
	case Failed:
		return classPhantom
	case Unknown:
		return classUnknownApplied
	default:
		return classOK
	}
}

// healed takes when a fault began to be undone, on the runtime's clock.
func (a *account) healed(at time.Duration) {
	for _, bin := range a.recent.healed(at) {
		a.count(classRecovered, bin)
	}
}

// owed returns how many commands have ended without having failed and have not
// been applied yet.
func (a *account) owed() int {
	n := 0
	for _, e := range a.undecided {
		if e.ended && e.times == 0 && e.outcome.Status != Failed {
			n++
		}
	}
	return n
}

// close gives the account of what is still undecided. Nothing may be added
// afterwards.
func (a *account) close() {
	for op, e := range a.undecided {
		bin := a.memory.get(op).bin()
		switch {
		case !e.ended && e.times == 0: // refused, and its client never reported: the run was cut short
		case !e.ended: // applied, likewise
			a.countApplied(e, bin)
			a.order(e.applied.Key).pass(a, e.applied.Version, span{})
		case e.outcome.Status == Failed: // the service or the broker refused it, and the client knows
			a.count(classFailed, bin)
		case told(e.outcome):
			a.count(classLost, bin)
		case e.outcome.Status == Unknown:
			a.count(classUnknownNever, bin)
		default: // handed over, and nobody ever confirmed it
			a.count(classVanished, bin)
		}
	}
	for op, seen := range a.early {
		for _, c := range seen {
			a.see(op, c)
		}
	}
	for op, n := range a.copies {
		if n > 0 && a.exists(op) {
			a.count(classStoredTwice, a.memory.get(op).bin())
		}
	}
	for _, k := range a.keys {
		k.close(a)
	}
}

// told reports whether the client was told that the command was accepted.
func told(o Outcome) bool { return o.Accepted > 0 || o.Answered > 0 }

// acknowledgedAt returns when the client was told, or 0.
func acknowledgedAt(o Outcome) time.Duration {
	if o.Accepted > 0 {
		return o.Accepted
	}
	return o.Answered
}

func (a *account) order(key uint32) *keyOrder {
	k := a.keys[key]
	if k == nil {
		k = &keyOrder{next: 1}
		a.keys[key] = k
	}
	return k
}
