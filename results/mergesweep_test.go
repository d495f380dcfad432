package results

import "testing"

func TestTheSweepOfRepeatsIsTheOneInTheMiddle(t *testing.T) {
	swept := func(knees ...float64) []*Cell {
		var all []*Cell
		for _, k := range knees {
			all = append(all, &Cell{Sweep: &Sweep{KneePerS: k}})
		}
		return append(all, &Cell{})
	}
	for want, knees := range map[float64][]float64{5: {5}, 3: {7, 3}, 6: {9, 1, 6}} {
		if got := medianSweep(swept(knees...)); got == nil || got.KneePerS != want {
			t.Errorf("of knees %v the sweep is %+v; want that of %g/s", knees, got, want)
		}
	}
	if got := medianSweep([]*Cell{{}, {}}); got != nil {
		t.Errorf("repeats without sweeps have %+v; want none", got)
	}
}

func TestTheUseOfRepeatsIsTheHighest(t *testing.T) {
	low, high := 0.2, 0.7
	got := hardestUse([]*Cell{
		{Use: &Use{Workers: 0.9, BrokerCores: &low}}, {}, {Use: &Use{Workers: 0.4, BrokerCores: &high}},
	})
	if got == nil || got.Workers != 0.9 || got.BrokerCores != &high || got.BrokerServer != nil {
		t.Errorf("got %+v; want workers 0.9 and broker 0.7", got)
	}
	if hardestUse([]*Cell{{}}) != nil {
		t.Error("a use is there that nobody measured")
	}
}
