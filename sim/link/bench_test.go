package link_test

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"flowbench/sim/link"
)

const (
	rounds    = 21
	roundTime = 200 * time.Millisecond
	small     = 64
)

// plain is what a link is held against: the shortest forwarder there is. Its
// io.Copy splices.
func plain(b *testing.B, x target) string {
	b.Helper()
	l := listen(b)
	var wg sync.WaitGroup
	b.Cleanup(func() {
		must(b, l.Close())
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.AcceptTCP()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp4", x.address())
			if err != nil {
				b.Error(err)
				return
			}
			for _, way := range [][2]*net.TCPConn{{client, server.(*net.TCPConn)}, {server.(*net.TCPConn), client}} {
				wg.Go(func() {
					_, _ = io.Copy(way[1], way[0]) // ends with the benchmark
					_ = way[1].CloseWrite()
				})
			}
		}
	})
	return l.address()
}

// through returns both ends of a connection through an address.
func through(b *testing.B, x target, address string) (client, server *net.TCPConn) {
	b.Helper()
	c, err := net.Dial("tcp4", address)
	if err != nil {
		b.Fatal(err)
	}
	server = x.accept(b)
	must(b, server.SetDeadline(time.Time{}))
	b.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn), server
}

// compared returns the ends of a connection through an idle link, and of one
// through the plain forwarder.
func compared(b *testing.B) (ours, peers [2]*net.TCPConn) {
	b.Helper()
	x := listen(b)
	var o, p [2]*net.TCPConn
	o[0], o[1] = through(b, x, open(b, x.address(), link.Config{}).Address())
	p[0], p[1] = through(b, x, plain(b, x))
	return o, p
}

// BenchmarkThroughput compares the bytes per second of an idle link with those
// of a plain io.Copy forwarder, in turns. Goal: a median ratio of at least 0.9.
func BenchmarkThroughput(b *testing.B) {
	ours, peers := compared(b)
	for range b.N {
		var ratios, rates []float64
		for range rounds {
			o, p := rate(b, ours), rate(b, peers)
			ratios, rates = append(ratios, o/p), append(rates, o)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(median(rates)/1e6, "MB/s")
		b.ReportMetric(median(ratios), "ratio-to-plain")
	}
}

// rate sends for a round and returns the bytes per second that arrived.
func rate(b *testing.B, ends [2]*net.TCPConn) float64 {
	b.Helper()
	sent := make(chan int64, 1)
	began := time.Now()
	go func() {
		var n int64
		for buf := make([]byte, 64<<10); time.Since(began) < roundTime; n += int64(len(buf)) {
			if _, err := ends[0].Write(buf); err != nil {
				b.Error(err)
				break
			}
		}
		_, err := ends[0].Write([]byte{1})
		must(b, err)
		sent <- n
	}()
	var got int64
	for buf := make([]byte, 256<<10); ; {
		n, err := ends[1].Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		got += int64(n)
		if buf[n-1] == 1 {
			break
		}
	}
	took := time.Since(began)
	if n := <-sent + 1; n != got {
		b.Fatalf("%d bytes arrived of %d", got, n)
	}
	return float64(got) / took.Seconds()
}

// BenchmarkRoundTrip compares the median round trip of 64 bytes through an idle
// link with that through a plain io.Copy forwarder, in turns. Goal: a median
// ratio of at most 1.1.
func BenchmarkRoundTrip(b *testing.B) {
	ours, peers := compared(b)
	for _, ends := range [][2]*net.TCPConn{ours, peers} {
		go func() { _, _ = io.Copy(ends[1], ends[1]) }() // ends with the benchmark
	}
	for range b.N {
		var ratios, medians []float64
		for range rounds {
			o, p := roundTripUs(b, ours[0]), roundTripUs(b, peers[0])
			ratios, medians = append(ratios, o/p), append(medians, o)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(median(medians), "p50-us")
		b.ReportMetric(median(ratios), "ratio-to-plain")
	}
}

func roundTripUs(b *testing.B, c net.Conn) float64 {
	b.Helper()
	var took []time.Duration
	buf := make([]byte, small)
	for end := time.Now().Add(roundTime); time.Now().Before(end); {
		began := time.Now()
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1e3
}

// BenchmarkLatency tells how long a link with latency takes, one way. Goals: 1 ms
// has a median of at most 1.4 ms, and 20 ± 5 ms a mean within 0.5 ms.
func BenchmarkLatency(b *testing.B) {
	for _, asked := range []link.Latency{
		{Delay: time.Millisecond},
		{Delay: 20 * time.Millisecond},
		{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond},
	} {
		b.Run(asked.String(), func(b *testing.B) {
			// Many connections take turns, since each has its own jitter and bytes that
			// are apart in time must not wait for each other.
			const connections, each = 8, 50
			for range b.N {
				var took []time.Duration
				for range connections {
					l, client, server := connected(b, link.Config{Seed: uint64(len(took))})
					arm(b, l, link.ToTarget, asked)
					took = append(took, roundTrips(b, each, client, server)...)
				}
				var sum time.Duration
				for _, t := range took {
					sum += t
				}
				slices.Sort(took)
				b.ReportMetric(0, "ns/op") // it says nothing here
				b.ReportMetric(float64(sum.Microseconds())/float64(len(took))/1e3, "mean-ms")
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
			}
		})
	}
}

// BenchmarkBandwidth tells which share of the asked bandwidth a link delivers.
func BenchmarkBandwidth(b *testing.B) {
	for name, perS := range map[string]int64{"1MBps": 1e6, "10MBps": 1e7, "100MBps": 1e8} {
		b.Run(name, func(b *testing.B) {
			l, client, server := connected(b, link.Config{QueueBytes: 1 << 16})
			must(b, client.SetWriteBuffer(1<<16))
			must(b, server.SetReadBuffer(1<<16))
			arm(b, l, link.ToTarget, link.Bandwidth{BytesPerS: perS})
			for range b.N {
				b.ReportMetric(0, "ns/op") // it says nothing here
				b.ReportMetric(rate(b, [2]*net.TCPConn{client, server})/float64(perS), "share")
			}
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
