package httpedge

import (
	"bufio"
	"context"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/edgetest"
	"flowbench/sim/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	open := func(c edge.Config) flows.Edge { return New(c) }
	edgetest.Test(t, open)
	edgetest.TestWithoutSockets(t, open)
	edgetest.TestStreams(t, open)
}

// serve makes an endpoint reachable for the length of a test and returns the
// URL that it has.
func serve(t *testing.T, f func(flows.Call) (flows.Answer, error)) string {
	t.Helper()
	e := New(edge.Config{
		Timeout: 5 * time.Second, MaxBody: 1024, Meter: &edge.Meter{}, Dial: wire.Loopback(),
		Log: slog.New(slog.DiscardHandler),
	})
	s, err := e.Listen(t.Context(), "part", func(_ context.Context, c flows.Call) iter.Seq2[flows.Answer, error] {
		return flows.Single(func() (flows.Answer, error) { return f(c) })
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	address, err := e.Address("part")
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

func TestPendingSaysWhereAndWhenToAskAgain(t *testing.T) {
	url := serve(t, func(flows.Call) (flows.Answer, error) {
		return flows.Answer{Status: flows.Pending, RetryAfter: 15 * time.Millisecond}, nil
	})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, url+"/commands?key=k", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", edge.FormatID(10))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Location") != "/commands/000000000000000a" ||
		resp.Header.Get("Retry-After") != "1" {
		t.Errorf("got %s, %v; want 202 with Location and Retry-After", resp.Status, resp.Header)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	url := serve(t, func(flows.Call) (flows.Answer, error) {
		t.Error("nonsense reached the endpoint")
		return flows.Answer{}, nil
	})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{http.MethodPost, "/commands?key=k", http.StatusUnprocessableEntity}, // without an idempotency key
		{http.MethodGet, "/commands/xyz", http.StatusUnprocessableEntity},
		{http.MethodGet, "/queries/k", http.StatusUnprocessableEntity}, // without a request id
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodDelete, "/commands/000000000000000a", http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequest(tt.method, url+tt.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.code {
			t.Errorf("%s %s: got %d; want %d", tt.method, tt.path, resp.StatusCode, tt.code)
		}
	}
}

// TestABodyIsWhatItsSizeSays sends chunks by hand, and then the end or none.
func TestABodyIsWhatItsSizeSays(t *testing.T) {
	url := serve(t, func(c flows.Call) (flows.Answer, error) {
		if c.Stream == nil {
			return flows.Answer{Body: c.Body}, nil
		}
		body, err := io.ReadAll(c.Stream)
		return flows.Answer{Body: body}, err
	})
	for _, tt := range []struct{ announced, chunks, want string }{
		{"3", "3\r\nxyz\r\n0\r\n\r\n", "200 OK"},
		{"3", "1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n", "200 OK"},
		{"0", "0\r\n\r\n", "200 OK"},
		{"", "3\r\nxyz\r\n0\r\n\r\n", "200 OK"},
		{"4", "3\r\nxyz\r\n0\r\n\r\n", "502 Bad Gateway"},
		{"2", "3\r\nxyz\r\n0\r\n\r\n", "502 Bad Gateway"},
		{"0", "3\r\nxyz\r\n0\r\n\r\n", "502 Bad Gateway"},
		{"3", "3\r\nxyz\r\nnonsense\r\n", "502 Bad Gateway"},
		{"-1", "0\r\n\r\n", "422 Unprocessable Entity"},
		{"3 ", "3\r\nxyz\r\n0\r\n\r\n", "200 OK"}, // values of headers are trimmed
		{"many", "3\r\nxyz\r\n0\r\n\r\n", "422 Unprocessable Entity"},
		{"1025", "", "413 Request Entity Too Large"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		announced := ""
		if tt.announced != "" {
			announced = "Body-Bytes: " + tt.announced + "\r\n"
		}
		_, _ = io.WriteString(conn, "POST /commands?key=k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"+
			"Idempotency-Key: 000000000000000a\r\n"+announced+"\r\n"+tt.chunks) // what is missing is seen in the answer
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.Status != tt.want {
			t.Errorf("%s bytes in %q are answered %v, %v; want %s", tt.announced, tt.chunks, resp, err, tt.want)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
		_ = conn.Close() // the answer was all
	}
}
