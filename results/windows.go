package results

import (
	"math/bits"
	"slices"
	"time"
)

// The windows of a cell with faults. Operations belong to one by when they were
// due, whatever became of them later, so nothing is ever due in the drain.
const (
	WarmUpWindow   = "warm-up"
	SteadyWindow   = "steady"   // measured, and neither of the two below
	FaultWindow    = "fault"    // while a fault was on
	RecoveryWindow = "recovery" // from the end of a fault until all was well again, or to the end
)

// WindowNames returns the names of the windows in the order in which reports
// show them.
func WindowNames() []string {
	return []string{WarmUpWindow, SteadyWindow, FaultWindow, RecoveryWindow}
}

// A Window is one of the parts of a cell with faults.
type Window struct {
	For        time.Duration    `json:"for_ns"` // its length, all its pieces together
	Counts     Counts           `json:"counts"`
	Accounting Accounting       `json:"accounting"` // of its commands, as far as it is known when they were due
	Latency    map[string]*Hist `json:"latency"`    // by stage: accepted, answered; of operations that ended ok
}

// WindowAt returns the window of what was due at a time since the load began.
// Time is cut into bins of [BinWidth] from the end of the warm-up. A bin that a
// fault touches belongs to the fault; one that begins after a fault was undone
// and before all was well belongs to the recovery.
func WindowAt(due, warmup time.Duration, faults []Fault) string {
	if due < warmup {
		return WarmUpWindow
	}
	bin := warmup + (due-warmup)/BinWidth*BinWidth
	for _, f := range faults {
		if !f.Absent && f.Begin < bin+BinWidth && (f.Healed >= bin || f.Healed < f.Begin) {
			return FaultWindow
		}
	}
	for _, f := range faults {
		if f.Absent || f.Healed < f.Begin || f.Healed >= bin {
			continue
		}
		if r := f.Recovery; r == nil || !r.Recover.Seen || bin < f.Heal+r.Recover.After {
			return RecoveryWindow
		}
	}
	return SteadyWindow
}

// windows gathers by bin what belongs to windows, since it is not known before
// the end when a cell had recovered. What is due more than eight hours after the
// warm-up counts in the last bin. All methods may be called on nil, and then do
// nothing. It is not safe for concurrent use.
type windows struct {
	start time.Duration // end of the warm-up, on the runtime's clock
	bins  []windowBin   // from 1: the warm-up, and the bins of the measured time
}

type windowBin struct {
	ended   [Dropped + 1]int32 // operations, by status
	classes [numClasses]int32
	latency [AnsweredStage + 1][]bucketCount
}

// binOf returns the bin of a time on the runtime's clock. 0 is no bin.
func (w *windows) binOf(due time.Duration) uint32 {
	switch {
	case w == nil:
		return 0
	case due < w.start:
		return 1
	}
	return 2 + uint32(min((due-w.start)/BinWidth, time.Duration(maxBins-1)))
}

func (w *windows) bin(i uint32) *windowBin {
	w.bins = grown(w.bins, int(i))
	return &w.bins[i]
}

// add counts n commands of a class that were due in a bin.
func (w *windows) add(c class, bin uint32, n int64) {
	if w != nil && bin > 0 {
		w.bin(bin).classes[c] += int32(n)
	}
}

// outcome takes the end of an operation.
func (w *windows) outcome(o Outcome) {
	if w == nil {
		return
	}
	b := w.bin(w.binOf(o.Due))
	b.ended[o.Status]++
	if o.Status != OK || o.Bulk {
		return
	}
	if o.Accepted > 0 {
		b.latency[AcceptedStage] = countBucket(b.latency[AcceptedStage], bucketOf(o.Accepted-o.Due))
	}
	if o.Answered > 0 {
		b.latency[AnsweredStage] = countBucket(b.latency[AnsweredStage], bucketOf(o.Answered-o.Due))
	}
}

// close returns the windows of a cell that had the given faults.
func (w *windows) close(warmup time.Duration, faults []Fault) map[string]*Window {
	all := make(map[string]*Window)
	for i := 1; i < len(w.bins); i++ {
		due, width := time.Duration(0), warmup
		if i > 1 {
			due, width = warmup+time.Duration(i-2)*BinWidth, BinWidth
		}
		name := WindowAt(due, warmup, faults)
		if i == 1 {
			name = WarmUpWindow // even if there was none, and something was due a moment early
		}
		if all[name] == nil {
			all[name] = &Window{Latency: make(map[string]*Hist)}
		}
		all[name].take(&w.bins[i], width)
	}
	return all
}

// take adds a bin.
func (w *Window) take(b *windowBin, width time.Duration) {
	w.For += width
	for s, n := range b.ended {
		w.Counts.addN(Status(s), int64(n))
	}
	for c := range numClasses {
		*w.Accounting.of(c) += int64(b.classes[c])
	}
	for stage, buckets := range b.latency {
		if len(buckets) == 0 {
			continue
		}
		name := Stage(stage).String()
		if w.Latency[name] == nil {
			w.Latency[name] = NewCoarseHist()
		}
		for _, c := range buckets {
			w.Latency[name].recordN(bucketMiddle(c.bucket), int64(c.n))
		}
	}
}

// A bucketCount is how many latencies of a bin were in a bucket. A bin holds few
// latencies; a list of those buckets that are not empty is far smaller than a
// histogram.
type bucketCount struct{ bucket, n uint16 }

// countBucket adds one to a bucket of a list in ascending order.
func countBucket(list []bucketCount, bucket uint16) []bucketCount {
	i, found := slices.BinarySearchFunc(list, bucket, func(c bucketCount, b uint16) int {
		return int(c.bucket) - int(b)
	})
	if !found {
		return slices.Insert(list, i, bucketCount{bucket, 1})
	}
	if list[i].n < 1<<16-1 {
		list[i].n++
	}
	return list
}

// Every power of two, counted in microseconds, has 1<<bucketBits buckets, so that
// the middle of one is at most 0.8 % from any value in it.
const bucketBits = 6

// bucketOf returns the bucket of a latency.
func bucketOf(d time.Duration) uint16 {
	us := uint64(min(max(d, 0), highest) / time.Microsecond)
	exponent := max(bits.Len64(us)-bucketBits-1, 0)
	return uint16(exponent<<bucketBits + int(us>>exponent))
}

// bucketMiddle returns the latency in the middle of a bucket.
func bucketMiddle(b uint16) time.Duration {
	exponent := max(int(b>>bucketBits)-1, 0)
	us := uint64(b) - uint64(exponent)<<bucketBits
	return time.Duration(us<<exponent)*time.Microsecond + time.Duration(1<<exponent)*time.Microsecond/2
}
