package pace

import (
	"time"

	"golang.org/x/sys/unix"
)

// timerSlackNanos is how late the kernel may wake the pacing thread in order to
// bundle timers. The default is 50 µs.
const timerSlackNanos = 1

// sliceNanos is for how long the pacing thread wants a processor at once. The shorter
// that is, the sooner the kernel gives it one when all are taken (since Linux 6.12);
// its share of them stays the same. With the default of some milliseconds it waits for
// those of whoever is running. It is the shortest that the kernel takes.
const sliceNanos = 100_000

// prepareThread makes waits on the calling thread precise. If the kernel
// refuses, waits are 50 µs later, and longer beside busy threads: the send lag tells.
func prepareThread() {
	prepareTimer()
	shortenSlices()
}

// shortenSlices leaves everything else as whoever started the program has set it. Under
// another policy than the usual one there are no slices to be shortened.
func shortenSlices() {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL {
		return
	}
	attr.Runtime = sliceNanos
	_ = unix.SchedSetAttr(0, attr, 0)
}

func prepareTimer() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlackNanos, 0, 0, 0) }

// sleep waits in the kernel instead of in the Go runtime, whose timers have a
// granularity of a millisecond in an idle process.
func sleep(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&ts, nil) // woken early by a signal, the pacer just waits again
}
