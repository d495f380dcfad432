package storetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"flowbench/sim/store/memstore"
	"flowbench/sim/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTheSuiteHoldsForTheSimplestStore runs the suite where it can be debugged.
func TestTheSuiteHoldsForTheSimplestStore(t *testing.T) {
	storetest.Test(t, func(*testing.T) storetest.Bench { return storetest.Bench{Driver: memstore.New()} })
}
