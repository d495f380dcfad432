package membroker

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"flowbench/flows"
)

func TestTheRingBehavesLikeASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f fifo
		var model []uint64
		next := uint64(0)
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			next++
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				f.push(flows.Message{ID: next})
				model = append(model, next)
			case 2:
				f.unpop(flows.Message{ID: next})
				model = slices.Insert(model, 0, next)
			case 3:
				if len(model) == 0 {
					continue
				}
				if got := f.pop().ID; got != model[0] {
					t.Fatalf("popped %d; want %d", got, model[0])
				}
				model = model[1:]
			}
			if f.len() != len(model) {
				t.Fatalf("%d messages; want %d", f.len(), len(model))
			}
		}
	})
}
