package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"flowbench/sim/embedded"
	"flowbench/sim/process"
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

// rabbitInstalled reports whether RabbitMQ's server is installed on this machine.
// Where CI=true it must be.
func rabbitInstalled() (bool, error) {
	_, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		_, err = os.Stat("/usr/sbin/rabbitmq-server") // where not everybody looks
	}
	if err != nil && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("CI needs an installed rabbitmq-server: %w", err)
	}
	return err == nil, nil
}

// awaitNoChild waits until no broker runs that was started from the
// script's environment.
func awaitNoChild(ts *testscript.TestScript, patience time.Duration) {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		children := startedBrokers(ts.Getenv("WORK"))
		if len(children) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("processes %v are still there after %v", children, patience)
		}
	}
}

// startedBrokers returns the processes of brokers, and those that keep them, with
// the given directory in their environment. Without /proc there is nothing to look
// at, and the answer is none.
func startedBrokers(work string) []int {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	broker := regexp.MustCompile(embedded.Verb + "|" + process.Verb + "|beam|epmd|rabbitmq")
	var found []int
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !broker.Match(line) {
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
