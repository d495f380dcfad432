package brokertest

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo serves one echoing listener until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c) // ends when the client does
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func newCutter(t *testing.T) *Cutter {
	t.Helper()
	c := NewCutter()
	t.Cleanup(func() { enter(t, "close", c.Close) })
	return c
}

func dial(t *testing.T, c *Cutter, address string) net.Conn {
	t.Helper()
	conn, err := c.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	return conn
}

func TestACutterPassesThenSwallowsThenCuts(t *testing.T) {
	c, address := newCutter(t), echo(t)
	conn := dial(t, c, address)
	buf := make([]byte, 4)
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatalf("write: %v", err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "ping" {
		t.Fatalf("read %q, %v; want ping", buf, err)
	}
	enter(t, "swallow", c.Swallow)
	if n, err := conn.Write([]byte("lost")); n != 4 || err != nil {
		t.Errorf("write while swallowing returned %d, %v; want 4, nil", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !c.awaitSwallowed(ctx, 4) {
		t.Errorf("%d bytes were swallowed; want 4", c.Swallowed())
	}
	enter(t, "down", c.Down)
	if _, err := conn.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read on a cut connection returned %v; want connection reset", err)
	}
	if _, err := c.Dial(t.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial while down returned %v; want connection refused", err)
	}
	if _, err := c.Dial(t.Context(), "tcp", echo(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial of another address while down returned %v; want connection refused", err)
	}
	enter(t, "up", c.Up)
	dial(t, c, address)
}
