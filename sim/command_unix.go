//go:build unix

package sim

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command into a group of processes of its own, which is killed as
// a whole should it take too long. It also keeps a Ctrl-C that is meant for the
// run from a command that is healing.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
