package flows

import (
	"context"
	"errors"
	"fmt"
)

// An Outcome is how an operation ended. There are three, never two.
type Outcome uint8

// The outcomes.
const (
	OK        Outcome = iota // it happened, and the client was told what the flow tells
	Failed                   // it certainly did not happen and will not
	Undecided                // it may have happened, and it may yet happen
)

// String returns the outcome as written in results.
func (o Outcome) String() string { return [...]string{"ok", "failed", "unknown"}[o] }

// A Class says why an operation did not end ok. The list is closed.
type Class string

// The classes.
const (
	Timeout      Class = "timeout"       // the client's patience ended
	Refused      Class = "refused"       // a connection was refused
	Unreachable  Class = "unreachable"   // no connection to send over
	Disconnected Class = "disconnected"  // the connection was cut while the operation was under way
	NoResponders Class = "no-responders" // sent, and nobody is there to take it
	Overloaded   Class = "overloaded"    // a bound was reached
	Rejected     Class = "rejected"      // the service or the broker said no
	TooLarge     Class = "too-large"     // the payload is over a limit
	Corrupt      Class = "corrupt"       // what came back is not what was asked for
	Canceled     Class = "canceled"      // the run ended first
	Internal     Class = "internal"      // a defect of flowbench
)

// Classes returns all classes, in the order in which reports list them.
func Classes() []Class {
	return []Class{Timeout, Refused, Unreachable, Disconnected, NoResponders, Overloaded, Rejected, TooLarge,
		Corrupt, Canceled, Internal}
}

// ErrUnknown marks an error after which nobody can know whether the operation
// happens: the request had left, and no answer came.
var ErrUnknown = errors.New("outcome unknown")

// ErrClosed is returned by connections and subscriptions that have been closed.
var ErrClosed = errors.New("closed")

var (
	errNoAnswer = errors.New("the call ended without an answer")
	errDenied   = errors.New("the service refused")
)

// An opError is an error with its class.
type opError struct {
	class   Class
	unknown bool
	err     error
}

func (e *opError) Error() string { return e.err.Error() }

func (e *opError) Unwrap() error { return e.err }

// Is lets errors.Is(err, ErrUnknown) find what is undecided.
func (e *opError) Is(target error) bool { return target == ErrUnknown && e.unknown }

// Fail returns err marked as a certain failure of the given class.
func Fail(c Class, err error) error { return &opError{class: c, err: err} }

// Unknown returns err marked as leaving the outcome unknown.
func Unknown(c Class, err error) error { return &opError{class: c, unknown: true, err: err} }

// OutcomeOf says what err, as returned by Do, Publish or Call, means for the
// operation. Errors that nobody classified are undecided: when in doubt, that
// is always true.
func OutcomeOf(err error) (Outcome, Class) {
	var e *opError
	switch {
	case err == nil:
		return OK, ""
	case errors.As(err, &e) && e.unknown:
		return Undecided, e.class
	case errors.As(err, &e):
		return Failed, e.class
	case errors.Is(err, context.DeadlineExceeded):
		return Undecided, Timeout
	case errors.Is(err, context.Canceled):
		return Undecided, Canceled
	case errors.Is(err, ErrClosed):
		return Undecided, Canceled
	default:
		return Undecided, Internal
	}
}

// awaiting returns the error of an operation that gave up waiting for what.
func awaiting(what string, err error) error {
	_, class := OutcomeOf(err)
	return Unknown(class, fmt.Errorf("await %s: %w", what, err))
}
