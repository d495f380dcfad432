//go:build !linux

package sim

func newTimer() timer { return newRuntimeTimer() }
