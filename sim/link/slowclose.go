package link

import (
	"errors"
	"fmt"
	"time"
)

// SlowClose delays the end of a stream, orderly or not, and leaves the bytes
// alone: for so long one side believes in a connection that the other has given
// up.
type SlowClose struct{ Delay time.Duration }

// String returns the parameters in words.
func (s SlowClose) String() string { return fmt.Sprintf("close delayed by %v", s.Delay) }

func (s SlowClose) check() error {
	if s.Delay <= 0 {
		return errors.New("want a delay above 0")
	}
	return nil
}

func (SlowClose) impose(r *rules, a *Armed) {
	r.each(a, func(w *way) { w.slowClose = append(w.slowClose, a) })
}
