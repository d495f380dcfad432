package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows"
	"flowbench/sim/store"
)

func TestErrorsGetTheClassOfWhatHappened(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	known := flows.Fail(flows.TooLarge, errors.New("x"))
	undialled := func(cause error) error {
		c := store.Config{Meter: &store.Meter{}, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, cause
		}}
		_, err := c.DialerOf("party")(t.Context(), "tcp", "127.0.0.1:1")
		return err
	}
	for _, c := range []struct {
		ctx     context.Context
		err     error
		outcome flows.Outcome
		class   flows.Class
	}{
		{t.Context(), nil, flows.OK, ""},
		{t.Context(), known, flows.Failed, flows.TooLarge},
		{ended, known, flows.Failed, flows.TooLarge},
		{t.Context(), flows.Unknown(flows.Timeout, known), flows.Undecided, flows.Timeout},
		{ended, io.ErrUnexpectedEOF, flows.Undecided, flows.Canceled},
		{late, io.ErrUnexpectedEOF, flows.Undecided, flows.Timeout},
		{t.Context(), context.DeadlineExceeded, flows.Undecided, flows.Timeout},
		{t.Context(), os.ErrDeadlineExceeded, flows.Undecided, flows.Timeout},
		{t.Context(), context.Canceled, flows.Failed, flows.Disconnected}, // by somebody else than the caller
		{t.Context(), fmt.Errorf("x: %w", flows.ErrClosed), flows.Undecided, flows.Canceled},
		{t.Context(), undialled(syscall.ECONNREFUSED), flows.Failed, flows.Refused},
		{t.Context(), undialled(errors.New("no route")), flows.Failed, flows.Unreachable},
		{t.Context(), undialled(os.ErrDeadlineExceeded), flows.Undecided, flows.Timeout},
		{t.Context(), syscall.ECONNRESET, flows.Failed, flows.Disconnected},
		{t.Context(), io.ErrUnexpectedEOF, flows.Failed, flows.Disconnected},
		{t.Context(), errors.New("x"), flows.Failed, flows.Disconnected},
	} {
		err := store.Classify(c.ctx, c.err)
		if outcome, class := flows.OutcomeOf(err); outcome != c.outcome || class != c.class || !errors.Is(err, c.err) {
			t.Errorf("%v is %v, %s; want %v, %s", c.err, outcome, class, c.outcome, c.class)
		}
	}
}

// TestAReaderEndsWhereTheObjectDoes has a store send too little, too much, and
// what is right.
func TestAReaderEndsWhereTheObjectDoes(t *testing.T) {
	for _, c := range []struct {
		sent    string
		want    int64
		outcome flows.Outcome
		class   flows.Class
	}{
		{"abc", 3, flows.OK, ""},
		{"", 0, flows.OK, ""},
		{"abc", -1, flows.OK, ""},
		{"abc", 4, flows.Failed, flows.Disconnected},
		{"", 1, flows.Failed, flows.Disconnected},
		{"abc", 2, flows.Failed, flows.Corrupt},
		{"abc", 0, flows.Failed, flows.Corrupt},
	} {
		r := store.NewReader(t.Context(), io.NopCloser(strings.NewReader(c.sent)), c.want)
		_, err := io.ReadAll(r)
		if outcome, class := flows.OutcomeOf(err); outcome != c.outcome || class != c.class {
			t.Errorf("%q with %d bytes wanted ends as %v; want %v, %s", c.sent, c.want, err, c.outcome, c.class)
		}
	}
}

func TestABodyIsReadToItsSizeAndNotAfterItsEnd(t *testing.T) {
	source := strings.NewReader("abcdef")
	body := store.NewBody(t.Context(), source, 4)
	if content, err := io.ReadAll(body); string(content) != "abcd" || err != nil || body.Err() != nil {
		t.Errorf("read %q, %v, %v; want abcd", content, err, body.Err())
	}
	body = store.NewBody(t.Context(), source, 2)
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := body.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) || source.Len() != 2 {
		t.Errorf("a closed body reads %d bytes, %v, and leaves %d; want an error", n, err, source.Len())
	}
}

func TestAPartIsWithinItsObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 20).Draw(t, "size")
		edge := rapid.OneOf(rapid.Int64Range(-2, 25), rapid.Int64())
		part := flows.Span{From: edge.Draw(t, "from"), Bytes: edge.Draw(t, "bytes")}
		content := bytes.Repeat([]byte("x"), int(size))
		from, n := store.Cut(part, size)
		got := content[from : from+n] // panics outside of it
		want := content[min(max(part.From, 0), size):]
		if part.Bytes > 0 {
			want = want[:min(part.Bytes, int64(len(want)))]
		}
		if len(got) != len(want) {
			t.Fatalf("%+v of %d bytes has %d; want %d", part, size, len(got), len(want))
		}
	})
}

func TestRoomIsTakenOnce(t *testing.T) {
	r := store.NewRoom(10)
	for _, c := range []struct {
		bytes int64
		class flows.Class
	}{
		{6, ""}, {5, flows.Overloaded}, {4, ""}, {1, flows.Overloaded}, {0, ""}, {1 << 62, flows.Overloaded},
		{-1, flows.Internal},
	} {
		if _, class := flows.OutcomeOf(r.Take(c.bytes)); class != c.class {
			t.Errorf("taking %d ends as %q; want %q", c.bytes, class, c.class)
		}
	}
	r.Give(6)
	if err := r.Take(6); err != nil {
		t.Error(err)
	}
}
