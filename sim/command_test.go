package sim

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/fault"
	"flowbench/sim/link"
)

// helperVariable is set where the test binary is to be a command.
const helperVariable = "FLOWBENCH_TEST_COMMAND"

// TestCommandItself is no test, but what the commands of the tests do.
func TestCommandItself(t *testing.T) {
	if os.Getenv(helperVariable) == "" {
		t.Skip("it is a command for other tests")
	}
	switch args := flag.Args(); args[0] {
	case "fail":
		fmt.Fprint(os.Stderr, "first\nno such container at amqp://user:secret@127.0.0.1/\n\n")
		os.Exit(3)
	case "hang":
		<-t.Context().Done() // which is when it is killed
	case "flood":
		for range 1000 {
			fmt.Println(strings.Repeat("x", 1000))
		}
		fmt.Println("the end")
		os.Exit(0)
	case "once": // fails unless it has been run before
		if _, err := os.Stat(args[1]); err == nil {
			os.Exit(0)
		}
		if err := os.WriteFile(args[1], nil, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

// helper returns the command that does what is asked of the test binary.
func helper(t *testing.T, args ...string) []string {
	t.Helper()
	t.Setenv(helperVariable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{self, "-test.run=^TestCommandItself$", "--"}, args...)
}

// aSession is a session of a broker that nobody asks for anything.
type aSession struct{ broker.Session }

// commandTarget returns the broker of a world whose engine allows commands, and
// what it logs.
func commandTarget() (*spotTarget, *bytes.Buffer) {
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	e := &Engine{AllowExec: true, Log: slog.New(handler)}
	w := &world{engine: e, session: aSession{}}
	return &spotTarget{world: w, spot: spot{fault.Broker, -1}}, &log
}

func TestACommandBeginsAndAnotherHeals(t *testing.T) {
	target, log := commandTarget()
	a, err := target.Arm(link.BothWays, fault.Command{
		Begin: []string{"true", "begin"}, Heal: []string{"true", "heal"}, Limit: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Effect().String(); got != "1 command run" {
		t.Errorf("the effect is %q; want 1 command run", got)
	}
	if strings.Contains(log.String(), "heal") {
		t.Error("it was healed at once")
	}
	for range 2 {
		if err := a.Heal(); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "true heal"); n != 1 {
		t.Errorf("the command that heals has run %d times; want once\n%s", n, log)
	}
}

func TestACommandThatCannotBeginIsAnErrorAndIsHealed(t *testing.T) {
	for _, tt := range []struct {
		about string
		begin []string
		limit time.Duration
		want  string
	}{
		{"one that fails", []string{"false"}, time.Minute, `run command "false": exit status 1`},
		{"one that says why", helper(t, "fail"), time.Minute,
			"exit status 3; the last line of its stderr: no such container at amqp://127.0.0.1/"},
		{"one that is not there", []string{"no-such-program-anywhere"}, time.Minute, "executable file not found"},
		{"one that takes too long", helper(t, "hang"), 50 * time.Millisecond, "took longer than its limit of 50ms"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			target, _ := commandTarget()
			a, err := target.Arm(link.BothWays, fault.Command{Begin: tt.begin, Heal: []string{"true"}, Limit: tt.limit})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q in it", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("credentials are in %v", err)
			}
			if a == nil {
				t.Fatal("nothing is armed; want what can be healed")
			}
			if !a.Effect().None() {
				t.Errorf("the effect is %v; want none", a.Effect())
			}
			if err := a.Heal(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAHealingThatFailsIsTriedAgain(t *testing.T) {
	target, _ := commandTarget()
	mark := filepath.Join(t.TempDir(), "mark")
	a, err := target.Arm(link.BothWays, fault.Command{
		Begin: []string{"true"}, Heal: helper(t, "once", mark), Limit: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Heal(); err == nil {
		t.Error("the first healing worked; want an error")
	}
	if err := a.Heal(); err != nil {
		t.Errorf("the second healing: %v", err)
	}
}

func TestTheLogHoldsTheEndOfWhatACommandWrites(t *testing.T) {
	target, log := commandTarget()
	if err := target.world.runCommand(helper(t, "flood"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "the end") || log.Len() > 64<<10 {
		t.Errorf("the log has %d bytes; want the end of the output and little more", log.Len())
	}
}

func TestNoCommandRunsUnlessAllowed(t *testing.T) {
	target, log := commandTarget()
	target.world.engine.AllowExec = false
	_, err := target.Arm(link.BothWays, fault.Command{
		Begin: []string{"true"}, Heal: []string{"true"}, Limit: time.Minute,
	})
	if err == nil || log.Len() > 0 {
		t.Errorf("got %v and the log %q; want an error, and nothing run", err, log)
	}
}

func TestAFlowWithoutABrokerRunsNoCommand(t *testing.T) {
	target, log := commandTarget()
	target.world.session = nil
	a, err := target.Arm(link.BothWays, fault.Command{
		Begin: []string{"false"}, Heal: []string{"false"}, Limit: time.Minute,
	})
	if err != nil || a.Heal() != nil || log.Len() > 0 {
		t.Errorf("got %v and the log %q; want nothing run", err, log)
	}
}

func TestPlansWithCommandsAreKnown(t *testing.T) {
	with := func(what string) *scenarios.Plan {
		return &scenarios.Plan{Cells: []scenarios.Cell{{}, {Faults: []scenarios.Fault{{What: what, On: "broker"}}}}}
	}
	if got := CommandOf(with("exec")); got != "exec" {
		t.Errorf("a plan with commands has %q; want exec", got)
	}
	if got := CommandOf(with("kill")); got != "" {
		t.Errorf("a plan without commands has %q; want nothing", got)
	}
	if err := checkModelled(with("exec")); err == nil {
		t.Error("a simulation takes commands; want an error")
	}
}
