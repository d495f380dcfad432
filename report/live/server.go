package live

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of a server. A browser keeps six connections at most.
const (
	maxConnections = 64
	maxHeader      = 16 << 10
	sendBuffer     = 64 << 10 // of the kernel, for a browser that does not read
	patience       = 10 * time.Second
)

// A Server answers on one address until it is closed.
type Server struct {
	URL string

	server  *http.Server
	stop    context.CancelFunc
	served  chan struct{}
	working sync.WaitGroup // handlers
}

// Serve answers requests on l with h, and owns l. It lets in only what the package
// says; exposed means that other machines may come.
func Serve(l net.Listener, h http.Handler, exposed bool) *Server {
	ctx, stop := context.WithCancel(context.Background()) // until Close
	s := &Server{URL: "http://" + l.Addr().String() + "/", stop: stop, served: make(chan struct{})}
	h = guarded(h, exposed)
	s.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.working.Add(1)
			defer s.working.Done()
			h.ServeHTTP(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       thrifty,
		ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: 6 * patience, IdleTimeout: 6 * patience,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       log.New(io.Discard, "", 0), // what browsers do wrong is no news
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(netutil.LimitListener(l, maxConnections)) // it ends with Close
	}()
	return s
}

// thrifty bounds what the kernel holds for a connection that does not read.
func thrifty(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else the system's default will do
	}
	return ctx
}

// Close ends all requests, and returns when nothing of the server is left.
func (s *Server) Close() error {
	s.stop()
	err := s.server.Close()
	<-s.served
	s.working.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}
