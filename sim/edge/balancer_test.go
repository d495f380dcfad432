package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge/balance"
	"flowbench/sim/wire"
)

// A happening is an event and when it came.
type happening struct {
	kind EventKind
	at   time.Duration
}

// TestChecksEjectAndBringBackInTime has a backend fall ill at once and get well
// after two seconds, in virtual time.
func TestChecksEjectAndBringBackInTime(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		ill  func(ctx context.Context) error
		want []happening
	}{
		"one that refuses": {
			func(context.Context) error { return errors.New("refused") },
			[]happening{{Ejected, 500 * ms}, {Returned, 2250 * ms}},
		},
		"one that hangs": {
			func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			},
			[]happening{{Ejected, 1250 * ms}, {Returned, 2500 * ms}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []happening
				began := time.Now()
				b := &balancer{
					part: "part", health: balance.Defaults(), pool: balance.New(2, false, balance.Defaults()),
					notify: func(e Event) { got = append(got, happening{e.Kind, time.Since(began)}) },
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				b.watch(ctx, 1, func(ctx context.Context) error {
					if time.Since(began) < 2*time.Second {
						return tt.ill(ctx)
					}
					return nil
				})
				if !slices.Equal(got, tt.want) {
					t.Errorf("the balancer did %v; want %v", got, tt.want)
				}
			})
		})
	}
}

// A breaker is a backend that answers requests until it is to break, and then
// takes one and closes the connection instead.
type breaker struct {
	listener net.Listener
	conns    sync.WaitGroup
	taken    atomic.Int64
	breaking atomic.Bool
}

func newBreaker(t *testing.T) *breaker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{listener: l}
	b.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.conns.Go(func() { b.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // it has been used
		b.conns.Wait()
	})
	return b
}

func (b *breaker) serve(conn net.Conn) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		b.taken.Add(1)
		if b.breaking.Load() {
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
			return
		}
	}
}

// TestACommandIsNeverSentTwice breaks a connection that was kept, after the
// request. A transport repeats a request with an idempotency key and no body in
// such a case; nobody knows what became of it.
func TestACommandIsNeverSentTwice(t *testing.T) {
	for _, body := range []string{"", "x"} {
		first, second := newBreaker(t), newBreaker(t)
		w := NewWeb(Config{Dial: wire.Loopback(), Meter: &Meter{}, Log: slog.New(slog.DiscardHandler)})
		b := newBalancer(w, "part", []string{first.listener.Addr().String(), second.listener.Addr().String()})
		send := func() *httptest.ResponseRecorder {
			server := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/commands", strings.NewReader(body))
			r.Header.Set("Idempotency-Key", FormatID(1))
			b.ServeHTTP(server, r)
			return server
		}
		for range 2 {
			if got := send(); got.Code != http.StatusNoContent {
				t.Fatalf("body %q: answered %d, %s", body, got.Code, got.Body)
			}
		}
		first.breaking.Store(true)
		second.breaking.Store(true)
		got := send()
		err := ReadProblem(got.Result(), got.Body.Bytes())
		if o, c := flows.OutcomeOf(err); o != flows.Undecided || c != flows.Disconnected {
			t.Errorf("body %q: ends as %v, %s (%v); want unknown, disconnected", body, o, c, err)
		}
		if n := first.taken.Load() + second.taken.Load(); n != 3 {
			t.Errorf("body %q: the backends took %d requests of 3", body, n)
		}
		b.transport.CloseIdleConnections()
	}
}

// TestOnlyBackendsAreBlamed has a client give up, and one break off, again and
// again.
func TestOnlyBackendsAreBlamed(t *testing.T) {
	quiet := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // it waits for all of it
		<-r.Context().Done()
	}))
	defer quiet.Close()
	w := NewWeb(Config{
		Dial: wire.Loopback(), Meter: &Meter{}, Log: slog.New(slog.DiscardHandler),
		Notify: func(e Event) { t.Errorf("the balancer did %+v", e) },
	})
	b := newBalancer(w, "part", []string{quiet.Listener.Addr().String(), quiet.Listener.Addr().String()})
	defer b.transport.CloseIdleConnections()
	for range 2 * balance.Defaults().FailedRequests {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
		cancel()
		broken := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("x"), brokenBody{}))
		b.ServeHTTP(httptest.NewRecorder(), broken)
	}
	for i := range 2 {
		if n := b.pool.Pending(i); n != 0 {
			t.Errorf("backend %d has %d requests under way; want none", i, n)
		}
	}
}

// A brokenBody is that of a client which has gone in the middle of it.
type brokenBody struct{}

// Read implements [io.Reader].
func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
