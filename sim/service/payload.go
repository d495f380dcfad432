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
	if len(b) < MinPayload {
		return 0, false
	}
	n := len(b) - 4
	return binary.LittleEndian.Uint64(b), checksum(b[:n]) == binary.LittleEndian.Uint32(b[n:])
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
