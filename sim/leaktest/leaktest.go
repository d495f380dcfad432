// Package leaktest looks for goroutines that a test has left, with more patience than
// goleak has by itself. What a test has closed may take a while to be gone on a busy
// machine, above all where a server of others runs in the same process and winds up
// its own; half a second, which is what goleak waits, is then too short. Patience is
// only ever used up by a leak.
package leaktest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines have to end.
const patience = 20 * time.Second

// Check makes t fail if goroutines that begin from now on are still there when its
// other cleanups have run, but for those that are to be ignored. It must be called
// before anything is started.
func Check(t *testing.T, ignored ...goleak.Option) {
	t.Helper()
	ignored = append(ignored, goleak.IgnoreCurrent())
	t.Cleanup(func() {
		if err := settle(func() error { return goleak.Find(ignored...) }, time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
	})
}

// settle asks find, which takes its time, until it finds nothing, and returns what it
// still finds after the deadline.
func settle(find func() error, deadline time.Time) error {
	for {
		err := find()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
