package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"flowbench/flows"
	"flowbench/sim/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatCannotBeDeletedStaysInTheInventory(t *testing.T) {
	var i store.Inventory
	for n := range 100 {
		i.Add(fmt.Sprintf("object-%02d", n))
	}
	var calls atomic.Int64
	cause := errors.New("locked")
	err := i.DeleteAll(t.Context(), func(_ context.Context, object string) error {
		calls.Add(1)
		if object == "object-07" || object == "object-99" {
			return cause
		}
		return nil
	})
	if left := i.Objects(); len(left) != 2 || calls.Load() != 100 || !errors.Is(err, cause) ||
		err.Error() != "2 of 100 objects are left: delete object-07: locked" {
		t.Errorf("after %d calls %q are left, %v", calls.Load(), left, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err = i.DeleteAll(ended, func(context.Context, string) error { return nil })
	if _, class := flows.OutcomeOf(err); class != flows.Canceled || len(i.Objects()) != 2 {
		t.Errorf("a deletion whose time is over ends as %v", err)
	}
	if err := i.DeleteAll(t.Context(), func(context.Context, string) error { return nil }); err != nil {
		t.Error(err)
	}
	if left := i.Objects(); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}
