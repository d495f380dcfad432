package alarm

import (
	"sync"
	"time"
)

// runtimeTimer is a [timer] on the Go runtime, for platforms without a better one.
type runtimeTimer struct {
	t    *time.Timer
	quit chan struct{}
	once sync.Once
}

func newRuntimeTimer() *runtimeTimer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &runtimeTimer{t: t, quit: make(chan struct{})}
}

func (t *runtimeTimer) set(d time.Duration) { t.t.Reset(d) }

func (t *runtimeTimer) wait() bool {
	select {
	case <-t.t.C:
		return true
	case <-t.quit:
		return false
	}
}

func (t *runtimeTimer) close() { t.once.Do(func() { close(t.quit) }) }
