package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"flowbench/report"
	"flowbench/results"
	"flowbench/results/compare"
	"flowbench/scenarios"
	"flowbench/sim/process"
)

// abFlags are the flags of the verb ab, beside those of run that it hands on.
type abFlags struct {
	a, b     string
	pairs    int
	simulate bool
	given    *pflag.FlagSet
}

// The bounds on how many pairs of runs are compared. Fewer than the default cannot
// show a change among the metrics of more than a few cells.
const (
	defaultPairs = 8
	maxPairs     = 50
)

// childTime is how long a child may take to end in order once it was told to: its
// drain, and its brokers.
const childTime = 20 * time.Second

func abVerb() verb {
	return verb{
		name: "ab", args: "[SCENARIO|FILE]", maxArgs: 1,
		summary: "run two binaries of flowbench in turns and compare them",
		long: `
Runs the scenario (compare, if none is named) with the binary --a and with the binary
--b, in turns: a b b a a b b a, each run a process and a directory of its own, until
there are --pairs of them, and compares the two sides as flowbench compare does. What
the machine does over time so befalls both. The runs of a pair have the same seed, and
pairs have different ones. Flags that are not listed as its own go to both binaries.

Ctrl-C ends the run that is under way in order, and nothing is left behind; the runs
that had ended stay in their directories, which flowbench compare DIR/a DIR/b reads.

` + compareCodes,
		flags: func(f *pflag.FlagSet, c *call) {
			c.ab.given = f
			f.StringVar(&c.ab.a, "a", "", "the old `BINARY`")
			f.StringVar(&c.ab.b, "b", "", "the new `BINARY`")
			f.IntVar(&c.ab.pairs, "pairs", defaultPairs, "runs of each binary, 2 to 50")
			f.BoolVar(&c.ab.simulate, "simulate", false, "run in virtual time, as flowbench simulate does")
			c.compare.add(f)
			addRunFlags(f, c)
			f.Lookup("out").Usage = "write the runs to this `DIR` (default results/runs/<UTC>-ab-<scenario>)"
		},
		run: runAB,
	}
}

func runAB(ctx context.Context, sh shell, c *call) (exitCode, error) {
	if _, err := c.compare.writer(sh); err != nil {
		return exitUsage, err
	}
	binaries, err := c.ab.binaries()
	if err != nil {
		return exitUsage, err
	}
	plan, _, err := c.loadScenario()
	if err != nil {
		return exitUsage, err
	}
	dir := c.run.out
	if dir == "" {
		dir = filepath.Join("results", "runs", time.Now().UTC().Format("20060102T150405Z")+"-ab-"+plan.Scenario)
	}
	sides := []compare.Side{{Name: "a, " + filepath.Base(c.ab.a)}, {Name: "b, " + filepath.Base(c.ab.b)}}
	for pair := range c.ab.pairs {
		for turn := range sides {
			side := (pair + turn) % len(sides) // a b b a
			out := filepath.Join(dir, string(rune('a'+side)), fmt.Sprintf("%02d", pair+1))
			if !c.run.noProgress {
				fmt.Fprintf(sh.stderr, "%s: run %d of %d\n", sides[side].Name, pair*2+turn+1, 2*c.ab.pairs)
			}
			r, err := c.child(ctx, binaries[side], plan, pair, out)
			if ctx.Err() != nil {
				return exitNoVerdict, fmt.Errorf("interrupted; the runs that had ended are in %s", dir)
			}
			if err != nil {
				return exitEnvironment, err
			}
			sides[side].Runs = append(sides[side].Runs, r)
		}
	}
	code, err := c.compare.compare(sh, sides[0], sides[1:], compare.Options{Interleaved: true, Force: true}, dir)
	return code, err
}

// binaries returns the paths of the two binaries.
func (a *abFlags) binaries() ([]string, error) {
	if a.pairs < 2 || a.pairs > maxPairs {
		return nil, fmt.Errorf("--pairs is %d; want 2 to %d", a.pairs, maxPairs)
	}
	var paths []string
	for _, b := range []struct{ flag, name string }{{"--a", a.a}, {"--b", a.b}} {
		if b.name == "" {
			return nil, fmt.Errorf("%s is missing; want two binaries, --a OLD --b NEW", b.flag)
		}
		path, err := exec.LookPath(b.name)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be run: %w", b.flag, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// child runs the scenario once with a binary.
func (c *call) child(
	ctx context.Context, binary string, plan *scenarios.Plan, pair int, out string,
) (*results.Run, error) {
	seed := strconv.FormatUint(plan.Seed+uint64(pair), 10)
	args := append(c.ab.line(c.args), "--seed="+seed, "--out="+out, "--no-progress")
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = childTime
	var tail process.Tail
	cmd.Stderr = &tail
	cmd.Env = os.Environ()
	leash(cmd)
	// The kernel tells the child of the end of the thread that started it, and not of
	// this process: so the thread stays as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == int(exitExpectation) || exit.ExitCode() == int(exitNoVerdict)) {
		err = nil // it has something to say of its cells, which the comparison hears
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %s", binary, err, tail.String())
	}
	return results.Read(out)
}

// line returns the command line of a child, without what differs from run to run.
func (a *abFlags) line(args []string) []string {
	verb := "run"
	if a.simulate {
		verb = "simulate"
	}
	line := append([]string{verb}, args...)
	own := map[string]bool{
		"a": true, "b": true, "pairs": true, "simulate": true, "format": true, "noise": true, "out": true,
		"no-progress": true, "seed": true,
	}
	a.given.Visit(func(f *pflag.Flag) {
		if own[f.Name] {
			return
		}
		values := []string{f.Value.String()}
		if s, ok := f.Value.(pflag.SliceValue); ok {
			values = s.GetSlice()
		}
		for _, v := range values {
			line = append(line, "--"+f.Name+"="+v)
		}
	})
	return line
}

// writeBeside writes a comparison into the directory of its runs, as a page and for
// programs.
func writeBeside(dir string, c *compare.Comparison) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return errors.Join(report.WriteComparisonFiles(root, c), root.Close())
}
