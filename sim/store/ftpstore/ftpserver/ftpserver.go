// Package ftpserver is a small FTP server for objects: files in one directory of
// its own, which are written once, read in whole or from an offset on, renamed and
// deleted. It is what stands behind the ftp store where nobody names a server.
//
// It speaks what a client in passive mode needs of RFC 959, 2389, 2428 and 3659,
// and nothing else: no active mode, which would have it connect to wherever it is
// told to, no lists, no other directories. It listens on loopback alone, for
// commands and for data. All that it holds is bounded: how many are connected, how
// long a line is, how many bytes all files have together. What Close has ended is
// gone: connections, goroutines and files.
package ftpserver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	sessionsMax = 512              // connections for commands at the same time
	lineMax     = 1024             // bytes of a command
	replyWait   = 10 * time.Second // for the client to take a reply
)

// Config says what a server keeps, and for whom.
type Config struct {
	Dir          string // of its own; what it has stored there goes away with Close
	MaxBytes     int64  // of all files together
	Name, Secret string // with which one logs in

	DataWait time.Duration // for a client to connect for data; 10 s if 0
}

// A Server is one running server.
type Server struct {
	cfg      Config
	root     *os.Root
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{} // connections and listeners of sessions
	used   int64                  // bytes of all files
	files  map[string]*file
}

// A file is one that is there, whole or still being written.
type file struct {
	bytes int64
	gone  bool // deleted; what is still written to it is lost
}

// Start starts a server on a free port of this machine.
func Start(cfg Config) (*Server, error) {
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("start ftp server: %w", err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		_ = root.Close() // nothing was written
		return nil, fmt.Errorf("start ftp server: %w", err)
	}
	cfg.DataWait = cmp.Or(cfg.DataWait, 10*time.Second)
	s := &Server{cfg: cfg, root: root, listener: l, open: make(map[io.Closer]struct{}),
		files: make(map[string]*file)}
	s.serving.Go(s.serve)
	return s, nil
}

// Address returns where the server listens, as host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends all connections, waits for all that the server does, and removes
// its files.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	_ = s.listener.Close() // it cannot fail in a way that matters: nobody accepts any more
	for c := range s.open {
		_ = c.Close() // the session finds out
	}
	s.mu.Unlock()
	s.serving.Wait()
	err := errors.Join(s.sweep(), s.root.Close())
	if err != nil {
		return fmt.Errorf("stop ftp server: %w", err)
	}
	return nil
}

// sweep removes all files.
func (s *Server) sweep() error {
	var errs []error
	for name := range s.files { // nobody else is there any more
		errs = append(errs, s.root.Remove(name))
	}
	return errors.Join(errs...)
}

// serve accepts connections until the listener is closed.
func (s *Server) serve() {
	places := make(chan struct{}, sessionsMax)
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(time.Millisecond) // for want of descriptors; others may be given back
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			_ = conn.Close() // too many; this one was told nothing yet
			continue
		}
		if !s.keep(conn) {
			return
		}
		s.serving.Go(func() {
			defer func() { <-places }()
			defer s.drop(conn)
			newSession(s, conn).run()
		})
	}
}

// keep notes what Close has to close. It reports false, and closes it, if that
// has been called already.
func (s *Server) keep(c io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close() // there is nobody to tell
		return false
	}
	s.open[c] = struct{}{}
	return true
}

// drop closes what was kept.
func (s *Server) drop(c io.Closer) {
	_ = c.Close() // closed by Close or by the client as well
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

var (
	errFull   = errors.New("there is no room left")
	errExists = errors.New("there is such a file")
	errNone   = errors.New("no such file")
)

// create makes a file for writing. One that had the name is gone.
func (s *Server) create(name string) (*file, *os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[name] != nil {
		if err := s.forget(name); err != nil {
			return nil, nil, err
		}
	}
	out, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, err
	}
	s.files[name] = &file{}
	return s.files[name], out, nil
}

// grow takes n bytes of what the server may keep for a file that gets longer.
func (s *Server) grow(f *file, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f.gone:
		return errNone
	case s.used+n > s.cfg.MaxBytes:
		return errFull
	}
	s.used += n
	f.bytes += n
	return nil
}

// rename gives a file a name that no other has.
func (s *Server) rename(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.files[from] == nil:
		return errNone
	case s.files[to] != nil:
		return errExists
	}
	if err := s.root.Rename(from, to); err != nil {
		return err
	}
	s.files[to] = s.files[from]
	delete(s.files, from)
	return nil
}

// remove deletes a file and gives its bytes back. With a file that is not nil it
// deletes only that.
func (s *Server) remove(name string, only *file) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[name]; f == nil || only != nil && f != only {
		return errNone
	}
	return s.forget(name)
}

// forget removes a file that is there, under the lock.
func (s *Server) forget(name string) error {
	if err := s.root.Remove(name); err != nil {
		return err
	}
	f := s.files[name]
	s.used -= f.bytes
	f.gone = true
	delete(s.files, name)
	return nil
}

// fileName reports whether something can be the name of a file here. None begins
// with a dot, or has a slash in it.
func fileName(name string) bool {
	if name == "" || len(name) > 255 || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
