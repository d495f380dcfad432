package sim

import (
	"context"
	"testing"
)

// electing is a cluster whose leader another question finds elsewhere.
type electing struct {
	Cluster
	asked int
}

func (c *electing) Leader(context.Context, string) (int, error) {
	c.asked++
	return c.asked % 3, nil
}

func TestWhoLeadsIsAskedAgainOnceSomethingWasDoneToTheNodes(t *testing.T) {
	c, w := &electing{}, &world{}
	ask := func(about string, want, asked int) {
		t.Helper()
		if got, err := w.leader(t.Context(), c); got != want || err != nil || c.asked != asked {
			t.Errorf("%s: node %d, %v, asked %d times; want node %d, asked %d times",
				about, got, err, c.asked, want, asked)
		}
	}
	ask("nobody foresaw it", 1, 1)
	w.leading.node, w.leading.known = 2, true
	ask("it was foreseen", 2, 1)
	w.unsettle()
	ask("a node was killed since", 2, 2)
}
