package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flowbench/results"
)

// BenchmarkLive measures how late operations start, at 1,000 per second, while nobody
// watches the run and while it is watched: by one that reads everything at once and
// asks for the page every second, and by one that asks for events and pages and never
// reads. Runs take turns. Goals on a quiet machine: a median ratio of at most 1.1 for
// the median of the send lag, and of at most 1.25 for its 99th percentile.
func BenchmarkLive(b *testing.B) {
	const rounds = 3
	for range b.N {
		var p50, p99, lag, lagWatched []float64
		for range rounds {
			alone, watched := sendLag(b), sendLag(b, "--live")
			p50 = append(p50, ratio(watched, alone, 0.5))
			p99 = append(p99, ratio(watched, alone, 0.99))
			lag = append(lag, float64(alone.Quantile(0.99).Microseconds())/1000)
			lagWatched = append(lagWatched, float64(watched.Quantile(0.99).Microseconds())/1000)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(middle(lag), "p99-ms")
		b.ReportMetric(middle(lagWatched), "watched-p99-ms")
		b.ReportMetric(middle(p50), "p50-ratio")
		b.ReportMetric(middle(p99), "p99-ratio")
	}
}

func ratio(a, b *results.Hist, p float64) float64 {
	return float64(a.Quantile(p)) / float64(b.Quantile(p))
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

// sendLag runs a cell, watched if flags say that it may be, and returns how late its
// operations were started.
func sendLag(b *testing.B, flags ...string) *results.Hist {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "run")
	errs := &announced{url: make(chan string, 1)}
	sh := shell{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: errs, width: 100,
		getenv: func(string) string { return "" },
	}
	args := append(strings.Fields("run --flows direct --no-progress --warmup 1s --duration 4s "+
		"--set load.rate_per_s=1000 --out "+dir), flags...)
	ctx, cancel := context.WithCancel(b.Context())
	var watchers sync.WaitGroup
	if len(flags) > 0 {
		watchers.Go(func() {
			select {
			case url := <-errs.url:
				watch(ctx, &watchers, url)
			case <-ctx.Done():
			}
		})
	}
	if code := run(ctx, sh, args); code != int(exitOK) && code != int(exitNoVerdict) {
		b.Fatalf("exit code is %d: %s", code, &errs.text)
	}
	cancel()
	watchers.Wait()
	r, err := results.Read(dir)
	if err != nil {
		b.Fatal(err)
	}
	return r.Cells[0].SendLag
}

// watch watches a run until ctx ends: fast, and so slowly that nothing is read.
func watch(ctx context.Context, watchers *sync.WaitGroup, url string) {
	watchers.Go(func() { readAll(ctx, url+"events") })
	watchers.Go(func() {
		for ctx.Err() == nil {
			readAll(ctx, url)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
	for _, path := range []string{"/events", "/"} {
		c, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(url, "http:"), "/"))
		if err != nil {
			return // the run has ended
		}
		_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n") // likewise
		context.AfterFunc(ctx, func() { _ = c.Close() })
	}
}

// readAll reads an address until it ends, or ctx does.
func readAll(ctx context.Context, url string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return // the run has ended
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}
