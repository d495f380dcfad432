//go:build !unix

package process

import (
	"fmt"
	"io"
)

// Main says that this operating system has no process groups that could be kept.
func Main(_ []string, _ io.Reader, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "this operating system cannot keep the programs of others")
	return 1
}
