package chunks

import (
	"encoding/binary"
	"slices"
)

// Seal returns b with the checksums that make it pass for a frame.
func Seal(b []byte) []byte {
	b = slices.Clone(b)
	if len(b) < chunkHead || Kind(b[2]) != Chunk {
		return binary.BigEndian.AppendUint32(b, checksum(b))
	}
	head, data := b[:chunkHead], b[chunkHead:]
	binary.BigEndian.PutUint32(head[chunkHead-trailer:], checksum(data))
	sealed := binary.BigEndian.AppendUint32(slices.Clone(head), checksum(head))
	return append(sealed, data...)
}

// Forget has the checksum of the data computed again, since that was changed.
func (f *Frame) Forget() { f.summed = false }

// Checksum is what frames are checked by.
func Checksum(b []byte) uint32 { return checksum(b) }
