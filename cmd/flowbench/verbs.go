package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"flowbench/report/live"
	"flowbench/sim/embedded"
	"flowbench/sim/process"
)

// A verb is one thing that the program does.
type verb struct {
	name    string
	args    string // what follows the flags, in the notation of manuals
	summary string // one phrase
	long    string // paragraphs for its help
	run     func(ctx context.Context, sh shell, c *call) (exitCode, error)
	flags   func(f *pflag.FlagSet, c *call)
	minArgs int
	maxArgs int
}

// A call is a verb with its command line.
type call struct {
	args   []string // after the flags
	line   []string // all of it
	run    runFlags
	report reportFlags
	asJSON bool

	compare compareFlags
	noise   noiseFlags
	ab      abFlags
}

// verbs returns all verbs, in the order in which the help lists them.
func verbs() []verb {
	return []verb{
		runVerb(), simulateVerb(), listVerb(), planVerb(), validateVerb(), schemaVerb(), reportVerb(), checkVerb(),
		compareVerb(), abVerb(), noiseVerb(), serveVerb(), versionVerb(),
	}
}

// run is the program without the process around it.
func run(ctx context.Context, sh shell, args []string) int {
	if len(args) > 0 { // a child of this program may be one of its brokers, or what keeps one, or draws a page
		switch args[0] {
		case embedded.Verb:
			return embedded.Main(args[1:], sh.stdin, sh.stdout, sh.stderr)
		case process.Verb:
			return process.Main(args[1:], sh.stdin, sh.stdout, sh.stderr)
		case live.Verb:
			return live.Main(args[1:], sh.stdout, sh.stderr)
		}
	}
	code, err := dispatch(ctx, sh, args)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(sh.stderr, "flowbench: %s\n", strings.TrimRight(line, "\n"))
		}
		if code == exitOK {
			code = codeOf(err)
		}
	}
	return int(code)
}

func dispatch(ctx context.Context, sh shell, args []string) (exitCode, error) {
	if len(args) == 0 || args[0] == "help" && len(args) == 1 || args[0] == "--help" || args[0] == "-h" {
		return exitOK, writeHelp(sh.stdout, sh.width)
	}
	if args[0] == "help" {
		args = []string{args[1], "--help"}
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return v.call(ctx, sh, args)
		}
	}
	return exitUsage, fmt.Errorf("no verb is named %q; flowbench help lists them", args[0])
}

func (v verb) call(ctx context.Context, sh shell, args []string) (exitCode, error) {
	c := &call{line: args}
	f := pflag.NewFlagSet(v.name, pflag.ContinueOnError)
	f.SortFlags = false
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	if v.flags != nil {
		v.flags(f, c)
	}
	if err := f.Parse(args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			v.writeHelp(sh.stdout, f, sh.width)
			return exitOK, nil
		}
		return exitUsage, fmt.Errorf("%w; see flowbench %s --help", err, v.name)
	}
	c.args = f.Args()
	if n := len(c.args); n < v.minArgs || n > v.maxArgs {
		return exitUsage, fmt.Errorf("%s takes %s, not %d arguments; see flowbench %s --help",
			v.name, v.arity(), n, v.name)
	}
	return v.run(ctx, sh, c)
}

// arity says how many arguments v takes.
func (v verb) arity() string {
	switch {
	case v.maxArgs == 0:
		return "no argument"
	case v.minArgs == v.maxArgs:
		return v.args
	default:
		return "at most " + strings.Trim(v.args, "[]")
	}
}
