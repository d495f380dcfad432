package link

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// pipeSize is how much splice(2) moves at once: what Go's own io.Copy takes, and
// the most that a pipe holds by default.
const pipeSize = 1 << 20

const (
	spliceNonblock = 2    // SPLICE_F_NONBLOCK
	setPipeSize    = 1031 // F_SETPIPE_SZ
	idlePipes      = 8    // that are kept for whoever needs one next
)

// A passage moves bytes from one socket to another through a pipe, so that they
// never leave the kernel.
//
// io.Copy between TCP connections does the same, but it owns its pipe: a copy
// that is broken off while its receiver does not read would take the bytes in
// the pipe with it. Here they are read out of the pipe and handed over to the
// queue, which is what makes it possible to take hold of a connection at any
// moment without losing a byte.
type passage struct {
	half     *half
	from, to syscall.RawConn
	err      error // of getting them

	pipe   pipe
	has    bool  // pipe is one
	n      int   // bytes in the pipe, or moved last
	fail   error // of the last system call
	drainf func(fd uintptr) bool
	pumpf  func(fd uintptr) bool
}

func newPassage(h *half) passage {
	from, err := h.src.SyscallConn()
	to, err2 := h.dst.SyscallConn()
	return passage{half: h, from: from, to: to, err: errors.Join(err, err2)}
}

// pass moves bytes until an error or the end. rest is what was read and not
// written. A failed write is a *writeError.
func (p *passage) pass() (rest []byte, err error) {
	if p.err != nil {
		return nil, p.err
	}
	if p.drainf == nil {
		p.drainf, p.pumpf = p.drain, p.pump
	}
	defer p.release()
	for {
		if err := p.from.Read(p.drainf); err != nil {
			return nil, err
		}
		switch {
		case errors.Is(p.fail, syscall.EINVAL) || errors.Is(p.fail, errNoPipe):
			return p.half.copy() // these sockets or this machine cannot
		case p.fail != nil:
			return nil, os.NewSyscallError("splice", p.fail)
		case p.n == 0:
			return nil, io.EOF
		}
		if rest, err := p.empty(); err != nil {
			return rest, err
		}
	}
}

var errNoPipe = errors.New("there is no pipe to be had")

// drain moves what there is from the socket to the pipe. It takes a pipe only
// when there is something, so that connections at rest hold none.
func (p *passage) drain(fd uintptr) bool {
	if !p.has {
		if p.pipe, p.has = p.half.conn.link.pipes.get(); !p.has {
			p.fail = errNoPipe
			return true
		}
	}
	for {
		var n int64
		n, p.fail = syscall.Splice(int(fd), nil, p.pipe.w, nil, pipeSize, spliceNonblock)
		p.n = int(n)
		switch {
		case errors.Is(p.fail, syscall.EINTR):
			continue
		case errors.Is(p.fail, syscall.EAGAIN):
			p.release()
			return false
		}
		return true
	}
}

// empty moves what is in the pipe to the other socket.
func (p *passage) empty() (rest []byte, err error) {
	for p.n > 0 {
		err := p.to.Write(p.pumpf)
		if err == nil {
			err = p.fail
		}
		if err == nil {
			continue
		}
		rest := p.rest()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return rest, err
		}
		p.half.discard(len(rest))
		return nil, &writeError{err}
	}
	return nil, nil
}

func (p *passage) pump(fd uintptr) bool {
	for {
		n, err := syscall.Splice(p.pipe.r, nil, int(fd), nil, p.n, spliceNonblock)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return false
		}
		p.fail = err
		if n > 0 {
			p.n -= int(n)
			p.half.traffic.forwarded.Add(n)
		}
		return true
	}
}

// rest reads what is left in the pipe.
func (p *passage) rest() []byte {
	rest := make([]byte, p.n)
	got := 0
	for got < len(rest) {
		n, err := syscall.Read(p.pipe.r, rest[got:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			break // it cannot be: the pipe holds them
		}
		got += n
	}
	p.n = 0
	return rest[:got]
}

// release gives the pipe back. It is empty.
func (p *passage) release() {
	if p.has {
		p.half.conn.link.pipes.put(p.pipe)
		p.has = false
	}
}

// A pipe is its two descriptors.
type pipe struct{ r, w int }

// pipes are those that nobody uses now.
type pipes struct {
	mu   sync.Mutex
	idle []pipe
}

func (s *pipes) get() (pipe, bool) {
	s.mu.Lock()
	if n := len(s.idle); n > 0 {
		p := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.mu.Unlock()
		return p, true
	}
	s.mu.Unlock()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return pipe{}, false
	}
	// A smaller pipe works too, with more system calls.
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[0]), setPipeSize, pipeSize)
	return pipe{fds[0], fds[1]}, true
}

func (s *pipes) put(p pipe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) < idlePipes {
		s.idle = append(s.idle, p)
		return
	}
	p.close()
}

func (s *pipes) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.idle {
		p.close()
	}
	s.idle = nil
}

func (p pipe) close() {
	_ = syscall.Close(p.r) // nothing is in them
	_ = syscall.Close(p.w)
}
