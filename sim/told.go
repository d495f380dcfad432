package sim

import (
	"sync"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/sim/service"
)

// told is what one client has been told of its commands: for each key the latest
// that was accepted and the latest that was answered. A query that the client
// begins afterwards should see them, and where it does not, it is a stale read.
type told struct {
	mu   sync.Mutex
	keys map[int]wrote
}

// wrote names operations; 0 is none.
type wrote struct{ accepted, answered uint64 }

// maxTold bounds the keys that one client is watched for. Beyond, it starts anew,
// and some reads are not looked at.
const maxTold = 1 << 14

// note takes a stage that a command has reached.
func (t *told) note(key int, op uint64, s flows.Stage) {
	if s == flows.Started {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil || len(t.keys) >= maxTold {
		t.keys = make(map[int]wrote)
	}
	w := t.keys[key]
	if s == flows.Accepted {
		w.accepted = op
	} else {
		w.answered = op
	}
	t.keys[key] = w
}

// of returns what the client has been told about a key.
func (t *told) of(key int) wrote {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[key]
}

// freshness compares what a query read with what its client had been told before
// it began. It is called when the query has ended, outside of what is timed.
func (d *driver) freshness(key int, answer []byte, before wrote) results.Freshness {
	writer, intact := service.CheckPayload(answer)
	if !intact {
		return 0
	}
	var f results.Freshness
	if looked, stale := d.stale(key, writer, before.accepted); looked {
		f |= results.AfterAccepted
		if stale {
			f |= results.StaleAccepted
		}
	}
	if looked, stale := d.stale(key, writer, before.answered); looked {
		f |= results.AfterAnswered
		if stale {
			f |= results.StaleAnswered
		}
	}
	return f
}

// stale reports whether the value that writer wrote is older than the one of a
// command that came before the query. looked is false where that cannot be told:
// there was no such command, or it was refused, or it is too long ago.
func (d *driver) stale(key int, writer, command uint64) (looked, stale bool) {
	switch command {
	case 0:
		return false, false
	case writer:
		return true, false
	}
	expected, applied := d.service.Version(key, command)
	read, known := d.service.Version(key, writer)
	switch {
	case !applied && d.service.Settled(command):
		return false, false // refused, or written over long ago
	case !applied:
		return true, true // it is not even written now
	default:
		return true, !known || read < expected
	}
}
