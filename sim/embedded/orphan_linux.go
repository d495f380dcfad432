package embedded

import (
	"os/exec"
	"syscall"
)

// wakeWithParent has the kernel resume the child when its parent dies. A child
// that was paused at that moment could otherwise never notice the end of its
// input, and would stay for ever. To a child that runs the signal means nothing,
// which is why it does no harm that the kernel already sends it when the
// parent's thread ends that started the child.
func wakeWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT}
}
