package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"flowbench/flows"
	"flowbench/sim/wire"
)

// Classify says what an error means with which a server was asked, or its answer
// was read. A call that did not end in time is left open, like every operation
// that times out; one that somebody else than its caller has cancelled has lost its
// connection to that. Everything else has failed for certain: what Get, Put and Delete
// were called for did not come about. Errors that a driver has classified stay as
// they are; the status codes of a protocol are for the driver that speaks it.
func Classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	outcome, class := flows.OutcomeOf(err)
	var undialled *dialError
	var timeout net.Error
	switch {
	case outcome == flows.Failed || errors.Is(err, flows.ErrUnknown) || errors.Is(err, flows.ErrClosed):
		return err
	case ctx.Err() != nil:
		_, class = flows.OutcomeOf(ctx.Err())
		return flows.Unknown(class, err)
	case class == flows.Timeout:
		return flows.Unknown(class, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return flows.Unknown(flows.Timeout, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return flows.Fail(flows.Refused, err)
	case errors.As(err, &undialled):
		return flows.Fail(flows.Unreachable, err)
	default:
		return flows.Fail(flows.Disconnected, err)
	}
}

// Done returns the error of a call whose context has ended, and nil before.
func Done(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	_, class := flows.OutcomeOf(ctx.Err())
	return flows.Unknown(class, ctx.Err())
}

// NoObject returns the error of an object that is not there.
func NoObject(object string) error {
	return flows.Fail(flows.Rejected, fmt.Errorf("object %s: %w", object, flows.ErrNoObject))
}

// A dialError says that there was no connection to ask anybody over.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }

func (e *dialError) Unwrap() error { return e.err }

// marked returns a dialer whose errors [Classify] knows.
func marked(dial wire.Dialer) wire.Dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, &dialError{err}
		}
		return c, nil
	}
}
