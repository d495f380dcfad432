package chunks_test

import (
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"flowbench/flows/chunks"
)

// BenchmarkChecksum compares the checksum of chunks with CRC-32C, over bytes that are
// in no cache, in turns. The ratio of the times says whether the choice still holds:
// goal at most 1, and it was 0.5 when the choice was made.
func BenchmarkChecksum(b *testing.B) {
	const chunk = 64 << 10
	body := make([]byte, 256<<20)
	for i := range body {
		body[i] = byte(i * 7)
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	timed := func(sum func([]byte) uint32) float64 {
		began := time.Now()
		for part := range slices.Chunk(body, chunk) {
			sum(part)
		}
		return time.Since(began).Seconds()
	}
	for range b.N {
		var ratios, rates []float64
		for range 7 {
			ours := timed(chunks.Checksum)
			theirs := timed(func(part []byte) uint32 { return crc32.Checksum(part, castagnoli) })
			ratios, rates = append(ratios, ours/theirs), append(rates, float64(len(body))/ours)
		}
		slices.Sort(ratios)
		slices.Sort(rates)
		b.ReportMetric(0, "ns/op") // it says nothing here
		b.ReportMetric(rates[len(rates)/2]/1e6, "MB/s")
		b.ReportMetric(ratios[len(ratios)/2], "ratio-to-crc32c")
	}
}
