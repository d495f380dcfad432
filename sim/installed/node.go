package installed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"flowbench/sim/process"
)

// A Node is one RabbitMQ node. Its methods may be called concurrently; those
// that start and stop it wait for each other.
type Node struct {
	cluster    *Cluster
	index      int
	name       string
	dir        string
	port, dist int // for clients, and for other nodes

	op      sync.Mutex       // held by the methods that start and stop
	mu      sync.Mutex       // guards what follows
	running *process.Process // the latest; nil before the first
	paused  bool
}

var errNotRunning = errors.New("the node is not running")

// signalPatience is how long a node may take to be gone after a signal.
const signalPatience = 5 * time.Second

// Name returns the name of the node, which is that of its process as well.
func (n *Node) Name() string { return n.name }

// URL returns the address to connect to. It stays the same across restarts.
func (n *Node) URL() string { return fmt.Sprintf("amqp://guest:guest@%s:%d/", host, n.port) }

// PID returns the id of the node's process, or 0 if there is none now.
func (n *Node) PID() int {
	if p := n.current(); p != nil {
		return p.PID()
	}
	return 0
}

// current returns the node's process, or nil if it has ended or was never
// started.
func (n *Node) current() *process.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running == nil {
		return nil
	}
	select {
	case <-n.running.Exited():
		return nil
	default:
		return n.running
	}
}

// Kill ends the node at once, as a crash does. What it stored stays for Restart.
func (n *Node) Kill() error {
	n.op.Lock()
	defer n.op.Unlock()
	return n.act((*process.Process).Kill)
}

// Pause freezes the node: its connections stay open and nothing moves.
func (n *Node) Pause() error { return n.freeze(true, (*process.Process).Pause) }

// Resume ends what Pause began.
func (n *Node) Resume() error { return n.freeze(false, (*process.Process).Resume) }

func (n *Node) freeze(paused bool, f func(*process.Process, context.Context) error) error {
	if err := n.act(f); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paused = paused
	return nil
}

// answers reports whether the node can be asked anything.
func (n *Node) answers() bool {
	if n.current() == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.paused
}

func (n *Node) act(f func(*process.Process, context.Context) error) error {
	p := n.current()
	if p == nil {
		return errNotRunning
	}
	ctx, cancel := context.WithTimeout(context.Background(), signalPatience)
	defer cancel()
	return f(p, ctx)
}

// Halt stops the node gracefully and keeps what it stored for Restart. One that
// does not stop by itself is killed, when ctx is done or after some time.
func (n *Node) Halt(ctx context.Context) error {
	n.op.Lock()
	defer n.op.Unlock()
	p := n.current()
	if p == nil {
		return errNotRunning
	}
	return n.halt(ctx, p)
}

func (n *Node) halt(ctx context.Context, p *process.Process) error {
	limited, cancel := context.WithTimeout(ctx, haltPatience)
	defer cancel()
	if err := p.Terminate(limited); err == nil {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), signalPatience)
	defer cancel()
	if err := p.Kill(last); err != nil && n.current() != nil {
		return fmt.Errorf("halt %s: %w", n.name, err)
	}
	return nil
}

// Restart starts the node again on its ports and with what it stored, after Kill
// or Halt, and returns once it serves. A node that still runs is halted first. A
// node waits for those that were still up when it went down: if all have gone,
// all have to be started at the same time.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.boot(ctx); err != nil {
		return fmt.Errorf("%w; the nodes said: %s", err, n.cluster.keeper.Log())
	}
	return nil
}

// boot is Restart without what the nodes said.
func (n *Node) boot(ctx context.Context) error {
	n.op.Lock()
	defer n.op.Unlock()
	if p := n.current(); p != nil {
		if err := n.halt(ctx, p); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return fmt.Errorf("make directory of %s: %w", n.name, err)
	}
	p, err := n.cluster.keeper.Start(ctx, process.Command{
		Args: []string{filepath.Join(n.cluster.bin, "rabbitmq-server")}, Env: n.env()})
	if err != nil {
		return fmt.Errorf("start %s: %w", n.name, err)
	}
	n.mu.Lock()
	n.running, n.paused = p, false
	n.mu.Unlock()
	return poll(ctx, p, n.name, func(ctx context.Context) error { return serves(ctx, n.URL()) })
}

// env is the environment of the node.
func (n *Node) env() []string {
	path := func(name string) string { return filepath.Join(n.dir, name) }
	return append(n.cluster.env(n.index),
		"RABBITMQ_NODENAME="+n.name+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS="+host, "RABBITMQ_NODE_PORT="+strconv.Itoa(n.port),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(n.dist),
		"RABBITMQ_MNESIA_BASE="+n.dir, "RABBITMQ_MNESIA_DIR="+path("data"), "RABBITMQ_LOG_BASE="+n.dir,
		"RABBITMQ_LOGS=-", "RABBITMQ_PID_FILE="+path("pid"), "RABBITMQ_GENERATED_CONFIG_DIR="+path("config"),
		"RABBITMQ_FEATURE_FLAGS_FILE="+path("features"),
		// The script is then replaced by the broker, instead of standing between the
		// broker and its signals.
		"RUNNING_UNDER_SYSTEMD=true",
		// Several nodes share this machine, with the load: none may spin while it waits.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} "+
			"+sbwt none +sbwtdcpu none +sbwtdio none",
	)
}

// debianScripts is where Debian's package keeps RabbitMQ's own scripts. What it
// puts into the search path are wrappers, which change the user and read the
// system's configuration.
const debianScripts = "/usr/lib/rabbitmq/bin"

// scripts returns the directory of RabbitMQ's scripts.
func scripts() (string, error) {
	if _, err := exec.LookPath("erl"); err != nil {
		return "", ErrMissing
	}
	if _, err := os.Stat(filepath.Join(debianScripts, "rabbitmq-server")); err == nil {
		return debianScripts, nil
	}
	found, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		return "", ErrMissing
	}
	if found, err = filepath.EvalSymlinks(found); err != nil {
		return "", fmt.Errorf("find rabbitmq-server: %w", err)
	}
	return filepath.Dir(found), nil
}
