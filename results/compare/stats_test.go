package compare

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestHolmIsThatOfThePaper(t *testing.T) {
	for _, tt := range []struct {
		name    string
		p, want []float64
	}{
		{"nothing", nil, []float64{}},
		{"one stays as it is", []float64{0.03}, []float64{0.03}},
		{"the smallest is multiplied by all", []float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}},
		{"none is above one", []float64{0.9, 0.8}, []float64{1, 1}},
		{"equal ones stay equal", []float64{0.01, 0.01}, []float64{0.02, 0.02}},
	} {
		got := holm(tt.p)
		for i := range got {
			if len(got) != len(tt.want) || math.Abs(got[i]-tt.want[i]) > 1e-12 {
				t.Errorf("%s: got %v; want %v", tt.name, got, tt.want)
				break
			}
		}
	}
}

// TestHolmHoldsItsProperties: adjusting keeps the order, never lowers, is between the
// value itself and Bonferroni's, and does not depend on the order in which it is asked.
func TestHolmHoldsItsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 30).Draw(t, "p")
		adjusted := holm(p)
		for i := range p {
			if adjusted[i] < p[i] || adjusted[i] > min(1, p[i]*float64(len(p))) {
				t.Fatalf("%v became %v of %d", p[i], adjusted[i], len(p))
			}
			for j := range p {
				if p[i] < p[j] && adjusted[i] > adjusted[j] {
					t.Fatalf("%v and %v changed their order: %v and %v", p[i], p[j], adjusted[i], adjusted[j])
				}
			}
		}
		backwards := slices.Clone(p)
		slices.Reverse(backwards)
		again := holm(backwards)
		slices.Reverse(again)
		if !slices.Equal(again, adjusted) {
			t.Fatalf("another order gives %v and not %v", again, adjusted)
		}
	})
}

func TestTheLowestPValueIsTheOneThatTheTestGives(t *testing.T) {
	for a := 2; a <= 8; a++ {
		for b := 2; b <= 8; b++ {
			var old, new []float64
			for i := range a {
				old = append(old, float64(i))
			}
			for i := range b {
				new = append(new, 100+float64(i))
			}
			if got, want := attainable(a, b), pValue(old, new); math.Abs(got-want) > 1e-9 {
				t.Errorf("of %d and %d observations it is %v; the test gives %v", a, b, got, want)
			}
		}
	}
}

func TestSoManyObservationsAreNeeded(t *testing.T) {
	for comparisons, want := range map[int]int{1: 4, 5: 5, 20: 6, 80: 7, 300: 8, 1000: 9} {
		if got := needed(comparisons); got != want {
			t.Errorf("for %d comparisons it says %d; want %d", comparisons, got, want)
		}
	}
}

// TestTheRatioIsThatOfTheSides: scaling a side scales the ratio, swapping the sides
// inverts it, the order of observations does not matter, and the interval holds it.
func TestTheRatioIsThatOfTheSides(t *testing.T) {
	positive := rapid.SliceOfN(rapid.Float64Range(0.1, 1000), 1, 12)
	rapid.Check(t, func(t *rapid.T) {
		old, new := positive.Draw(t, "old"), positive.Draw(t, "new")
		k := rapid.Float64Range(0.1, 10).Draw(t, "k")
		e, ok := ratio(old, new)
		if !ok || e.Low > e.Ratio || e.Ratio > e.High {
			t.Fatalf("the interval does not hold the ratio: %+v", e)
		}
		scaled := slices.Clone(new)
		for i := range scaled {
			scaled[i] *= k
		}
		if s, _ := ratio(old, scaled); !near(s.Ratio, k*e.Ratio) || !near(s.Low, k*e.Low) {
			t.Fatalf("%v times as much gives %+v and not %+v", k, s, e)
		}
		if s, _ := ratio(new, old); !near(s.Low, 1/e.High) || !near(s.High, 1/e.Low) {
			t.Fatalf("swapped, %+v became %+v", e, s)
		}
		slices.Reverse(new)
		if s, _ := ratio(old, new); s != e {
			t.Fatalf("another order gives %+v and not %+v", s, e)
		}
		if e.Confidence <= 0 && len(old)+len(new) > 3 || e.Confidence >= 1 {
			t.Fatalf("the level is %v", e.Confidence)
		}
	})
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// TestTheIntervalIsTheOneOfTheTest: it holds 1 exactly where the test at its level
// does not tell the sides apart.
func TestTheIntervalIsTheOneOfTheTest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		n, m := 5+rng.IntN(6), 5+rng.IntN(6)
		shift := 1 + rng.Float64()
		var old, new []float64
		for range n {
			old = append(old, math.Exp(0.3*rng.NormFloat64()))
		}
		for range m {
			new = append(new, shift*math.Exp(0.3*rng.NormFloat64()))
		}
		e, _ := ratio(old, new)
		holds := e.Low <= 1 && 1 <= e.High
		if differs := pValue(old, new) <= 1-e.Confidence+1e-12; differs == holds {
			t.Fatalf("p is %v at level %v, and the interval is %v to %v", pValue(old, new), e.Confidence, e.Low, e.High)
		}
	}
}

func TestTheIntervalCoversTheTruthAsOftenAsItSays(t *testing.T) {
	rng, held := rand.New(rand.NewPCG(3, 4)), 0
	const tries, truth = 2000, 1.2
	for range tries {
		var old, new []float64
		for range 10 {
			old = append(old, math.Exp(rng.NormFloat64()))
			new = append(new, truth*math.Exp(rng.NormFloat64()))
		}
		if e, _ := ratio(old, new); e.Low <= truth && truth <= e.High {
			held++
		}
	}
	if share := float64(held) / tries; share < 0.94 || share > 0.975 {
		t.Errorf("the interval holds the truth in %.1f %% of the cases; want 95 %% or a little more", 100*share)
	}
}

func TestThereIsNoRatioToNothing(t *testing.T) {
	for _, sides := range [][2][]float64{
		{{0, 1}, {1}}, {{1}, {0}}, {{}, {1}}, {{math.Inf(1)}, {1}}, {{-1}, {1}}, {{math.NaN()}, {1}},
	} {
		if e, ok := ratio(sides[0], sides[1]); ok && !math.IsNaN(sides[0][0]) {
			t.Errorf("%v to %v gave %+v", sides[0], sides[1], e)
		}
	}
}

// FuzzStatistics looks for panics and for figures that are none, whatever the
// observations are.
func FuzzStatistics(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, 2)
	f.Add([]byte{0, 0, 0, 0, 9}, 1)
	f.Add([]byte{7, 7, 7, 7, 7, 7}, 3)
	f.Fuzz(func(t *testing.T, values []byte, at int) {
		if len(values) < 2 || len(values) > 40 {
			return
		}
		at = 1 + int(uint(at)%uint(len(values)-1))
		var all []float64
		for _, v := range values {
			all = append(all, float64(v))
		}
		p := pValue(all[:at], all[at:])
		if p < 0 || p > 1 || math.IsNaN(p) {
			t.Fatalf("p is %v", p)
		}
		if e, ok := ratio(all[:at], all[at:]); ok {
			if !(e.Low <= e.Ratio && e.Ratio <= e.High && e.Low > 0) || math.IsInf(e.High, 0) {
				t.Fatalf("the estimate is %+v", e)
			}
		}
		for _, q := range holm([]float64{p, p / 2, 1}) {
			if q < p/2 || q > 1 {
				t.Fatalf("adjusted to %v", q)
			}
		}
	})
}
