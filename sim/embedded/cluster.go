package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/sim/process"
)

// ClusterOptions say which cluster to start.
type ClusterOptions struct {
	Nodes  int     // 1, or 3 and more for one that survives the loss of a node
	Server Options // of each node; its Port, Name and Peering are the cluster's to choose

	// Route returns the address at which the node with index from reaches the port
	// for servers of the node with index to, whose own address is given: that
	// address, or one of what forwards to it. Each node is asked for each other
	// node once. Two nodes use one connection or several, and either of them may
	// have opened it; to part them, both of their routes have to be cut. If nil,
	// nodes reach each other directly.
	Route func(from, to int, address string) (string, error)
}

// A Cluster is one or several servers that know each other. Its methods may be
// called concurrently; the servers are started, killed and paused one by one.
type Cluster struct {
	nodes []*Server
}

const (
	startAttempts = 3               // a port that was free may be taken when it is needed
	probeWait     = 2 * time.Second // for one answer of one node
	probePause    = 50 * time.Millisecond
)

// StartCluster starts a cluster and returns once it serves: once streams with as
// many replicas as there are nodes can be made. That takes several seconds, since
// the nodes elect a leader first.
func StartCluster(ctx context.Context, opts ClusterOptions) (*Cluster, error) {
	if opts.Nodes < 1 {
		return nil, fmt.Errorf("start embedded cluster: %d nodes; want at least 1", opts.Nodes)
	}
	var c *Cluster
	var err error
	for range startAttempts {
		if c, err = startNodes(ctx, opts); err == nil || !strings.Contains(err.Error(), "in use") {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start embedded cluster: %w", err)
	}
	if err := c.WaitReady(ctx); err != nil {
		err = fmt.Errorf("start embedded cluster: %w; its nodes said: %s", err, c.log())
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// startNodes starts all nodes at once.
func startNodes(ctx context.Context, opts ClusterOptions) (*Cluster, error) {
	c := &Cluster{nodes: make([]*Server, opts.Nodes)}
	peering, err := peerings(opts)
	if err != nil {
		return nil, err
	}
	errs := make([]error, opts.Nodes)
	var starting sync.WaitGroup
	for i := range c.nodes {
		one := opts.Server
		one.Port, one.Name, one.Peering = 0, nodeName(i), peering[i]
		starting.Go(func() { c.nodes[i], errs[i] = Start(ctx, one) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func nodeName(i int) string { return fmt.Sprint("flowbench-", i+1) }

// peerings chooses the ports of the nodes and asks for the routes between them.
func peerings(opts ClusterOptions) ([]Peering, error) {
	ps := make([]Peering, opts.Nodes)
	if opts.Nodes == 1 {
		return ps, nil
	}
	ports, err := process.FreePorts(opts.Nodes)
	if err != nil {
		return nil, err
	}
	for from := range ps {
		ps[from].Port, ps[from].Hidden = ports[from], opts.Route != nil
		for to := range ps {
			if to == from {
				continue
			}
			address := fmt.Sprint("127.0.0.1:", ports[to])
			if opts.Route != nil {
				if address, err = opts.Route(from, to, address); err != nil {
					return nil, fmt.Errorf("lay route from node %d to node %d: %w", from, to, err)
				}
			}
			ps[from].Routes = append(ps[from].Routes, address)
		}
	}
	return ps, nil
}

// Nodes returns the servers, in the order of their indexes.
func (c *Cluster) Nodes() []*Server { return append([]*Server(nil), c.nodes...) }

// Addresses returns the addresses of all nodes, whether they run or not.
func (c *Cluster) Addresses() []string {
	urls := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		urls[i] = n.URL()
	}
	return urls
}

// Close ends all nodes for good and removes their stores.
func (c *Cluster) Close(ctx context.Context) error {
	errs := make([]error, len(c.nodes))
	var stopping sync.WaitGroup
	for i, n := range c.nodes {
		if n != nil {
			stopping.Go(func() { errs[i] = n.Stop(ctx) })
		}
	}
	stopping.Wait()
	return errors.Join(errs...)
}

// WaitReady waits until every node serves: until each of them says that streams
// can be had, and one with a replica on every node can be made. Without
// JetStream it waits until each node answers.
func (c *Cluster) WaitReady(ctx context.Context) error {
	var err error
	for {
		if err = c.probe(ctx); err == nil {
			return nil
		}
		timer := time.NewTimer(probePause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("await the cluster: %w: %w", ctx.Err(), err)
		}
	}
}

// probe asks every node once.
func (c *Cluster) probe(ctx context.Context) error {
	ctx, done := context.WithCancel(ctx)
	defer done() // with it, its connections
	var js jetstream.JetStream
	for i, n := range c.nodes {
		nc, err := connect(ctx, n)
		if err != nil {
			return fmt.Errorf("ask node %d: %w", i, err)
		}
		defer nc.Close()
		if !n.opts.JetStream {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, probeWait)
		defer cancel()
		if js, err = jetstream.New(nc); err == nil {
			_, err = js.AccountInfo(limited)
		}
		if err != nil {
			return fmt.Errorf("ask node %d: %w", i, err)
		}
	}
	if js == nil {
		return nil
	}
	return makeStream(ctx, js, len(c.nodes))
}

// makeStream makes a stream on all nodes and removes it again.
func makeStream(ctx context.Context, js jetstream.JetStream, replicas int) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	name := "flowbench-ready-" + rand.Text() // one whose answer was late may still be there
	_, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{name}, Storage: jetstream.MemoryStorage, Replicas: replicas,
	})
	if err == nil {
		err = js.DeleteStream(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("make a stream with %d replicas: %w", replicas, err)
	}
	return nil
}

// connect opens a connection to one node for questions. It is cut when ctx ends:
// a node that is paused takes connections and says nothing.
func connect(ctx context.Context, s *Server) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nats.Connect(s.URL(), nats.NoReconnect(), nats.Timeout(probeWait), nats.SetCustomDialer(dialer{ctx}))
}

// A dialer makes connections that end with its context.
type dialer struct{ ctx context.Context }

// Dial implements the client library's dialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	var nd net.Dialer
	conn, err := nd.DialContext(d.ctx, network, address)
	if err == nil {
		context.AfterFunc(d.ctx, func() { _ = conn.Close() }) // whose context ends soon after its use
	}
	return conn, err
}

// Leader returns the index of the node that leads a stream, which is named by
// its name or by a subject that it takes. It asks all nodes at once, since some
// may be down, and takes the first answer; while the leader itself is silent or
// being elected, nobody knows, and that is an error.
func (c *Cluster) Leader(ctx context.Context, stream string) (int, error) {
	if len(c.nodes) == 1 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	type answer struct {
		leader int
		err    error
	}
	answers := make(chan answer, len(c.nodes))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel() // of those that have not answered yet
	for i, n := range c.nodes {
		asking.Go(func() {
			leader, err := c.leader(ctx, n, stream)
			if err != nil {
				err = fmt.Errorf("ask node %d: %w", i, err)
			}
			answers <- answer{leader, err}
		})
	}
	var errs []error
	for range c.nodes {
		a := <-answers
		if a.err == nil {
			return a.leader, nil
		}
		errs = append(errs, a.err)
	}
	return 0, fmt.Errorf("find the leader of %s: %w", stream, errors.Join(errs...))
}

// leader asks one node which node leads a stream.
func (c *Cluster) leader(ctx context.Context, n *Server, stream string) (int, error) {
	nc, err := connect(ctx, n)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, err
	}
	found, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrInvalidStreamName) {
		if stream, err = js.StreamNameBySubject(ctx, stream); err == nil {
			found, err = js.Stream(ctx, stream)
		}
	}
	if err != nil {
		return 0, err
	}
	if info := found.CachedInfo(); info.Cluster != nil { // as old as the call above
		for i := range c.nodes {
			if info.Cluster.Leader == nodeName(i) {
				return i, nil
			}
		}
	}
	return 0, errors.New("it names no leader")
}

// log returns what the nodes last said.
func (c *Cluster) log() string {
	var b strings.Builder
	for _, n := range c.nodes {
		fmt.Fprintf(&b, "%s: %s; ", n.opts.Name, n.Log())
	}
	return b.String()
}
