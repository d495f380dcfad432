package service

import (
	"encoding/binary"
	"hash/crc32"
)

// Payloads are bytes that can be recognized: the id of the operation that they
// belong to, a filling that follows from it, and a checksum over both. So every
// receiver can tell on the spot whether what it got is what was sent, however
// large it is and whatever carried it.

// MinPayload is the size of the smallest payload: an id and a checksum.
const MinPayload = 12

// NewPayload returns a payload of the given size, at least [MinPayload], for an
// operation.
func NewPayload(op uint64, size int) []byte {
	b := make([]byte, max(size, MinPayload))
	binary.LittleEndian.PutUint64(b, op)
	body := b[8 : len(b)-4]
	x := op
	for len(body) >= 8 {
		// A Weyl sequence with the finalizer of SplitMix64 (Steele, Lea, Flood 2014):
		// bytes that do not compress, at memory speed.
		x += 0x9e3779b97f4a7c15
		z := x
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.LittleEndian.PutUint64(body, z^z>>31)
		body = body[8:]
	}
	for i := range body {
		body[i] = byte(op >> (8 * i))
	}
	binary.LittleEndian.PutUint32(b[len(b)-4:], checksum(b[:len(b)-4]))
	return b
}

// CheckPayload returns the operation that b was made for. ok is false if b is
// not a payload, or not as it was made.
func CheckPayload(b []byte) (op uint64, ok bool) {
	var c payloadCheck
	c.take(b)
	return c.judge()
}

// A payloadCheck checks a payload that comes in pieces.
type payloadCheck struct {
	bytes int64
	head  [8]byte // the id
	tail  [4]byte // the latest bytes, which may be the checksum
	sum   uint32  // of all before tail
}

// take takes the next piece.
func (c *payloadCheck) take(p []byte) {
	if c.bytes < int64(len(c.head)) {
		copy(c.head[c.bytes:], p)
	}
	before := min(c.bytes, int64(len(c.tail)))
	c.bytes += int64(len(p))
	if len(p) >= len(c.tail) {
		c.add(c.tail[:before])
		c.add(p[:len(p)-len(c.tail)])
		copy(c.tail[:], p[len(p)-len(c.tail):])
		return
	}
	// A piece so small pushes out as many of the latest bytes as there is no room for.
	latest := append(append(make([]byte, 0, 2*len(c.tail)), c.tail[:before]...), p...)
	out := max(0, len(latest)-len(c.tail))
	c.add(latest[:out])
	copy(c.tail[:], latest[out:])
}

func (c *payloadCheck) add(p []byte) { c.sum = summed(c.sum, p) }

// judge returns the operation that the payload was made for, once all of it has
// been taken.
func (c *payloadCheck) judge() (op uint64, ok bool) {
	if c.bytes < MinPayload {
		return 0, false
	}
	return binary.LittleEndian.Uint64(c.head[:]), c.sum == binary.LittleEndian.Uint32(c.tail[:])
}

func checksum(b []byte) uint32 { return summed(0, b) }

// breath is after how many bytes others may have the processor. What sums up bytes is
// assembly, which cannot be interrupted: over 64 MiB at once it would hold up
// everything else in the process for as long as it takes, the generator included.
const breath = 64 << 10

// summed adds bytes to a checksum, CRC-32 as in Ethernet and zip, which the library
// computes about as fast as bytes come from memory.
func summed(sum uint32, b []byte) uint32 {
	for len(b) > breath {
		sum = crc32.Update(sum, crc32.IEEETable, b[:breath])
		b = b[breath:]
	}
	return crc32.Update(sum, crc32.IEEETable, b)
}
