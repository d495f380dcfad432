package link

import (
	"errors"
	"fmt"
)

// Limit ends each connection when so many bytes of it have been handed on since
// the impairment was armed, counted for each direction: usually in the middle of
// a message. Both ends see an orderly end of stream after the last byte.
type Limit struct{ Bytes int64 }

// String returns the parameters in words.
func (l Limit) String() string { return fmt.Sprintf("limit of %d bytes", l.Bytes) }

func (l Limit) check() error {
	if l.Bytes <= 0 {
		return errors.New("want more than 0 bytes")
	}
	return nil
}

func (Limit) impose(r *rules, a *Armed) {
	r.each(a, func(w *way) { w.limit = append(w.limit, a) })
}

// spend counts n bytes against limits and returns those that are used up.
func (h *half) spend(limits []*Armed, n int) []*Armed {
	var used []*Armed
	for _, a := range limits {
		h.spent[a] += int64(n)
		if h.spent[a] >= a.impairment.(Limit).Bytes {
			used = append(used, a)
		}
	}
	return used
}
