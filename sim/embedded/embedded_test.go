package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"flowbench/sim/embedded"
)

// parentVerb makes the test binary a program that starts a broker and waits to
// be killed.
const parentVerb = "__parent"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case embedded.Verb:
			os.Exit(embedded.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		case parentVerb:
			os.Exit(parent(os.Args[2]))
		}
	}
	goleak.VerifyTestMain(m)
}

// parent starts brokers, tells their process ids, and pauses the last of them if
// asked to.
func parent(dir string) int {
	nodes := 1
	if len(os.Args) > 3 && os.Args[3] == "cluster" {
		nodes = 3
	}
	c, err := embedded.StartCluster(context.Background(), embedded.ClusterOptions{
		Nodes: nodes, Server: embedded.Options{Dir: dir, JetStream: true},
	})
	if err == nil && len(os.Args) > 3 {
		err = c.Nodes()[nodes-1].Pause()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, s := range c.Nodes() {
		fmt.Print(s.PID(), " ")
	}
	fmt.Println()
	select {} // until it is killed
}

func start(t *testing.T, opts embedded.Options) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

func connect(t *testing.T, s *embedded.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL(), nats.NoReconnect())
	if err != nil {
		t.Fatalf("connect to %s: %v", s.URL(), err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func stores(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatalf("list %s: %v", dir, err)
	}
	return found
}

func TestAServerServesOnLoopbackAndRemovesItsStoreWhenStopped(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embedded.Options{JetStream: true, Dir: dir})
	nc := connect(t, s)
	if got, want := s.Version(), nc.ConnectedServerVersion(); got != want || got == "" {
		t.Errorf("version is %q; want %q", got, want)
	}
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Errorf("the address is %s; want one on loopback", s.URL())
	}
	sub, err := nc.SubscribeSync("s")
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	if err := nc.Publish("s", []byte("x")); err != nil {
		t.Fatalf("publish: %v", err)
	}
	if m, err := sub.NextMsg(10 * time.Second); err != nil || string(m.Data) != "x" {
		t.Fatalf("received %v, %v; want x", m, err)
	}
	made := stores(t, dir)
	if len(made) != 1 {
		t.Fatalf("stores %q; want one", made)
	}
	if info, err := os.Stat(made[0]); err != nil || info.Mode().Perm() != 0o700 && runtime.GOOS != "windows" {
		t.Errorf("the store has mode %v, %v; want one for its owner alone", info.Mode(), err)
	}
	pid := s.PID()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if left := stores(t, dir); len(left) > 0 {
		t.Errorf("left after stop: %q; want nothing", left)
	}
	if alive(pid) || s.PID() != 0 {
		t.Errorf("process %d still lives after stop", pid)
	}
	if err := s.Restart(t.Context()); err == nil {
		t.Error("restart after stop returned nil; want an error")
	}
}

func TestAStreamSurvivesEveryKindOfRestartOnTheSameAddress(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embedded.Options{JetStream: true, Dir: dir})
	url := s.URL()
	publish := func(want uint64) {
		t.Helper()
		nc := connect(t, s)
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatalf("open jetstream: %v", err)
		}
		cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}
		if _, err := js.CreateOrUpdateStream(t.Context(), cfg); err != nil {
			t.Fatalf("create stream: %v", err)
		}
		ack, err := js.Publish(t.Context(), "s", nil)
		if err != nil || ack.Sequence != want {
			t.Fatalf("published as %v, %v; want sequence %d", ack, err, want)
		}
	}
	publish(1)
	for i, end := range []func() error{
		s.Kill,
		func() error { return s.Halt(t.Context()) },
		func() error { return nil }, // Restart itself halts what runs
	} {
		if err := end(); err != nil {
			t.Fatalf("end %d: %v", i, err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatalf("restart %d: %v", i, err)
		}
		if s.URL() != url {
			t.Fatalf("the address is %s; want %s as before", s.URL(), url)
		}
		publish(uint64(i) + 2)
	}
	if err := s.Kill(); err != nil {
		t.Fatalf("kill: %v", err)
	}
	if err := s.Kill(); err == nil {
		t.Error("a second kill returned nil; want an error")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if left := stores(t, dir); len(left) > 0 {
		t.Errorf("left after kill and stop: %q; want nothing", left)
	}
}

func TestAPausedServerIsSilentUntilItIsResumed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this operating system cannot pause a process")
	}
	s := start(t, embedded.Options{})
	nc := connect(t, s)
	if err := s.Pause(); err != nil {
		t.Fatalf("pause: %v", err)
	}
	// The signal may take a moment to stop every thread.
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := nc.FlushTimeout(50 * time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("a flush returned %v while the server was paused; want a timeout", err)
		}
	}
	if err := s.Resume(); err != nil {
		t.Fatalf("resume: %v", err)
	}
	if err := nc.FlushTimeout(10 * time.Second); err != nil {
		t.Errorf("a flush returned %v after the server was resumed; want nil", err)
	}
	if err := s.Pause(); err != nil {
		t.Fatalf("pause: %v", err)
	}
	begin := time.Now()
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stop while paused: %v", err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("stopping a paused server took %v; want it to be quick", took)
	}
}

func TestAFailedStartShowsWhy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer func() { _ = l.Close() }()
	dir := t.TempDir()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = embedded.Start(t.Context(), embedded.Options{Port: port, Dir: dir})
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("start on a port in use returned %v; want an error that says so", err)
	}
	if left := stores(t, dir); len(left) > 0 {
		t.Errorf("left after a failed start: %q; want nothing", left)
	}
	if _, err := embedded.Start(t.Context(), embedded.Options{Dir: filepath.Join(dir, "missing")}); err == nil ||
		!strings.Contains(err.Error(), "no such file") {
		t.Errorf("start in a missing directory returned %v; want an error that says so", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := embedded.Start(ctx, embedded.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("start with a cancelled context returned %v; want context canceled", err)
	}
}

func TestTheLimitOfMemoryIsTheServersUnlessTheEnvironmentHasOne(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the environment of a process is read from /proc")
	}
	limits := func(opts embedded.Options) (found []string) {
		t.Helper()
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", start(t, opts).PID()))
		if err != nil {
			t.Fatalf("read environment: %v", err)
		}
		for _, v := range strings.Split(string(b), "\x00") {
			if strings.HasPrefix(v, "GOMEMLIMIT=") {
				found = append(found, v)
			}
		}
		return found
	}
	if os.Getenv("GOMEMLIMIT") == "" { // else these two have nothing to say
		if got := limits(embedded.Options{}); got != nil {
			t.Errorf("without a limit, the server has %q; want nothing", got)
		}
		if got := limits(embedded.Options{LimitBytes: 1 << 28}); !slices.Equal(got, []string{"GOMEMLIMIT=268435456"}) {
			t.Errorf("with a limit of 256 MiB, the server has %q; want it", got)
		}
	}
	t.Setenv("GOMEMLIMIT", "1GiB")
	if got := limits(embedded.Options{LimitBytes: 1 << 28}); !slices.Equal(got, []string{"GOMEMLIMIT=1GiB"}) {
		t.Errorf("with a limit in the environment, the server has %q; want that one", got)
	}
}

func TestAKilledParentLeavesNeitherProcessNorStore(t *testing.T) {
	for name, args := range map[string][]string{
		"a running child": nil, "a paused child": {"pause"}, "a cluster with a paused node": {"cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			if args != nil && runtime.GOOS != "linux" {
				t.Skip("only Linux can resume a child when its parent dies")
			}
			killParent(t, args)
		})
	}
}

func killParent(t *testing.T, args []string) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test program: %v", err)
	}
	cmd := exec.Command(self, append([]string{parentVerb, dir}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("open pipe: %v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start parent: %v", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read the process ids: %v", err)
	}
	var pids []int
	for _, word := range strings.Fields(line) {
		pid, err := strconv.Atoi(word)
		if err != nil || !alive(pid) {
			t.Fatalf("child %q, %v; want a process that lives", word, err)
		}
		pids = append(pids, pid)
	}
	if made := stores(t, dir); len(pids) == 0 || len(made) != len(pids) {
		t.Fatalf("children %d, stores %q; want a store for each", pids, made)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("kill parent: %v", err)
	}
	_ = cmd.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	awaitNil(t, ctx, "the end of children and stores", func(context.Context) error {
		if left := stores(t, dir); len(left) > 0 || slices.ContainsFunc(pids, alive) {
			return fmt.Errorf("children %d, stores %q are left", pids, left)
		}
		return nil
	})
}

// alive reports whether a process runs. A process that ended and was not
// waited for, as orphans are where nothing adopts them, counts as gone.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil || p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux"
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
