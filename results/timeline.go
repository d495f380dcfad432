package results

import "time"

// maxBins bounds a timeline to eight hours. What comes later is in it no more.
const maxBins = int(8 * time.Hour / BinWidth)

// A timelineRecorder fills a [Timeline]. It is not safe for concurrent use.
type timelineRecorder struct {
	origin time.Duration
	line   *Timeline
	tails  map[int]*Hist // of tails that operations may still be added to
	spare  []*Hist
	closed int // tails below have their quantile
	read   meterReading
}

func newTimelineRecorder(origin time.Duration) *timelineRecorder {
	return &timelineRecorder{origin: origin, line: &Timeline{}, tails: make(map[int]*Hist)}
}

// bin returns the bin of a time on the runtime's clock, and false for those that
// have none.
func (r *timelineRecorder) bin(at time.Duration) (int, bool) {
	i := int((at - r.origin) / BinWidth)
	return i, at >= r.origin && i < maxBins
}

// count adds one to the bin of a time.
func (r *timelineRecorder) count(bins *[]int32, at time.Duration) {
	if i, ok := r.bin(at); ok {
		*bins = grown(*bins, i)
		(*bins)[i]++
	}
}

// grown returns s, longer if need be, so that it has an element i.
func grown[T any](s []T, i int) []T {
	for len(s) <= i {
		var none T
		s = append(s, none)
	}
	return s
}

// outcome takes the end of an operation.
func (r *timelineRecorder) outcome(o Outcome) {
	r.count(&r.line.Due, o.Due)
	if o.Kind == Command && told(o) {
		r.count(&r.line.Told, acknowledgedAt(o))
	}
	if o.Status != OK {
		r.count(&r.line.Bad, max(o.Ended, o.Due))
		return
	}
	r.count(&r.line.OK, o.Due)
	end := max(o.Ended, o.Due)
	r.count(&r.line.Done, end)
	if o.Bulk {
		return // it takes its time whether or not anything is wrong
	}
	if i, ok := r.bin(end); ok {
		r.line.Slowest = grown(r.line.Slowest, i)
		r.line.Slowest[i] = max(r.line.Slowest[i], end-o.Due)
	}
	i, ok := r.bin(o.Due)
	if i /= int(TailWidth / BinWidth); !ok || i < r.closed {
		return
	}
	if r.tails[i] == nil {
		if n := len(r.spare); n > 0 {
			r.tails[i], r.spare = r.spare[n-1], r.spare[:n-1]
		} else {
			r.tails[i] = NewCoarseHist()
		}
	}
	r.tails[i].Record(end - o.Due)
}

// closeTails computes the quantiles of the tails that ended before a time.
func (r *timelineRecorder) closeTails(before time.Duration) {
	for until := int((before - r.origin) / TailWidth); r.closed < until && r.closed < maxBins; r.closed++ {
		p99 := time.Duration(-1)
		if h := r.tails[r.closed]; h != nil {
			p99 = h.Quantile(0.99)
			h.Reset()
			r.spare = append(r.spare, h)
			delete(r.tails, r.closed)
		}
		r.line.P99 = append(r.line.P99, p99)
	}
}

// close completes the timeline: all its bins are there, up to the last in which
// anything happened.
func (r *timelineRecorder) close() *Timeline {
	l := r.line
	n := max(len(l.Due), len(l.OK), len(l.Done), len(l.Bad), len(l.Told), len(l.Applied), len(l.Slowest))
	if n > 0 {
		for _, bins := range []*[]int32{&l.Due, &l.OK, &l.Done, &l.Bad, &l.Told, &l.Applied} {
			*bins = grown(*bins, n-1)
		}
		l.Slowest = grown(l.Slowest, n-1)
	}
	for _, bins := range []*[]int32{&l.Messages, &l.Redelivered, &l.Requests} {
		switch {
		case !r.read.taken:
			*bins = nil
		case n > 0:
			*bins = grown(*bins, n-1)[:n]
		}
	}
	r.closeTails(r.origin + time.Duration(n)*BinWidth + TailWidth)
	return l
}
