package plot

import "testing"

// TestABurdenTooSmallToBeDrawnIsNotGivenAsAFigure follows burdens down to where all
// are drawn in one place.
func TestABurdenTooSmallToBeDrawnIsNotGivenAsAFigure(t *testing.T) {
	for v, want := range map[float64]string{
		2.01: "2.01 times", 0.0011: "0.0011 times", leastBurden: "0.001 times or less",
	} {
		if got := burdenText(v); got != want {
			t.Errorf("a burden of %g times is read as %q; want %q", v, got, want)
		}
	}
}
