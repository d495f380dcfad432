package report

import (
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

func TestOnlyRunsWhoseOperationsWereFollowedSayWhereTheTimeGoes(t *testing.T) {
	const mark = `id="hops"`
	if page := htmlOf(t, fixture.Run(fixture.Default(), 1, 100)); strings.Contains(page, mark) {
		t.Error("the page of a run without hops has a section of them")
	}
	page := htmlOf(t, fixture.Followed())
	over, at, stages := strings.Index(page, `<section id="over-time"`), strings.Index(page, `<section `+mark),
		strings.Index(page, `<section id="stages"`)
	if over < 0 || at < over || stages >= 0 && stages < at {
		t.Errorf("sections begin at %d, %d and %d; want hops after the latency over time", over, at, stages)
	}
	for _, want := range []string{
		"client → broker → service", "client: pause before it asks", "until applied", "(beside)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestSharesOfHopsAddUp holds what the table says to the whole.
func TestSharesOfHopsAddUp(t *testing.T) {
	for _, c := range fixture.Followed().Cells {
		way := c.HopsOf(results.Command)
		var sum float64
		for _, h := range way.Hops {
			if !h.Beside {
				sum += way.MeanOf(h)
			}
		}
		if mean := way.Mean(); sum < mean*0.9999999 || sum > mean*1.0000001 {
			t.Errorf("%s: the means of the hops add up to %v; want %v", c.ID, sum, mean)
		}
	}
}
