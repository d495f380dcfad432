package des

import "time"

// A timer is an event that can be taken back. Its event stays in the heap when
// that happens, and is dropped when it comes up, or when such events have become
// the greater part of the heap. Most timeouts are taken back, so without that
// the heap would hold every operation of the last few seconds.
type timer struct {
	sleeper    *activity // what it wakes,
	context    *virtual  // or ends,
	call       func()    // or calls; all nil once it has been stopped
	generation uint32    // tells this use of the place from the next
}

// A Timer is a call that is due later. See [Kernel.AfterFunc].
type Timer struct {
	kernel     *Kernel
	place      uint32
	generation uint32
}

// AfterFunc calls f in d from now, as a handler. In contrast to events it can be
// stopped, and it allocates.
func (k *Kernel) AfterFunc(d time.Duration, f func()) Timer {
	place := k.newTimer(d, timer{call: f})
	return Timer{k, place, k.timers[place].generation}
}

// Stop takes the call back. It reports whether it was still due.
func (t Timer) Stop() bool {
	if t.kernel == nil { // the zero timer
		return false
	}
	slot := &t.kernel.timers[t.place]
	if slot.generation != t.generation || slot.call == nil {
		return false
	}
	t.kernel.stopTimer(t.place)
	return true
}

func (k *Kernel) newTimer(d time.Duration, t timer) uint32 {
	var place uint32
	if n := len(k.freeTimers); n > 0 {
		place = k.freeTimers[n-1]
		k.freeTimers = k.freeTimers[:n-1]
		t.generation = k.timers[place].generation
		k.timers[place] = t
	} else {
		place = uint32(len(k.timers))
		k.timers = append(k.timers, t)
	}
	k.After(d, timerHandler, place)
	return place
}

// fire runs a timer that is due.
func (k *Kernel) fire(place uint32) {
	t := k.timers[place]
	k.freeTimer(place)
	switch {
	case t.sleeper != nil:
		t.sleeper.timer = none
		t.sleeper.wakeNow()
	case t.context != nil:
		t.context.timer = none
		t.context.expire()
	case t.call != nil:
		t.call()
	default:
		k.dead--
	}
}

func (k *Kernel) freeTimer(place uint32) {
	k.timers[place] = timer{generation: k.timers[place].generation + 1}
	k.freeTimers = append(k.freeTimers, place)
}

// fewDead is how many stopped timers are never worth a clearing.
const fewDead = 256

// stopTimer takes back a timer that has not fired.
func (k *Kernel) stopTimer(place uint32) {
	k.timers[place] = timer{generation: k.timers[place].generation}
	k.dead++
	if k.dead > fewDead && k.dead > len(k.events.events)/2 {
		k.clearDead()
	}
}

// clearDead removes the events of stopped timers.
func (k *Kernel) clearDead() {
	k.events.filter(func(e event) bool {
		if e.handler() != timerHandler {
			return true
		}
		if !k.stopped(e.arg()) {
			return true
		}
		k.freeTimer(e.arg())
		k.dead--
		return false
	})
}

// stopped reports whether the timer whose event is pending has been taken back.
func (k *Kernel) stopped(place uint32) bool {
	t := &k.timers[place]
	return t.sleeper == nil && t.context == nil && t.call == nil
}

// dropTimers lets go of all timers at the end of a run. Their places keep their
// generations, so that nobody can stop a timer of a later run by mistake.
func (k *Kernel) dropTimers() {
	k.freeTimers, k.dead = k.freeTimers[:0], 0
	for i := range k.timers {
		if c := k.timers[i].context; c != nil {
			c.timer = none
		}
		k.freeTimer(uint32(i))
	}
}

// none is the place of no timer.
const none = ^uint32(0)
