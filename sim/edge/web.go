package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"flowbench/flows"
	"flowbench/sim/wire"
)

// A Web is the HTTP under an edge: what listens for each part, and what dials
// them. Its methods may be called concurrently.
type Web struct {
	config Config
	dial   wire.Dialer

	mu    sync.Mutex
	parts map[string]string // name to address
}

// NewWeb returns a web in which nothing listens.
func NewWeb(config Config) *Web {
	return &Web{
		config: config,
		dial:   wire.Counted(config.Route.Of(ClientParty, config.Dial), &config.Meter.BytesIn, &config.Meter.BytesOut),
		parts:  make(map[string]string),
	}
}

// A Backend is what answers the requests of one backend. One that has a method
// Shutdown keeps connections that its server does not know of, because they
// have been taken over for another protocol. Shutdown is called when the server
// closes, and must end them before its context ends.
type Backend interface{ http.Handler }

type shutdowner interface{ Shutdown(ctx context.Context) }

// Listen makes backends reachable under name, behind a load balancer if there is
// more than one.
func (w *Web) Listen(name string, backends ...Backend) (flows.Server, error) {
	if len(backends) == 0 {
		return nil, errors.New("listen: no backend")
	}
	s := &server{log: w.config.Log, taken: newCount()}
	var addresses []string
	for i, b := range backends {
		address, err := s.add(w.config, b)
		if err != nil {
			s.abandon()
			return nil, fmt.Errorf("listen as backend %d: %w", i, err)
		}
		addresses = append(addresses, address)
	}
	front := addresses[0]
	if len(backends) > 1 {
		s.balancer = newBalancer(w, name, addresses)
		address, err := s.add(w.config, s.balancer)
		if err != nil {
			s.abandon()
			return nil, fmt.Errorf("listen as balancer: %w", err)
		}
		front = address
	}
	w.mu.Lock()
	w.parts[name] = front
	w.mu.Unlock()
	return s, nil
}

// Address returns where a part listens, as host:port.
func (w *Web) Address(name string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	address, ok := w.parts[name]
	if !ok {
		return "", flows.Fail(flows.Unreachable, fmt.Errorf("dial: nothing listens as %q", name))
	}
	return address, nil
}

// Transport returns a client side that keeps its connections, of which it has at
// most perHost to each address, or any number for 0. The default of two idle
// ones for each host would make every burst dial anew.
func (w *Web) Transport(perHost int) *http.Transport { return transport(w.dial, perHost) }

func transport(dial wire.Dialer, perHost int) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, &dialError{err}
			}
			return &closable{Conn: c, closed: make(chan struct{})}, nil
		},
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 1 << 16,
		MaxConnsPerHost:     perHost,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
}

// A dialError says that there was no connection to send a request over, so that
// it certainly did not arrive.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }

func (e *dialError) Unwrap() error { return e.err }

// A server is the HTTP servers of one part, the balancer last.
type server struct {
	log       *slog.Logger
	listeners []net.Listener
	servers   []*http.Server
	balancer  *balancer // nil before a single backend
	taken     *count    // requests, also those whose connection was taken over
}

const maxHeader = 64 << 10

// add listens for h on a free port of the loopback interface.
func (s *server) add(c Config, h http.Handler) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.listeners = append(s.listeners, l)
	s.servers = append(s.servers, &http.Server{
		Handler:           tracked{h, s.taken},
		ReadHeaderTimeout: c.Timeout + grace,
		ReadTimeout:       c.Timeout + grace,
		WriteTimeout:      c.Timeout + 2*grace,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	})
	return l.Addr().String(), nil
}

// tracked counts the requests that a handler is at, and answers checks in its
// place: whether a server is there has nothing to do with what it serves.
type tracked struct {
	http.Handler
	taken *count
}

func (t tracked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.taken.add(1)
	defer t.taken.add(-1)
	if r.URL.Path == healthPath {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.ContentLength < 0 || r.ContentLength > readAnyway {
		serveLarge(t.Handler, w, r)
		return
	}
	t.Handler.ServeHTTP(w, r)
}

// A count is a number that can be waited for to be zero. A wait group will not
// do: a request that was read at the last moment may begin during the wait.
type count struct {
	changed *sync.Cond
	n       int
}

func newCount() *count { return &count{changed: sync.NewCond(new(sync.Mutex))} }

func (c *count) add(delta int) {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	c.n += delta
	c.changed.Broadcast()
}

func (c *count) wait() {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	for c.n > 0 {
		c.changed.Wait()
	}
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
	unwatch := func() {}
	if s.balancer != nil {
		unwatch = s.balancer.watchAll()
	}
	var early error
	waiting := len(s.servers)
	select {
	case <-ctx.Done():
	case early = <-errs:
		waiting--
	}
	unwatch() // or backends would be ejected for closing
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
	if s.balancer != nil {
		last := len(s.servers) - 1
		s.shutDown(s.servers[last:])
		s.balancer.transport.CloseIdleConnections()
		backends = s.servers[:last]
	}
	s.shutDown(backends)
	s.taken.wait() // their connections are closed, so they end
}

// shutDown ends servers together.
func (s *server) shutDown(servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range servers {
		if t, ok := srv.Handler.(tracked).Handler.(shutdowner); ok {
			wg.Go(func() { t.Shutdown(ctx) })
		}
		wg.Go(func() {
			if err := srv.Shutdown(ctx); err != nil {
				s.log.Debug("calls cut short", "error", err)
				_ = srv.Close() // it has said what there is to say
			}
		})
	}
	wg.Wait()
}
