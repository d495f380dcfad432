package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"flowbench/report"
	"flowbench/results"
	"flowbench/results/compare"
)

// compareFlags are the flags of the verbs that compare.
type compareFlags struct {
	format string
	noise  string
	force  bool
}

func (k *compareFlags) add(f *pflag.FlagSet) {
	f.StringVar(&k.format, "format", "text", "`FORMAT`: text, html, markdown or json")
	f.StringVar(&k.noise, "noise", "",
		"`FILE` of the noise floor that flowbench noise wrote (default: where it writes to)")
}

// What the exit codes of verbs that compare mean. They are those of runs, and what
// an expectation is to a run, no change for the worse is to a comparison.
const compareCodes = `Exit codes: 0 no change for the worse; 1 a change for the worse; 2 cannot tell, of
anything, and nothing is worse; 3 the runs are not comparable, or the command line is
wrong.`

func compareVerb() verb {
	return verb{
		name: "compare", args: "OLD NEW...", minArgs: 2, maxArgs: 17,
		summary: "say what changed between runs, and what cannot be told",
		long: `
Compares the runs of OLD with those of each NEW, metric by metric. Each is a run
directory, or a directory of run directories, which then count together. What is
compared are repeats and runs, never single latencies: run with --repeat 10 or so.

A change is one that Mann and Whitney's test finds, adjusted by Holm for the number
of metrics, and that is beyond the noise floor of the machine (flowbench noise). With
too few repeats, or on a machine that was not quiet, the answer is: cannot tell. With
one run on a side, ratios and intervals are shown, and nothing is called by them.

Runs of different scenarios, loads or machines are refused; --force compares them
and marks it.

` + compareCodes,
		flags: func(f *pflag.FlagSet, c *call) {
			c.compare.add(f)
			f.BoolVar(&c.compare.force, "force", false, "compare what is not comparable, and mark it")
		},
		run: func(_ context.Context, sh shell, c *call) (exitCode, error) {
			if _, err := c.compare.writer(sh); err != nil {
				return exitUsage, err
			}
			old, err := readSide(c.args[0])
			if err != nil {
				return exitUsage, err
			}
			var news []compare.Side
			for _, dir := range c.args[1:] {
				s, err := readSide(dir)
				if err != nil {
					return exitUsage, err
				}
				if s.Name == old.Name { // then where they are tells them apart
					s.Name, old.Name = filepath.Clean(dir), filepath.Clean(c.args[0])
				}
				news = append(news, s)
			}
			return c.compare.compare(sh, old, news, compare.Options{Force: c.compare.force})
		},
	}
}

// writer returns what writes a comparison in the format that was asked for.
func (k *compareFlags) writer(sh shell) (func(io.Writer, *compare.Comparison) error, error) {
	switch strings.ToLower(k.format) {
	case "text":
		return func(w io.Writer, c *compare.Comparison) error {
			return report.WriteComparisonText(w, c, sh.width, sh.colour)
		}, nil
	case "html":
		return report.WriteComparisonHTML, nil
	case "markdown":
		return report.WriteComparisonMarkdown, nil
	case "json":
		return report.WriteComparisonJSON, nil
	}
	return nil, fmt.Errorf("--format is %q; want text, html, markdown or json", k.format)
}

// compare compares the sides, writes what came of it, also into directories, and decides how the program
// ends.
func (k *compareFlags) compare(
	sh shell, old compare.Side, news []compare.Side, o compare.Options, dirs ...string,
) (exitCode, error) {
	write, err := k.writer(sh)
	if err != nil {
		return exitUsage, err
	}
	if o.Noise, err = k.readNoise(); err != nil {
		return exitUsage, err
	}
	o.Now = time.Now()
	c, err := compare.Compare(old, news, o)
	if err != nil {
		return exitUsage, err
	}
	if err := write(sh.stdout, c); err != nil {
		return exitEnvironment, err
	}
	for _, dir := range dirs {
		if err := writeBeside(dir, c); err != nil {
			return exitEnvironment, err
		}
	}
	return comparedCode(c.Outcome), nil
}

// comparedCode returns the exit code of an outcome.
func comparedCode(o compare.Outcome) exitCode {
	switch o {
	case compare.Worse:
		return exitExpectation
	case compare.CannotTell:
		return exitNoVerdict
	}
	return exitOK
}

// readNoise reads the noise floor: the one that was asked for, or the one of this
// machine if there is one.
func (k *compareFlags) readNoise() (*compare.Noise, error) {
	name := k.noise
	if name == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, nil //nolint:nilerr // without a place to keep it, there is no noise floor
		}
		name = compare.NoiseFile(cache)
	}
	n, err := compare.ReadNoise(name)
	if errors.Is(err, fs.ErrNotExist) && k.noise == "" {
		return nil, nil
	}
	return n, err
}

// maxRuns is how many runs one side may have.
const maxRuns = 200

// readSide reads a run directory, or all run directories in a directory.
func readSide(dir string) (compare.Side, error) {
	s := compare.Side{Name: filepath.Base(filepath.Clean(dir))}
	r, err := results.Read(dir)
	if err == nil {
		s.Runs = append(s.Runs, r)
		return s, nil
	}
	entries, dirErr := os.ReadDir(dir)
	if dirErr != nil {
		return s, fmt.Errorf("read runs: %w", dirErr)
	}
	var found []string
	for _, e := range entries {
		if _, statErr := os.Stat(filepath.Join(dir, e.Name(), "run.json")); statErr == nil && e.IsDir() {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if len(found) == 0 {
		return s, fmt.Errorf("%w; a directory of run directories would do as well", err)
	}
	if len(found) > maxRuns {
		return s, fmt.Errorf("read runs: %s holds %d; want at most %d", dir, len(found), maxRuns)
	}
	for _, name := range found {
		r, err := results.Read(name)
		if err != nil {
			return s, err
		}
		s.Runs = append(s.Runs, r)
	}
	slices.SortStableFunc(s.Runs, func(a, b *results.Run) int { return a.Started.Compare(b.Started) })
	return s, nil
}
