package natsstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/embedded"
	"flowbench/sim/store"
	"flowbench/sim/store/natsstore"
)

const patience = 20 * time.Second

// start starts a server and returns its address, and what its streams are seen with.
func start(t *testing.T) (at string, js jetstream.JetStream) {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Options{JetStream: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop server: %v", err)
		}
	})
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	_, at, _ = strings.Cut(s.URL(), "://")
	return at, js
}

// open opens a session with one party. What it counts is in the configuration.
func open(t *testing.T, cfg store.Config) flows.Objects {
	t.Helper()
	s, err := natsstore.New().Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Connect(t.Context(), "party")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), s.Close(context.Background())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

func config(t *testing.T, at string) store.Config {
	t.Helper()
	var d net.Dialer
	return store.Config{
		URL: "nats-object://" + at, Prefix: "t-1", Dir: t.TempDir(), MaxBytes: 64 << 20, Dial: d.DialContext,
		Meter: &store.Meter{}, Log: slog.New(slog.DiscardHandler),
	}
}

func put(t *testing.T, p flows.Objects, name string, size int) string {
	t.Helper()
	uri, err := p.Put(t.Context(), name, int64(size), bytes.NewReader(make([]byte, size)))
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

func TestAPartIsReadNoFurtherThanItGoes(t *testing.T) {
	at, _ := start(t)
	cfg := config(t, at)
	p := open(t, cfg)
	uri := put(t, p, "long", 8<<20)
	before := cfg.Meter.BytesIn.Load()
	r, err := p.Get(t.Context(), uri, flows.Span{From: 200 << 10, Bytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || len(got) != 10 || r.Close() != nil {
		t.Errorf("read %d bytes, %v; want 10", len(got), err)
	}
	if read := cfg.Meter.BytesIn.Load() - before; read > 300<<10 {
		t.Errorf("%d bytes came for a part that ends in the second of 64 pieces", read)
	}
}

func TestABucketIsBoundedAndAgesAway(t *testing.T) {
	at, js := start(t)
	cfg := config(t, at)
	open(t, cfg)
	s, err := js.Stream(t.Context(), "OBJ_"+cfg.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	if c.MaxBytes < cfg.MaxBytes || c.MaxBytes > 2*cfg.MaxBytes || c.MaxAge < time.Hour || c.MaxAge > 48*time.Hour {
		t.Errorf("the bucket may have %d bytes for %v; want a bound and an end", c.MaxBytes, c.MaxAge)
	}
}

func TestAnObjectThatIsDeletedWhileItIsReadEndsInAnError(t *testing.T) {
	at, _ := start(t)
	p := open(t, config(t, at))
	uri := put(t, p, "long", 32<<20)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := p.Get(ctx, uri, flows.Span{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(ctx, uri); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, flows.ErrNoObject) {
		t.Errorf("reading on for %d bytes ends as %v; want that it is gone", n, err)
	}
}

func TestBytesThatAreNotThoseThatWerePutAreAnError(t *testing.T) {
	at, js := start(t)
	cfg := config(t, at)
	p := open(t, cfg)
	uri := put(t, p, "object", 300<<10)
	store, err := js.ObjectStore(t.Context(), cfg.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.GetInfo(t.Context(), cfg.Prefix+".object")
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "OBJ_"+cfg.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	subject := "$O." + cfg.Prefix + ".C." + info.NUID
	last, err := s.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), last.Sequence); err != nil {
		t.Fatal(err)
	}
	other := bytes.Repeat([]byte{1}, len(last.Data))
	if _, err := js.Publish(t.Context(), subject, other); err != nil {
		t.Fatal(err)
	}
	r, err := p.Get(t.Context(), uri, flows.Span{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	if o, class := flows.OutcomeOf(err); o != flows.Failed || class != flows.Corrupt {
		t.Errorf("reading what somebody has changed ends as %v; want it corrupt", err)
	}
}

// TestAConnectionThatTakesNothingHoldsUpNobodyBeyondHisTime has a put that is too
// large for what waits in sockets write to a network that takes nothing.
func TestAConnectionThatTakesNothingHoldsUpNobodyBeyondHisTime(t *testing.T) {
	at, _ := start(t)
	cfg := config(t, at)
	full := &stuck{}
	cfg.Dial = full.dial
	p := open(t, cfg)
	uri := put(t, p, "there", 10)
	full.stick()
	for what, call := range map[string]func(context.Context) error{
		"put": func(ctx context.Context) error {
			_, err := p.Put(ctx, "large", 32<<20, bytes.NewReader(make([]byte, 32<<20)))
			return err
		},
		"get":    func(ctx context.Context) error { _, err := p.Get(ctx, uri, flows.Span{}); return err },
		"delete": func(ctx context.Context) error { return p.Delete(ctx, uri) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin := time.Now()
		err := call(ctx)
		cancel()
		if o, class := flows.OutcomeOf(err); o != flows.Undecided || class != flows.Timeout {
			t.Errorf("a %s over a connection that takes nothing ends as %v; want a timeout", what, err)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("a %s has taken %v; want about its time", what, took)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for { // until the connection has been given up
		_, err := p.Put(ctx, "after", 1, strings.NewReader("x"))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the party does not get over it: %v", err)
		}
	}
}

// stuck makes connections whose writes wait, once stick was called, until they are
// closed. Those that are made later are as good as any.
type stuck struct {
	mu    sync.Mutex
	conns []*stuckConn
}

func (s *stuck) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, &stuckConn{Conn: c, closed: make(chan struct{})})
	return s.conns[len(s.conns)-1], nil
}

func (s *stuck) stick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.stuck.Store(true)
	}
}

type stuckConn struct {
	net.Conn
	stuck  atomic.Bool
	once   sync.Once
	closed chan struct{}
}

func (c *stuckConn) Write(p []byte) (int, error) {
	if c.stuck.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *stuckConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestTheLibraryReadsWhatWasPut holds the format to those who have made it.
func TestTheLibraryReadsWhatWasPut(t *testing.T) {
	at, js := start(t)
	cfg := config(t, at)
	p := open(t, cfg)
	for _, size := range []int{0, 1, 128 << 10, 300<<10 + 1} {
		content := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		name := fmt.Sprint("object-", size)
		if _, err := p.Put(t.Context(), name, int64(size), bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		objects, err := js.ObjectStore(t.Context(), cfg.Prefix)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := objects.GetBytes(t.Context(), cfg.Prefix+"."+name); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the library reads %d bytes of %d, %v", len(got), size, err)
		}
		if size == 0 {
			continue
		}
		if _, err := objects.PutBytes(t.Context(), cfg.Prefix+".theirs", content); err != nil {
			t.Fatal(err)
		}
		r, err := p.Get(t.Context(), "nats-object://"+at+"/"+cfg.Prefix+".theirs", flows.Span{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) || r.Close() != nil {
			t.Errorf("of what the library has put %d bytes of %d are read, %v", len(got), size, err)
		}
	}
}
