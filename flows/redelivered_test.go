package flows_test

import (
	"strings"
	"testing"

	"flowbench/flows"
	"flowbench/sim/des"
)

// TestFlowsTellOfRequestsThatComeAgain lets an instance of the service die at
// work: whatever its broker then delivers again to another, the flow must tell of.
func TestFlowsTellOfRequestsThatComeAgain(t *testing.T) {
	again := 0
	for _, flow := range flows.All() {
		for _, kind := range []flows.Kind{flows.Command, flows.Query} {
			r := newRecorder(des.New(), crash)
			if err := r.perform(t.Context(), flow, episode{kind: kind, trouble: crash}); err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, s := range r.steps {
				if strings.HasPrefix(s.To, "service-") && strings.HasSuffix(s.Text, ", delivered again") {
					want++
				}
			}
			if r.again != want {
				t.Errorf("%s tells of %d requests that came again; want %d", flow.Spec().Name, r.again, want)
			}
			again += want
		}
	}
	if again == 0 {
		t.Error("no request came again, so nothing was tested")
	}
}
