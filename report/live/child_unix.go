//go:build unix

package live

import (
	"os/exec"
	"syscall"
)

// idle is the priority that gives way to all others.
const idle = 19

// setAside gives a child a group of its own, so that it can be told apart from this
// process, also by a terminal's Ctrl-C.
func setAside(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// yield makes a child that has started give way to others.
func yield(cmd *exec.Cmd) {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, idle) // else it does not
}
