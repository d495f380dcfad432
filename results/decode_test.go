package results

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestADecoderReadsWhatTheLibraryReads uses one encoder and one decoder for all
// histograms, as recorders and readers do, and lets the library read the same.
func TestADecoderReadsWhatTheLibraryReads(t *testing.T) {
	e, d := newEncoder(), newDecoder()
	rapid.Check(t, func(t *rapid.T) {
		fine := rapid.Bool().Draw(t, "fine")
		h := NewCoarseHist()
		if fine {
			h = NewHist()
		}
		values := rapid.OneOf(rapid.Int64Range(0, int64(highest)), rapid.Int64Range(0, int64(time.Second)))
		for _, v := range rapid.SliceOfN(values, 0, 50).Draw(t, "values") {
			h.recordN(time.Duration(v), rapid.Int64Range(1, 1<<40).Draw(t, "times"))
		}
		text, err := e.encode(h)
		if err != nil {
			t.Fatal(err)
		}
		d.text = append(d.text[:0], text...)
		if own := d.inflate() == nil && d.fill(); own == fine {
			t.Fatalf("it is read by the decoder itself: %v; want %v", own, !fine)
		}
		got, err := d.decode(text)
		if err != nil {
			t.Fatal(err)
		}
		want, err := decodeText([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		alike(t, want, got)
	})
}

// TestWhatADecoderKeepsIsItsOwn reads one histogram after another.
func TestWhatADecoderKeepsIsItsOwn(t *testing.T) {
	e, d := newEncoder(), newDecoder()
	var kept []*Hist
	for i := range 3 {
		h := NewCoarseHist()
		h.recordN(time.Duration(i+1)*time.Millisecond, int64(i+1))
		text, err := e.encode(h)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.decode(text)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got)
	}
	for i, h := range kept {
		if h.N() != int64(i+1) {
			t.Errorf("histogram %d has %d values; want %d", i, h.N(), i+1)
		}
	}
}

// FuzzDecoder reads arbitrary text with a decoder that has read other text before: it
// says of it what the library does.
func FuzzDecoder(f *testing.F) {
	h := NewCoarseHist()
	h.Record(time.Millisecond)
	h.Record(highest)
	seed, err := newEncoder().encode(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-8])
	f.Add("HISTFAAAABx4")
	f.Add("")
	d := newDecoder()
	f.Fuzz(func(t *testing.T, text string) {
		got, err := d.decode(text)
		want, wantErr := decodeText([]byte(text))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("the decoder says %v; the library says %v", err, wantErr)
		}
		if err == nil && !slices.Equal(slices.Collect(got.Buckets()), slices.Collect(want.Buckets())) {
			t.Fatalf("the decoder reads other buckets than the library")
		}
	})
}
