package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"flowbench/sim/embedded"
)

// brokerThere reports whether something listens at address. Where CI=true it
// must, or tests would pass that never ran.
func brokerThere(address string) (bool, error) {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		return true, c.Close()
	}
	if os.Getenv("CI") == "true" {
		return false, fmt.Errorf("CI needs a broker at %s: %w", address, err)
	}
	return false, nil
}

// awaitNoChild waits until no embedded broker runs that was started from the
// script's environment.
func awaitNoChild(ts *testscript.TestScript, patience time.Duration) {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		children := embeddedBrokers(ts.Getenv("WORK"))
		if len(children) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("processes %v are still there after %v", children, patience)
		}
	}
}

// embeddedBrokers returns the processes that run the embedded broker with the
// given directory in their environment. Without /proc there is nothing to look
// at, and the answer is none.
func embeddedBrokers(work string) []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var found []int
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !strings.Contains(string(line), embedded.Verb) {
			continue // gone meanwhile, or something else
		}
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if pid, perr := strconv.Atoi(filepath.Base(dir)); err == nil && perr == nil &&
			strings.Contains(string(env), work) {
			found = append(found, pid)
		}
	}
	return found
}
