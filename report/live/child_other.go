//go:build !unix

package live

import "os/exec"

func setAside(*exec.Cmd) {}

func yield(*exec.Cmd) {}
