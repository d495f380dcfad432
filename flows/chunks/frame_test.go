package chunks_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flowbench/flows/chunks"
)

// frames returns one frame of each kind, with all that it carries.
func frames() []chunks.Frame {
	return []chunks.Frame{
		{Kind: chunks.Opening, Stream: 1, Size: 100, ChunkBytes: 10, Address: "inbox.1"},
		{Kind: chunks.Opening, Stream: 1, Size: chunks.UnknownSize, ChunkBytes: chunks.MaxChunk},
		{Kind: chunks.Want, Stream: 1, Attempt: 2, Address: "inbox.2", Next: 3, Limit: 9, Missing: []uint64{3, 5, 8}},
		{Kind: chunks.Done, Stream: 1, Attempt: 2, Address: "inbox.2"},
		{Kind: chunks.Left, Stream: 1, Attempt: 2, Address: strings.Repeat("a", 255)},
		{Kind: chunks.Refusal, Stream: 1, Attempt: 2, Address: "inbox.2", Reason: chunks.Corrupted},
		{Kind: chunks.Chunk, Stream: 1, Attempt: 2, Seq: 7, Last: true, End: 75, Hash: 42, Data: []byte("hello")},
		{Kind: chunks.Hold, Stream: 1, Attempt: 2},
		{Kind: chunks.Probe, Stream: 1, Attempt: 2, Address: "inbox.1"},
		{Kind: chunks.Abort, Stream: 1, Attempt: 2, Reason: chunks.Gone},
	}
}

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	for _, f := range frames() {
		got, err := chunks.Parse(f.Bytes())
		if diff := cmp.Diff(f, got, cmpopts.IgnoreUnexported(chunks.Frame{})); diff != "" || err != nil {
			t.Errorf("kind %d: %v %s", f.Kind, err, diff)
		}
		if f.Kind.ToSender() && f.Kind.ToReceiver() {
			t.Errorf("kind %d goes to both ends", f.Kind)
		}
	}
}

func TestAChunkHasItsHeadBeforeItsData(t *testing.T) {
	for _, n := range []int{0, 1, 1 << 16} {
		f := chunks.Frame{Kind: chunks.Chunk, Stream: 1, Attempt: 2, End: uint64(n), Data: make([]byte, n)}
		if got := len(f.Bytes()); got != chunks.Head+n {
			t.Errorf("%d bytes of a body are %d as a chunk; want %d more", n, got, chunks.Head)
		}
	}
}

func TestAFrameWithAnyByteChangedOrMissingIsRefused(t *testing.T) {
	for _, f := range frames() {
		b := f.Bytes()
		for i := range b {
			other := bytes.Clone(b)
			other[i] ^= 0x10
			if _, err := chunks.Parse(other); err == nil {
				t.Errorf("kind %d: byte %d changed, and it is read", f.Kind, i)
			}
			if _, err := chunks.Parse(b[:i]); err == nil {
				t.Errorf("kind %d: cut after %d bytes, and it is read", f.Kind, i)
			}
		}
	}
}

func TestDataIsExaminedByWhoWantsToKnow(t *testing.T) {
	f := chunks.Frame{Kind: chunks.Chunk, Stream: 1, Attempt: 2, End: 5, Data: []byte("hello")}
	b := f.Bytes()
	got, err := chunks.ParseHead(b)
	if err != nil || !got.Intact() {
		t.Errorf("%v, intact %t; want a frame that is", err, got.Intact())
	}
	b[len(b)-1] ^= 1
	got, err = chunks.ParseHead(b)
	if err != nil || got.Intact() || got.Intact() {
		t.Errorf("%v, intact %t; want a frame that is not, asked twice", err, got.Intact())
	}
	for i := range chunks.Head {
		other := bytes.Clone(b)
		other[i] ^= 0x10
		if _, err := chunks.ParseHead(other); err == nil {
			t.Errorf("byte %d of the head changed, and it is read", i)
		}
	}
}

func TestNumbersOutOfBoundsAreRefused(t *testing.T) {
	for _, f := range []chunks.Frame{
		{Kind: chunks.Opening, Size: -2, ChunkBytes: 1},
		{Kind: chunks.Opening, Size: 1, ChunkBytes: 0},
		{Kind: chunks.Opening, Size: 1, ChunkBytes: chunks.MaxChunk + 1},
		{Kind: chunks.Want, Next: 2, Limit: 1},
		{Kind: chunks.Want, Next: 0, Limit: chunks.MaxWindow + 1},
		{Kind: chunks.Want, Next: 1, Limit: 1 << 60},
		{Kind: chunks.Want, Next: 2, Limit: 4, Missing: []uint64{1}},
		{Kind: chunks.Want, Next: 2, Limit: 4, Missing: []uint64{4}},
		{Kind: chunks.Want, Next: 2, Limit: 4, Missing: []uint64{3, 2}},
		{Kind: chunks.Want, Limit: 1000, Missing: make([]uint64, chunks.MaxMissing+1)},
		{Kind: chunks.Chunk, Seq: 1 << 60},
		{Kind: chunks.Chunk, End: 1, Data: []byte("more")},
		{Kind: chunks.Abort},
		{Kind: chunks.Refusal, Reason: 200},
		{Kind: 0}, {Kind: 77},
	} {
		if got, err := chunks.Parse(f.Bytes()); err == nil {
			t.Errorf("%+v is read", got)
		}
	}
}

func TestReasonsAreToldInWords(t *testing.T) {
	seen := make(map[string]bool)
	for r := chunks.Gone; r <= chunks.Dropped; r++ {
		if seen[r.String()] || r.String() == "" {
			t.Errorf("reason %d is told as %q", r, r)
		}
		seen[r.String()] = true
	}
	if chunks.Reason(99).String() != "an unknown reason" {
		t.Error("a reason that is none has words")
	}
}

// FuzzParse feeds the decoder what anybody may send. What it reads, it must have
// written itself.
func FuzzParse(f *testing.F) {
	for _, frame := range frames() {
		f.Add(frame.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := chunks.Parse(b)
		head, headErr := chunks.ParseHead(b)
		if readable := headErr == nil && head.Intact(); readable != (err == nil) {
			t.Errorf("% x is read with %v, its head with %v", b, err, headErr)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(frame.Bytes(), b) {
			t.Errorf("% x is read as %+v, which is written as % x", b, frame, frame.Bytes())
		}
	})
}

// FuzzHeader is FuzzParse behind the checksum, which a fuzzer hardly finds.
func FuzzHeader(f *testing.F) {
	for _, frame := range frames() {
		b := frame.Bytes()
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = chunks.Seal(b)
		frame, err := chunks.Parse(b)
		if err == nil && !bytes.Equal(frame.Bytes(), b) {
			t.Errorf("% x is read as %+v, which is written as % x", b, frame, frame.Bytes())
		}
	})
}
