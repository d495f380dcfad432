package link_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/sim/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tb is what a test and a rapid check have in common.
type tb interface {
	Helper()
	Cleanup(f func())
	Context() context.Context
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// patience is how long a test waits for what should be there soon. It is long,
// since it is only ever used up by a defect.
const patience = 20 * time.Second

// A target is a listener behind a link.
type target struct{ *net.TCPListener }

func listen(t tb) target {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return target{l.(*net.TCPListener)}
}

func (x target) address() string { return x.Addr().String() }

// accept returns the next connection, which ends with the test.
func (x target) accept(t tb) *net.TCPConn {
	t.Helper()
	must(t, x.SetDeadline(time.Now().Add(patience)))
	c, err := x.AcceptTCP()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	return guarded(t, c)
}

func guarded(t tb, c net.Conn) *net.TCPConn {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

func open(t tb, address string, c link.Config) *link.Link {
	t.Helper()
	l, err := link.New(context.Background(), address, c) // it outlives what is cleaned up before it
	if err != nil {
		t.Fatalf("open link: %v", err)
	}
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func dial(t tb, l *link.Link) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp4", l.Address(), patience)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	return guarded(t, c)
}

// connected returns a link and both ends of one connection through it.
func connected(t tb, cfg link.Config) (l *link.Link, client, server *net.TCPConn) {
	t.Helper()
	x := listen(t)
	l = open(t, x.address(), cfg)
	client = dial(t, l)
	return l, client, x.accept(t)
}

func arm(t tb, l *link.Link, d link.Direction, i link.Impairment) *link.Armed {
	t.Helper()
	a, err := l.Arm(d, i)
	if err != nil {
		t.Fatalf("arm: %v", err)
	}
	return a
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func send(t tb, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatalf("write %q: %v", text, err)
	}
}

func expect(t tb, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Fatalf("read %q, %v; want %q", b[:n], err, text)
	}
}

// expectError reads until an error, which must be the wanted one.
func expectError(t tb, c net.Conn, want error) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if err == nil {
		err = io.EOF
	}
	if !errors.Is(err, want) {
		t.Errorf("read returned %v; want %v", err, want)
	}
}

// expectReset makes sure that a new connection is reset. That may be so quick that
// dialling already says it.
func expectReset(t tb, l *link.Link) {
	t.Helper()
	c, err := net.DialTimeout("tcp4", l.Address(), patience)
	if err == nil {
		expectError(t, guarded(t, c), syscall.ECONNRESET)
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dial returned %v; want a connection, or that it was reset", err)
	}
}

// expectSilence makes sure that nothing comes for a moment. It can miss what
// comes late, and cannot fail for nothing.
func expectSilence(t tb, c net.Conn) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	b := make([]byte, 16)
	var timeout net.Error
	if n, err := c.Read(b); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read %q, %v; want silence", b[:n], err)
	}
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
}

// await polls until ok, or fails.
func await(t tb, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestALinkPassesBytesBothWaysAndKeepsHalfClose(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	send(t, client, "question")
	must(t, client.CloseWrite())
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "question" {
		t.Fatalf("read %q, %v; want the question and its end", got, err)
	}
	send(t, server, "answer")
	must(t, server.CloseWrite())
	got, err = io.ReadAll(client)
	if err != nil || string(got) != "answer" {
		t.Fatalf("read %q, %v; want the answer and its end", got, err)
	}
	await(t, "the connection is forgotten", func() bool { return l.Stats().Alive == 0 })
	want := link.Stats{
		Accepted: 1, ToTarget: link.Traffic{Forwarded: 8}, FromTarget: link.Traffic{Forwarded: 6},
	}
	if s := l.Stats(); s != want {
		t.Errorf("stats are %+v; want %+v", s, want)
	}
}

func TestAResetOfOnePeerReachesTheOther(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	send(t, client, "x")
	expect(t, server, "x")
	must(t, client.SetLinger(0))
	must(t, client.Close())
	expectError(t, server, syscall.ECONNRESET)
	await(t, "the connection is forgotten", func() bool { return l.Stats().Alive == 0 })
	if s := l.Stats(); s.Cut != 0 {
		t.Errorf("%d connections were cut; want 0: a peer wanted it so", s.Cut)
	}
}

func TestAPeerThatIsGoneIsToldToWhoeverStillSends(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	must(t, server.Close())
	for {
		if _, err := client.Write(make([]byte, 1<<10)); err != nil {
			if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
				break
			}
			t.Fatalf("write returned %v; want a reset", err)
		}
	}
	await(t, "the connection is forgotten", func() bool { return l.Stats().Alive == 0 })
}

func TestATargetThatIsNotThereResetsItsConnections(t *testing.T) {
	x := listen(t)
	must(t, x.Close())
	l := open(t, x.address(), link.Config{})
	expectReset(t, l)
	await(t, "it is counted", func() bool { return l.Stats().Unreached == 1 })
	if s := l.Stats(); s.Cut != 0 || s.Alive != 0 {
		t.Errorf("stats are %+v; want none cut", s)
	}
}

func TestALinkDialsItsTargetAsItIsTold(t *testing.T) {
	x := listen(t)
	guard := errors.New("guarded")
	l := open(t, x.address(), link.Config{
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, guard },
	})
	expectReset(t, l)
	await(t, "it is counted", func() bool { return l.Stats().Unreached == 1 })
}

func TestCloseEndsEverything(t *testing.T) {
	l, client, server := connected(t, link.Config{})
	arm(t, l, link.BothWays, link.Stall{})
	send(t, client, "held")
	await(t, "the bytes are held", func() bool { return l.Stats().ToTarget.Held == 4 })
	must(t, l.Close())
	expectError(t, client, syscall.ECONNRESET)
	expectError(t, server, syscall.ECONNRESET)
	want := link.Stats{Accepted: 1, Cut: 1, ToTarget: link.Traffic{Discarded: 4}}
	if s := l.Stats(); s != want {
		t.Errorf("stats are %+v; want %+v", s, want)
	}
	if _, err := net.Dial("tcp4", l.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after close returned %v; want connection refused", err)
	}
	if _, err := l.Arm(link.BothWays, link.Stall{}); err == nil {
		t.Error("armed a closed link")
	}
	must(t, l.Close())
}

func TestALinkEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	x := listen(t)
	l, err := link.New(ctx, x.address(), link.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client := dial(t, l)
	x.accept(t)
	cancel()
	expectError(t, client, syscall.ECONNRESET)
	must(t, l.Close())
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := link.New(done, x.address(), link.Config{}); err == nil {
		must(t, l.Close())
	}
}

func TestADialerGoesThroughTheLinkForItsTargetOnly(t *testing.T) {
	x, y := listen(t), listen(t)
	l := open(t, x.address(), link.Config{})
	var d net.Dialer
	through := l.Dialer(d.DialContext)
	for address, want := range map[string]string{
		x.address(): l.Address(), l.Address(): l.Address(), y.address(): y.address(),
	} {
		c, err := through(t.Context(), "tcp", address)
		if err != nil {
			t.Fatalf("dial %s: %v", address, err)
		}
		guarded(t, c)
		if got := c.RemoteAddr().String(); got != want {
			t.Errorf("dialling %s reached %s; want %s", address, got, want)
		}
	}
}

func TestAnImpairmentThatMakesNoSenseIsNotArmed(t *testing.T) {
	l := open(t, listen(t).address(), link.Config{})
	for _, c := range []struct {
		why string
		d   link.Direction
		i   link.Impairment
	}{
		{"there is none", link.BothWays, nil},
		{"there is no direction", 0, link.Stall{}},
		{"there is no such direction", 8, link.Stall{}},
		{"refusing has no direction", link.ToTarget, link.Refuse{}},
		{"resetting has no direction", link.ToTarget, link.Reset{}},
		{"hanging has no direction", link.FromTarget, link.Hang{}},
		{"no latency", link.BothWays, link.Latency{}},
		{"jitter beyond the latency", link.BothWays, link.Latency{Delay: 1, Jitter: 2}},
		{"no bandwidth", link.BothWays, link.Bandwidth{}},
		{"no delay", link.BothWays, link.SlowClose{}},
		{"empty slices", link.BothWays, link.Slice{Pause: 1}},
		{"a negative pause", link.BothWays, link.Slice{Bytes: 1, Pause: -1}},
		{"no limit", link.BothWays, link.Limit{}},
	} {
		if a, err := l.Arm(c.d, c.i); err == nil {
			t.Errorf("%s, and it was armed", c.why)
			must(t, a.Heal())
		}
	}
}

// pattern returns bytes of which no two stretches are alike.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// sameBytes says where two streams part.
func sameBytes(t tb, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: byte %d of %d differs", what, i, len(want))
			return
		}
	}
	t.Errorf("%s: got %d bytes; want %d", what, len(got), len(want))
}
