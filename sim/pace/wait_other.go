//go:build !linux

package pace

import "time"

func prepareThread() {}

func sleep(d time.Duration) { time.Sleep(d) }
