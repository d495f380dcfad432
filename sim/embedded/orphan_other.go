//go:build !linux

package embedded

import "os/exec"

// wakeWithParent does nothing where the kernel has no signal for it: there, a
// child that is paused when its parent is killed has to be resumed by hand.
func wakeWithParent(*exec.Cmd) {}
