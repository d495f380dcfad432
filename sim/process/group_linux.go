package process

import "syscall"

// group puts a program into a group of its own, and has the kernel kill it
// should its keeper die without having ended it. The kernel already does that
// when the keeper's thread ends that started the program, but a keeper's threads
// live as long as it does: it locks no goroutine to any.
func group() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
