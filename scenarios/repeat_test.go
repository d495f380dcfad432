package scenarios

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const threeFlows = "name: three\nflows: [direct, proxy-sync, async-reply-to]\nbrokers: [nats]\n"

func TestRepeatsRunInTurns(t *testing.T) {
	once := ids(planOf(t, threeFlows))
	got := ids(planOf(t, threeFlows, SetRepeat(3)))
	var want []string
	for r, order := range [][]string{once, backwards(once), once} {
		for _, id := range order {
			want = append(want, id+"-r"+string(rune('1'+r)))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the order of cells differs:\n%s", diff)
	}
}

func backwards(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func TestCellsOfARepeatShareTheirDrawsAndRepeatsDoNot(t *testing.T) {
	once, p := planOf(t, threeFlows), planOf(t, threeFlows, SetRepeat(4))
	seeds := make(map[int]uint64)
	for _, c := range p.Cells {
		if seed, ok := seeds[c.Repeat]; ok && seed != c.Seed {
			t.Errorf("%s has another seed than the cells beside it", c.ID)
		}
		seeds[c.Repeat] = c.Seed
	}
	distinct := make(map[uint64]bool)
	for _, s := range seeds {
		distinct[s] = true
	}
	if len(seeds) != 4 || len(distinct) != 4 {
		t.Errorf("four repeats have the seeds %v", seeds)
	}
	if seeds[1] != once.Cells[0].Seed {
		t.Error("the first repeat has another seed than a run without repeats")
	}
}
