package results

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWhatWasReadSaysWhatWasWritten holds histograms against themselves after they
// were written and read: they are kept in another way then.
func TestWhatWasReadSaysWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.SliceOfN(rapid.Int64Range(-1, int64(2*highest)), 0, 60)
		h := rapid.SampledFrom([]func() *Hist{NewHist, NewCoarseHist}).Draw(t, "kind")()
		for _, v := range draw.Draw(t, "values") {
			h.Record(time.Duration(v))
		}
		b, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var read Hist
		if err := json.Unmarshal(b, &read); err != nil {
			t.Fatal(err)
		}
		alike(t, h, &read)
		again, err := json.Marshal(&read)
		if err != nil || string(again) != string(b) {
			t.Fatalf("it is written as %s, %v; want %s", again, err, b)
		}
		sum, other := NewCoarseHist(), NewCoarseHist()
		sum.Merge(h)
		other.Merge(&read)
		alike(t, sum, other)
		more := rapid.Int64Range(0, int64(highest)).Draw(t, "more")
		h.Record(time.Duration(more))
		read.Record(time.Duration(more))
		alike(t, h, &read)
	})
}

func alike(t *rapid.T, want, got *Hist) {
	t.Helper()
	if w, g := slices.Collect(want.Buckets()), slices.Collect(got.Buckets()); !slices.Equal(w, g) {
		t.Fatalf("its buckets are %v; want %v", g, w)
	}
	if want.N() != got.N() || want.Max() != got.Max() || want.Min() != got.Min() || want.Mean() != got.Mean() {
		t.Fatalf("it is %d of %v to %v; want %d of %v to %v", got.N(), got.Min(), got.Max(), want.N(), want.Min(),
			want.Max())
	}
	for _, p := range []float64{0, 0.1, 0.5, 0.99, 0.999, 1} {
		if w, g := want.Quantile(p), got.Quantile(p); w != g {
			t.Fatalf("quantile %v is %v; want %v", p, g, w)
		}
	}
}
