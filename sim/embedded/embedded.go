// Package embedded runs a NATS server as a child process of this program, so
// that a broker is at hand without installing one.
//
// It is a process of its own for two reasons. Only a process can be killed,
// paused and started again as brokers are in real life; stopping a server that
// lives in this process is always graceful and proves nothing. And its garbage
// collector and its scheduler are then not those that generate and measure the
// load.
//
// A [Server] is one such process, a [Cluster] is one or several of them that
// replicate streams among each other.
//
// The child is this same program, started with the hidden verb [Verb]; the
// verb's body is [Main]. It listens on loopback only and keeps its data in a
// directory of its own, readable by nobody else. Parent and child share a
// pipe, the child's standard input, which is how the child learns that its
// parent is gone, whatever ended it: at the end of input the child stops and
// removes its directory. A line on the pipe asks it to stop and to keep the
// directory, for a restart.
package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"flowbench/sim/process"
)

// Verb is the hidden verb of the command line under which the child runs.
const Verb = "__nats-server"

// Options say which server to start. The zero value is a server without
// JetStream on a free port.
type Options struct {
	Executable string   // the program to run as the child; this program if empty
	Args       []string // its arguments before those of the child; Verb alone if nil
	Env        []string // variables for the child beyond those of this process, as key=value
	JetStream  bool     // serve streams as well
	SyncAlways bool     // force every write of a stream to disk before it is acknowledged
	Port       int      // to listen on; 0 for a free one, which a restart keeps
	Dir        string   // where the child makes its store directory; that of temporary files if empty
	Name       string   // of the server, which must differ within a cluster; "flowbench" if empty
	Peering    Peering  // of a server in a cluster; the zero value for one that is alone

	MemoryMaxBytes int64 // of all streams in memory; 256 MiB if 0
	StoreMaxBytes  int64 // of all streams on disk; 4 GiB if 0

	// LimitBytes is a soft bound of the process's memory: near it the server collects
	// its garbage more often, and nothing fails beyond. 0 is none. GOMEMLIMIT in the
	// environment says otherwise.
	LimitBytes int64
}

// Peering is a server's part in a cluster.
type Peering struct {
	Port   int      // that other servers connect to
	Routes []string // addresses of the other servers' ports, as host:port, or of what stands before them
	Hidden bool     // tell no other server of this one's address, so that nobody goes round its routes
}

// stopPatience is how long a child may take to stop before it is killed.
const stopPatience = 5 * time.Second

// A Server is a broker in a child process. Its methods may be called
// concurrently; those that change it wait for each other.
type Server struct {
	opts Options

	mu      sync.Mutex // held by the methods that start and stop
	child   *child     // nil while there is none
	hello   hello      // of the latest child
	stopped bool
}

// hello is the line with which a child reports that it serves.
type hello struct {
	URL     string `json:"url"`
	Version string `json:"version"`
	Store   string `json:"store"`
	Port    int    `json:"port"`
}

// child is one process.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	log    *process.Tail
	exited chan struct{} // closed once the process is gone and waited for
}

// Start starts a server and returns once it serves. If it does not within ctx,
// the error tells what it last said.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s := &Server{opts: opts}
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	return s, nil
}

// URL returns the address to connect to. It stays the same across restarts.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hello.URL
}

// Version returns the server's version.
func (s *Server) Version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hello.Version
}

// PID returns the id of the child process, or 0 if there is none now.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Log returns the last lines that the server wrote.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return ""
	}
	return s.child.log.String()
}

// Stop ends the server for good and removes its store. A child that does not
// stop by itself is killed, when ctx is done or after a few seconds.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.end(ctx, "")
	// The child has removed its store, unless it was killed.
	if err := os.RemoveAll(s.hello.Store); err != nil {
		return fmt.Errorf("remove store of embedded broker: %w", err)
	}
	return nil
}

// Halt stops the server gracefully and keeps its store for Restart.
func (s *Server) Halt(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return errNotRunning
	}
	s.end(ctx, keepStore)
	return nil
}

// Kill ends the child process at once, as a crash does. Its store stays for
// Restart.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return errNotRunning
	}
	s.kill()
	return nil
}

// Pause freezes the child process: its connections stay open and nothing
// moves. Resume lets it go on. Not every operating system can do that.
func (s *Server) Pause() error { return s.signal("pause", pauseProcess) }

// Resume ends what Pause began.
func (s *Server) Resume() error { return s.signal("resume", resumeProcess) }

func (s *Server) signal(what string, f func(*os.Process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return errNotRunning
	}
	if err := f(s.child.cmd.Process); err != nil {
		return fmt.Errorf("%s embedded broker: %w", what, err)
	}
	return nil
}

// Restart starts the server again on its port and its store, after Kill or
// Halt. A server that still runs is halted first.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("restart embedded broker: it was stopped for good")
	}
	s.end(ctx, keepStore)
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("restart embedded broker: %w", err)
	}
	return nil
}

var errNotRunning = errors.New("the embedded broker is not running")

// keepStore is the line that asks a child to stop without removing its store.
const keepStore = "keep\n"

// memoryLimit is the variable that Go reads a soft limit of memory from.
const memoryLimit = "GOMEMLIMIT"

// start starts a child and waits for its hello.
func (s *Server) start(ctx context.Context) error {
	executable := s.opts.Executable
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	c := &child{log: &process.Tail{}, exited: make(chan struct{})}
	c.cmd = exec.Command(executable, s.arguments()...) // not bound to ctx, which is that of the start alone
	c.cmd.Env = append(s.environment(), s.opts.Env...)
	c.cmd.Stderr = c.log
	c.cmd.WaitDelay = time.Second
	wakeWithParent(c.cmd)
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return fmt.Errorf("open pipe to child: %w", err)
	}
	first := &firstLine{line: make(chan []byte, 1)}
	c.cmd.Stdout = first
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("start child: %w", err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended shows in its log
		close(c.exited)
	}()
	s.child = c
	if err := s.greet(ctx, c, first.line); err != nil {
		s.kill()
		return fmt.Errorf("%w; it said: %s", err, c.log)
	}
	return nil
}

// environment returns the variables of this process, and the limit of memory where
// they have none.
func (s *Server) environment() []string {
	env := os.Environ()
	if _, set := os.LookupEnv(memoryLimit); s.opts.LimitBytes > 0 && !set {
		env = append(env, memoryLimit+"="+strconv.FormatInt(s.opts.LimitBytes, 10))
	}
	return env
}

// greet waits for the child's hello.
func (s *Server) greet(ctx context.Context, c *child, line <-chan []byte) error {
	select {
	case b := <-line:
		var h hello
		if err := json.Unmarshal(b, &h); err != nil || h.URL == "" {
			return fmt.Errorf("the child's first line is %.200q; want its address as JSON", b)
		}
		s.hello = h
		return nil
	case <-c.exited:
		return fmt.Errorf("the child ended with %v", c.cmd.ProcessState)
	case <-ctx.Done():
		return fmt.Errorf("await the child's address: %w", ctx.Err())
	}
}

func (s *Server) arguments() []string {
	args := s.opts.Args
	if args == nil {
		args = []string{Verb}
	}
	port := s.opts.Port
	if s.hello.Port != 0 {
		port = s.hello.Port
	}
	args = append([]string(nil), args...)
	if p := s.opts.Peering; p.Port != 0 {
		args = append(args, "-peer-port", strconv.Itoa(p.Port), "-routes", strings.Join(p.Routes, ","),
			"-hidden="+strconv.FormatBool(p.Hidden))
	}
	if s.opts.Name != "" {
		args = append(args, "-name", s.opts.Name)
	}
	return append(args,
		"-port", strconv.Itoa(port),
		"-jetstream="+strconv.FormatBool(s.opts.JetStream),
		"-sync-always="+strconv.FormatBool(s.opts.SyncAlways),
		"-dir", s.opts.Dir,
		"-store", s.hello.Store,
		"-memory-max-bytes", strconv.FormatInt(s.opts.MemoryMaxBytes, 10),
		"-store-max-bytes", strconv.FormatInt(s.opts.StoreMaxBytes, 10),
	)
}

// end asks the child to stop, with a line or by the end of its input, and kills
// it if it does not.
func (s *Server) end(ctx context.Context, line string) {
	if s.child == nil {
		return
	}
	c := s.child
	_ = resumeProcess(c.cmd.Process) // a paused child could not hear
	_, _ = io.WriteString(c.stdin, line)
	_ = c.stdin.Close() // a child that is gone already is no error
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-ctx.Done():
	case <-timer.C:
	}
	s.kill()
}

// kill ends the child if it has not ended and waits until it is gone.
func (s *Server) kill() {
	_ = s.child.cmd.Process.Kill() // it may be gone already
	<-s.child.exited
	_ = s.child.stdin.Close() // closed by the wait as well
	s.child = nil
}

// A firstLine hands on the first line that is written to it and drops the rest.
type firstLine struct {
	line chan []byte
	buf  []byte
	done bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	if f.done {
		return len(p), nil
	}
	f.buf = append(f.buf, p...)
	advance, token, _ := bufio.ScanLines(f.buf, len(f.buf) > 64<<10)
	if advance > 0 {
		f.done = true
		f.line <- token
		f.buf = nil
	}
	return len(p), nil
}
