package pace

import (
	"time"

	"golang.org/x/sys/unix"
)

// timerSlackNanos is how late the kernel may wake the pacing thread in order to
// bundle timers. The default is 50 µs.
const timerSlackNanos = 1

// prepareThread makes waits on the calling thread precise. If the kernel
// refuses, waits are 50 µs later: the send lag tells.
func prepareThread() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlackNanos, 0, 0, 0) }

// sleep waits in the kernel instead of in the Go runtime, whose timers have a
// granularity of a millisecond in an idle process.
func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&ts, nil) // woken early by a signal, the pacer just waits again
}
