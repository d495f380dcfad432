package s3store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"flowbench/flows"
)

const (
	rounds    = 15
	roundTime = 200 * time.Millisecond
)

// BenchmarkAgainstBareClient compares how often an object can be put and got
// through the store with how often with minio-go alone, at the same server and in
// turns. Goal: a median ratio of at least 0.9.
func BenchmarkAgainstBareClient(b *testing.B) {
	for _, size := range []int{64 << 10, 8 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s, o := opened(b)
			content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
			ours := func() { viaStore(b, o, content) }
			bare := bareClient(b, s)
			peers := func() { viaClient(b, bare, content) }
			for range b.N {
				var rates, ratios []float64
				for range rounds {
					r := rate(ours)
					rates = append(rates, r)
					ratios = append(ratios, r/rate(peers))
				}
				b.ReportMetric(0, "ns/op") // it says nothing here
				b.ReportMetric(median(rates), "put+get/s")
				b.ReportMetric(median(ratios), "ratio-to-bare")
			}
		})
	}
}

// opened returns a session on a server inside, and a party's way to it.
func opened(b testing.TB) (*session, flows.Objects) {
	b.Helper()
	s, err := open(b.Context(), config(b))
	if err != nil {
		b.Fatal(err)
	}
	o, err := s.Connect(b.Context(), "party")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := o.Close(); err != nil {
			b.Error(err)
		}
		if err := s.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s.(*session), o
}

func bareClient(b *testing.B, s *session) *minio.Client {
	b.Helper()
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(transport.CloseIdleConnections)
	c, err := minio.New(s.place.host, &minio.Options{
		Creds:     credentials.NewStaticV4(s.place.credentials.Name, s.place.credentials.Secret, ""),
		Region:    region,
		Transport: transport,
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func viaStore(b *testing.B, o flows.Objects, content []byte) {
	b.Helper()
	uri, err := o.Put(b.Context(), "object", int64(len(content)), bytes.NewReader(content))
	if err != nil {
		b.Fatal(err)
	}
	r, err := o.Get(b.Context(), uri, flows.Span{})
	if err != nil {
		b.Fatal(err)
	}
	read(b, r, len(content))
}

func viaClient(b *testing.B, c *minio.Client, content []byte) {
	b.Helper()
	_, err := c.PutObject(b.Context(), bucket, "bare", bytes.NewReader(content), int64(len(content)),
		minio.PutObjectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	r, err := c.GetObject(b.Context(), bucket, "bare", minio.GetObjectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	read(b, r, len(content))
}

func read(b *testing.B, r io.ReadCloser, want int) {
	b.Helper()
	n, err := io.Copy(io.Discard, r)
	if err != nil || n != int64(want) {
		b.Fatalf("read %d bytes of %d: %v", n, want, err)
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}

// rate does something for a round and returns how often per second it was done.
func rate(do func()) float64 {
	n, began := 0, time.Now()
	for time.Since(began) < roundTime {
		do()
		n++
	}
	return float64(n) / time.Since(began).Seconds()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
