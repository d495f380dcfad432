package edgetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/edgetest"
	"flowbench/sim/edge/httpedge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTheSuiteHoldsForTheSimplestEdge runs the suite where it can be debugged.
func TestTheSuiteHoldsForTheSimplestEdge(t *testing.T) {
	edgetest.Test(t, func(c edge.Config) flows.Edge { return httpedge.New(c) })
}
