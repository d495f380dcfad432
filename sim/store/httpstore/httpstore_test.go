package httpstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"flowbench/sim/store/httpstore"
	"flowbench/sim/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheServerOfOurOwnConforms(t *testing.T) {
	storetest.Test(t, func(*testing.T) storetest.Bench { return storetest.Bench{Driver: httpstore.New()} })
}
