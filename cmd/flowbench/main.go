// Flowbench runs the ways in which clients can talk to services through
// messages, under load, and reports what each of them costs and keeps.
//
//	flowbench run
//
// compares the main flows on embedded brokers and ends with a report. Every verb
// explains itself with --help; the list of verbs is in verbs.go, the exit codes
// are in exit.go.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run in order; from then on a second one just kills.
	context.AfterFunc(ctx, stop)
	sh := shell{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, width: 100}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		sh.width = w
	}
	sh.colour = term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	sh.bars = term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	os.Exit(run(ctx, sh, os.Args[1:]))
}

// A shell is where the program runs: what the process around it provides, and
// what tests provide in its place.
type shell struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	width          int  // of the terminal, in characters
	colour         bool // whether stdout shows colours
	bars           bool // whether stderr can be drawn on
}
