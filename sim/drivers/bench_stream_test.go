package drivers_test

import (
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"flowbench/flows"
	"flowbench/sim/embedded"
	"flowbench/sim/service"
)

const (
	streamBytes  = 16 << 20
	messageBytes = 64 << 10                       // the default of scenarios
	chunkBytes   = messageBytes - flows.ChunkHead // of the body in each
	chunksEach   = (streamBytes + chunkBytes - 1) / chunkBytes

	// What a machine can do changes by the second, so ours and theirs take turns; and
	// where its kernel puts threads and memory stays for as long as these live, so there
	// are several servers and connections, one after the other.
	streamServers = 9
	streamTurns   = 5  // of each on one server
	turnStreams   = 10 // in each turn
)

// BenchmarkStreamOverNATS compares a command of 16 MiB that travels as a stream
// over core NATS with publishing the same chunks by hand with the client library,
// summing them up at the other end and waiting for its word, in turns. By hand
// nothing holds the chunks back but the buffers of sockets, and nobody sums them up
// before they are sent. Goal: a median ratio of the throughputs of at least 0.9 with the
// default window. A window that takes all of the payload is there to compare: it costs no
// waits, and has more lie in buffers.
func BenchmarkStreamOverNATS(b *testing.B) {
	for _, window := range []int{16, chunksEach} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) { streamOverNATS(b, window) })
	}
}

func streamOverNATS(b *testing.B, window int) {
	var ratios, rates []float64
	for i := range streamServers {
		b.Run(fmt.Sprintf("server=%d", i+1), func(b *testing.B) {
			ours, theirs := streamAndByHand(b, window)
			ratios, rates = append(ratios, ours/theirs), append(rates, ours)
			b.ReportMetric(0, "ns/op") // it says nothing here
			b.ReportMetric(ours/theirs, "ratio-to-by-hand")
		})
	}
	b.Run("median", func(b *testing.B) {
		if len(ratios) == 0 {
			b.Skip("no server was measured")
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(rates)/1e6, "MB/s")
		b.ReportMetric(median(ratios), "ratio-to-by-hand")
	})
}

// streamAndByHand returns the median throughputs of both over a new server, in bytes a
// second.
func streamAndByHand(b *testing.B, window int) (ours, theirs float64) {
	b.Helper()
	server, err := embedded.Start(b.Context(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(b, server) })
	flow := flows.Carried(flows.Async{Reply: flows.ReplyTo}, flows.Carriage{
		Mode: flows.Stream, Over: 256, MaxBytes: streamBytes, ChunkBytes: chunkBytes, Window: window,
		Buffer: streamBytes, Stall: 500 * time.Millisecond, Abandon: timeout,
	})
	streamed := dialSized(b, flow, flows.Env{Broker: openNATS(b, server.URL())}, streamBytes)
	byHand := dialChunks(b, server.URL())
	var all [2][]float64
	for range streamTurns {
		for i, do := range []func() error{streamed, byHand} {
			all[i] = append(all[i], bytesPerS(b, do))
		}
	}
	return median(all[0]), median(all[1])
}

// bytesPerS sends payloads one after the other for a turn.
func bytesPerS(b *testing.B, do func() error) float64 {
	b.Helper()
	began := time.Now()
	for range turnStreams {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	return turnStreams * streamBytes / time.Since(began).Seconds()
}

// dialChunks returns a function that publishes a payload in chunks and waits until
// the other end has summed it up.
func dialChunks(b *testing.B, url string) func() error {
	b.Helper()
	receiver, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(receiver.Close)
	table, got, sum := crc32.IEEETable, 0, uint32(0)
	sub, err := receiver.Subscribe("chunks", func(m *nats.Msg) {
		sum = crc32.Update(sum, table, m.Data)
		if got += len(m.Data); got == streamBytes {
			got = 0
			if err := receiver.Publish("done", nil); err != nil {
				b.Error(err)
			}
		}
	})
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err == nil {
		err = receiver.Flush()
	}
	if err != nil {
		b.Fatal(err)
	}
	sender, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(sender.Close)
	done, err := sender.SubscribeSync("done")
	if err != nil {
		b.Fatal(err)
	}
	var id uint64
	return func() error {
		id++
		for rest := service.NewPayload(id, streamBytes); len(rest) > 0; {
			n := min(chunkBytes, len(rest))
			if err := sender.Publish("chunks", rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		_, err := done.NextMsg(timeout)
		return err
	}
}
