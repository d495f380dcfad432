package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/sim/embedded"
)

func startCluster(t *testing.T, opts embedded.ClusterOptions) *embedded.Cluster {
	t.Helper()
	dir := t.TempDir()
	opts.Server.Dir = dir
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := embedded.StartCluster(ctx, opts)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
		if left := stores(t, dir); len(left) > 0 {
			t.Errorf("left after close: %q; want nothing", left)
		}
	})
	return c
}

// open connects to the nodes of a cluster, each of which may be down.
func open(t *testing.T, addresses []string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(strings.Join(addresses, ","), nats.MaxReconnects(-1),
		nats.ReconnectWait(20*time.Millisecond),
		nats.PingInterval(200*time.Millisecond), nats.IgnoreDiscoveredServers())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatalf("open jetstream: %v", err)
	}
	return js
}

// awaitNil asks until there is no error.
func awaitNil(t *testing.T, ctx context.Context, what string, ask func(ctx context.Context) error) {
	t.Helper()
	for {
		limited, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := ask(limited)
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("await %s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestASingleNodeIsAClusterOfOne(t *testing.T) {
	c := startCluster(t, embedded.ClusterOptions{Nodes: 1, Server: embedded.Options{JetStream: true}})
	if len(c.Nodes()) != 1 || len(c.Addresses()) != 1 || c.Addresses()[0] != c.Nodes()[0].URL() {
		t.Errorf("nodes %v at %v; want one", c.Nodes(), c.Addresses())
	}
	js := open(t, c.Addresses())
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S"}); err != nil {
		t.Fatalf("make stream: %v", err)
	}
	if i, err := c.Leader(t.Context(), "S"); i != 0 || err != nil {
		t.Errorf("the leader is %d, %v; want 0", i, err)
	}
	if _, err := embedded.StartCluster(t.Context(), embedded.ClusterOptions{}); err == nil {
		t.Error("a cluster without nodes started; want an error")
	}
	cfg := jetstream.StreamConfig{Name: "R", Replicas: 3}
	if _, err := js.CreateStream(t.Context(), cfg); err == nil {
		t.Error("a single node made a stream with three replicas; want an error")
	}
}

// TestConfirmedMessagesSurviveTheLeader runs one cluster through all that can be
// done to its nodes, since an election takes seconds.
func TestConfirmedMessagesSurviveTheLeader(t *testing.T) {
	t.Parallel()
	c := startCluster(t, embedded.ClusterOptions{Nodes: 3, Server: embedded.Options{JetStream: true}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	js := open(t, c.Addresses())
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Replicas: 3})
	if err != nil {
		t.Fatalf("make stream: %v", err)
	}
	published := uint64(0)
	publish := func() {
		t.Helper()
		published++
		id := jetstream.WithMsgID(fmt.Sprint(published)) // a repetition is not stored again
		awaitNil(t, ctx, "a confirm", func(ctx context.Context) error {
			_, err := js.Publish(ctx, "s.x", nil, id)
			return err
		})
	}
	for range 50 {
		publish()
	}
	for i, fault := range []struct{ begin, end func(*embedded.Server) error }{
		{(*embedded.Server).Kill, func(s *embedded.Server) error { return s.Restart(ctx) }},
		{(*embedded.Server).Pause, (*embedded.Server).Resume},
	} {
		leader, err := c.Leader(ctx, "s.x")
		if err != nil {
			t.Fatalf("find leader: %v", err)
		}
		if err := fault.begin(c.Nodes()[leader]); err != nil {
			t.Fatalf("begin fault %d: %v", i, err)
		}
		publish()
		awaitNil(t, ctx, "another leader", func(ctx context.Context) error {
			next, err := c.Leader(ctx, "S")
			if err == nil && next == leader {
				return errors.New("it is still the one that is down")
			}
			return err
		})
		if err := fault.end(c.Nodes()[leader]); err != nil {
			t.Fatalf("end fault %d: %v", i, err)
		}
		if err := c.WaitReady(ctx); err != nil {
			t.Fatalf("after fault %d: %v", i, err)
		}
		info, err := stream.Info(ctx)
		if err != nil || info.State.Msgs != published {
			t.Fatalf("the stream has %d messages, %v after fault %d; want %d", info.State.Msgs, err, i, published)
		}
	}
	if i, err := c.Leader(ctx, "none"); err == nil {
		t.Errorf("node %d leads a stream that is not there; want an error", i)
	}
}

// TestNothingGoesRoundTheRoutesThatWereGiven lays all routes through forwarders
// and cuts them: a node that still heard of the others would have gone round.
func TestNothingGoesRoundTheRoutesThatWereGiven(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	routes := make(map[[2]int]*forwarder)
	c := startCluster(t, embedded.ClusterOptions{
		Nodes: 3, Server: embedded.Options{JetStream: true},
		Route: func(from, to int, address string) (string, error) {
			f := forward(t, address)
			mu.Lock()
			defer mu.Unlock()
			routes[[2]int{from, to}] = f
			return f.address, nil
		},
	})
	if len(routes) != 6 {
		t.Fatalf("%d routes were asked for; want 6", len(routes))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	js := open(t, c.Addresses())
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Replicas: 3}); err != nil {
		t.Fatalf("make stream: %v", err)
	}
	leader, err := c.Leader(ctx, "S")
	if err != nil {
		t.Fatalf("find leader: %v", err)
	}
	cut := func(down bool) {
		for r, f := range routes {
			if r[0] == leader || r[1] == leader {
				f.cut(down)
			}
		}
	}
	cut(true)
	alone := open(t, c.Addresses()[leader:leader+1])
	awaitNil(t, ctx, "the leader to be alone", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		if _, err := alone.Publish(ctx, "S", nil, jetstream.WithRetryAttempts(0)); err == nil {
			return errors.New("it still confirms")
		}
		return nil
	})
	// The two others go on; whatever is new between them, the third hears nothing.
	two := open(t, c.Addresses()[(leader+1)%3:(leader+1)%3+1])
	awaitNil(t, ctx, "the majority", func(ctx context.Context) error {
		_, err := two.Publish(ctx, "S", nil, jetstream.WithRetryAttempts(0))
		return err
	})
	if err := c.Nodes()[(leader+1)%3].Restart(ctx); err != nil {
		t.Fatalf("restart: %v", err)
	}
	awaitNil(t, ctx, "the majority after a restart", func(ctx context.Context) error {
		_, err := two.Publish(ctx, "S", nil, jetstream.WithRetryAttempts(0))
		return err
	})
	limited, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if _, err := alone.Publish(limited, "S", nil, jetstream.WithRetryAttempts(0)); err == nil {
		t.Error("a node that is cut off confirmed; want silence")
	}
	cut(false)
	if err := c.WaitReady(ctx); err != nil {
		t.Errorf("after the routes were mended: %v", err)
	}
}

// A forwarder hands connections on to an address, or cuts them.
type forwarder struct {
	address string

	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func forward(t *testing.T, to string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	f := &forwarder{address: l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			var out net.Conn
			if !f.down {
				out, err = net.Dial("tcp", to)
			}
			if f.down || err != nil {
				_ = in.Close() // as if nobody had taken it
			} else {
				f.conns = append(f.conns, in, out)
				for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
					running.Go(func() {
						_, _ = io.Copy(pair[0], pair[1]) // until one of them is closed
						_ = pair[0].Close()
					})
				}
			}
			f.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // ends the loop
		f.cut(true)
		running.Wait()
	})
	return f
}

func (f *forwarder) cut(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
	for _, c := range f.conns {
		_ = c.Close() // it may be closed already
	}
	f.conns = nil
}

func TestARouteThatCannotBeLaidIsAnError(t *testing.T) {
	broken := errors.New("broken")
	dir := t.TempDir()
	_, err := embedded.StartCluster(t.Context(), embedded.ClusterOptions{
		Nodes: 3, Server: embedded.Options{JetStream: true, Dir: dir},
		Route: func(int, int, string) (string, error) { return "", broken },
	})
	if !errors.Is(err, broken) {
		t.Errorf("start returned %v; want the error of the route", err)
	}
	if left := stores(t, dir); len(left) > 0 {
		t.Errorf("left after a failed start: %q; want nothing", left)
	}
}

func TestAClusterThatDoesNotFormSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := embedded.StartCluster(ctx, embedded.ClusterOptions{
		Nodes: 3, Server: embedded.Options{JetStream: true, Dir: dir},
		Route: func(int, int, string) (string, error) { return "127.0.0.1:1", nil }, // nobody listens there
	})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "flowbench-3") {
		t.Errorf("start returned %v; want a deadline exceeded, with what the nodes said", err)
	}
	if left := stores(t, dir); len(left) > 0 {
		t.Errorf("left after a failed start: %q; want nothing", left)
	}
}
