package link

import (
	"errors"
	"fmt"
	"time"
)

// Latency delays every byte. It is the delay of one direction: a round trip has
// it twice if it is armed both ways.
//
// Jitter is drawn evenly from plus or minus its length, by a generator that is
// seeded with the link's seed, the connection and the direction. Since bytes of
// a stream cannot overtake each other, what is delivered under load is a running
// maximum of what was drawn: asked for ±5 ms, a busy connection sees most of
// its bytes near +5 ms. That is true of any jitter above TCP.
//
// Bytes are late by what package alarm is: tens of microseconds on Linux, up to a
// millisecond elsewhere. They are never early.
type Latency struct {
	Delay  time.Duration
	Jitter time.Duration // at most Delay
}

// String returns the parameters in words.
func (l Latency) String() string {
	if l.Jitter == 0 {
		return fmt.Sprintf("latency of %v", l.Delay)
	}
	return fmt.Sprintf("latency of %v ± %v", l.Delay, l.Jitter)
}

func (l Latency) check() error {
	if l.Delay <= 0 || l.Jitter < 0 || l.Jitter > l.Delay {
		return errors.New("want a delay above 0, and jitter from 0 to the delay")
	}
	return nil
}

func (Latency) impose(r *rules, a *Armed) {
	r.each(a, func(w *way) { w.latency = append(w.latency, a) })
}

// of returns the delay that a random number stands for.
func (l Latency) of(draw uint64) time.Duration {
	if l.Jitter == 0 {
		return l.Delay
	}
	const bits = 53 // of a float64's mantissa
	u := float64(draw>>(64-bits)) / (1 << bits)
	return l.Delay + time.Duration((2*u-1)*float64(l.Jitter))
}
