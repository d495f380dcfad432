package brokertest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
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

func dial(t *testing.T, c *Cutter, address string) net.Conn {
	t.Helper()
	conn, err := c.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestACutterPassesThenSwallowsThenCuts(t *testing.T) {
	c, address := NewCutter(), echo(t)
	conn := dial(t, c, address)
	buf := make([]byte, 4)
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatalf("write: %v", err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "ping" {
		t.Fatalf("read %q, %v; want ping", buf, err)
	}
	c.Swallow()
	if n, err := conn.Write([]byte("lost")); n != 4 || err != nil {
		t.Errorf("write while swallowing returned %d, %v; want 4, nil", n, err)
	}
	if got := c.Swallowed(); got != 4 {
		t.Errorf("%d bytes were swallowed; want 4", got)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatalf("set deadline: %v", err)
	}
	if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read while swallowing returned %v; want deadline exceeded", err)
	}
	c.Down()
	if _, err := conn.Write(buf); err == nil {
		t.Error("write on a cut connection returned nil; want an error")
	}
	if _, err := c.Dial(t.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial while down returned %v; want connection refused", err)
	}
	c.Up()
	dial(t, c, address)
}

func TestASwallowedReadEndsWithTheCut(t *testing.T) {
	c := NewCutter()
	conn := dial(t, c, echo(t))
	c.Swallow()
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	c.Down()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a read on a cut connection returned nil; want an error")
		}
	case <-ctx.Done():
		t.Error("a read that was held did not end with the cut")
	}
}
