package process

import "sync"

// A Tail keeps the end of what is written to it. It may be used concurrently.
type Tail struct {
	mu  sync.Mutex
	buf []byte
}

// tailMaxBytes is how much of a log is kept.
const tailMaxBytes = 16 << 10

// Write implements [io.Writer] and never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailMaxBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String returns what was kept, and "nothing" for nothing.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf) == 0 {
		return "nothing"
	}
	return string(t.buf)
}
