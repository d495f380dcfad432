//go:build unix

package process

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	ossignal "os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	termPatience = 500 * time.Millisecond // for programs to end by themselves, when all is thrown away anyway
	killPatience = 2 * time.Second        // for the kernel to end them
)

// Main is the body of the hidden verb: it keeps programs until stdin ends, and
// returns the process's exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// A Ctrl-C in the terminal is meant for the parent, which decides when its
	// programs end. A parent that is gone must not end this process by a broken
	// pipe, before it has cleaned up.
	ossignal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE)
	terminated := make(chan os.Signal, 1)
	ossignal.Notify(terminated, syscall.SIGTERM)
	defer ossignal.Stop(terminated)
	fs := flag.NewFlagSet(Verb, flag.ContinueOnError)
	fs.SetOutput(stderr)
	dir := fs.String("dir", "", "where to make the directory")
	prefix := fs.String("prefix", "", "of the directory's name")
	if err := fs.Parse(args); err != nil {
		return 1
	}
	k := &keeper{stdout: stdout, stderr: stderr, running: make(map[int]*exec.Cmd)}
	var err error
	if k.dir, err = os.MkdirTemp(*dir, *prefix); err != nil { // readable by nobody else
		fmt.Fprintln(stderr, "make directory:", err)
		return 1
	}
	k.tell(event{Dir: k.dir})
	k.obey(stdin, terminated)
	if err := k.end(); err != nil {
		fmt.Fprintln(stderr, "clean up:", err) // there may be nobody left to read it
		return 1
	}
	return 0
}

// keeper is the keeper's own side.
type keeper struct {
	dir            string
	stdout, stderr io.Writer

	mu      sync.Mutex
	running map[int]*exec.Cmd // by the request that started them
	waits   sync.WaitGroup
}

// tell writes an event. A parent that does not read it any more is gone.
func (k *keeper) tell(ev event) {
	line, err := json.Marshal(ev)
	if err != nil {
		return // events are plain data and always encode
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, _ = k.stdout.Write(append(line, '\n'))
}

// obey does what it is told until the input ends.
func (k *keeper) obey(stdin io.Reader, terminated <-chan os.Signal) {
	requests := make(chan request)
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer close(requests)
		for in := json.NewDecoder(bufio.NewReader(stdin)); ; {
			var r request
			if in.Decode(&r) != nil {
				return
			}
			select {
			case requests <- r:
			case <-done:
				return
			}
		}
	}()
	for {
		select {
		case r, ok := <-requests:
			if !ok {
				return
			}
			ev, err := k.do(r)
			ev.N = r.N
			if err != nil {
				ev.Error = err.Error()
			}
			k.tell(ev)
		case <-terminated:
			return
		}
	}
}

func (k *keeper) do(r request) (event, error) {
	if len(r.Command) > 0 {
		return k.start(r)
	}
	number, known := map[signal]syscall.Signal{
		pause: syscall.SIGSTOP, resume: syscall.SIGCONT, terminate: syscall.SIGTERM, kill: syscall.SIGKILL,
	}[r.Signal]
	if !known {
		return event{}, fmt.Errorf("no signal is named %q", r.Signal)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	cmd := k.running[r.Target]
	if cmd == nil {
		return event{}, errEnded
	}
	if err := syscall.Kill(-cmd.Process.Pid, number); err != nil {
		return event{}, fmt.Errorf("signal group: %w", err)
	}
	return event{}, nil
}

// start starts a program in a group of its own and reports when it ends.
func (k *keeper) start(r request) (event, error) {
	cmd := exec.Command(r.Command[0], r.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = k.dir, r.Env, group()
	cmd.Stdout, cmd.Stderr = k.stderr, k.stderr
	cmd.WaitDelay = time.Second // for what its own children may still hold open
	var out *os.File
	if r.Output != "" {
		var err error
		if out, err = os.OpenFile(r.Output, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return event{}, fmt.Errorf("open output: %w", err)
		}
		defer func() { _ = out.Close() }() // the child has its own
		cmd.Stdout = out
	}
	if err := cmd.Start(); err != nil {
		return event{}, err
	}
	k.mu.Lock()
	k.running[r.N] = cmd
	k.mu.Unlock()
	k.waits.Go(func() {
		_ = cmd.Wait() // how it ended is told
		k.mu.Lock()
		delete(k.running, r.N)
		k.mu.Unlock()
		k.tell(event{Ended: r.N, Status: cmd.ProcessState.String()})
	})
	return event{PID: cmd.Process.Pid}, nil
}

// end ends all groups, gently at first, and removes the directory.
func (k *keeper) end() error {
	ended := make(chan struct{})
	go func() {
		k.waits.Wait()
		close(ended)
	}()
	groups := k.groups()
	signalAll(groups, syscall.SIGCONT)
	signalAll(groups, syscall.SIGTERM)
	wait(ended, termPatience)
	signalAll(groups, syscall.SIGKILL) // what a program that has ended left in its group goes with it
	wait(ended, killPatience)
	return remove(k.dir)
}

// groups returns the groups that have not ended.
func (k *keeper) groups() (groups []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, cmd := range k.running {
		groups = append(groups, cmd.Process.Pid)
	}
	return groups
}

func signalAll(groups []int, s syscall.Signal) {
	for _, group := range groups {
		_ = syscall.Kill(-group, s) // it may be gone already
	}
}

// wait waits until c is closed, but no longer than patience.
func wait(c <-chan struct{}, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	}
}
