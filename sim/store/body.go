package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"flowbench/flows"
)

// A Body is what a Put was given to store, for a client library to read: exactly
// as many bytes as were announced, while the Put lasts. It knows when it was the
// body that made a Put fail and not the store.
type Body struct {
	ctx  context.Context
	size int64

	mu   sync.Mutex // held during a read, so that none is under way after Close
	r    io.Reader
	read int64
	err  error // of r, classified
}

// NewBody returns the first size bytes of r, for as long as ctx. Close must be
// called before the Put returns: client libraries may go on reading for a while
// after they have given up, and r is the caller's again by then.
func NewBody(ctx context.Context, r io.Reader, size int64) *Body {
	return &Body{ctx: ctx, size: size, r: r}
}

var errBodyClosed = errors.New("the body has been closed")

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case b.r == nil:
		return 0, errBodyClosed
	case b.read == b.size:
		return 0, io.EOF
	case b.ctx.Err() != nil:
		b.err = Done(b.ctx)
		return 0, b.err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.size-b.read)])
	b.read += int64(n)
	switch {
	case err == nil || b.read == b.size:
		return n, nil
	case errors.Is(err, io.EOF):
		b.err = flows.Fail(flows.Internal, fmt.Errorf("the body ends after %d of %d bytes: %w", b.read, b.size,
			io.ErrUnexpectedEOF))
	default:
		_, class := flows.OutcomeOf(err)
		b.err = flows.Fail(class, fmt.Errorf("read the body: %w", err))
	}
	return n, b.err
}

// Close ends the body. A read that is under way ends first.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
	return nil
}

// Err returns why the body could not be read to its end, if that is so: then it is
// the reason of a Put's failure, whatever the client library says.
func (b *Body) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// A reader is the bytes of an object as Get hands them out.
type reader struct {
	ctx  context.Context
	body io.ReadCloser
	left int64 // bytes that must still come, or less than 0 if nobody knows
}

// NewReader returns body as Get hands it out: reading ends with ctx, errors have
// their class, and an end before as many bytes as wanted is an error and not an
// end. A negative number of bytes says that nobody knows how many there are. A
// read that waits for the network must end with ctx by itself.
func NewReader(ctx context.Context, body io.ReadCloser, bytes int64) io.ReadCloser {
	return &reader{ctx, body, bytes}
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if err := Done(r.ctx); err != nil {
		return 0, err
	}
	n, err := r.body.Read(p)
	known := r.left >= 0
	r.left -= int64(n)
	switch {
	case known && r.left < 0:
		return 0, flows.Fail(flows.Corrupt, errors.New("the store sends more than there is of the object"))
	case !known:
		r.left = -1
	}
	if errors.Is(err, io.EOF) && r.left <= 0 {
		return n, io.EOF
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("read the object: %d bytes before its end: %w", r.left, io.ErrUnexpectedEOF)
	}
	return n, Classify(r.ctx, err)
}

// Close implements [io.Closer].
func (r *reader) Close() error { return r.body.Close() }

// Cut returns which bytes of an object of some size are in a part of it.
func Cut(part flows.Span, size int64) (from, bytes int64) {
	from = min(max(part.From, 0), size)
	bytes = size - from
	if part.Bytes > 0 {
		bytes = min(bytes, part.Bytes)
	}
	return from, bytes
}
