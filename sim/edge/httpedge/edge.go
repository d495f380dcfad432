package httpedge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/sim/wire"
)

// A Config describes an edge.
type Config struct {
	Timeout              time.Duration // of an operation; connections are given somewhat more
	MaxBody              int64         // bytes of a request or answer body
	ConnectionsPerClient int           // at most; 0 for as many as there are calls at once
	Dial                 wire.Dialer
	Meter                *Meter
	Log                  *slog.Logger
}

// A Meter counts what crosses the edge. All counts only grow.
type Meter struct {
	Requests atomic.Int64 // of clients, and of balancers to backends
	BytesIn  atomic.Int64 // read by those who dial
	BytesOut atomic.Int64 // written by them
}

// An Edge implements [flows.Edge] for one cell.
type Edge struct {
	config Config
	dial   wire.Dialer

	mu    sync.Mutex
	parts map[string]string // name to address
}

// New returns an edge with nothing listening.
func New(config Config) *Edge {
	return &Edge{
		config: config,
		dial:   wire.Counted(config.Dial, &config.Meter.BytesIn, &config.Meter.BytesOut),
		parts:  make(map[string]string),
	}
}

// grace is how much longer than an operation a connection lives, so that it is
// the operation that times out and not the connection under it.
const grace = 5 * time.Second

// Listen implements [flows.Edge].
func (e *Edge) Listen(_ context.Context, name string, backends ...flows.Endpoint) (flows.Server, error) {
	if len(backends) == 0 {
		return nil, errors.New("listen: no backend")
	}
	s := &server{log: e.config.Log}
	var addresses []string
	for i, b := range backends {
		address, err := s.add(e.config, backendHandler(b, e.config.MaxBody))
		if err != nil {
			s.abandon()
			return nil, fmt.Errorf("listen as backend %d: %w", i, err)
		}
		addresses = append(addresses, address)
	}
	front := addresses[0]
	if len(backends) > 1 {
		b := newBalancer(e.config, e.dial, addresses)
		address, err := s.add(e.config, b)
		if err != nil {
			s.abandon()
			return nil, fmt.Errorf("listen as balancer: %w", err)
		}
		front, s.closing = address, b.transport.CloseIdleConnections
	}
	e.mu.Lock()
	e.parts[name] = front
	e.mu.Unlock()
	return s, nil
}

// Dial implements [flows.Edge].
func (e *Edge) Dial(_ context.Context, name string, _ int) (flows.Caller, error) {
	e.mu.Lock()
	address, ok := e.parts[name]
	e.mu.Unlock()
	if !ok {
		return nil, flows.Fail(flows.Unreachable, fmt.Errorf("dial: nothing listens as %q", name))
	}
	return newCaller(e.config, e.dial, address), nil
}

// Address returns where a part listens, for events and tests.
func (e *Edge) Address(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.parts[name]
}

// newTransport returns a client side that keeps its connections. The default of
// two idle ones for each host would make every burst dial anew.
func newTransport(c Config, dial wire.Dialer, perHost int) *http.Transport {
	return &http.Transport{
		DialContext:           dial,
		MaxIdleConns:          0,
		MaxIdleConnsPerHost:   1 << 16,
		MaxConnsPerHost:       perHost,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: c.Timeout + grace,
		DisableCompression:    true,
	}
}

// A server is the HTTP servers of one part.
type server struct {
	log       *slog.Logger
	listeners []net.Listener
	servers   []*http.Server
	closing   func()
}

// add listens for h on a free port of the loopback interface.
func (s *server) add(c Config, h http.Handler) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.listeners = append(s.listeners, l)
	s.servers = append(s.servers, &http.Server{
		Handler:           h,
		ReadHeaderTimeout: c.Timeout + grace,
		ReadTimeout:       c.Timeout + grace,
		WriteTimeout:      c.Timeout + 2*grace,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	})
	return l.Addr().String(), nil
}

// abandon closes listeners that will never be served.
func (s *server) abandon() {
	for _, l := range s.listeners {
		_ = l.Close() // the error that counts is the one at hand
	}
}

// patience is how long calls that are under way may take to end when a server
// closes.
const patience = time.Second

// Serve implements [flows.Server].
func (s *server) Serve(ctx context.Context) error {
	errs := make(chan error, len(s.servers))
	for i, srv := range s.servers {
		go func() { errs <- srv.Serve(s.listeners[i]) }()
	}
	var early error
	waiting := len(s.servers)
	select {
	case <-ctx.Done():
	case early = <-errs:
		waiting--
	}
	s.stop()
	for range waiting {
		<-errs
	}
	if early != nil && !errors.Is(early, http.ErrServerClosed) {
		return fmt.Errorf("serve http: %w", early)
	}
	return nil
}

// stop ends the servers from the outside in, so that no new call comes to one
// that is closing. A balancer's idle connections go in between: a server takes
// one that has carried no request yet for a client about to send its first.
func (s *server) stop() {
	backends := s.servers
	if s.closing != nil {
		last := len(s.servers) - 1
		s.shutDown(s.servers[last:])
		s.closing()
		backends = s.servers[:last]
	}
	s.shutDown(backends)
}

// shutDown ends servers together.
func (s *server) shutDown(servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range servers {
		wg.Go(func() {
			if err := srv.Shutdown(ctx); err != nil {
				s.log.Debug("calls cut short", "error", err)
				_ = srv.Close() // it has said what there is to say
			}
		})
	}
	wg.Wait()
}
