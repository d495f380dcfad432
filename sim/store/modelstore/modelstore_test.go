package modelstore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/store"
	"flowbench/sim/store/modelstore"
)

const ms = time.Millisecond

// A bench is a model that takes a millisecond each way and carries a byte in one,
// and a party's access to it.
type bench struct {
	*testing.T
	kernel  *des.Kernel
	session store.Session
	meter   store.Meter
	flows.Objects
}

// run runs body in virtual time.
func run(t *testing.T, body func(ctx context.Context, b *bench)) {
	t.Helper()
	b := &bench{T: t, kernel: des.New()}
	err := b.kernel.Run(t.Context(), func(ctx context.Context) {
		var err error
		b.session, err = modelstore.Open(b.kernel, modelstore.Config{Link: des.Constant(ms), BytesPerS: 1000},
			store.Config{Prefix: "p", MaxBytes: 20, Meter: &b.meter})
		if err == nil {
			b.Objects, err = b.session.Connect(ctx, "party")
		}
		if err != nil {
			t.Fatal(err)
		}
		body(ctx, b)
	})
	if err != nil {
		t.Error(err)
	}
}

// put stores an object and fails the test if that fails.
func (b *bench) put(ctx context.Context, name, content string) (uri string) {
	b.Helper()
	uri, err := b.Put(ctx, name, int64(len(content)), strings.NewReader(content))
	if err != nil {
		b.Fatal(err)
	}
	return uri
}

// want compares how a call ended and how long it took since began.
func (b *bench) want(err error, outcome flows.Outcome, class flows.Class, began, took time.Duration) {
	b.Helper()
	if o, c := flows.OutcomeOf(err); o != outcome || c != class || b.kernel.Now()-began != took {
		b.Errorf("it ended %v (%s) after %v: %v; want %v (%s) after %v",
			o, c, b.kernel.Now()-began, err, outcome, class, took)
	}
}

func TestRequestsTakeTwoTripsAndTheTimeOfTheirBytes(t *testing.T) {
	run(t, func(ctx context.Context, b *bench) {
		uri := b.put(ctx, "o", "0123456789")
		b.want(nil, flows.OK, "", 0, 12*ms)
		for _, part := range []struct {
			span flows.Span
			want string
		}{
			{flows.Span{}, "0123456789"}, {flows.Span{From: 4}, "456789"}, {flows.Span{From: 4, Bytes: 2}, "45"},
			{flows.Span{From: 8, Bytes: 9}, "89"}, {flows.Span{From: 10}, ""}, {flows.Span{From: 99}, ""},
		} {
			began := b.kernel.Now()
			body, err := b.Get(ctx, uri, part.span)
			b.want(err, flows.OK, "", began, 2*ms+time.Duration(len(part.want))*ms)
			if err != nil {
				continue
			}
			if got, err := io.ReadAll(body); err != nil || string(got) != part.want {
				t.Errorf("%+v is %q, %v; want %q", part.span, got, err, part.want)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
		began := b.kernel.Now()
		b.want(b.Delete(ctx, uri), flows.OK, "", began, 2*ms)
		b.want(b.Delete(ctx, uri), flows.OK, "", began, 4*ms) // what is not there need not be deleted
		_, err := b.Get(ctx, uri, flows.Span{})
		b.want(err, flows.Failed, flows.Rejected, began, 5*ms)
		if !errors.Is(err, flows.ErrNoObject) {
			t.Errorf("the error is %v; want that the object is not there", err)
		}
		if p, g, d := b.meter.Puts.Load(), b.meter.Gets.Load(), b.meter.Deletes.Load(); p != 1 || g != 6 || d != 2 {
			t.Errorf("metered %d, %d, %d; want 1, 6, 2", p, g, d)
		}
	})
}

func TestAddressesThatAreNoneOfTheModelsTakeNoTime(t *testing.T) {
	run(t, func(ctx context.Context, b *bench) {
		b.put(ctx, "o", "x")
		began := b.kernel.Now()
		for _, uri := range []string{
			"", "o", "model:", "model:p", "model:p.", "model:p-o", "model:q.o", "model:p.o.x", "model:p.../o",
			"Model:p.o", "http://127.0.0.1/p.o", "model:p.o ", "model:p.\x00",
		} {
			_, err := b.Get(ctx, uri, flows.Span{})
			b.want(err, flows.Failed, flows.Rejected, began, 0)
			if err := errors.Join(err, b.Delete(ctx, uri)); !errors.Is(err, flows.ErrForeign) {
				t.Errorf("%q gives %v; want that it is foreign", uri, err)
			}
		}
	})
}

// TestAFailedPutLeavesNothing fails a Put in every way there is, and looks whether
// its object can be got and whether its room is free again.
func TestAFailedPutLeavesNothing(t *testing.T) {
	broken := errors.New("broken")
	text := func(s string) io.Reader { return strings.NewReader(s) }
	for name, tt := range map[string]struct {
		object  string
		size    int64
		body    io.Reader
		time    time.Duration
		outcome flows.Outcome
		class   flows.Class
		took    time.Duration
	}{
		"time ends on the way there": {"o", 10, text("0123456789"), 5 * ms, flows.Undecided, flows.Timeout, 5 * ms},
		"time ends on the way back":  {"o", 1, text("0"), 5 * ms / 2, flows.Undecided, flows.Timeout, 5 * ms / 2},
		"the body ends early":        {"o", 10, text("012"), time.Hour, flows.Failed, flows.Internal, 0},
		"the body breaks": {
			"o", 10, io.MultiReader(text("0"), failing{broken}), time.Hour, flows.Failed, flows.Internal, 0,
		},
		"there is no room": {
			"o", 21, text(strings.Repeat("x", 21)), time.Hour, flows.Failed, flows.Overloaded, 0,
		},
		"the name is none":            {"../o", 1, text("x"), time.Hour, flows.Failed, flows.Internal, 0},
		"there is less than no bytes": {"o", -1, text("x"), time.Hour, flows.Failed, flows.Internal, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context, b *bench) {
				limited, cancel := b.kernel.WithTimeout(ctx, tt.time)
				defer cancel()
				uri, err := b.Put(limited, tt.object, tt.size, tt.body)
				b.want(err, tt.outcome, tt.class, 0, tt.took)
				if uri != "" {
					t.Errorf("it has the address %q", uri)
				}
				if _, err := b.Get(ctx, "model:p.o", flows.Span{}); !errors.Is(err, flows.ErrNoObject) {
					t.Errorf("what it left is got with %v", err)
				}
				b.put(ctx, "other", strings.Repeat("x", 20)) // needs all the room there is
			})
		})
	}
}

// failing is a body that cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestNothingCanBeAskedAfterClose(t *testing.T) {
	run(t, func(ctx context.Context, b *bench) {
		uri := b.put(ctx, "o", "x")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		_, put := b.Put(ctx, "q", 1, strings.NewReader("x"))
		_, get := b.Get(ctx, uri, flows.Span{})
		for _, err := range []error{put, get, b.Delete(ctx, uri)} {
			if !errors.Is(err, flows.ErrClosed) {
				t.Errorf("after Close: %v; want ErrClosed", err)
			}
		}
		other, err := b.session.Connect(ctx, "other")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.session.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Get(ctx, uri, flows.Span{}); !errors.Is(err, flows.ErrNoObject) {
			t.Errorf("when the session is closed: %v; want that its objects are gone", err)
		}
	})
}

func TestAPrefixThatIsNoneIsRefused(t *testing.T) {
	for _, prefix := range []string{"", "a.b", "a/b", strings.Repeat("x", 200)} {
		if _, err := modelstore.Open(des.New(), modelstore.Config{}, store.Config{Prefix: prefix}); err == nil {
			t.Errorf("the prefix %q is taken", prefix)
		}
	}
}
