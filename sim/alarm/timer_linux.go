package alarm

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernelTimer is a timerfd that is read through the runtime's poller: precise,
// and no thread waits for it.
type kernelTimer struct {
	file *os.File
	fd   int
}

func newTimer() timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return newRuntimeTimer() // coarser, but every sleep still ends
	}
	return &kernelTimer{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}
}

func (t *kernelTimer) set(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(d.Nanoseconds(), 1))}
	// It fails only for a bad descriptor or a bad time, and this is neither.
	_ = unix.TimerfdSettime(t.fd, 0, &spec, nil)
}

func (t *kernelTimer) wait() bool {
	var expirations [8]byte
	_, err := t.file.Read(expirations[:])
	return err == nil
}

func (t *kernelTimer) close() { _ = t.file.Close() } // a descriptor that was only ever read
