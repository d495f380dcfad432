//go:build !linux

package link

// A passage moves bytes from one socket to another.
type passage struct{ half *half }

func newPassage(h *half) passage { return passage{h} }

// pass moves bytes until an error or the end. rest is what was read and not
// written. A failed write is a *writeError.
func (p *passage) pass() (rest []byte, err error) { return p.half.copy() }

// pipes are for splice(2), which this system lacks.
type pipes struct{}

func (*pipes) close() {}
