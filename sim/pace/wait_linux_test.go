package pace

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestThePacingThreadAsksForShortSlicesAndKeepsItsNiceness looks at a thread that
// somebody has made nicer before, as nice(1) does.
func TestThePacingThreadAsksForShortSlicesAndKeepsItsNiceness(t *testing.T) {
	const nice = 5
	got := make(chan *unix.SchedAttr, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends as it is
		defer close(got)
		if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice); err != nil {
			t.Errorf("be nice: %v", err)
			return
		}
		before, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Errorf("read the thread's attributes: %v", err)
			return
		}
		prepareThread()
		after, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Errorf("read the thread's attributes: %v", err)
			return
		}
		if before.Runtime != 0 && after.Runtime != sliceNanos { // older kernels have no slices of a thread's own
			t.Errorf("the thread's slices are %d ns; want %d", after.Runtime, sliceNanos)
		}
		got <- after
	}()
	if attr := <-got; attr != nil && (attr.Nice != nice || attr.Policy != unix.SCHED_NORMAL) {
		t.Errorf("niceness is %d and policy %d; want %d and %d", attr.Nice, attr.Policy, nice, unix.SCHED_NORMAL)
	}
}
