//go:build !unix

package embedded

import (
	"errors"
	"os"
)

var errNoPause = errors.New("this operating system cannot pause a process")

func pauseProcess(*os.Process) error { return errNoPause }

func resumeProcess(*os.Process) error { return errNoPause }
