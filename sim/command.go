package sim

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"flowbench/scenarios"
	"flowbench/sim/fault"
	"flowbench/sim/process"
)

// CommandOf returns the name of a fault of the plan that runs commands of the
// user, or nothing if none does.
func CommandOf(p *scenarios.Plan) string {
	for _, c := range p.Cells {
		for _, f := range c.Faults {
			if kind, err := fault.Find(f.What); err == nil && kind.Runs() {
				return f.What
			}
		}
	}
	return ""
}

// command runs the command that begins a fault. If it fails, what is returned
// beside the error is healed nevertheless: it may have done half of its work.
func (t *spotTarget) command(h fault.Command) (fault.Armed, error) {
	switch {
	case !t.world.engine.AllowExec:
		return nil, fmt.Errorf("%v: commands are not allowed to run", h)
	case t.world.session == nil:
		return nothingArmed{}, nil // the flow has no broker
	}
	a := &commanded{world: t.world, command: h}
	if err := t.world.runCommand(h.Begin, h.Limit); err != nil {
		return a, err
	}
	a.begun = 1
	return a, nil
}

// commanded is what a command has done.
type commanded struct {
	world   *world
	command fault.Command
	begun   int64
	healed  bool
}

// Heal implements [fault.Armed].
func (a *commanded) Heal() error {
	if a.healed {
		return nil
	}
	if err := a.world.runCommand(a.command.Heal, a.command.Limit); err != nil {
		return err
	}
	a.healed = true
	return nil
}

// Effect implements [fault.Armed].
func (a *commanded) Effect() fault.Effect { return fault.Effect{Commands: a.begun} }

// pipeTime is how long is waited for the output of a command that has ended. What
// it has started, such as a broker, may live on and keep the pipes.
const pipeTime = 500 * time.Millisecond

// runCommand runs a command to its end, or kills it and its group at the limit.
// What it writes goes to the log, the end of it if it is much. The error tells the
// last line that it wrote to stderr.
func (w *world) runCommand(argv []string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var stdout, stderr process.Tail
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, pipeTime
	ownGroup(cmd)
	began := time.Now()
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has ended well, and what it left behind writes on
	}
	w.engine.Log.Debug("command", "argv", argv, "took", time.Since(began), "error", err,
		"stdout", stdout.String(), "stderr", stderr.String())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("run command %q: it took longer than its limit of %v", argv[0], limit)
	case cmd.ProcessState == nil:
		return fmt.Errorf("run command %q: %w", argv[0], err)
	default:
		return fmt.Errorf("run command %q: %w; the last line of its stderr: %s",
			argv[0], err, lastLine(stderr.String()))
	}
}

// maxLastLine is how much of a line is told, in bytes.
const maxLastLine = 256

// lastLine returns the last line of text that is not empty, without the
// credentials of addresses in it: what is told reaches the run's directory.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	line := text[strings.LastIndexAny(text, "\r\n")+1:]
	line = regexp.MustCompile(`://[^\s/]*@`).ReplaceAllString(line, "://")
	if len(line) > maxLastLine {
		line = line[:maxLastLine]
	}
	return strings.ToValidUTF8(line, "")
}
