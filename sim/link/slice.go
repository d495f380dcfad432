package link

import (
	"errors"
	"fmt"
	"time"
)

// Slice writes bytes in small pieces with pauses: what parsers see that thought
// a read returns a message. Of several, the smallest piece and the longest pause
// count.
type Slice struct {
	Bytes int           // in a piece
	Pause time.Duration // between two pieces of what arrived together
}

// String returns the parameters in words.
func (s Slice) String() string {
	return fmt.Sprintf("slices of %d bytes with pauses of %v", s.Bytes, s.Pause)
}

func (s Slice) check() error {
	if s.Bytes <= 0 || s.Pause < 0 {
		return errors.New("want more than 0 bytes, and a pause of 0 or more")
	}
	return nil
}

func (Slice) impose(r *rules, a *Armed) {
	r.each(a, func(w *way) { w.slice = append(w.slice, a) })
}

func pause(slices []*Armed) time.Duration {
	var longest time.Duration
	for _, a := range slices {
		longest = max(longest, a.impairment.(Slice).Pause)
	}
	return longest
}
