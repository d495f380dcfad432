package chunks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A Kind says what a frame is.
type Kind byte

// The kinds of frames, and who sends them to whom.
const (
	Opening Kind = iota + 1 // sender: there is a body, and this is where to ask for it

	Want    // receiver: this is what I have, what I miss, and how far you may go
	Done    // receiver: the message has been dealt with
	Left    // receiver: I am no longer at it
	Refusal // receiver: I cannot take this body

	Chunk // sender: a part of the body
	Hold  // sender: I have heard you, and there is nothing to send now
	Probe // sender: where are you?
	Abort // sender: there will be no more
)

// ToSender reports whether frames of the kind go to senders. An opening goes to
// neither: it travels in the place of the body.
func (k Kind) ToSender() bool { return k >= Want && k <= Refusal }

// ToReceiver reports whether frames of the kind go to receivers.
func (k Kind) ToReceiver() bool { return k >= Chunk && k <= Abort }

// A Reason says why a stream ended early.
type Reason byte

// The reasons.
const (
	Gone      Reason = iota + 1 // the sender knows nothing of it any more, or no longer has the beginning
	Dealt                       // somebody else has dealt with the message
	Broken                      // what the sender read the body from broke off
	Silent                      // nothing was heard for too long
	Corrupted                   // the bytes are not what they should be
	TooLarge                    // there is no room for it
	Dropped                     // whoever read it has gone, and nobody else will come
	numReasons
)

// String returns the reason in words.
func (r Reason) String() string {
	words := [...]string{
		"no reason", "the sender has given it up", "another receiver has dealt with the message",
		"the body broke off at its source", "nothing was heard for too long", "the bytes are corrupt",
		"it is too large for the receiver's buffer", "its reader has gone",
	}
	if int(r) >= len(words) {
		return "an unknown reason"
	}
	return words[r]
}

// The bounds of frames. Brokers take messages of a mebibyte at least.
const (
	MaxChunk   = 1<<20 - 1<<12 // bytes of a chunk
	MaxWindow  = 1 << 12       // chunks
	MaxMissing = 64            // chunks that one want asks for again
	maxAddress = 255           // bytes
	maxSeq     = 1 << 40
)

// UnknownSize is the size of a body that comes from a reader.
const UnknownSize = -1

// A Frame is one message of a stream. Which fields count depends on its kind.
type Frame struct {
	Kind    Kind
	Stream  uint64 // the sender's number for it
	Attempt uint64 // the receiver's number; of all but an opening

	Size       int64  // of an opening: bytes of the body, or UnknownSize
	ChunkBytes int    // of an opening: of each chunk but the last
	Address    string // where to reach whoever sends it; of all that receivers send, an opening and a probe

	Next    uint64   // of a want: the first chunk that is not there
	Limit   uint64   // of a want: the first chunk that must not be sent yet
	Missing []uint64 // of a want: chunks to be sent again, in order, from Next on and before Limit

	Seq  uint64 // of a chunk: its number, from 0
	Last bool   // of a chunk: no further one follows
	End  uint64 // of a chunk: bytes of the body up to and including it
	Hash uint64 // of a chunk: over all these bytes
	Data []byte // of a chunk

	// Of a chunk: the checksum of its data, where somebody has computed it already, or
	// has said what it should be. All bytes of a body are summed up once at each end,
	// for the frame and for the running hash.
	sum        uint32
	summed     bool
	unexamined bool // sum is what it should be

	Reason Reason // of an abort and a refusal
}

// The first bytes of every frame; the second is the version.
const (
	magic   = 0xf5
	version = 2
	trailer = 4 // bytes of the checksum

	chunkHead = 3 + 5*8 + 1 + 4 // bytes of a chunk before the checksum
)

// Head is how many bytes the message of a chunk has before its part of the body.
const Head = chunkHead + trailer

// Append appends f as bytes to b.
func (f *Frame) Append(b []byte) []byte {
	begin := len(b)
	b = append(b, magic, version, byte(f.Kind))
	b = binary.BigEndian.AppendUint64(b, f.Stream)
	if f.Kind != Opening {
		b = binary.BigEndian.AppendUint64(b, f.Attempt)
	}
	switch f.Kind {
	case Opening:
		b = binary.BigEndian.AppendUint64(b, uint64(f.Size))
		b = binary.BigEndian.AppendUint32(b, uint32(f.ChunkBytes))
		b = append(append(b, byte(len(f.Address))), f.Address...)
	case Want:
		b = append(append(b, byte(len(f.Address))), f.Address...)
		b = binary.BigEndian.AppendUint64(b, f.Next)
		b = binary.BigEndian.AppendUint64(b, f.Limit)
		b = append(b, byte(len(f.Missing)))
		for _, seq := range f.Missing {
			b = binary.BigEndian.AppendUint64(b, seq)
		}
	case Chunk:
		b = binary.BigEndian.AppendUint64(b, f.Seq)
		last := byte(0)
		if f.Last {
			last = 1
		}
		b = append(b, last)
		b = binary.BigEndian.AppendUint64(b, f.End)
		b = binary.BigEndian.AppendUint64(b, f.Hash)
		b = binary.BigEndian.AppendUint32(b, f.dataSum())
		b = binary.BigEndian.AppendUint32(b, checksum(b[begin:]))
		return append(b, f.Data...)
	case Abort:
		b = append(b, byte(f.Reason))
	case Refusal:
		b = append(append(b, byte(len(f.Address))), f.Address...)
		b = append(b, byte(f.Reason))
	case Done, Left, Probe:
		b = append(append(b, byte(len(f.Address))), f.Address...)
	case Hold:
	}
	return binary.BigEndian.AppendUint32(b, checksum(b[begin:]))
}

// Intact reports whether the data of a chunk is what its sender says. The data is
// summed up for that, unless it has been before.
func (f *Frame) Intact() bool {
	if f.unexamined && checksum(f.Data) == f.sum {
		f.unexamined = false
	}
	return !f.unexamined
}

// dataSum returns the checksum of the data of a chunk.
func (f *Frame) dataSum() uint32 {
	if !f.summed {
		f.sum, f.summed = checksum(f.Data), true
	}
	return f.sum
}

// Bytes returns f as bytes. There is room for all but the data of a chunk: what
// append then makes room for it does not have to be cleared first.
func (f *Frame) Bytes() []byte {
	return f.Append(make([]byte, 0, chunkHead+trailer+len(f.Address)+8*len(f.Missing)))
}

// chain returns the running hash of a body after one more chunk, of so many bytes
// and with that checksum. Each is mixed in by the finalizer of SplitMix64 (Steele,
// Lea, Flood 2014), so that a chunk that is missing, twice there, or in another's
// place shows in every hash after it. A longer hash over all bytes would cost as much
// as all else that a stream does.
func chain(before uint64, sum uint32, bytes int) uint64 {
	z := before + 0x9e3779b97f4a7c15 + uint64(sum)
	z ^= uint64(bytes) << 32
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// checksum is the CRC-32 of Ethernet and zip. The bytes of a payload come from memory
// and not from a cache, and from there the library reads them twice as fast for this one
// as for CRC-32C, whose instruction it feeds from three places at once.
func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

var (
	errNoFrame  = errors.New("not a frame of this version")
	errChecksum = errors.New("the checksum is wrong")
	errShort    = errors.New("it ends too early")
	errLong     = errors.New("there is more than should be")
	errBounds   = errors.New("a number is out of its bounds")
)

// Parse reads a frame. Its data is a part of b.
func Parse(b []byte) (Frame, error) {
	f, err := ParseHead(b)
	if err == nil && !f.Intact() {
		return Frame{}, fmt.Errorf("read frame: %w", errChecksum)
	}
	return f, err
}

// ParseHead is [Parse] without a look at the data of a chunk, which takes longer than
// all the rest. [Frame.Intact] and [Receiver.Handle] make up for it.
func ParseHead(b []byte) (Frame, error) {
	f, err := parse(b)
	if err != nil {
		return Frame{}, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}

func parse(b []byte) (f Frame, err error) {
	if len(b) < 3+trailer || b[0] != magic || b[1] != version {
		return f, errNoFrame
	}
	f.Kind = Kind(b[2])
	end := len(b) - trailer
	if f.Kind == Chunk { // its data stands behind the checksum of the rest, and has its own
		if end = chunkHead; len(b) < end+trailer {
			return f, errShort
		}
	}
	if checksum(b[:end]) != binary.BigEndian.Uint32(b[end:]) {
		return f, errChecksum
	}
	r := reader{rest: b[3:end]}
	f.Stream = r.uint64()
	if f.Kind != Opening {
		f.Attempt = r.uint64()
	}
	switch f.Kind {
	case Opening:
		f.Size, f.ChunkBytes, f.Address = int64(r.uint64()), int(r.uint32()), r.text()
		r.check(f.Size >= UnknownSize && f.ChunkBytes > 0 && f.ChunkBytes <= MaxChunk)
	case Want:
		f.Address, f.Next, f.Limit = r.text(), r.uint64(), r.uint64()
		r.check(f.Next <= f.Limit && f.Limit <= maxSeq && f.Limit-f.Next <= MaxWindow)
		f.Missing = r.missing(f.Next, f.Limit)
	case Done, Left, Probe:
		f.Address = r.text()
	case Chunk:
		f.Seq = r.uint64()
		last := r.byte()
		f.Last, f.End, f.Hash = last == 1, r.uint64(), r.uint64()
		f.sum, f.summed, f.unexamined, f.Data = r.uint32(), true, true, b[end+trailer:]
		r.check(last <= 1 && f.Seq < maxSeq && len(f.Data) <= MaxChunk && uint64(len(f.Data)) <= f.End)
	case Refusal, Abort:
		if f.Kind == Refusal {
			f.Address = r.text()
		}
		f.Reason = Reason(r.byte())
		r.check(f.Reason > 0 && f.Reason < numReasons)
	case Hold:
	default:
		return f, errNoFrame
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = errLong
	}
	return f, r.err
}

// A reader takes fields off a frame. After its first error it yields zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.rest) < n {
		if r.err == nil {
			r.err = errShort
		}
		return make([]byte, n) // n is a field's length, and small
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) text() string   { return string(r.take(int(r.byte()))) }

func (r *reader) missing(next, limit uint64) []uint64 {
	n := int(r.byte())
	r.check(n <= MaxMissing)
	if r.err != nil || n == 0 {
		return nil
	}
	list := make([]uint64, n)
	for i := range list {
		list[i] = r.uint64()
		r.check(list[i] >= next && list[i] < limit && (i == 0 || list[i] > list[i-1]))
	}
	return list
}

func (r *reader) check(ok bool) {
	if !ok && r.err == nil {
		r.err = errBounds
	}
}
