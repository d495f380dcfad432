package installed_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"flowbench/sim/installed"
	"flowbench/sim/link"
	"flowbench/sim/process"
)

// parentVerb makes the test binary a program that starts a node and waits to be
// killed.
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

func options(dir string, nodes int) installed.Options {
	return installed.Options{
		Nodes: nodes, Keeper: process.Options{Dir: dir}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
}

// parent starts a node, tells its process id and its address, and pauses it: a
// paused broker is the hardest to get rid of.
func parent(dir string) int {
	c, err := installed.Start(context.Background(), options(dir, 1))
	if err == nil {
		err = c.Nodes()[0].Pause()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(c.Nodes()[0].PID(), c.Nodes()[0].URL())
	select {} // until it is killed
}

// needsRabbitMQ skips a test where RabbitMQ is not installed, except where it has
// to be.
func needsRabbitMQ(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("rabbitmq-server"); err != nil {
		if _, err := os.Stat("/usr/lib/rabbitmq/bin/rabbitmq-server"); err != nil && os.Getenv("CI") != "true" {
			t.Skip("rabbitmq-server is not installed")
		}
	}
}

func TestAMachineWithoutRabbitMQIsToldWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := installed.Start(t.Context(), options(t.TempDir(), 1))
	if !errors.Is(err, installed.ErrMissing) || !strings.Contains(err.Error(), "apt-get install rabbitmq-server") {
		t.Errorf("start without RabbitMQ returned %v; want an error that says what to install", err)
	}
}

// TestConfirmedMessagesSurviveTheLeader runs one cluster through all that can be
// done to its nodes, since each takes long to boot.
func TestConfirmedMessagesSurviveTheLeader(t *testing.T) {
	needsRabbitMQ(t)
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	dir := t.TempDir()
	routes := newRoutes(t)
	opts := options(dir, 3)
	opts.Route = routes.lay
	c, err := installed.Start(ctx, opts)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		if left := entries(t, dir); len(left) > 0 {
			t.Errorf("left after close: %q; want nothing", left)
		}
	})
	const messages = 100
	if err := publish(ctx, c.Addresses()[0], messages); err != nil {
		t.Fatalf("publish: %v", err)
	}
	q, err := c.Queue(ctx, queue)
	if err != nil || len(q.Members) != 3 {
		t.Fatalf("the queue is %+v, %v; want one with three members", q, err)
	}
	dead := q.Leader
	if err := c.Nodes()[dead].Kill(); err != nil {
		t.Fatalf("kill leader %d: %v", dead, err)
	}
	if err := c.Nodes()[dead].Kill(); err == nil {
		t.Error("a second kill returned nil; want an error")
	}
	next := await(t, ctx, "another leader", func() (int, error) { return c.Leader(ctx, queue) })
	if next == dead {
		t.Fatalf("node %d leads; want another than the dead one", next)
	}
	if n := await(t, ctx, "an answer", func() (int, error) { return count(c.Addresses()[next]) }); n != messages {
		t.Errorf("%d messages after the leader was killed; want %d", n, messages)
	}
	pausedIsSilent(t, ctx, c.Nodes()[next])
	if err := c.Nodes()[dead].Restart(ctx); err != nil {
		t.Fatalf("restart: %v", err)
	}
	if n := await(t, ctx, "an answer", func() (int, error) { return count(c.Addresses()[dead]) }); n != messages {
		t.Errorf("%d messages at the node that was killed; want %d", n, messages)
	}
	theMajorityGoesOnWithoutTheMinority(t, ctx, c, routes, messages)
}

// A routesTest is the links between the nodes of a cluster.
type routesTest struct {
	t     *testing.T
	links map[[2]int]*link.Link
}

func newRoutes(t *testing.T) *routesTest { return &routesTest{t, make(map[[2]int]*link.Link)} }

func (r *routesTest) lay(from, to int, address string) (string, error) {
	l, err := link.New(context.Background(), address, link.Config{})
	if err != nil {
		return "", err
	}
	r.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			r.t.Errorf("close link: %v", err)
		}
	})
	if r.links[[2]int{from, to}] != nil {
		r.t.Errorf("the route from %d to %d is laid twice", from, to)
	}
	r.links[[2]int{from, to}] = l
	return l.Address(), nil
}

// cut cuts the links of a node and returns what mends them.
func (r *routesTest) cut(node int) (heal func()) {
	r.t.Helper()
	var armed []*link.Armed
	for way, l := range r.links {
		for _, i := range []link.Impairment{link.Hang{}, link.Stall{}} {
			if !slices.Contains(way[:], node) {
				continue
			}
			a, err := l.Arm(link.BothWays, i)
			if err != nil {
				r.t.Fatalf("cut %v: %v", way, err)
			}
			armed = append(armed, a)
		}
	}
	return func() {
		for _, a := range armed {
			if err := a.Heal(); err != nil {
				r.t.Errorf("heal: %v", err)
			}
		}
	}
}

// theMajorityGoesOnWithoutTheMinority cuts the leader off from the others, which go on
// with another, while it takes no clients until it can reach them again.
func theMajorityGoesOnWithoutTheMinority(
	t *testing.T, ctx context.Context, c *installed.Cluster, routes *routesTest, messages int,
) {
	t.Helper()
	apart := await(t, ctx, "a leader", func() (int, error) { return c.Leader(ctx, queue) })
	heal := routes.cut(apart)
	defer heal()
	confirmed := await(t, ctx, "a confirm by the majority", func() (int, error) {
		return 1, publish(ctx, c.Addresses()[(apart+1)%3], 1)
	})
	await(t, ctx, "the end of the minority", func() (int, error) {
		conn, err := amqp.Dial(c.Addresses()[apart])
		if err == nil {
			return 0, errors.Join(errors.New("it takes clients"), conn.Close())
		}
		return 0, nil
	})
	heal()
	await(t, ctx, "the node among the others", func() (int, error) {
		n, err := count(c.Addresses()[apart])
		if err == nil && n < messages+confirmed {
			t.Errorf("%d messages after the partition; want at least %d", n, messages+confirmed)
		}
		return n, err
	})
}

// pausedIsSilent pauses a node and expects silence until it is resumed.
func pausedIsSilent(t *testing.T, ctx context.Context, n *installed.Node) {
	t.Helper()
	if err := n.Pause(); err != nil {
		t.Fatalf("pause: %v", err)
	}
	greeted := func(patience time.Duration) error {
		u, err := url.Parse(n.URL())
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", u.Host) // the kernel takes it, whoever is paused
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		err = conn.SetDeadline(time.Now().Add(patience))
		if err == nil {
			_, err = conn.Write([]byte("AMQP\x00\x00\x09\x01"))
		}
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		return err
	}
	if err := greeted(300 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a paused node answered %v; want silence", err)
	}
	if err := n.Resume(); err != nil {
		t.Fatalf("resume: %v", err)
	}
	if err := greeted(time.Until(deadline(ctx))); err != nil {
		t.Errorf("a resumed node answered %v; want nil", err)
	}
}

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

const queue = "q"

func open(address string) (*amqp.Connection, *amqp.Channel, error) {
	conn, err := amqp.Dial(address)
	if err != nil {
		return nil, nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, ch, nil
}

// publish publishes n confirmed messages to a quorum queue.
func publish(ctx context.Context, address string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, ch, err := open(address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	hangUp := func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)() // a broker without a majority may not answer at all
	_, err = ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	if err := errors.Join(err, ch.Confirm(false)); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	for i := range n {
		dc, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{Body: []byte("x")})
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if ok, err := dc.WaitContext(ctx); !ok || err != nil {
			return fmt.Errorf("message %d: confirmed %v, %w; want a confirm", i, ok, err)
		}
	}
	return nil
}

// count takes all messages of the queue and puts them back, by closing the
// connection.
func count(address string) (n int, err error) {
	conn, ch, err := open(address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	for {
		_, ok, err := ch.Get(queue, false)
		if err != nil || !ok {
			return n, err
		}
		n++
	}
}

// await asks until there is no error.
func await(t *testing.T, ctx context.Context, what string, ask func() (int, error)) int {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := ask()
		if err == nil {
			return n
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("await %s: %v", what, err)
		}
	}
}

func TestAKilledParentLeavesNothing(t *testing.T) {
	needsRabbitMQ(t)
	if runtime.GOOS != "linux" {
		t.Skip("what is left shows in /proc")
	}
	t.Parallel()
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
	pid, address, _ := strings.Cut(strings.TrimSpace(line), " ")
	u, perr := url.Parse(address)
	if err := errors.Join(err, perr); err != nil {
		t.Fatalf("read the node's process id: %v", err)
	}
	made := entries(t, dir)
	if len(made) != 1 || !slices.Contains(programs(made[0]), pid) || len(programs(made[0])) < 2 {
		t.Fatalf("directories %q with programs %q; want one with %s and what it starts", made, programs(dir), pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatalf("kill parent: %v", err)
	}
	_ = cmd.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	await(t, ctx, "the end of everything", func() (int, error) {
		if left := programs(dir); len(left) > 0 {
			return 0, fmt.Errorf("programs %q are left", left)
		}
		if left := entries(t, dir); len(left) > 0 {
			return 0, fmt.Errorf("directories %q are left", left)
		}
		if conn, err := net.Dial("tcp", u.Host); err == nil {
			return 0, errors.Join(errors.New("the port is left"), conn.Close())
		}
		return 0, nil
	})
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatalf("list %s: %v", dir, err)
	}
	return found
}

// programs returns the processes, other than this one, that have a directory in
// their environment or their command line, as everything of a cluster has.
func programs(dir string) (pids []string) {
	found, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, proc := range found {
		pid := filepath.Base(proc)
		text := ""
		for _, file := range []string{"environ", "cmdline"} {
			b, err := os.ReadFile(filepath.Join(proc, file))
			if err == nil { // else it is gone meanwhile
				text += string(b)
			}
		}
		if pid != strconv.Itoa(os.Getpid()) && strings.Contains(text, dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}
