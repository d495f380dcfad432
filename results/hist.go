package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of all histograms. What lies outside is recorded at the bound.
const (
	lowest  = time.Microsecond
	highest = 10 * time.Minute
)

// A Hist is a latency histogram from 1 µs to 10 min. It is not safe for
// concurrent use.
type Hist struct{ h *hdrhistogram.Histogram }

// NewHist returns an empty histogram with three significant digits, about
// 160 KiB of memory.
func NewHist() *Hist { return &Hist{hdrhistogram.New(int64(lowest), int64(highest), 3)} }

// newCoarseHist returns an empty histogram with two significant digits, for the
// many that are kept for single seconds.
func newCoarseHist() *Hist { return &Hist{hdrhistogram.New(int64(lowest), int64(highest), 2)} }

// Record adds one value.
func (h *Hist) Record(d time.Duration) {
	// The error can only be that of a value out of range, and it is clamped.
	_ = h.h.RecordValue(int64(min(max(d, 0), highest)))
}

// recordN adds a value n times.
func (h *Hist) recordN(d time.Duration, n int64) {
	_ = h.h.RecordValues(int64(min(max(d, 0), highest)), n)
}

// Merge adds all values of other.
func (h *Hist) Merge(other *Hist) { h.h.Merge(other.h) }

// Reset forgets all values.
func (h *Hist) Reset() { h.h.Reset() }

// N returns how many values were recorded.
func (h *Hist) N() int64 { return h.h.TotalCount() }

// Quantile returns the value that a share p of all values, between 0 and 1, does
// not exceed, as precisely as the histogram resolves it.
func (h *Hist) Quantile(p float64) time.Duration {
	if p >= 1 {
		return h.Max()
	}
	return min(time.Duration(h.h.ValueAtQuantile(100*p)), h.Max())
}

// Max returns the largest value.
func (h *Hist) Max() time.Duration { return time.Duration(h.h.Max()) }

// Min returns the smallest value.
func (h *Hist) Min() time.Duration { return time.Duration(h.h.Min()) }

// Mean returns the arithmetic mean.
func (h *Hist) Mean() time.Duration { return time.Duration(h.h.Mean()) }

// resolvedTail is how many values must lie beyond a quantile for it to say
// something about the system and not about one unlucky operation.
const resolvedTail = 10

// Resolved reports whether enough values lie beyond quantile p to show it as a
// finding.
func (h *Hist) Resolved(p float64) bool { return Resolved(h.N(), p) }

// Resolved reports whether n values are enough to show quantile p as a finding.
func Resolved(n int64, p float64) bool {
	const slack = 1e-6 // 1-p is not exact: 1-0.99 of 1000 must count as 10
	return float64(n)*(1-p) >= resolvedTail-slack
}

// A Bucket is a range of values and how many were recorded in it.
type Bucket struct {
	From, To time.Duration
	Count    int64
}

// Buckets returns the non-empty buckets, smallest values first.
func (h *Hist) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for _, b := range h.h.Distribution() {
			if b.Count > 0 && !yield(Bucket{time.Duration(b.From), time.Duration(b.To), b.Count}) {
				return
			}
		}
	}
}

// MarshalJSON writes the histogram in HdrHistogram's compressed V2 encoding, in
// nanoseconds, as public tools read it.
func (h *Hist) MarshalJSON() ([]byte, error) {
	b, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode histogram: %w", err)
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Hist) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	d, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	if d == nil {
		return errors.New("decode histogram: it is empty")
	}
	h.h = d
	return nil
}
