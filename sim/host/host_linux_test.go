package host

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func TestTheCPUTimeOfAProcessIsKnown(t *testing.T) {
	deadline := time.Now().Add(10 * time.Second)
	for n := 0; CPUOf(os.Getpid()) < 2*clockTick; n++ { // work until it shows
		if time.Now().After(deadline) {
			t.Fatalf("this process has %v of CPU time after 10 s of work", CPUOf(os.Getpid()))
		}
	}
	if own, told := ownCPU(), CPUOf(os.Getpid()); told > own+10*clockTick || told < own/2-10*clockTick {
		t.Errorf("the CPU time of this process is %v, and by itself %v", told, own)
	}
	if got := CPUOf(1 << 30); got >= 0 {
		t.Errorf("a process that is not there has %v of CPU time; want that it is not known", got)
	}
}

func TestTheCPUTimeOfChildrenCounts(t *testing.T) {
	// The shell stays, since it has something to do after its child.
	c := exec.Command("sh", "-c", "sh -c 'while :; do :; done'; true")
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer func() {
		// The loop is in the shell's own child: its parent's end is not its end.
		_ = exec.Command("sh", "-c", "kill $(cat /proc/$0/task/$0/children)", strconv.Itoa(c.Process.Pid)).Run()
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	deadline := time.Now().Add(20 * time.Second)
	for CPUOf(c.Process.Pid) < 10*clockTick {
		if time.Now().After(deadline) {
			t.Fatalf("the shell and its child have %v of CPU time", CPUOf(c.Process.Pid))
		}
		_ = exec.Command("true").Run() // which waits, and lets others work
	}
}
