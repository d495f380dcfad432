package results

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The cookies of the two layers of HdrHistogram's V2 encoding, with the word size
// that V2 always has.
const (
	plainCookie      = uint32(hdrhistogram.V2EncodingCookieBase) | 0x10
	compressedCookie = uint32(hdrhistogram.V2CompressedEncodingCookieBase) | 0x10
)

// An encoder writes histograms in HdrHistogram's compressed V2 encoding. The
// library writes the same format; a second of a run is eight histograms, though,
// and making a compressor for each of them is most of what that costs. An encoder
// keeps its compressor.
type encoder struct {
	plain      []byte
	compressed bytes.Buffer
	zlib       *zlib.Writer
}

func newEncoder() *encoder {
	e := new(encoder)
	e.zlib = zlib.NewWriter(&e.compressed)
	return e
}

// encode returns h as text.
func (e *encoder) encode(h *Hist) (string, error) {
	s := h.spread().Export()
	const plainHeader, compressedHeader = 40, 8
	e.plain = append(e.plain[:0], make([]byte, plainHeader)...)
	e.plain = appendCounts(e.plain, s.Counts)
	b := e.plain
	be := binary.BigEndian
	be.PutUint32(b[0:], plainCookie)
	be.PutUint32(b[4:], uint32(len(b)-plainHeader))
	be.PutUint32(b[12:], uint32(s.SignificantFigures))
	be.PutUint64(b[16:], uint64(s.LowestTrackableValue))
	be.PutUint64(b[24:], uint64(s.HighestTrackableValue))
	be.PutUint64(b[32:], math.Float64bits(1)) // counts are of whole units

	e.compressed.Reset()
	e.compressed.Write(make([]byte, compressedHeader))
	e.zlib.Reset(&e.compressed)
	if _, err := e.zlib.Write(b); err != nil {
		return "", fmt.Errorf("compress histogram: %w", err)
	}
	if err := e.zlib.Close(); err != nil {
		return "", fmt.Errorf("compress histogram: %w", err)
	}
	out := e.compressed.Bytes()
	be.PutUint32(out[0:], compressedCookie)
	be.PutUint32(out[4:], uint32(len(out)-compressedHeader))
	return base64.StdEncoding.EncodeToString(out), nil
}

// appendCounts appends counts as ZigZag LEB128 numbers, of which a negative one
// stands for so many zeros. (Beyond 2^55 HdrHistogram's numbers differ from Go's
// varints in their last byte; no count gets there.) What follows the last count that is not zero is left
// out.
func appendCounts(b []byte, counts []int64) []byte {
	used := len(counts)
	for used > 0 && counts[used-1] == 0 {
		used--
	}
	for counts = counts[:used]; len(counts) > 0; {
		zeros := slices.IndexFunc(counts, func(n int64) bool { return n != 0 })
		if zeros == 0 {
			b = binary.AppendVarint(b, counts[0])
			counts = counts[1:]
			continue
		}
		if zeros == 1 {
			b = append(b, 0)
		} else {
			b = binary.AppendVarint(b, int64(-zeros))
		}
		counts = counts[zeros:]
	}
	return b
}
