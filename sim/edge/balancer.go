package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"

	"flowbench/flows"
)

// A balancer is a reverse proxy that hands every request to the next of its
// backends in turn. A connection that a request turns over to another protocol
// stays with the backend that took the request.
type balancer struct {
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	backends  []*url.URL
	turn      atomic.Uint64
	meter     *Meter
}

func newBalancer(w *Web, addresses []string) *balancer {
	b := &balancer{transport: w.Transport(0), meter: w.config.Meter}
	for _, a := range addresses {
		b.backends = append(b.backends, &url.URL{Scheme: "http", Host: a})
	}
	b.proxy = &httputil.ReverseProxy{
		Rewrite:      b.rewrite,
		Transport:    b.transport,
		BufferPool:   &buffers{pool: sync.Pool{New: func() any { return new([bufferBytes]byte) }}},
		ErrorHandler: b.fail,
	}
	return b
}

// ServeHTTP implements [http.Handler].
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.proxy.ServeHTTP(w, r) }

func (b *balancer) rewrite(r *httputil.ProxyRequest) {
	b.meter.Requests.Add(1)
	r.SetURL(b.backends[b.turn.Add(1)%uint64(len(b.backends))])
	r.Out.Host = r.In.Host // a page's origin is compared with what its browser asked for
	r.SetXForwarded()
}

// fail answers for a backend that did not. Only a refused connection is certain
// not to have carried the request.
func (b *balancer) fail(w http.ResponseWriter, _ *http.Request, err error) {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		err = flows.Fail(flows.Refused, fmt.Errorf("reach a backend: %w", err))
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		err = flows.Unknown(flows.Timeout, fmt.Errorf("await a backend: %w", err))
	default:
		err = flows.Unknown(flows.Disconnected, fmt.Errorf("await a backend: %w", err))
	}
	WriteProblem(w, err)
}

const bufferBytes = 32 << 10

// buffers lets the proxy copy bodies without allocating for each.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte { return b.pool.Get().(*[bufferBytes]byte)[:] }

func (b *buffers) Put(p []byte) {
	if len(p) == bufferBytes {
		b.pool.Put((*[bufferBytes]byte)(p))
	}
}
