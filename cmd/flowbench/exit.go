package main

import (
	"context"
	"errors"

	"flowbench/sim"
)

// An exitCode says how the program ended. Scripts rely on the numbers.
type exitCode int

// The exit codes. Everything that ends the program goes through [codeOf] or
// names one of these.
const (
	exitOK          exitCode = 0 // all held
	exitExpectation exitCode = 1 // an expectation failed, or a promise was broken
	exitNoVerdict   exitCode = 2 // no verdict: a cell is not valid, or the run was cut short
	exitUsage       exitCode = 3 // the command line or the scenario is wrong
	exitEnvironment exitCode = 4 // what is needed around flowbench is not there
)

// A codeHelp is an exit code with its meaning, for the help.
type codeHelp struct {
	code    exitCode
	meaning string
}

func exitCodes() []codeHelp {
	return []codeHelp{
		{exitOK, "all held; comparing: nothing changed for the worse"},
		{exitExpectation, "an expectation failed, or a flow broke its promise; comparing: a change for the worse"},
		{exitNoVerdict, "no verdict: a cell is not valid, the numbers do not carry one, or the run was cut short; " +
			"comparing: it cannot be told"},
		{exitUsage, "the command line or the scenario is wrong; comparing: the runs are not comparable"},
		{exitEnvironment, "the environment failed: a broker cannot be reached, a file cannot be written"},
	}
}

// A usageError is a mistake in the command line or in a scenario.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// codeOf returns the exit code that err ends the program with.
func codeOf(err error) exitCode {
	var usage *usageError
	var env *sim.EnvironmentError
	var off *brokenOff
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &off):
		return exitExpectation
	case errors.Is(err, context.Canceled):
		return exitNoVerdict
	case errors.As(err, &env):
		return exitEnvironment
	default:
		return exitEnvironment // files that cannot be read or written, above all
	}
}
