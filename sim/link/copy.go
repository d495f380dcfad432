package link

import (
	"errors"
	"os"
)

// A writeError is a destination that takes no more.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// copy moves bytes straight from socket to socket where the kernel cannot do it
// by itself. It returns as [passage.pass] does.
func (h *half) copy() (rest []byte, err error) {
	buf := h.conn.link.buffers.Get().(*[readSize]byte)
	defer h.conn.link.buffers.Put(buf)
	for {
		n, err := h.src.Read(buf[:])
		if n > 0 {
			m, err := h.dst.Write(buf[:n])
			h.traffic.forwarded.Add(int64(m))
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				return append([]byte(nil), buf[m:n]...), err
			case err != nil:
				h.discard(n - m)
				return nil, &writeError{err}
			}
		}
		if err != nil {
			return nil, err
		}
	}
}
