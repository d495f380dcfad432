package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"flowbench/report/words"
	"flowbench/results"
	"flowbench/results/compare"
)

// noiseFlags are the flags of the verb noise, beside those of run.
type noiseFlags struct{ file, from string }

// noiseRepeats is how often each cell runs to find the noise floor, if nothing else
// is asked for: two sides of four.
const noiseRepeats = 8

func noiseVerb() verb {
	return verb{
		name: "noise", args: "[SCENARIO|FILE]", maxArgs: 1,
		summary: "measure how far apart runs of the same program are here",
		long: `
Runs every cell of the scenario (compare, if none is named) eight times, or as --repeat
says, and keeps how far apart halves of these runs are: the noise floor, below which
flowbench compare calls nothing a change. It is kept for this machine in the user's
cache, with the machine and the time; verdicts on another machine do not use it, and
mark one that is older than a week. Measure it with the scenario and the length that
you compare with, on the machine as it then is.

Exit codes: 0 measured; 2 measured, but the machine was not quiet, so that no verdict
can rest on it; 3 and 4 as those of run.`,
		flags: func(f *pflag.FlagSet, c *call) {
			addRunFlags(f, c)
			f.Lookup("repeat").Usage = "run each cell so often (default " + strconv.Itoa(noiseRepeats) + ")"
			f.StringVar(&c.noise.file, "floor", "",
				"write the noise floor to this `FILE` (default in the user's cache)")
			f.StringVar(&c.noise.from, "from", "",
				"measure nothing, and take the noise floor from the run in this `DIR`")
		},
		run: runNoise,
	}
}

func runNoise(ctx context.Context, sh shell, c *call) (exitCode, error) {
	file := c.noise.file
	if file == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return exitUsage, fmt.Errorf("find the user's cache: %w; name a file with --floor", err)
		}
		file = compare.NoiseFile(cache)
	}
	dir := c.noise.from
	if dir == "" {
		code, err := c.runForNoise(ctx, sh, &dir)
		if err != nil && code != exitNoVerdict || ctx.Err() != nil {
			return code, err
		}
	}
	r, err := results.Read(dir)
	if err != nil {
		return exitUsage, err
	}
	n, err := compare.MeasureNoise(r, time.Now().UTC())
	if err != nil {
		return exitNoVerdict, err
	}
	if !r.Ended.IsZero() {
		n.Taken = r.Ended
	}
	if err := n.Write(file); err != nil {
		return exitEnvironment, err
	}
	if err := writeNoise(sh.stdout, n, file); err != nil {
		return exitEnvironment, err
	}
	if len(n.Disturbed) > 0 {
		return exitNoVerdict, errors.New("the machine was not quiet: the noise floor is written and marked")
	}
	return exitOK, nil
}

// runForNoise runs the scenario often enough, without its report on stdout, and says
// where.
func (c *call) runForNoise(ctx context.Context, sh shell, dir *string) (exitCode, error) {
	if !c.run.scenario.given.Changed("repeat") {
		if err := c.run.scenario.given.Set("repeat", strconv.Itoa(noiseRepeats)); err != nil {
			return exitUsage, err
		}
	}
	if c.run.out == "" {
		c.run.out = filepath.Join("results", "runs", time.Now().UTC().Format("20060102T150405Z")+"-noise")
	}
	*dir = c.run.out
	sh.stdout = io.Discard
	return runRun(ctx, sh, c)
}

func writeNoise(w io.Writer, n *compare.Noise, file string) error {
	fmt.Fprintf(w, "noise floor of this machine, from %s with %d observations a side of %.3g s each\n\n", n.Run,
		n.PerSide, n.MeasuredS)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, metric := range slices.Sorted(maps.Keys(n.Floors)) {
		fmt.Fprintf(tw, "  %s\t%s\n", metric, words.Share(n.Floors[metric]))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, why := range n.Disturbed {
		fmt.Fprintf(w, "\nnot quiet: %s\n", words.Clean(why))
	}
	_, err := fmt.Fprintf(w, "\nwritten to %s\n", file)
	return err
}
