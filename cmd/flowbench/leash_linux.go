package main

import (
	"os/exec"
	"syscall"
)

// leash puts a child into a process group of its own, so that Ctrl-C reaches it once,
// through this process, and has the kernel tell it to end should this process be
// killed.
func leash(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
