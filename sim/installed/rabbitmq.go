// Package installed runs brokers that are installed on this machine, in private
// directories and on ports of their own, so that they can be killed, paused and
// started again without touching what else runs here.
//
// RabbitMQ is the one. A [Cluster] is one or several nodes of it with a name
// server, a cookie and node names of their own: the system's node at its usual port
// is a stranger to them. A package [process] keeper holds all of them and their
// directory, so that nothing outlives this program.
//
// Nodes ask the name server for the ports on which they reach each other. It is part
// of this program and stands in place of Erlang's own (epmd), because it can tell
// them the ports of links, on which they can be parted.
//
// A node takes seconds to boot, a minute on a busy machine. All nodes boot at
// once and find each other by a list of names; the first to be there founds the
// cluster, which takes it the time of a few attempts to find another.
package installed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"flowbench/sim/process"
)

// Options say which cluster to start.
type Options struct {
	Nodes  int             // 1 or 3
	Keeper process.Options // of the keeper; its Prefix is chosen here
	Log    *slog.Logger    // told how the start goes

	// Route returns the address at which the node with index from reaches the port
	// for other nodes of the node with index to, whose own address is given: that
	// address, or one of what forwards to it, on this machine. Each node is asked for
	// each other node once. Two nodes use one connection, and either of them may have
	// opened it; to part them, both of their routes have to be cut. If nil, nodes
	// reach each other directly.
	Route func(from, to int, address string) (string, error)
}

// PartedSettings returns what nodes with routes are told about the loss of one
// another, as rabbitmq.conf has it. By default a node that loses the majority goes
// on by itself, and stays so when the others are there again, until somebody starts
// it anew; and silence counts as a loss only after a minute, longer than most runs.
//
// Nodes without routes have RabbitMQ's defaults. They lose each other only when their
// processes end, and of those that are stopped one after the other the last is without
// a majority as well: it stops itself while it is being stopped, and such a cluster was
// seen not to come up again.
func PartedSettings() []string {
	return []string{"cluster_partition_handling = pause_minority", "net_ticktime = 8"}
}

// A Cluster is one or several RabbitMQ nodes that were started together. Its
// methods may be called concurrently.
type Cluster struct {
	keeper *process.Keeper
	bin    string // directory of RabbitMQ's scripts
	log    *slog.Logger
	names  *nameServer // with a line for each node, and one for tools
	ways   map[way]uint16
	nodes  []*Node
	asked  atomic.Int64 // makes names of files unique
}

// A way is one from a node to another, by their indexes. What it maps to is the
// port at which the one reaches the other.
type way struct{ from, to int }

// ErrMissing says that RabbitMQ is not installed on this machine.
var ErrMissing = errors.New("rabbitmq-server is not installed on this machine; " +
	"install it (on Debian and Ubuntu: apt-get install rabbitmq-server)")

const (
	host         = "127.0.0.1"
	prefix       = "flowbench-rabbitmq-"
	bootPatience = 150 * time.Second // for all nodes together; a busy machine takes a minute
	haltPatience = 20 * time.Second  // for a node to stop by itself
	dialPatience = 5 * time.Second
	askPatience  = 30 * time.Second // for a command line tool, on a busy machine
	pollPause    = 100 * time.Millisecond
)

// Start starts a cluster and returns once it serves: once every node takes
// connections and, of several, each is a member of the one cluster. The error is
// [ErrMissing] where RabbitMQ is not installed.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	bin, err := scripts()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	ports, err := process.FreePorts(2 * opts.Nodes)
	if err != nil {
		return nil, fmt.Errorf("start rabbitmq: %w", err)
	}
	opts.Keeper.Prefix = prefix
	keeper, err := process.Open(ctx, opts.Keeper)
	if err != nil {
		return nil, fmt.Errorf("start rabbitmq: %w", err)
	}
	c := &Cluster{keeper: keeper, bin: bin, log: opts.Log, ways: make(map[way]uint16)}
	for i := range opts.Nodes {
		c.nodes = append(c.nodes, &Node{
			cluster: c, index: i, name: nodeName(i), port: ports[2*i], dist: ports[2*i+1],
			dir: filepath.Join(keeper.Dir(), nodeName(i)),
		})
	}
	if err := c.boot(ctx, opts.Route); err != nil {
		err = fmt.Errorf("start rabbitmq: %w; it said: %s", err, keeper.Log())
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func nodeName(i int) string { return fmt.Sprint("flowbench-", i+1) }

// boot writes the configuration, starts the name server and the nodes, and waits
// for them.
func (c *Cluster) boot(ctx context.Context, route func(from, to int, address string) (string, error)) error {
	began := time.Now()
	if route != nil {
		if err := c.lay(route); err != nil {
			return err
		}
	}
	if err := c.configure(); err != nil {
		return err
	}
	var err error
	if c.names, err = openNames(len(c.nodes)+1, c.via); err != nil {
		return err
	}
	errs := make([]error, len(c.nodes))
	var booting sync.WaitGroup
	for i, n := range c.nodes {
		booting.Go(func() {
			c.log.Debug("rabbitmq boots", "node", n.name, "port", n.port)
			if errs[i] = n.boot(ctx); errs[i] == nil {
				c.log.Debug("rabbitmq serves", "node", n.name, "after", time.Since(began).Round(pollPause))
			}
		})
	}
	booting.Wait()
	if err := errors.Join(errs...); err != nil || len(c.nodes) == 1 {
		return err
	}
	return c.formed(ctx)
}

// lay asks for the ways between the nodes.
func (c *Cluster) lay(route func(from, to int, address string) (string, error)) error {
	for from := range c.nodes {
		for to, n := range c.nodes {
			if to == from {
				continue
			}
			address, err := route(from, to, net.JoinHostPort(host, strconv.Itoa(n.dist)))
			if err == nil {
				c.ways[way{from, to}], err = portOf(address)
			}
			if err != nil {
				return fmt.Errorf("lay route from node %d to node %d: %w", from, to, err)
			}
		}
	}
	return nil
}

// via returns the port at which an asker reaches a node that listens on port: on
// the way that was laid for it, if it is a node, or else that port itself.
func (c *Cluster) via(asker int, name string, port uint16) uint16 {
	if to, ok := c.index(name + "@localhost"); ok && int(port) == c.nodes[to].dist {
		if p, laid := c.ways[way{asker, to}]; laid {
			return p
		}
	}
	return port
}

// toolLine is the line of the name server for those who are no nodes.
func (c *Cluster) toolLine() int { return len(c.nodes) }

// configure writes the files that all nodes share.
func (c *Cluster) configure() error {
	var conf strings.Builder
	fmt.Fprint(&conf, "log.console = true\nlog.console.level = error\nlog.file = false\n")
	for _, s := range c.Settings() {
		fmt.Fprintln(&conf, s)
	}
	if len(c.nodes) > 1 {
		// The node that comes first looks for the others before it founds the cluster,
		// while they wait for it; more attempts would only have all of them wait longer.
		fmt.Fprint(&conf, "cluster_formation.peer_discovery_backend = classic_config\n"+
			"cluster_formation.randomized_startup_delay_range.min = 0\n"+
			"cluster_formation.randomized_startup_delay_range.max = 0\n"+
			"cluster_formation.discovery_retry_limit = 2\ncluster_formation.discovery_retry_interval = 500\n")
		for i, n := range c.nodes {
			fmt.Fprintf(&conf, "cluster_formation.classic_config.nodes.%d = %s@localhost\n", i+1, n.name)
		}
	}
	for name, text := range map[string]string{
		".erlang.cookie": rand.Text(), "rabbitmq.conf": conf.String(), "environment": "", "plugins": "[].\n",
	} {
		// Erlang refuses a cookie that others can read.
		if err := os.WriteFile(filepath.Join(c.keeper.Dir(), name), []byte(text), 0o400); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

// env is the environment of everything that belongs to the cluster, which asks the
// name server on a line of its own. It takes over nothing of this process's, and
// names every file that RabbitMQ would else look for in the system's configuration.
func (c *Cluster) env(line int) []string {
	dir := c.keeper.Dir()
	path := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8", "TMPDIR=" + dir,
		"ERL_EPMD_ADDRESS=" + host, "ERL_EPMD_PORT=" + strconv.Itoa(c.names.port(line)),
		// Whoever missed the name server would otherwise start one of Erlang's, which
		// nobody keeps.
		"ERL_FLAGS=-start_epmd false",
		"RABBITMQ_CONF_ENV_FILE=" + path("environment"), "RABBITMQ_CONFIG_FILE=" + path("rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES=" + path("none"), "RABBITMQ_ADVANCED_CONFIG_FILE=" + path("none.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + path("plugins"),
	}
}

// Nodes returns the nodes, in the order of their indexes.
func (c *Cluster) Nodes() []*Node { return append([]*Node(nil), c.nodes...) }

// Addresses returns the addresses of all nodes, whether they run or not.
func (c *Cluster) Addresses() []string {
	urls := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		urls[i] = n.URL()
	}
	return urls
}

// Settings returns what the nodes were told of [PartedSettings].
func (c *Cluster) Settings() []string {
	if len(c.ways) == 0 {
		return nil
	}
	return PartedSettings()
}

// Dir returns the directory of all nodes.
func (c *Cluster) Dir() string { return c.keeper.Dir() }

// Close ends all nodes for good, at once, and removes what they stored.
func (c *Cluster) Close(ctx context.Context) error {
	err := c.keeper.Close(ctx)
	if c.names != nil {
		err = errors.Join(err, c.names.close())
	}
	return err
}

// formed waits until all nodes are members of one cluster.
func (c *Cluster) formed(ctx context.Context) error {
	var told struct {
		Running []string `json:"running_nodes"`
	}
	for {
		if err := c.ask(ctx, c.nodes[0], &told, "cluster_status"); err != nil {
			return err
		}
		if len(told.Running) == len(c.nodes) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("await the cluster: %w: only %q are members", err, told.Running)
		}
	}
}

// A Queue is what the cluster tells of a quorum queue, by indexes of nodes.
type Queue struct {
	Leader  int
	Members []int
}

// Queue looks a quorum queue up. It asks the nodes in turn, since some may be
// down or paused. That takes a second or two, which is how long RabbitMQ's tools
// take to start. A queue that has no leader at the moment is an error.
func (c *Cluster) Queue(ctx context.Context, name string) (Queue, error) {
	var errs []error
	for _, n := range c.nodes {
		q, err := c.queue(ctx, n, name)
		if err == nil {
			return q, nil
		}
		errs = append(errs, fmt.Errorf("ask %s: %w", n.name, err))
	}
	return Queue{}, fmt.Errorf("look up queue %s: %w", name, errors.Join(errs...))
}

// Leader returns the index of the node that leads a quorum queue; see [Cluster.Queue].
func (c *Cluster) Leader(ctx context.Context, queue string) (int, error) {
	q, err := c.Queue(ctx, queue)
	return q.Leader, err
}

func (c *Cluster) queue(ctx context.Context, n *Node, name string) (q Queue, err error) {
	if !n.answers() {
		return q, errors.New("it does not run, or is paused")
	}
	var told []struct {
		Name    string
		Leader  string
		Members []string
	}
	if err := c.ask(ctx, n, &told, "list_queues", "name", "leader", "members"); err != nil {
		return q, err
	}
	for _, t := range told {
		if t.Name != name {
			continue
		}
		leader, ok := c.index(t.Leader)
		if !ok {
			return q, errors.New("it has no leader, or is no quorum queue")
		}
		q.Leader = leader
		for _, m := range t.Members {
			if i, ok := c.index(m); ok {
				q.Members = append(q.Members, i)
			}
		}
		return q, nil
	}
	return q, errors.New("there is no such queue")
}

// index returns the index of a node by the name that Erlang knows it by.
func (c *Cluster) index(name string) (int, bool) {
	for i, n := range c.nodes {
		if name == n.name+"@localhost" {
			return i, true
		}
	}
	return 0, false
}

// ask puts a question to a node with RabbitMQ's command line tool, which answers
// in JSON. The tool is kept like the nodes themselves.
func (c *Cluster) ask(ctx context.Context, n *Node, answer any, question ...string) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	out := filepath.Join(c.keeper.Dir(), fmt.Sprint("answer-", c.asked.Add(1)))
	args := []string{filepath.Join(c.bin, "rabbitmqctl"), "-q", "-n", n.name + "@localhost", "--formatter", "json"}
	p, err := c.keeper.Start(ctx, process.Command{
		Args: append(args, question...), Env: c.env(c.toolLine()), Output: out})
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out) }() // the directory goes in the end, with what is left in it
	select {
	case <-p.Exited():
	case <-ctx.Done():
		_ = p.Kill(context.WithoutCancel(ctx)) // the error that counts is the one at hand
		return fmt.Errorf("ask for %s: %w", question[0], ctx.Err())
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", question[0], err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("ask for %s: rabbitmqctl ended with %s: %.300q", question[0], p.Status(), text)
	}
	return nil
}

// serves checks that a node takes connections and talks AMQP.
func serves(ctx context.Context, url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialPatience}
		raw, err := d.DialContext(ctx, network, address)
		if err == nil {
			err = raw.SetDeadline(time.Now().Add(dialPatience)) // of the handshake
		}
		return raw, err
	}})
	if err != nil {
		return err
	}
	return conn.CloseDeadline(time.Now().Add(dialPatience))
}

// poll asks until there is no error, p has ended, or ctx is done.
func poll(ctx context.Context, p *process.Process, what string, ask func(context.Context) error) error {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.Exited():
			return fmt.Errorf("await %s: it ended with %s", what, p.Status())
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w: %w", what, ctx.Err(), err)
		case <-tick.C:
		}
	}
}
