package flows

import (
	"context"
	"errors"
	"io"
)

// A Store keeps objects that are too large for messages: the baggage that a
// claim check stands for.
type Store interface {
	// Connect opens a party's way to the store. The name shows up in events and
	// says which links its connections go through.
	Connect(ctx context.Context, name string) (Objects, error)
}

// Objects is one party's access to a store. Its methods may be called
// concurrently; each ends when its context is done. [OutcomeOf] says what an
// error means for the call. For an operation whose message was to carry the
// address, a Put that did not succeed is a certain failure, also where the Put's
// own time ended: the message was never sent. After Close calls end with
// [ErrClosed].
//
// An object is written once, whole, and never changed. Nobody can get it before
// Put has returned, and what a failed Put has left behind cannot be got at all.
type Objects interface {
	// Put stores size bytes of body as a new object and returns its address, a URI
	// that everybody with access to the same store can give to Get. The name is
	// unique, and of letters, digits and hyphens. A body that ends before size bytes
	// is an error.
	Put(ctx context.Context, name string, size int64, body io.Reader) (uri string, err error)

	// Get opens the bytes of an object, or of a part of it. The reader must be
	// closed, also after its end; closing it early is no error. Reading after ctx is
	// done fails. An object that is not there is [ErrNoObject]; an address that is
	// none of this store's is [ErrForeign], and nothing is asked of anybody.
	Get(ctx context.Context, uri string, part Span) (io.ReadCloser, error)

	// Delete removes an object. One that is not there is not an error: the wish has
	// come true.
	Delete(ctx context.Context, uri string) error

	// Close ends all connections.
	Close() error
}

// A Span is a part of an object: Bytes bytes from byte From on, or all from there
// on if Bytes is 0. The zero value is the whole object. A part that reaches
// beyond the end is cut there; one that begins at the end or after it has no
// bytes.
type Span struct{ From, Bytes int64 }

// What stores say of addresses. Both are certain: nothing was done.
var (
	ErrNoObject = errors.New("the object is not there")
	ErrForeign  = errors.New("the address is none of this store's")
)
