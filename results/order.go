package results

import (
	"maps"
	"slices"
	"time"
)

// A keyOrder watches the order in which the commands of one key were applied.
// Two commands are reordered only if one was acknowledged before the other was
// started and yet was applied after it: without that, no order was promised.
type keyOrder struct {
	next    uint64        // the version whose command is looked at next
	started time.Duration // the latest start among the commands applied so far
	held    map[uint64]span
}

// A span is the time from a command's start to its acknowledgement, and the bin
// in which it was due.
type span struct {
	started, acknowledged time.Duration
	bin                   uint32
}

// pass looks at the command that made the given version of the key, once those
// of all earlier versions have been looked at. Applications that say nothing
// about order pass with an empty span.
func (k *keyOrder) pass(a *account, version uint64, s span) {
	if version != k.next {
		if k.held == nil {
			k.held = make(map[uint64]span)
		}
		k.held[version] = s
		return
	}
	for ok := true; ok; s, ok = k.held[k.next] {
		delete(k.held, k.next)
		k.next++
		k.look(a, s)
	}
}

func (k *keyOrder) look(a *account, s span) {
	if s.acknowledged > 0 && s.acknowledged < k.started {
		a.count(classReordered, s.bin)
	}
	k.started = max(k.started, s.started)
}

// close looks at what still waits for a version that nobody will tell of.
func (k *keyOrder) close(a *account) {
	for _, version := range slices.Sorted(maps.Keys(k.held)) {
		k.look(a, k.held[version])
	}
	k.held = nil
}
