package s3store

import (
	"testing"

	"go.uber.org/goleak"

	"flowbench/sim/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheServerInThisProcessConforms(t *testing.T) {
	storetest.Test(t, func(*testing.T) storetest.Bench { return storetest.Bench{Driver: New()} })
}
