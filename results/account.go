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

// settledWindow is how many of the latest operations the account remembers to
// have settled, to tell a second application from a first. It is a power of two
// and far larger than any bound on operations under way.
const settledWindow = 1 << 22

// An account joins outcomes with applications. It is not safe for concurrent use.
type account struct {
	sums      Accounting
	issued    *atomic.Uint64 // the highest operation id that a client may have taken up
	undecided map[uint64]entry
	settled   window
	again     map[uint64]struct{} // settled commands that were applied again
	keys      map[uint32]*keyOrder

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
	refused bool    // the service said no
}

func newAccount(issued *atomic.Uint64, joined func(Outcome, Applied)) *account {
	return &account{
		issued:    issued,
		undecided: make(map[uint64]entry),
		settled:   newWindow(settledWindow),
		again:     make(map[uint64]struct{}),
		keys:      make(map[uint32]*keyOrder),
		joined:    joined,
	}
}

// end takes the outcome of a command that was started.
func (a *account) end(o Outcome) {
	a.sums.Attempted++
	if told(o) {
		a.sums.Acknowledged++
	}
	e := a.undecided[o.Op]
	e.outcome, e.ended = o, true
	a.put(o.Op, e)
}

// apply takes one application of a command.
func (a *account) apply(ap Applied) {
	switch {
	case ap.Refused:
		a.refuse(ap.Op)
		return
	case ap.Repeated:
		a.sums.Repeated++
		return
	}
	if ap.Corrupt || ap.Op == 0 || ap.Op > a.issued.Load() {
		a.sums.Unexpected++
		a.order(ap.Key).pass(a, ap.Version, 0, 0)
		return
	}
	if a.settled.has(ap.Op) {
		a.sums.Extra++
		if _, ok := a.again[ap.Op]; !ok {
			a.sums.Duplicated++
			if len(a.again) < maxUndecided {
				a.again[ap.Op] = struct{}{}
			}
		}
		a.order(ap.Key).pass(a, ap.Version, 0, 0)
		return
	}
	e := a.undecided[ap.Op]
	e.times++
	if e.times == 1 {
		e.applied = ap
		a.sums.Applied++
		if a.first != nil {
			a.first(ap)
		}
	} else {
		a.sums.Extra++
		if e.times == 2 {
			a.sums.Duplicated++
			if len(a.again) < maxUndecided {
				a.again[ap.Op] = struct{}{}
			}
		}
		a.order(ap.Key).pass(a, ap.Version, 0, 0)
	}
	a.put(ap.Op, e)
}

// refuse takes the service's refusal of a command.
func (a *account) refuse(op uint64) {
	if op == 0 || op > a.issued.Load() || a.settled.has(op) {
		return // whoever sent it is counted elsewhere
	}
	e := a.undecided[op]
	e.refused = true
	a.put(op, e)
}

// put keeps e, or settles it if both ends are known.
func (a *account) put(op uint64, e entry) {
	if e.ended && e.refused && e.times == 0 {
		delete(a.undecided, op)
		a.settled.add(op)
		if e.outcome.Status != Failed {
			a.sums.Refused++
		}
		return
	}
	if !e.ended || e.times == 0 {
		if _, there := a.undecided[op]; !there && len(a.undecided) >= maxUndecided {
			a.sums.Unresolved++
			return
		}
		a.undecided[op] = e
		return
	}
	delete(a.undecided, op)
	a.settled.add(op)
	switch e.outcome.Status {
	case Failed:
		a.sums.Phantom++
	case Unknown:
		a.sums.UnknownApplied++
	}
	a.joined(e.outcome, e.applied)
	a.order(e.applied.Key).pass(a, e.applied.Version, e.outcome.Started, acknowledgedAt(e.outcome))
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
	for _, e := range a.undecided {
		switch {
		case !e.ended: // applied, and its client never reported: the run was cut short
		case e.outcome.Status == Failed: // the service or the broker refused it, and the client knows
		case told(e.outcome):
			a.sums.Lost++
		case e.outcome.Status == Unknown:
			a.sums.UnknownNever++
		default: // handed over, and nobody ever confirmed it
			a.sums.Vanished++
		}
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

// A keyOrder watches the order in which the commands of one key were applied.
// Two commands are reordered only if one was acknowledged before the other was
// started and yet was applied after it: without that, no order was promised.
type keyOrder struct {
	next    uint64        // the version whose command is looked at next
	started time.Duration // the latest start among the commands applied so far
	held    map[uint64]span
}

// A span is the time from a command's start to its acknowledgement.
type span struct{ started, acknowledged time.Duration }

// pass looks at the command that made the given version of the key, once those
// of all earlier versions have been looked at. Applications that say nothing
// about order pass with zeros.
func (k *keyOrder) pass(a *account, version uint64, started, acknowledged time.Duration) {
	if version != k.next {
		if k.held == nil {
			k.held = make(map[uint64]span)
		}
		k.held[version] = span{started, acknowledged}
		return
	}
	for s, ok := (span{started, acknowledged}), true; ok; s, ok = k.held[k.next] {
		delete(k.held, k.next)
		k.next++
		if s.acknowledged > 0 && s.acknowledged < k.started {
			a.sums.Reordered++
		}
		k.started = max(k.started, s.started)
	}
}

// A window is a set of ids of which only the latest are kept. Ids that have
// fallen out of it count as members.
type window struct {
	bits []uint64
	size uint64
	top  uint64 // the highest id seen
}

func newWindow(size uint64) window { return window{bits: make([]uint64, size/64), size: size} }

func (w *window) add(id uint64) {
	for w.top < id { // clear what the window moves over
		w.top++
		w.bits[w.top%w.size/64] &^= 1 << (w.top % 64)
	}
	w.bits[id%w.size/64] |= 1 << (id % 64)
}

func (w *window) has(id uint64) bool {
	switch {
	case id > w.top:
		return false
	case id+w.size <= w.top:
		return true
	}
	return w.bits[id%w.size/64]&(1<<(id%64)) != 0
}
