package plot

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unpack reads what was packed as the script of a page does.
func unpack(t *rapid.T, b []byte) []float64 {
	t.Helper()
	var list []float64
	if json.Unmarshal(b, &list) == nil {
		return list
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	head, pairs, _ := strings.Cut(s[1:], ":")
	base, err := strconv.ParseFloat(head, 64)
	if err != nil || len(pairs)%2 != 0 {
		t.Fatalf("%q is not packed: %v", s, err)
	}
	for ; pairs != ""; pairs = pairs[2:] {
		n := float64(64*strings.IndexByte(heatAlphabet, pairs[0]) + strings.IndexByte(heatAlphabet, pairs[1]))
		switch {
		case s[0] == 'w':
			n += base
		case n > 0:
			power := base + math.Floor((n-1)/mantissas)
			n = (100 + math.Mod(n-1, mantissas)) * math.Pow10(int(power))
		}
		list = append(list, n)
	}
	return list
}

func TestPackedNumbersAreThoseThatWerePacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.SampledFrom([]float64{1, 100, 5000, 1e7}).Draw(t, "span")
		least := rapid.SampledFrom([]float64{-50, 0, 0.003, 99.96, 1e5}).Draw(t, "least")
		all := rapid.SliceOfN(rapid.Float64Range(least, least+span), 0, 40).Draw(t, "values")
		whole, err := json.Marshal(wholes(all))
		if err != nil {
			t.Fatal(err)
		}
		three, err := json.Marshal(digits(all))
		if err != nil {
			t.Fatal(err)
		}
		w, d := unpack(t, whole), unpack(t, three)
		if len(w) != len(all) || len(d) != len(all) {
			t.Fatalf("there are %d and %d numbers; want %d", len(w), len(d), len(all))
		}
		for i, v := range all {
			if w[i] != math.Round(v) {
				t.Errorf("%v is packed as %v; want %v", v, w[i], math.Round(v))
			}
			if off := math.Abs(d[i] - max(v, 0)); off > 0.0050001*math.Abs(max(v, 0)) {
				t.Errorf("%v is packed as %v; want three digits of it", v, d[i])
			}
		}
	})
}

func TestALongListIsPackedWithTwoCharactersForEachNumber(t *testing.T) {
	all := make([]float64, 500)
	for i := range all {
		all[i] = float64(1000 + i*7)
	}
	for _, list := range []json.Marshaler{wholes(all), digits(all)} {
		b, err := list.MarshalJSON()
		if err != nil || len(b) > 2*len(all)+12 {
			t.Errorf("%d numbers are %d bytes, %v; want two for each", len(all), len(b), err)
		}
	}
}

// TestAShortenedPathLeadsThroughTheSamePoints writes by hand what a path must become.
func TestAShortenedPathLeadsThroughTheSamePoints(t *testing.T) {
	for name, c := range map[string][2]string{
		"from point to point":      {"M100,200L103,204L103,210L110,210", "M100,200l3,4v6h7"},
		"without zeros":            {"M0.5,0.52L1.25,0.5", "M.5,.5h.8"},
		"without commas":           {"M10,10L12,8", "M10,10l2-2"},
		"on from where it was":     {"M100,200L100,210M110,200L110,210", "M100,200v10m10-10v10"},
		"anew after an area":       {"M10,10L20,10L20,20ZM100,10L120,10", "M10,10h10v10zM100,10h20"},
		"as it is if it is curved": {"M1,1C2,2,3,3,4,4", "M1,1C2,2,3,3,4,4"},
	} {
		if got := shortPath(c[0]); got != c[1] {
			t.Errorf("%s: %s becomes %s; want %s", name, c[0], got, c[1])
		}
	}
}
