//go:build unix

package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/sim/process"
)

// parentVerb makes the test binary a program that has something kept and waits
// to be killed.
const parentVerb = "__parent"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case process.Verb:
			os.Exit(process.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		case parentVerb:
			os.Exit(parent(os.Args[2]))
		}
	}
	goleak.VerifyTestMain(m)
}

// stubborn is a program that ends only when it is killed, and so does its child,
// which it tells.
const stubborn = `trap '' TERM; (trap '' TERM; while :; do sleep 1000; done) & echo $! > child; ` +
	`while :; do sleep 1000; done`

// parent has a stubborn program kept, paused, and tells its process id.
func parent(dir string) int {
	ctx := context.Background()
	k, err := process.Open(ctx, process.Options{Dir: dir})
	if err == nil {
		var p *process.Process
		if p, err = k.Start(ctx, shell(stubborn)); err == nil {
			fmt.Println(p.PID())
			err = p.Pause(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {} // until it is killed
}

func shell(script string) process.Command {
	return process.Command{Args: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}}
}

func open(t *testing.T) (*process.Keeper, string) {
	t.Helper()
	dir := t.TempDir()
	k, err := process.Open(t.Context(), process.Options{Dir: dir, Prefix: "kept-"})
	if err != nil {
		t.Fatalf("open keeper: %v", err)
	}
	t.Cleanup(func() {
		if err := k.Close(context.Background()); err != nil {
			t.Errorf("close keeper: %v", err)
		}
		if left := entries(t, dir); len(left) > 0 {
			t.Errorf("left after close: %q; want nothing", left)
		}
	})
	return k, dir
}

func start(t *testing.T, k *process.Keeper, script string) *process.Process {
	t.Helper()
	p, err := k.Start(t.Context(), shell(script))
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return p
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatalf("list %s: %v", dir, err)
	}
	return found
}

// patience is how long tests wait for what should be there soon.
const patience = 10 * time.Second

// awaitThat waits for a condition with a deadline.
func awaitThat(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func exited(t *testing.T, p *process.Process) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(patience):
		t.Fatalf("process %d has not ended", p.PID())
	}
}

func TestAProgramRunsInTheKeepersDirectoryAndItsEndIsTold(t *testing.T) {
	k, dir := open(t)
	if !strings.HasPrefix(k.Dir(), filepath.Join(dir, "kept-")) {
		t.Errorf("the directory is %s; want one in %s that begins with kept-", k.Dir(), dir)
	}
	out := filepath.Join(k.Dir(), "out")
	c := shell("pwd; exit 7")
	c.Output = out
	p, err := k.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	exited(t, p)
	text, err := os.ReadFile(out)
	if err != nil || strings.TrimSpace(string(text)) != k.Dir() || p.Status() != "exit status 7" {
		t.Errorf("it printed %q, %v and ended with %q; want %s, nil and exit status 7", text, err, p.Status(), k.Dir())
	}
	if err := p.Kill(t.Context()); err == nil {
		t.Error("killing what has ended returned nil; want an error")
	}
	p = start(t, k, "echo said >&2")
	exited(t, p)
	awaitThat(t, "the log has what the program said", patience, func() bool {
		return strings.Contains(k.Log(), "said")
	})
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	k, _ := open(t)
	if _, err := k.Start(t.Context(), process.Command{Args: []string{"/nonexistent/program"}}); err == nil ||
		!strings.Contains(err.Error(), "no such file") {
		t.Errorf("start returned %v; want an error that says so", err)
	}
	missing := process.Options{Dir: filepath.Join(t.TempDir(), "missing")}
	if _, err := process.Open(t.Context(), missing); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("open in a missing directory returned %v; want an error that says so", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := process.Open(ctx, process.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("open with a cancelled context returned %v; want context canceled", err)
	}
}

func TestSignalsReachTheWholeGroup(t *testing.T) {
	k, _ := open(t)
	p := start(t, k, stubborn)
	child := readPID(t, filepath.Join(k.Dir(), "child"))
	// A shell that is stopped while it starts a program waits for that, and not as one
	// that is stopped.
	began := func(context.Context) error { return nil }
	for _, step := range []struct {
		name   string
		signal func(context.Context) error
		state  string
	}{{"begin", began, "S"}, {"pause", p.Pause, "T"}, {"resume", p.Resume, "S"}} {
		if err := step.signal(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for _, pid := range []int{p.PID(), child} {
			awaitThat(t, step.name, patience, func() bool { return state(t, pid) == step.state })
		}
	}
	if err := p.Kill(t.Context()); err != nil {
		t.Fatalf("kill: %v", err)
	}
	exited(t, p)
	awaitThat(t, "the child is gone", patience, func() bool { return !alive(child) })
}

func TestAProgramThatIsPausedHearsThatItShallEnd(t *testing.T) {
	k, _ := open(t)
	p := start(t, k, `trap 'exit 3' TERM; echo > ready; while :; do sleep 0.01; done`)
	awaitThat(t, "the program is ready", patience, func() bool {
		return len(entries(t, k.Dir())) == 1
	})
	if err := p.Pause(t.Context()); err != nil {
		t.Fatalf("pause: %v", err)
	}
	if err := p.Terminate(t.Context()); err != nil || p.Status() != "exit status 3" {
		t.Errorf("terminate returned %v, status %q; want nil, exit status 3", err, p.Status())
	}
	p = start(t, k, stubborn)
	readPID(t, filepath.Join(k.Dir(), "child")) // from here on it ignores the signal
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Terminate(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("terminating a stubborn program returned %v; want deadline exceeded", err)
	}
}

func TestCloseEndsWhatIsPausedAndStubborn(t *testing.T) {
	k, _ := open(t)
	p := start(t, k, stubborn)
	child := readPID(t, filepath.Join(k.Dir(), "child"))
	if err := p.Pause(t.Context()); err != nil {
		t.Fatalf("pause: %v", err)
	}
	if err := k.Close(t.Context()); err != nil {
		t.Fatalf("close: %v", err)
	}
	exited(t, p)
	if alive(p.PID()) || alive(child) {
		t.Errorf("process %d or its child %d still lives after close", p.PID(), child)
	}
	if _, err := k.Start(t.Context(), shell("true")); err == nil {
		t.Error("start after close returned nil; want an error")
	}
}

func TestAKilledParentLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test program: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), self, parentVerb, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("open pipe: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start parent: %v", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, perr := strconv.Atoi(strings.TrimSpace(line))
	if err := errors.Join(err, perr); err != nil || !alive(pid) || len(entries(t, dir)) != 1 {
		t.Fatalf("kept %q, %v, directories %q; want a process that lives and its directory", line, err, entries(t, dir))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("kill parent: %v", err)
	}
	_ = cmd.Wait() // it was killed
	awaitThat(t, "the end of process and directory", 5*time.Second, func() bool {
		return !alive(pid) && len(entries(t, dir)) == 0
	})
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := process.FreePorts(20)
	if err != nil {
		t.Fatalf("find ports: %v", err)
	}
	seen := make(map[int]bool)
	for _, p := range ports {
		if p >= 32768 {
			t.Errorf("port %d may become the local end of a connection", p)
		}
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", p))
		if err != nil || seen[p] {
			t.Fatalf("port %d: %v, seen before: %v; want a free one", p, err, seen[p])
		}
		seen[p] = true
		defer func() { _ = l.Close() }()
	}
	if len(seen) != 20 {
		t.Errorf("found %d ports; want 20", len(seen))
	}
}

// readPID waits for a file with a process id.
func readPID(t *testing.T, file string) (pid int) {
	t.Helper()
	awaitThat(t, file+" names a process", patience, func() bool {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	return pid
}

// state returns the state of a process as ps prints it, without the flags. One
// that is not there, or ended and was not waited for, has none.
func state(t *testing.T, pid int) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	if s := strings.TrimSpace(string(out)); err == nil && s != "" && s[0] != 'Z' {
		return s[:1]
	}
	return ""
}

// alive reports whether a process runs; one that ended and that nobody waited
// for does not.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil || p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err != nil || !strings.HasPrefix(rest, "Z")
}
