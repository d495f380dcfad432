package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge/balance"
	"flowbench/sim/wire"
)

// A balancer is a reverse proxy that hands every request to one of several
// backends. A connection that a request turns over to another protocol stays
// with the backend that took the request, and counts as a request under way
// until it ends.
type balancer struct {
	part      string
	proxy     *httputil.ReverseProxy
	transport *http.Transport // for requests
	checks    *http.Transport
	health    balance.Health
	backends  []string // addresses
	meter     *Meter
	notify    func(Event)

	mu   sync.Mutex // held for a pick: two at once must not both take the idlest
	pool *balance.Pool
}

// An Event is something that a balancer does about a backend.
type Event struct {
	Kind    EventKind
	Part    string // the name that the backend listens under with others
	Backend int
	Detail  string // why, for people
}

// An EventKind names an [Event] in results.
type EventKind string

// The events.
const (
	Ejected  EventKind = "ejected"  // the backend gets no requests for the time being
	Returned EventKind = "returned" // it gets requests again
)

func newBalancer(w *Web, part string, addresses []string) *balancer {
	dial := w.toBackends(part, addresses)
	meter := w.config.Meter
	b := &balancer{
		part: part, transport: transport(wire.Counted(dial, &meter.BytesIn, &meter.BytesOut), 0),
		health: w.config.Health.OrDefaults(), backends: addresses,
		meter: meter, notify: w.config.Notify,
		// A check makes a connection of its own: one that was kept would not tell
		// that nobody is accepted any more. It is not counted as traffic of the edge.
		checks: &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true},
	}
	if b.notify == nil {
		b.notify = func(Event) {}
	}
	b.pool = balance.New(len(addresses), w.config.LeastPending, b.health)
	b.proxy = &httputil.ReverseProxy{
		Rewrite:      rewrite,
		Transport:    b,
		BufferPool:   &buffers{pool: sync.Pool{New: func() any { return new([bufferBytes]byte) }}},
		ErrorHandler: b.fail,
	}
	return b
}

// toBackends returns the dialer that leads to each of the backends by its route.
func (w *Web) toBackends(part string, addresses []string) wire.Dialer {
	dialers := make(map[string]wire.Dialer, len(addresses))
	for i, a := range addresses {
		dialers[a] = w.config.Route.Of(fmt.Sprintf("%s-%d", part, i), w.config.Dial)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialers[address](ctx, network, address)
	}
}

// A trip is a request on its way through a balancer.
type trip struct {
	backend int       // that has it under way, or balance.None
	large   *Outgoing // its body if that is large or of any size; nil if it is not
}

type tripKey struct{}

// ServeHTTP implements [http.Handler].
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := &trip{backend: balance.None}
	if r.ContentLength < 0 || r.ContentLength > readAnyway {
		t.large = NewOutgoing(r.Body, r.ContentLength)
		defer t.large.End() // also when the backend has answered and wants no more of it
	}
	defer b.take(t, nil) // also when the proxy panics because a client has gone
	b.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tripKey{}, t)))
}

// take moves t to the backend that pick chooses, or away from all of them.
func (b *balancer) take(t *trip, pick func(left int) (int, bool)) (ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := t.backend
	if left != balance.None {
		b.pool.Leave(left)
		t.backend = balance.None
	}
	if pick != nil {
		t.backend, ok = pick(left)
	}
	return ok
}

func rewrite(r *httputil.ProxyRequest) {
	r.Out.Host = r.In.Host // a page's origin is compared with what its browser asked for
	r.SetXForwarded()
}

var errNoBackend = errors.New("no backend is well")

// RoundTrip implements [http.RoundTripper] for the proxy, whose requests it may
// change.
//
// A request that was refused was certainly not sent, so another backend gets
// it, once. Nothing else is sent a second time: nobody knows what became of it.
// The transport by itself would repeat a request that it takes for idempotent
// when a connection that was kept turns out to be closed. Where that is a
// request to read something it may.
//
// A body is passed on as it comes. One that is large may take long to come, and
// is waited for in such a way that the loss of the backend is noticed meanwhile.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	t := r.Context().Value(tripKey{}).(*trip)
	if r.Body == nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
		r.Body = http.NoBody
	}
	broke := func() bool { return false }
	switch {
	case t.large != nil:
		broke = func() bool { return t.large.Failed() != nil }
		r.Body = t.large
		r = r.WithContext(t.large.traced(r.Context()))
	case r.Body != nil:
		body := &sparedBody{ReadCloser: r.Body}
		broke = body.failed.Load
		r.Body = body
	}
	if !b.take(t, b.pool.Take) {
		return nil, errNoBackend
	}
	b.meter.Requests.Add(1)
	resp, err := b.try(r, t.backend, broke)
	if refused(err) && r.Context().Err() == nil && b.take(t, b.pool.Take) {
		resp, err = b.try(r, t.backend, broke)
	}
	return resp, err
}

// refused reports whether nobody accepted the connection for a request.
func refused(err error) bool {
	var undialled *dialError
	return errors.As(err, &undialled) && errors.Is(err, syscall.ECONNREFUSED)
}

// try sends a request to a backend and judges the backend by what comes of it.
// A client that gives up, or whose body breaks off, says nothing about it.
func (b *balancer) try(r *http.Request, backend int, broke func() bool) (*http.Response, error) {
	r.URL.Scheme, r.URL.Host = "http", b.backends[backend]
	resp, err := b.transport.RoundTrip(r)
	switch {
	case err == nil:
		well := resp.StatusCode < http.StatusInternalServerError || resp.Header.Get("Content-Type") == problemType
		b.judge(backend, well, "bare status "+resp.Status)
	case r.Context().Err() == nil && !broke():
		b.judge(backend, false, err.Error())
	}
	return resp, err
}

// judge counts a request for or against a backend. Why is only read if the
// backend was not well.
func (b *balancer) judge(backend int, well bool, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool.Requested(backend, well) {
		b.notify(Event{Ejected, b.part, backend, "requests fail: " + why})
	}
}

// watch checks a backend until ctx is done.
func (b *balancer) watch(ctx context.Context, backend int, check func(context.Context) error) {
	ticker := time.NewTicker(b.health.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		within, cancel := context.WithTimeout(ctx, b.health.Timeout)
		err := check(within)
		cancel()
		if ctx.Err() != nil {
			return // the check may have been cut short
		}
		b.checked(backend, err)
	}
}

// checked acts on a check of a backend.
func (b *balancer) checked(backend int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch changed := b.pool.Checked(backend, err == nil); {
	case changed && err == nil:
		b.notify(Event{Returned, b.part, backend, "checks pass"})
	case changed:
		b.notify(Event{Ejected, b.part, backend, "checks fail: " + err.Error()})
	}
}

// healthPath is where every server says that it is there.
const healthPath = "/healthz"

// check asks whether a server is there.
func (b *balancer) check(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+healthPath, nil)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	resp, err := b.checks.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	_ = resp.Body.Close() // the status says it all
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("check: status %s", resp.Status)
	}
	return nil
}

// watchAll checks all backends until the function that it returns is called,
// which waits for the checks to end.
func (b *balancer) watchAll() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	for i, address := range b.backends {
		watching.Go(func() {
			b.watch(ctx, i, func(ctx context.Context) error { return b.check(ctx, address) })
		})
	}
	return func() {
		cancel()
		watching.Wait()
	}
}

// fail answers for a backend that did not. Only without a connection is it
// certain that the request was not sent.
func (b *balancer) fail(w http.ResponseWriter, r *http.Request, err error) {
	var undialled *dialError
	switch {
	case errors.Is(err, errNoBackend):
		err = flows.Fail(flows.Unreachable, fmt.Errorf("pick a backend: %w", err))
	case refused(err):
		err = flows.Fail(flows.Refused, fmt.Errorf("reach a backend: %w", err))
	case r.Context().Err() != nil:
		err = flows.Unknown(flows.Timeout, fmt.Errorf("await a backend: %w", err))
	case errors.As(err, &undialled):
		err = flows.Fail(flows.Unreachable, fmt.Errorf("reach a backend: %w", err))
	default:
		err = flows.Unknown(flows.Disconnected, fmt.Errorf("await a backend: %w", err))
	}
	WriteProblem(w, err)
}

// A sparedBody is the body of a client's request. It survives that a transport
// which could not connect closes it, so that another backend can have it; the
// proxy closes what is under it. It knows if the client has not sent all of it.
//
// It is also what keeps a transport from sending a request without a body again
// that is not there to read something: it cannot know that there is none.
type sparedBody struct {
	io.ReadCloser
	failed atomic.Bool
}

// Read implements [io.Reader].
func (s *sparedBody) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.failed.Store(true)
	}
	return n, err
}

// Close implements [io.Closer] by doing nothing.
func (s *sparedBody) Close() error { return nil }

const bufferBytes = 32 << 10

// buffers lets the proxy copy bodies without allocating for each.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte { return b.pool.Get().(*[bufferBytes]byte)[:] }

func (b *buffers) Put(p []byte) {
	if len(p) == bufferBytes {
		b.pool.Put((*[bufferBytes]byte)(p))
	}
}
