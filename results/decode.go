package results

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mostPlain bounds an inflated histogram of a second. What is longer is none of a
// recorder's.
const mostPlain = 64 << 10

// mostPlaces is more than it has buckets, and so few that their values are numbers.
const mostPlaces = 1 << 12

// A decoder reads the histograms of seconds in HdrHistogram's compressed V2 encoding. A
// run of ten minutes has five thousand of them for each cell, and making a decompressor
// for each is most of what reading them costs: a decoder keeps its own, and what it
// reads into. All that is not as recorders write it is left to the library, which also
// says what is wrong with it. It is not safe for concurrent use.
type decoder struct {
	text, packed []byte
	in           bytes.Reader
	zlib         io.ReadCloser // nil before the first
	plain        bytes.Buffer
	hist         *hdrhistogram.PackedHistogram // what is being read; those that are kept are as small as they can be
}

func newDecoder() *decoder { return &decoder{hist: NewSum().packed} }

// decode reads what [encoder.encode] wrote.
func (d *decoder) decode(text string) (*Hist, error) {
	d.text = append(d.text[:0], text...)
	if d.inflate() == nil && d.fill() {
		return &Hist{packed: d.hist.Clone()}, nil
	}
	return decodeText(d.text)
}

// decodeText reads a histogram of any range and precision.
func decodeText(text []byte) (*Hist, error) {
	p, err := hdrhistogram.DecodePacked(text)
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	if p == nil {
		return nil, errors.New("decode histogram: it is empty")
	}
	return &Hist{packed: p}, nil
}

// errNotOurs says that a histogram is not as a recorder writes it.
var errNotOurs = errors.New("it is not as a recorder writes it")

// inflate reads the text into plain.
func (d *decoder) inflate() (err error) {
	if d.packed, err = base64.StdEncoding.AppendDecode(d.packed[:0], d.text); err != nil {
		return err
	}
	const header = 8
	be := binary.BigEndian
	if len(d.packed) < header || be.Uint32(d.packed) != compressedCookie ||
		be.Uint32(d.packed[4:]) != uint32(len(d.packed)-header) {
		return errNotOurs
	}
	d.in.Reset(d.packed[header:])
	if d.zlib == nil {
		d.zlib, err = zlib.NewReader(&d.in)
	} else if again, ok := d.zlib.(zlib.Resetter); ok {
		err = again.Reset(&d.in, nil)
	}
	if err != nil {
		return err
	}
	d.plain.Reset()
	_, err = d.plain.ReadFrom(io.LimitReader(d.zlib, mostPlain))
	return err
}

// fill reads plain into hist. It reports false where it is not as a recorder writes it.
func (d *decoder) fill() bool {
	const header = 40
	b, be := d.plain.Bytes(), binary.BigEndian
	if len(b) < header || len(b) == mostPlain || be.Uint32(b) != plainCookie ||
		be.Uint32(b[4:]) != uint32(len(b)-header) || int64(be.Uint32(b[12:])) != d.hist.SignificantFigures() ||
		be.Uint64(b[16:]) != uint64(d.hist.LowestTrackableValue()) ||
		be.Uint64(b[24:]) != uint64(d.hist.HighestTrackableValue()) || be.Uint64(b[32:]) != math.Float64bits(1) {
		return false
	}
	d.hist.Reset()
	var count int64
	var n int
	place := 0
	for b = b[header:]; len(b) > 0; place++ {
		if count, n = binary.Varint(b); n <= 0 || count >= 1<<54 || count <= -mostPlaces || place >= mostPlaces {
			return false
		}
		b = b[n:]
		if count < 0 {
			place -= int(count) + 1
			continue
		}
		if d.hist.RecordValues(valueAt(place), count) != nil {
			return false
		}
	}
	return count >= 0 // what follows the last count is left out
}

// valueAt returns the lowest value of the bucket at a place in a histogram of two
// significant digits. See Tene's HdrHistogram, valueFromIndex.
func valueAt(place int) int64 {
	const half, halfBits = 128, 7 // of the buckets of each power of two, of which the lower half is used once
	unit := bits.Len64(uint64(lowest)) - 1
	octave, within := place>>halfBits-1, place&(half-1)+half
	if octave < 0 {
		octave, within = 0, within-half
	}
	return int64(within) << (octave + unit)
}
