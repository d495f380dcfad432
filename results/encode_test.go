package results

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTheLibraryReadsWhatTheEncoderWrites also uses one encoder for all
// histograms, as recorders do.
func TestTheLibraryReadsWhatTheEncoderWrites(t *testing.T) {
	e := newEncoder()
	rapid.Check(t, func(t *rapid.T) {
		h := NewCoarseHist()
		if rapid.Bool().Draw(t, "fine") {
			h = NewHist()
		}
		for _, v := range rapid.SliceOfN(rapid.Int64Range(0, int64(highest)), 1, 50).Draw(t, "values") {
			for range rapid.IntRange(1, 200).Draw(t, "times") {
				h.Record(time.Duration(v))
			}
		}
		s, err := e.encode(h)
		if err != nil {
			t.Fatal(err)
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got Hist
		if err := got.UnmarshalJSON(quoted); err != nil {
			t.Fatal(err)
		}
		if !got.spread().Equals(h.h) || got.N() != h.N() || got.Max() != h.Max() || got.Min() != h.Min() {
			t.Errorf("got n %d, from %v to %v; want n %d, from %v to %v",
				got.N(), got.Min(), got.Max(), h.N(), h.Min(), h.Max())
		}
	})
}
