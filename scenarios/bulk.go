package scenarios

import "slices"

// A Bulk is what sets a few commands apart from all others: their payload is
// large. Whatever carries both shows what that does to the small ones.
//
// Which operations are to be large depends on their numbers alone. One at a time
// is, though, so that what a cell needs of memory does not grow with how slow it
// is: an operation that is due to be large while another one is under way is what
// it would have been without any of this, and is counted.
type Bulk struct {
	Bytes   int      `json:"bytes"`
	Every   int      `json:"every"`   // operations; the last of so many is a large one
	Timeout Duration `json:"timeout"` // of the client of a large one
}

const (
	bulkBytes   = "payloads.bulk.bytes"
	bulkEvery   = "payloads.bulk.every"
	bulkTimeout = "payloads.bulk.timeout"
)

func (s *Scenario) bulkSettings() []setting {
	b := &Bulk{Timeout: 30 * second}
	s.Payloads.Bulk = b
	return []setting{
		{key: "bytes", required: true, value: size{&b.Bytes, kibibyte, maxPayload},
			about: "size of a large payload; more than that of the others"},
		{key: "every", required: true, value: whole{&b.Every, 2, 1_000_000},
			about: "every so-manieth operation, the warm-up's counted, is a command with a large payload, of a key " +
				"that no other asks for; while one is under way, those that are due are small instead"},
		{key: "timeout", value: span{&b.Timeout, millisecond, hour},
			about: "how long a client waits for a large one; at most drain"},
	}
}

// agreeBulk reports settings of large payloads that contradict others.
func (s *Scenario) agreeBulk(r *reader) {
	l, b := &s.Load, s.Payloads.Bulk
	if b == nil {
		return
	}
	others := l.PayloadBytes
	if len(s.Payloads.Bytes) > 0 {
		others = slices.Max(s.Payloads.Bytes)
	}
	if b.Bytes > 0 && b.Bytes <= others && r.sound(bulkBytes, payloadBytes, sizesPath) {
		r.add(r.where(bulkBytes), "%s %s are not more than the %s of the other payloads; want more",
			bulkBytes, formatSize(b.Bytes), formatSize(others))
	}
	if b.Timeout > l.Drain && r.sound(bulkTimeout, "drain") {
		r.add(r.where(bulkTimeout, "drain"), "%s %s is longer than drain %s, which the last operations need to end "+
			"in; want at most as long", bulkTimeout, b.Timeout, l.Drain)
	}
	span := l.Warmup + l.Duration
	if n := l.RatePerS * span.seconds(); l.Arrivals != Closed && n < float64(b.Every) &&
		r.sound(bulkEvery, "load.rate_per_s", "warmup", "duration") {
		r.add(r.where(bulkEvery), "%s %d is more than the %.0f operations of a cell, and none would be large; "+
			"want less", bulkEvery, b.Every, n)
	}
}

// Large reports whether operation number i of a cell is to have a large payload.
func (c *Cell) Large(i uint64) bool { return c.Bulk != nil && i%uint64(c.Bulk.Every) == 0 }

// LargestPayload returns the size of the largest payload of a cell.
func (c *Cell) LargestPayload() int {
	if c.Bulk == nil {
		return c.Load.PayloadBytes
	}
	return max(c.Load.PayloadBytes, c.Bulk.Bytes)
}

// Patience returns how long clients wait for an operation, whichever it is.
func (c *Cell) Patience() Duration {
	if c.Bulk == nil {
		return c.Load.Timeout
	}
	return max(c.Load.Timeout, c.Bulk.Timeout)
}

// Keys returns how many keys the operations of a cell have. Large commands have
// the last one to themselves: what they write would else be the answer of queries
// that are to be small.
func (c *Cell) Keys() int {
	if c.Bulk == nil {
		return c.Load.Keys
	}
	return c.Load.Keys + 1
}

// BulkKey returns the number of the key that large commands concern.
func (c *Cell) BulkKey() int { return c.Load.Keys }
