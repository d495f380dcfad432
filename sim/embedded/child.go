package embedded

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"flowbench/sim/process"
)

// The bounds of a server that is not told others.
const (
	defaultMemoryMaxBytes = 256 << 20
	defaultStoreMaxBytes  = 4 << 30
	storePrefix           = "flowbench-nats-"
	startPatience         = 20 * time.Second
	exitPatience          = 1500 * time.Millisecond

	// ballastBytes are allocated and never touched, so that they are in no memory. Go
	// collects garbage when as much has been allocated as lives, and what lives in a
	// server that has just begun is next to nothing: it would collect whenever four
	// megabytes have passed, a third of its CPU time where messages are large. A server
	// that has been up for a while with many clients has a heap that spares it that.
	ballastBytes = 16 << 20
)

// Main is the body of the hidden verb: it serves until stdin ends or says
// keep, and returns the process's exit code. It prints one line of JSON to
// stdout once clients can connect.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// A Ctrl-C in the terminal reaches the whole process group. It is meant for
	// the parent, which decides when its broker ends. A line of the log that nobody
	// reads any more must not end the broker before it has removed its store.
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE)
	ballast := make([]byte, ballastBytes)
	defer runtime.KeepAlive(ballast)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	defer signal.Stop(terminated)
	if err := serve(args, stdin, stdout, stderr, terminated); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func serve(args []string, stdin io.Reader, stdout, stderr io.Writer, terminated <-chan os.Signal) error {
	opts, dir, err := parse(args, stderr)
	if err != nil {
		return err
	}
	keep := opts.StoreDir != "" // until told otherwise: what was given must survive a start that fails
	if !keep {
		if opts.StoreDir, err = os.MkdirTemp(dir, storePrefix); err != nil { // readable by nobody else
			return fmt.Errorf("make store directory: %w", err)
		}
	}
	store := opts.StoreDir
	defer func() {
		if !keep {
			_ = os.RemoveAll(store) // there is nobody left to tell
		}
	}()
	s, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("make server: %w", err)
	}
	if err := start(s, stderr); err != nil {
		stop(s)
		return err
	}
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		s.Shutdown()
		return errors.New("the server has no TCP address")
	}
	line, err := json.Marshal(hello{
		URL: fmt.Sprintf("nats://%s", addr), Version: server.VERSION, Store: store, Port: addr.Port})
	if err != nil {
		return fmt.Errorf("write address: %w", err)
	}
	if _, err := fmt.Fprintf(stdout, "%s\n", line); err != nil {
		s.Shutdown()
		return fmt.Errorf("write address: %w", err)
	}
	keep = told(stdin, terminated)
	stop(s)
	return nil
}

// start starts the server and waits until it accepts connections.
func start(s *server.Server, stderr io.Writer) error {
	l := &logger{out: stderr, fatal: make(chan struct{})}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	ready := make(chan bool, 1)
	go func() { ready <- s.ReadyForConnections(startPatience) }()
	select {
	case ok := <-ready:
		if ok {
			return nil
		}
	case <-l.fatal:
	}
	return errors.New("the server does not accept connections")
}

// told waits to be told to stop and reports whether the store is to stay.
func told(stdin io.Reader, terminated <-chan os.Signal) (keep bool) {
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(stdin).ReadString('\n') // the end of input is as good as a line
		line <- s
	}()
	select {
	case s := <-line:
		return s == keepStore
	case <-terminated:
		return false
	}
}

// stop shuts the server down, but does not wait for ever: the process ends in
// any case.
func stop(s *server.Server) {
	done := make(chan struct{})
	go func() {
		s.Shutdown()
		s.WaitForShutdown()
		close(done)
	}()
	timer := time.NewTimer(exitPatience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// parse returns the server's options, and where to make its store directory if
// they name none.
func parse(args []string, stderr io.Writer) (opts *server.Options, dir string, err error) {
	o := &server.Options{
		Host: "127.0.0.1", NoSigs: true,
	}
	var peering Peering
	var routes string
	fs := flag.NewFlagSet(Verb, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.ServerName, "name", "flowbench", "name of the server")
	fs.IntVar(&peering.Port, "peer-port", 0, "port for the other servers of the cluster; 0 for no cluster")
	fs.StringVar(&routes, "routes", "", "addresses of the other servers, separated by commas")
	fs.BoolVar(&peering.Hidden, "hidden", false, "tell no other server of this one's address")
	fs.IntVar(&o.Port, "port", 0, "port to listen on; 0 for a free one")
	fs.BoolVar(&o.JetStream, "jetstream", false, "serve streams")
	fs.BoolVar(&o.SyncAlways, "sync-always", false, "force every write to disk")
	fs.StringVar(&o.StoreDir, "store", "", "store directory of an earlier run")
	fs.StringVar(&dir, "dir", "", "where to make the store directory")
	fs.Int64Var(&o.JetStreamMaxMemory, "memory-max-bytes", 0, "bound of streams in memory")
	fs.Int64Var(&o.JetStreamMaxStore, "store-max-bytes", 0, "bound of streams on disk")
	if err := fs.Parse(args); err != nil {
		return nil, "", fmt.Errorf("read arguments: %w", err)
	}
	if peering.Port != 0 {
		peering.Routes = strings.Split(routes, ",")
		join(o, peering)
	}
	if o.Port == 0 {
		ports, err := process.FreePorts(1) // and none that somebody's connection has when it is to be had again
		if err != nil {
			return nil, "", err
		}
		o.Port = ports[0]
	}
	if o.JetStreamMaxMemory == 0 {
		o.JetStreamMaxMemory = defaultMemoryMaxBytes
	}
	if o.JetStreamMaxStore == 0 {
		o.JetStreamMaxStore = defaultStoreMaxBytes
	}
	// The store is removed in the end, so it must be one that this package made.
	if o.StoreDir != "" && !strings.HasPrefix(filepath.Base(o.StoreDir), storePrefix) {
		return nil, "", fmt.Errorf("%s is not a store directory of flowbench", o.StoreDir)
	}
	return o, dir, nil
}

// nowhere is an address that nobody listens on.
const nowhere = "127.0.0.1:1"

// join makes the server part of a cluster. Clients are not told of the other
// servers: they have been given the addresses that they shall use.
func join(o *server.Options, p Peering) {
	o.Cluster = server.ClusterOpts{Name: "flowbench", Host: o.Host, Port: p.Port, NoAdvertise: true}
	if p.Hidden {
		// Servers tell each other of servers that they know, and connect. What they
		// are told of this one leads nowhere, which leaves the routes that were given.
		o.Cluster.Advertise = nowhere
	}
	for _, r := range p.Routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: r})
	}
}

// logger writes the server's warnings and errors as lines.
type logger struct {
	out   io.Writer
	fatal chan struct{} // closed by what the server cannot live with
	once  sync.Once
}

func (l *logger) write(level, format string, v []any) {
	fmt.Fprintf(l.out, level+": "+format+"\n", v...)
}

func (l *logger) Noticef(string, ...any)         {}
func (l *logger) Debugf(string, ...any)          {}
func (l *logger) Tracef(string, ...any)          {}
func (l *logger) Warnf(format string, v ...any)  { l.write("warning", format, v) }
func (l *logger) Errorf(format string, v ...any) { l.write("error", format, v) }

func (l *logger) Fatalf(format string, v ...any) {
	l.write("fatal", format, v)
	l.once.Do(func() { close(l.fatal) })
}
