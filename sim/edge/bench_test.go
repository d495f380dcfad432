package edge_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/sim/edge"
	"flowbench/sim/wire"
)

const (
	rounds   = 7
	loops    = 16
	measured = time.Second
)

// BenchmarkBalancer compares requests through the balancer, before two backends
// that do nothing, with requests through a plain reverse proxy that takes turns.
// Goal: a median ratio of requests per second of at least 0.9, whichever way the
// balancer picks.
func BenchmarkBalancer(b *testing.B) {
	for _, least := range []bool{false, true} {
		name := map[bool]string{false: "round-robin", true: "least-pending"}[least]
		b.Run(name, func(b *testing.B) {
			for range b.N {
				var ratios, ours []float64
				for range rounds {
					f, r := balancedRate(b, least), plainProxyRate(b)
					ratios, ours = append(ratios, f/r), append(ours, f)
				}
				slices.Sort(ratios)
				slices.Sort(ours)
				b.ReportMetric(0, "ns/op") // it says nothing here
				b.ReportMetric(ours[rounds/2], "req/s")
				b.ReportMetric(ratios[rounds/2], "ratio-to-plain")
			}
		})
	}
}

func idle(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // it is the way that is measured
	w.WriteHeader(http.StatusNoContent)
}

func balancedRate(b *testing.B, least bool) float64 {
	b.Helper()
	web := edge.NewWeb(edge.Config{
		Timeout: 5 * time.Second, MaxBody: 1 << 20, LeastPending: least, Dial: wire.Loopback(), Meter: &edge.Meter{},
		Log: slog.New(slog.DiscardHandler),
	})
	s, err := web.Listen("part", http.HandlerFunc(idle), http.HandlerFunc(idle))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
	}()
	address, err := web.Address("part")
	if err != nil {
		b.Fatal(err)
	}
	return rate(b, "http://"+address)
}

func plainProxyRate(b *testing.B) float64 {
	b.Helper()
	var targets []*url.URL
	for range 2 {
		s := httptest.NewServer(http.HandlerFunc(idle))
		defer s.Close()
		target, err := url.Parse(s.URL)
		if err != nil {
			b.Fatal(err)
		}
		targets = append(targets, target)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: loops}
	defer transport.CloseIdleConnections()
	var turn atomic.Uint64
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(targets[turn.Add(1)%2])
			r.SetXForwarded()
		},
		Transport: transport,
	})
	defer front.Close()
	return rate(b, front.URL)
}

// rate returns how many requests per second loops get done.
func rate(b *testing.B, url string) float64 {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: loops}
	defer transport.CloseIdleConnections()
	var n atomic.Int64
	end := time.Now().Add(measured)
	var wg sync.WaitGroup
	for range loops {
		wg.Go(func() {
			for time.Now().Before(end) {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, http.NoBody)
				if err != nil {
					b.Error(err)
					return
				}
				resp, err := transport.RoundTrip(r)
				if err != nil {
					b.Error(err)
					return
				}
				_ = resp.Body.Close() // there is none
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / measured.Seconds()
}
