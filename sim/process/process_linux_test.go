package process_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// TestAKilledKeeperTakesItsProgramsWithIt covers the one end that the keeper
// cannot see coming.
func TestAKilledKeeperTakesItsProgramsWithIt(t *testing.T) {
	k, _ := open(t)
	p := start(t, k, "exec sleep 1000")
	if err := p.Pause(t.Context()); err != nil {
		t.Fatalf("pause: %v", err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	found := regexp.MustCompile(`PPid:\s+(\d+)`).FindSubmatch(status)
	if err != nil || found == nil {
		t.Fatalf("status %q, %v; want one that names the parent", status, err)
	}
	keeper, err := strconv.Atoi(string(found[1]))
	if err != nil || keeper == os.Getpid() || keeper <= 1 {
		t.Fatalf("the parent is %s, %v; want the keeper", found[1], err)
	}
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatalf("kill keeper: %v", err)
	}
	exited(t, p)
	awaitThat(t, "the program is gone", patience, func() bool { return !alive(p.PID()) })
	if _, err := k.Start(t.Context(), shell("true")); err == nil {
		t.Error("start without a keeper returned nil; want an error")
	}
}
