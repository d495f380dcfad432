package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flowbench/results"
)

// told returns messages that a browser gets on an address, one after the other.
func told(t *testing.T, url string) (next func() message, hangUp func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("status is %d, type is %q", answer.StatusCode, kind)
	}
	hangUp = func() {
		cancel()
		_ = answer.Body.Close()
	}
	t.Cleanup(hangUp)
	lines := bufio.NewScanner(answer.Body)
	return func() message {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var m message
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return message{}
	}, hangUp
}

// feeding serves a feed of a run that has begun.
func feeding(t *testing.T) (*Feed, *Site, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	run := small()
	written(t, dir, run, false)
	f := NewFeed(run)
	site, err := OpenFeed(dir, f, paint)
	if err != nil {
		t.Fatal(err)
	}
	return f, site, serving(t, site)
}

func TestABrowserIsToldTheLatestAndTheEnd(t *testing.T) {
	f, site, url := feeding(t)
	for i := range 100 { // before anybody asked
		f.Update(Progress{Cell: "one", Phase: "measured", Elapsed: time.Duration(i) * 100 * time.Millisecond,
			Length: 10 * time.Second, InFlight: int64(i), Live: live(int64(i), time.Millisecond)})
	}
	next, hangUp := told(t, url+"events")
	m := next()
	if m.Text["inflight"] != "99" || m.Done != 0.99 || len(m.Points) != 9 || m.Over {
		t.Errorf("the first message is %+v; want the latest figures and all points", m)
	}
	f.Update(Progress{Cell: "one", Phase: "measured", Elapsed: 10 * time.Second, Length: 10 * time.Second,
		Live: live(100, time.Millisecond)})
	if m = next(); len(m.Points) != 1 || m.Points[0].Seq != 9 {
		t.Errorf("the second message has points %+v; want the new one alone", m.Points)
	}
	f.End()
	if m = next(); !m.Over {
		t.Errorf("the last message is %+v", m)
	}
	if site.streams.watching() != 1 {
		t.Error("the browser was sent away before it had fetched the report")
	}
	done := make(chan struct{})
	go func() { site.Dismiss(t.Context()); close(done) }()
	hangUp()
	select {
	case <-done:
	case <-time.After(limit):
		t.Error("the browser has gone and is waited for")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	site.Dismiss(ctx)
}

func TestSoManyBrowsersAreToldAndNoMore(t *testing.T) {
	f, site, url := feeding(t)
	f.Update(Progress{Cell: "one"})
	for range maxStreams {
		next, _ := told(t, url+"events")
		next()
	}
	answer, _ := fetch(t, "GET", url+"events")
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one more is answered with %d; want it told to come again", answer.StatusCode)
	}
	if answer, _ := fetch(t, "GET", url); answer.StatusCode != 200 {
		t.Errorf("the page is answered with %d beside them", answer.StatusCode)
	}
	if n := site.streams.watching(); n != maxStreams {
		t.Errorf("%d are watching", n)
	}
}

func TestABrowserThatDoesNotReadIsDropped(t *testing.T) {
	f, site, url := feeding(t)
	site.streams.slow = 50 * time.Millisecond
	long := strings.Repeat("x", 8<<20) // more than the kernel takes for a browser that does not read
	f.Update(Progress{Cell: long})
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	awaitWatching(t, site, 1)
	for i := range 1000 { // nobody waits for the browser meanwhile
		f.Update(Progress{Cell: long, InFlight: int64(i)})
	}
	awaitWatching(t, site, 0)
}

// awaitWatching waits until so many browsers are told.
func awaitWatching(t *testing.T, site *Site, n int) {
	t.Helper()
	for deadline := time.Now().Add(limit); site.streams.watching() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d are watching; want %d", site.streams.watching(), n)
		}
	}
}

func TestAFeedTellsWhoWaitsAsSoonAsThereIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFeed(&results.Run{})
		type answer struct {
			figures Figures
			version uint64
			err     error
		}
		answers := make(chan answer)
		ask := func(ctx context.Context, seen uint64) {
			g, v, err := f.tell(ctx, seen)
			answers <- answer{g, v, err}
		}
		go ask(t.Context(), 0)
		synctest.Wait()
		f.Update(Progress{Cell: "one"})
		a := <-answers
		if a.err != nil || a.figures.Cell != "one" {
			t.Errorf("answer is %+v", a)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go ask(ctx, a.version)
		if a := <-answers; !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("without news the answer is %+v", a)
		}
	})
}
