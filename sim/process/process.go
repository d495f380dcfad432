// Package process keeps programs of others on a leash: they run as long as this
// program does and no longer, whatever ends it.
//
// A broker that is installed on this machine knows nothing of the program that
// started it, and would outlive one that is killed. So a second process of this
// same program stands between: the keeper, started with the hidden verb [Verb],
// whose body is [Main]. It makes a directory for the programs that it keeps,
// starts them on request, each in a process group of its own, and sends the
// groups signals. Its requests come over its standard input. The end of that
// input, which comes when the parent is gone too, makes it end all groups,
// remove the directory and exit. On Linux the kernel ends the programs should
// the keeper itself be killed.
//
// Signals go through the keeper since only the parent of a process knows that
// its id has not been given to somebody else.
package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// Verb is the hidden verb of the command line under which the keeper runs.
const Verb = "__keep"

// Options say how the keeper is started. The zero value will do.
type Options struct {
	Executable string   // the program to run as the keeper; this program if empty
	Args       []string // its arguments before those of the keeper; Verb alone if nil
	Dir        string   // where the keeper makes its directory; that of temporary files if empty
	Prefix     string   // of the directory's name
}

// A Keeper is a process that keeps others. Its methods may be called
// concurrently.
type Keeper struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	log    *Tail
	dir    string
	exited chan struct{} // closed once the keeper is gone and waited for

	mu      sync.Mutex
	n       int                // of the latest request
	replies map[int]chan event // awaited, by request
	kept    map[int]*Process   // that have not ended, by the request that started them
}

// A request is what the keeper is told, as one line of JSON.
type request struct {
	N       int      `json:"n"`
	Command []string `json:"command,omitempty"` // to start
	Env     []string `json:"env,omitempty"`
	Output  string   `json:"output,omitempty"`
	Target  int      `json:"target,omitempty"` // the request that started what gets the signal
	Signal  signal   `json:"signal,omitempty"`
}

// An event is what the keeper tells, as one line of JSON: that it is there, the
// answer to a request, or that a process has ended.
type event struct {
	N      int    `json:"n,omitempty"`
	Error  string `json:"error,omitempty"`
	PID    int    `json:"pid,omitempty"`
	Ended  int    `json:"ended,omitempty"` // the request that started it
	Status string `json:"status,omitempty"`
	Dir    string `json:"dir,omitempty"`
}

// A signal is one of those that keepers send, by name.
type signal string

const (
	pause     signal = "pause"
	resume    signal = "resume"
	terminate signal = "terminate"
	kill      signal = "kill"
)

// closePatience is how long a keeper may take to end before it is killed. It
// covers what the keeper itself waits for.
const closePatience = 5 * time.Second

var (
	errKeeperGone = errors.New("the keeper has ended")
	errEnded      = errors.New("the process has ended")
)

// Open starts a keeper.
func Open(ctx context.Context, opts Options) (*Keeper, error) {
	executable := opts.Executable
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
	}
	args := opts.Args
	if args == nil {
		args = []string{Verb}
	}
	k := &Keeper{
		log: &Tail{}, exited: make(chan struct{}),
		replies: make(map[int]chan event), kept: make(map[int]*Process),
	}
	args = append(append([]string(nil), args...), "-dir", opts.Dir, "-prefix", opts.Prefix)
	k.cmd = exec.Command(executable, args...)
	k.cmd.Stderr = k.log
	k.cmd.WaitDelay = time.Second
	var err error
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("open pipe to keeper: %w", err)
	}
	stdout, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open pipe from keeper: %w", err)
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	hello := make(chan event, 1)
	k.replies[0] = hello
	go k.listen(stdout)
	select {
	case ev, ok := <-hello:
		if ok && ev.Error == "" {
			k.dir = ev.Dir
			return k, nil
		}
		_ = k.Close(ctx) // the error that counts is the one at hand
		return nil, fmt.Errorf("start keeper: it said: %s%s", ev.Error, k.log)
	case <-ctx.Done():
		_ = k.Close(ctx) // the error that counts is the one at hand
		return nil, fmt.Errorf("await the keeper: %w", ctx.Err())
	}
}

// Dir returns the directory that is removed when the keeper ends. It is readable
// by nobody else.
func (k *Keeper) Dir() string { return k.dir }

// Log returns the last lines that the kept programs wrote, and the keeper.
func (k *Keeper) Log() string { return k.log.String() }

// listen hands out what the keeper tells until it is gone.
func (k *Keeper) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var ev event
		if json.Unmarshal(lines.Bytes(), &ev) != nil {
			continue // nothing that a keeper says
		}
		k.mu.Lock()
		if p := k.kept[ev.Ended]; p != nil {
			p.end(ev.Status)
			delete(k.kept, ev.Ended)
		} else if reply := k.replies[ev.N]; reply != nil {
			reply <- ev // has room for the one that comes
			delete(k.replies, ev.N)
		}
		k.mu.Unlock()
	}
	_ = k.cmd.Wait() // how it ended is of no interest
	k.mu.Lock()
	for _, p := range k.kept {
		p.end("its keeper ended")
	}
	for _, reply := range k.replies {
		close(reply)
	}
	k.kept, k.replies = nil, nil
	close(k.exited)
	k.mu.Unlock()
}

// call sends a request and waits for the answer. p is what it starts, or nil.
func (k *Keeper) call(ctx context.Context, r request, p *Process) (event, error) {
	k.mu.Lock()
	if k.replies == nil {
		k.mu.Unlock()
		return event{}, errKeeperGone
	}
	k.n++
	r.N = k.n
	reply := make(chan event, 1)
	k.replies[r.N] = reply
	if p != nil {
		p.n, k.kept[r.N] = r.N, p
	}
	line, err := json.Marshal(r)
	if err == nil {
		_, err = k.stdin.Write(append(line, '\n'))
	}
	k.mu.Unlock()
	if err != nil {
		return event{}, fmt.Errorf("tell the keeper: %w", err)
	}
	select {
	case ev, ok := <-reply:
		switch {
		case !ok:
			return event{}, errKeeperGone
		case ev.Error != "":
			return event{}, errors.New(ev.Error)
		}
		return ev, nil
	case <-ctx.Done():
		return event{}, fmt.Errorf("await the keeper: %w", ctx.Err())
	}
}

// A Command is a program to keep.
type Command struct {
	Args   []string // the program and its arguments
	Env    []string // all of its environment, as key=value
	Output string   // file that gets what it prints; it goes to the keeper's log if empty
}

// A Process is a program that a keeper has started. Its methods may be called
// concurrently.
type Process struct {
	keeper *Keeper
	n      int
	pid    int
	exited chan struct{}
	status string // readable once exited is closed
}

// Start starts a program in the keeper's directory. ctx bounds the starting
// alone.
func (k *Keeper) Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{keeper: k, exited: make(chan struct{})}
	ev, err := k.call(ctx, request{Command: c.Args, Env: c.Env, Output: c.Output}, p)
	if err != nil {
		k.mu.Lock()
		delete(k.kept, p.n)
		k.mu.Unlock()
		return nil, fmt.Errorf("start %s: %w", c.Args[0], err)
	}
	p.pid = ev.PID
	return p, nil
}

// Close ends everything that the keeper keeps, removes the directory and ends
// the keeper, all within a few seconds. A second call does nothing.
func (k *Keeper) Close(ctx context.Context) error {
	_ = k.stdin.Close() // the end of input is how it is told
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-k.exited:
	case <-ctx.Done():
		_ = k.cmd.Process.Kill() // it may be gone already
	case <-timer.C:
		_ = k.cmd.Process.Kill()
	}
	<-k.exited
	if k.dir == "" {
		return nil
	}
	if err := remove(k.dir); err != nil { // it is gone already, unless the keeper was killed
		return fmt.Errorf("remove directory of keeper: %w", err)
	}
	return nil
}

// removePatience is how long what is just ending may still write to a directory
// that is to go.
const removePatience = 2 * time.Second

func remove(dir string) error {
	for deadline := time.Now().Add(removePatience); ; time.Sleep(20 * time.Millisecond) {
		err := os.RemoveAll(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (p *Process) end(status string) {
	p.status = status
	close(p.exited)
}

// PID returns the id of the process, which is that of its group too.
func (p *Process) PID() int { return p.pid }

// Exited is closed once the process has ended and been waited for.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Status says how the process ended. It may be called once Exited is closed.
func (p *Process) Status() string { return p.status }

// Kill ends the process and its group at once, as a crash does, and waits until
// it is gone.
func (p *Process) Kill(ctx context.Context) error {
	if err := p.signal(ctx, kill); err != nil {
		return err
	}
	return p.await(ctx)
}

// Terminate asks the process to end and waits until it has. A process that was
// paused is resumed first, or it could not hear.
func (p *Process) Terminate(ctx context.Context) error {
	if err := errors.Join(p.signal(ctx, resume), p.signal(ctx, terminate)); err != nil {
		return err
	}
	return p.await(ctx)
}

// Pause freezes the process and its group: their connections stay open and
// nothing moves.
func (p *Process) Pause(ctx context.Context) error { return p.signal(ctx, pause) }

// Resume ends what Pause began.
func (p *Process) Resume(ctx context.Context) error { return p.signal(ctx, resume) }

func (p *Process) signal(ctx context.Context, s signal) error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s process %d: %w", s, p.pid, errEnded)
	default:
	}
	if _, err := p.keeper.call(ctx, request{Target: p.n, Signal: s}, nil); err != nil {
		return fmt.Errorf("%s process %d: %w", s, p.pid, err)
	}
	return nil
}

func (p *Process) await(ctx context.Context) error {
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("await the end of process %d: %w", p.pid, ctx.Err())
	}
}

// Ports are looked for from lowestPort on, and below those from which systems take the
// local ends of connections (32768 on Linux, 49152 elsewhere). One of those could be
// taken while a process that is to listen on it again is away.
const (
	lowestPort = 10000
	someLocal  = 32768
)

// FreePorts returns n different TCP ports on loopback that nobody listened on a
// moment ago. Nothing reserves them, but nobody is given one unasked.
func FreePorts(n int) (ports []int, err error) {
	for _, i := range rand.Perm(someLocal - lowestPort) {
		if len(ports) == n {
			break
		}
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+i))); err != nil {
			continue // somebody has it
		}
		if cerr := l.Close(); cerr != nil {
			return nil, fmt.Errorf("find a free port: %w", cerr)
		}
		ports = append(ports, lowestPort+i)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("find %d free ports: %w", n, err)
	}
	return ports, nil
}
