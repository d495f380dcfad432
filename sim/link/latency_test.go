package link

import (
	"math"
	"testing"
	"time"
)

func TestJitterReachesFromEndToEnd(t *testing.T) {
	l := Latency{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond}
	for draw, want := range map[uint64]time.Duration{
		0: 15 * time.Millisecond, 1 << 63: 20 * time.Millisecond, math.MaxUint64: 25 * time.Millisecond,
	} {
		if got := l.of(draw); (got - want).Abs() > time.Nanosecond {
			t.Errorf("a draw of %d is a delay of %v; want %v", draw, got, want)
		}
	}
}
