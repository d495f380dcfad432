package httpstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/httpstore"
	"flowbench/sim/wire"
)

// against opens a session on a server that answers every GET by itself and has room
// for everything, and returns a party and the address of an object.
func against(t *testing.T, answer http.HandlerFunc) (o flows.Objects, uri string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".is-anybody-there") {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusCreated)
			return
		}
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	s, o := open(t, store.Config{URL: srv.URL + "/folder"})
	return o, s.Endpoint() + "run.object"
}

// open opens a session for the length of a test.
func open(t *testing.T, cfg store.Config) (store.Session, flows.Objects) {
	t.Helper()
	cfg.Prefix, cfg.Meter, cfg.Log = "run", &store.Meter{}, slog.New(slog.DiscardHandler)
	if cfg.Dial == nil {
		cfg.Dial = wire.Loopback()
	}
	if cfg.URL == "" {
		cfg.Dir, cfg.MaxBytes = t.TempDir(), 1<<20
	}
	s, err := httpstore.New().Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Connect(t.Context(), "party")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s, o
}

// read gets a part of an object to its end.
func read(ctx context.Context, o flows.Objects, uri string, part flows.Span) (string, error) {
	body, err := o.Get(ctx, uri, part)
	if err != nil {
		return "", err
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	return string(content), err
}

// TestAnswersAreTakenForWhatTheyAre has servers answer a request for bytes 2 to 4
// of "abcdefgh" as servers do, rightly and wrongly.
func TestAnswersAreTakenForWhatTheyAre(t *testing.T) {
	header := func(status int, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		want    string
		outcome flows.Outcome
		class   flows.Class
	}{
		{"the part", header(206, "cde", "Content-Range", "bytes 2-4/8"), "cde", flows.OK, ""},
		{"the part of no known whole", header(206, "cde", "Content-Range", "bytes 2-4/*"), "cde", flows.OK, ""},
		{"what there is of the part", header(206, "cd", "Content-Range", "bytes 2-3/4"), "cd", flows.OK, ""},
		{"the whole", header(200, "abcdefgh"), "cde", flows.OK, ""},
		{"a whole that ends in the part", header(200, "abc"), "c", flows.OK, ""},
		{"a whole that ends before the part", header(200, "a"), "", flows.OK, ""},
		{"nothing there", header(416, "no"), "", flows.OK, ""},
		{"another part", header(206, "bcd", "Content-Range", "bytes 1-3/8"), "", flows.Failed, flows.Corrupt},
		{"a longer part", header(206, "cdef", "Content-Range", "bytes 2-5/8"), "", flows.Failed, flows.Corrupt},
		{"fewer bytes than named", header(206, "cd", "Content-Range", "bytes 2-4/8"), "", flows.Failed, flows.Corrupt},
		{"no word of which part", header(206, "cde"), "", flows.Failed, flows.Corrupt},
		{"a part that is none", header(206, "cde", "Content-Range", "bytes 4-2/8"), "", flows.Failed, flows.Corrupt},
		{"several parts", header(206, "cde", "Content-Type", "multipart/byteranges"), "", flows.Failed, flows.Corrupt},
		{"something encoded", header(200, "abcdefgh", "Content-Encoding", "gzip"), "", flows.Failed, flows.Corrupt},
		{"gone", header(410, ""), "", flows.Failed, flows.Rejected},
		{"elsewhere", header(302, "", "Location", "http://127.0.0.1:1/"), "", flows.Failed, flows.Rejected},
		{"elsewhere, on the same server", header(307, "", "Location", "/other"), "", flows.Failed, flows.Rejected},
		{"no entry", header(401, "", "WWW-Authenticate", "Basic"), "", flows.Failed, flows.Rejected},
		{"too busy", header(503, ""), "", flows.Failed, flows.Overloaded},
		{"broken", header(500, ""), "", flows.Failed, flows.Rejected},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests := 0
			o, uri := against(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				if got := r.Header.Get("Range"); got != "bytes=2-4" || r.URL.Path != "/folder/run.object" {
					t.Errorf("asked for %q of %s; want bytes=2-4", got, r.URL.Path)
				}
				c.answer(w, r)
			})
			content, err := read(t.Context(), o, uri, flows.Span{From: 2, Bytes: 3})
			outcome, class := flows.OutcomeOf(err)
			if content != c.want || outcome != c.outcome || class != c.class {
				t.Errorf("got %q, %v; want %q, %v, %s", content, err, c.want, c.outcome, c.class)
			}
			if requests != 1 {
				t.Errorf("asked %d times; want once", requests)
			}
		})
	}
}

// TestAnEndThatCouldBeABreakIsNoEnd has a server send what has no length.
func TestAnEndThatCouldBeABreakIsNoEnd(t *testing.T) {
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.Close() // which is all of it
		}
	}
	for _, c := range []struct {
		answer string
		want   string
		class  flows.Class
	}{
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc", ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "abc", flows.Disconnected},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "abc", flows.Disconnected},
		{"HTTP/1.0 200 OK\r\n\r\nabc", "", flows.Corrupt},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", "", flows.Corrupt},
	} {
		o, uri := against(t, raw(c.answer))
		content, err := read(t.Context(), o, uri, flows.Span{})
		if _, class := flows.OutcomeOf(err); content != c.want || class != c.class {
			t.Errorf("%q is %q, %v; want %q, %s", c.answer, content, err, c.want, c.class)
		}
	}
}

func TestARefusedPutHasFailed(t *testing.T) {
	for status, class := range map[int]flows.Class{
		301: flows.Rejected, 307: flows.Rejected, 400: flows.Rejected, 403: flows.Rejected, 409: flows.Rejected,
		413: flows.TooLarge, 429: flows.Overloaded, 503: flows.Overloaded, 507: flows.Overloaded, 202: flows.Rejected,
	} {
		var sent atomic.Int64
		o, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/other")
			if r.ContentLength <= 1000 {
				n, _ := io.Copy(io.Discard, r.Body)
				sent.Add(n)
			}
			w.WriteHeader(status)
		})
		for _, size := range []int{1000, 32 << 20} {
			body := io.LimitReader(rand.Reader, int64(size))
			_, err := o.Put(t.Context(), fmt.Sprintf("object-%d", size), int64(size), body)
			if outcome, got := flows.OutcomeOf(err); outcome != flows.Failed || got != class {
				t.Errorf("a put of %d bytes that is answered %d ends as %v; want a failure, %s", size, status, err,
					class)
			}
		}
		if sent.Load() != 1000 {
			t.Errorf("%d bytes were sent; want the 1000 of the small object alone", sent.Load())
		}
	}
}

// TestTheServerOfOurOwnHasNothingElse asks it what its parties never would.
func TestTheServerOfOurOwnHasNothingElse(t *testing.T) {
	s, o := open(t, store.Config{})
	uri, err := o.Put(t.Context(), "object", 3, strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "run.object", "", 200},
		{"HEAD", "run.object", "", 200},
		{"GET", "run.other", "", 404},
		{"GET", "", "", 403},
		{"GET", ".part-1", "", 403},
		{"GET", "..", "", 403},
		{"GET", "%2e%2e/x", "", 403},
		{"GET", "run.object/", "", 403},
		{"GET", "run.object/../run.object", "", 403},
		{"GET", "other.object", "", 403},
		{"PUT", "other.object", "x", 403},
		{"PUT", "../run.object", "x", 403},
		{"PUT", ".part-1", "x", 403},
		{"DELETE", "", "", 403},
		{"DELETE", "other.object", "", 403},
		{"POST", "run.object", "x", 405},
		{"MKCOL", "run.object", "", 405},
		{"PROPFIND", "", "", 405},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.Endpoint()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s %q is answered %d; want %d", c.method, c.path, resp.StatusCode, c.status)
		}
	}
	endless := io.MultiReader(strings.NewReader("x")) // as far as the client can see
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.Endpoint()+"run.x", endless)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusLengthRequired {
		t.Errorf("a put of no length is answered %d; want 411", resp.StatusCode)
	}
	if content, err := read(t.Context(), o, uri, flows.Span{}); content != "abc" || err != nil {
		t.Errorf("after all that the object is %q, %v", content, err)
	}
}

// TestBurstsDoNotDialAnew has many calls at once, several times.
func TestBurstsDoNotDialAnew(t *testing.T) {
	var dials atomic.Int64
	_, o := open(t, store.Config{Dial: counting(&dials)})
	const burst = 20
	var seen int64
	for round := range 5 {
		errs := make(chan error, burst)
		for i := range burst {
			go func() {
				_, err := o.Put(t.Context(), fmt.Sprintf("object-%d-%d", round, i), 1, strings.NewReader("x"))
				errs <- err
			}()
		}
		for range burst {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		seen = dials.Load()
	}
	if seen > 2*burst {
		t.Errorf("dialled %d times for 5 bursts of %d; want connections to be kept", seen, burst)
	}
}

// counting counts connections.
func counting(dials *atomic.Int64) wire.Dialer {
	dial := wire.Loopback()
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, address)
	}
}
