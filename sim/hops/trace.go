package hops

import (
	"strconv"

	"flowbench/sim/edge"
)

// identity returns the trace of an operation and the span that its messages name as
// their parent. None is zero, as the W3C's Trace Context demands.
func (r *Recorder) identity(op uint64) (hi, lo, span uint64) {
	some := func(z uint64) uint64 {
		if z = mix(z); z == 0 {
			return 1
		}
		return z
	}
	hi = some(r.config.Seed ^ mix(op))
	lo = some(hi ^ op)
	return hi, lo, some(lo)
}

// traceparent returns the header of an operation as the W3C's Trace Context writes
// it: version, trace, parent, and whether it is followed.
func (r *Recorder) traceparent(op uint64, sampled bool) string {
	hi, lo, span := r.identity(op)
	flags := "-00"
	if sampled {
		flags = "-01"
	}
	return "00-" + edge.FormatID(hi) + edge.FormatID(lo) + "-" + edge.FormatID(span) + flags
}

func partyName(role string, n int) string { return role + "-" + strconv.Itoa(n) }
