package results

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/bits"
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
//
// What was read from a file is kept as the few buckets that are not empty, since a run
// has tens of thousands of histograms; it is spread out when something is added to it.
type Hist struct {
	h      *hdrhistogram.Histogram       // nil where it is packed
	packed *hdrhistogram.PackedHistogram // nil where it is not
}

// NewHist returns an empty histogram with three significant digits, about
// 160 KiB of memory.
func NewHist() *Hist { return newHist(3) }

// NewCoarseHist returns an empty histogram with two significant digits, for the
// many that are kept for single seconds.
func NewCoarseHist() *Hist { return newHist(2) }

// NewSum returns an empty histogram like NewCoarseHist, in which merging a few others
// that were read from a file is cheap.
func NewSum() *Hist {
	return &Hist{packed: hdrhistogram.NewPacked(int64(lowest), int64(highest), 2)}
}

func newHist(digits int) *Hist {
	return &Hist{h: hdrhistogram.New(int64(lowest), int64(highest), digits)}
}

// spread returns h so that values can be added to it.
func (h *Hist) spread() *hdrhistogram.Histogram {
	if h.packed != nil {
		p := h.packed
		h.h = hdrhistogram.New(p.LowestTrackableValue(), p.HighestTrackableValue(), int(p.SignificantFigures()))
		p.MergeInto(h.h)
		h.packed = nil
	}
	return h.h
}

// Record adds one value.
func (h *Hist) Record(d time.Duration) {
	// The error can only be that of a value out of range, and it is clamped.
	_ = h.spread().RecordValue(int64(min(max(d, 0), highest)))
}

// recordN adds a value n times.
func (h *Hist) recordN(d time.Duration, n int64) {
	_ = h.spread().RecordValues(int64(min(max(d, 0), highest)), n)
}

// Merge adds all values of other. It stays as small as it is where other is.
func (h *Hist) Merge(other *Hist) {
	switch {
	case other.packed == nil:
		h.spread().Merge(other.h)
	case h.packed != nil:
		h.packed.Merge(other.packed)
	default:
		other.packed.MergeInto(h.h)
	}
}

// Reset forgets all values.
func (h *Hist) Reset() {
	if h.packed != nil {
		h.packed.Reset()
		return
	}
	h.h.Reset()
}

// N returns how many values were recorded.
func (h *Hist) N() int64 { return h.some().TotalCount() }

// Quantile returns the value that a share p of all values, between 0 and 1, does
// not exceed, as precisely as the histogram resolves it.
func (h *Hist) Quantile(p float64) time.Duration {
	if p >= 1 {
		return h.Max()
	}
	return time.Duration(h.some().ValueAtPercentile(100 * p))
}

// Max returns the largest value.
func (h *Hist) Max() time.Duration { return time.Duration(h.some().Max()) }

// Min returns the smallest value.
func (h *Hist) Min() time.Duration { return time.Duration(h.some().Min()) }

// Mean returns the arithmetic mean.
func (h *Hist) Mean() time.Duration { return time.Duration(h.some().Mean()) }

// some returns whichever histogram of the library h is.
func (h *Hist) some() interface {
	TotalCount() int64
	ValueAtPercentile(percentile float64) int64
	Max() int64
	Min() int64
	Mean() float64
	SignificantFigures() int64
} {
	if h.packed != nil {
		return h.packed
	}
	return h.h
}

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
	if h.packed != nil {
		return h.packedBuckets
	}
	return func(yield func(Bucket) bool) {
		for _, b := range h.h.Distribution() {
			if b.Count > 0 && !yield(Bucket{time.Duration(b.From), time.Duration(b.To), b.Count}) {
				return
			}
		}
	}
}

// packedBuckets is Buckets of a histogram that is packed.
func (h *Hist) packedBuckets(yield func(Bucket) bool) {
	unit := int64(bits.Len64(uint64(h.packed.LowestTrackableValue()))) - 1
	whole := bits.Len64(uint64(2*math.Pow10(int(h.packed.SignificantFigures()))) - 1) // of values of one unit each
	h.packed.ForEachBucket(func(value, count int64) bool {
		// Each further power of two has buckets that are twice as wide; see Tene's
		// HdrHistogram, subBucketCount.
		width := int64(1) << (unit + int64(max(0, bits.Len64(uint64(value>>unit))-whole)))
		return yield(Bucket{time.Duration(value), time.Duration(value + width - 1), count})
	})
}

// MarshalJSON writes the histogram in HdrHistogram's compressed V2 encoding, in
// nanoseconds, as public tools read it.
func (h *Hist) MarshalJSON() ([]byte, error) {
	var b []byte
	var err error
	if h.packed != nil {
		b, err = h.packed.EncodeV2()
	} else {
		b, err = h.h.EncodeV2()
	}
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
	d, err := decodeText([]byte(s))
	if err != nil {
		return err
	}
	*h = *d
	return nil
}
