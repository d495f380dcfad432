package modeledge

import (
	"context"
	"errors"
	"fmt"
	"io"

	"flowbench/flows"
)

var (
	errGone  = errors.New("read body: nobody sends it any more")
	errShort = errors.New("it ends before its size")
)

// A leavingBody is the body of a call at who makes it.
type leavingBody struct {
	from io.Reader
	left int64
	gone bool  // who makes the call has left
	err  error // how it broke off
}

// leaving returns a call whose body ends at its size, or when leave is called;
// nil is the body of a call that has it whole.
func leaving(c flows.Call) (flows.Call, *leavingBody) {
	if c.Stream == nil {
		return c, nil
	}
	b := &leavingBody{from: c.Stream, left: c.StreamBytes}
	c.Stream = b
	return c, b
}

// leave ends the body for who makes the call.
func (b *leavingBody) leave() {
	if b != nil {
		b.gone = true
	}
}

// broke returns the error that the body broke off with, if it did: what became of
// the call nobody knows then, whatever the endpoint has made of it.
func (b *leavingBody) broke() error {
	if b == nil {
		return nil
	}
	return b.err
}

// Read implements [io.Reader].
func (b *leavingBody) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.gone:
		return 0, flows.Unknown(flows.Disconnected, errGone)
	case b.left <= 0:
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == nil, b.left == 0:
		return n, nil
	case errors.Is(err, io.EOF):
		err = errShort
	}
	_, class := flows.OutcomeOf(err)
	b.err = flows.Unknown(class, fmt.Errorf("read body: %w", err))
	return n, b.err
}

// An arrivingBody is the body of a call at its endpoint.
type arrivingBody struct {
	ctx  context.Context
	from io.Reader
}

// arriving returns a body that breaks off with the call; nil is none.
func arriving(ctx context.Context, from io.Reader) io.Reader {
	if from == nil {
		return nil
	}
	return arrivingBody{ctx, from}
}

// Read implements [io.Reader].
func (b arrivingBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, flows.Unknown(flows.Disconnected, errGone)
	}
	return b.from.Read(p)
}
