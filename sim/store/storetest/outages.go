package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
)

// outages are the cases about connections and what can befall them.
func outages() []testCase {
	return []testCase{
		{"connections are made through the route of their party", true, routed},
		{"a closed party has no connections", true, connectionless},
		{"a server that does not answer is an error in time", true, openSilent},
		{"a refused connection has failed for certain", true, refused},
		{"a connection that cannot be made has failed for certain", true, unreachable},
		{"a put that is cut is an error at once", true, cutPut},
		{"a get that is cut is not taken for its end", true, cutGet},
		{"a party gets over an outage by itself", true, getsOver},
		{"a server that falls silent is waited for as long as the context", true, silent},
		{"a get that falls silent ends with its context, and is closed at once", true, silentGet},
		{"a party closes at once while the server is silent", true, silentClose},
	}
}

// expectNotOpened opens a session and expects that to fail. It returns the error.
func expectNotOpened(t *testing.T, r *rig, w *world, what string, class flows.Class, secret string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	session, err := r.bench.Driver.Open(ctx, w.config)
	if err == nil {
		_ = session.Close(ctx) // it should not be there at all
		t.Errorf("opened a session in spite of %s", what)
		return nil
	}
	expect(t, "open in spite of "+what, err, flows.Failed, class)
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error shows credentials: %v", err)
	}
	return err
}

// await waits until f has no error.
func await(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s: %v", what, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func enter(t *testing.T, what string, act func() error) {
	t.Helper()
	if err := act(); err != nil {
		t.Fatalf("network %s: %v", what, err)
	}
}

func routed(t *testing.T, r *rig) {
	w := r.world(t)
	put(t, w.party(t, "first-party"), "object", pattern(10))
	put(t, w.party(t, "second-party"), "other", pattern(10))
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.routed, "first-party") || !slices.Contains(w.routed, "second-party") {
		t.Errorf("the parties %q were routed; want first-party and second-party", w.routed)
	}
	if w.dials.Load() < 2 {
		t.Errorf("dialled %d times; want every party to have connections of its own", w.dials.Load())
	}
}

// connectionless closes a party that has made connections in every way: several at
// once, and some that were given up.
func connectionless(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	uri := put(t, o, "object", pattern(4<<20))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 5 {
		body, err := o.Get(ctx, uri, flows.Span{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := body.Close(); err != nil && ctx.Err() == nil {
				t.Errorf("close a reader: %v", err)
			}
		}()
	}
	cancel()
	expectContent(t, o, uri, flows.Span{From: 4<<20 - 10}, pattern(4 << 20)[4<<20-10:])
	if w.open.Load() == 0 {
		t.Error("the party has no connections; want some, to see them closed")
	}
	if err := o.Close(); err != nil {
		t.Errorf("close party: %v", err)
	}
	await(t, "end of the connections of a closed party", func() error {
		if n := w.open.Load(); n != 0 {
			return fmt.Errorf("%d are left", n)
		}
		return nil
	})
}

// openSilent opens a session on a server that says nothing, where it is not one
// that the driver has just started itself.
func openSilent(t *testing.T, r *rig) {
	if r.bench.URL == "" {
		return
	}
	w := r.closedWorld(t)
	enter(t, "swallow", w.cutter.Swallow)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	within(t, "open on a server that does not answer", func() {
		session, err := r.bench.Driver.Open(ctx, w.config)
		if err == nil {
			_ = session.Close(ctx) // it should not be there at all
			t.Error("opened a session on a server that does not answer")
			return
		}
		expect(t, "open on a server that does not answer", err, flows.Undecided, flows.Timeout)
	})
}

// attempt connects and puts: a driver may find out at either.
func attempt(t *testing.T, w *world) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o, err := w.session.Connect(ctx, "party")
	if err != nil {
		return err
	}
	_, err = o.Put(ctx, "object", 10, bytes.NewReader(pattern(10)))
	return errors.Join(err, o.Close())
}

func refused(t *testing.T, r *rig) {
	w := r.world(t)
	enter(t, "down", w.cutter.Down)
	within(t, "a refused put", func() { expect(t, "a refused put", attempt(t, w), flows.Failed, flows.Refused) })
	enter(t, "up", w.cutter.Up)
}

func unreachable(t *testing.T, r *rig) {
	var lost atomic.Bool
	w := r.world(t, func(c *store.Config) {
		dial := c.Dial // there is no world yet when a driver dials in Open
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if lost.Load() {
				return nil, errors.New("no route")
			}
			return dial(ctx, network, address)
		}
	})
	lost.Store(true)
	enter(t, "down", w.cutter.Down) // for connections that were kept
	within(t, "a put without a route", func() {
		expect(t, "a put without a route", attempt(t, w), flows.Failed, flows.Unreachable)
	})
	lost.Store(false)
	enter(t, "up", w.cutter.Up)
}

func cutPut(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	uri := addressOf(t, o, "cut")
	const size = 32 << 20
	within(t, "a put that is cut", func() {
		body := &patterned{at: map[int64]func(){4 << 20: func() { enter(t, "down", w.cutter.Down) }}}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := o.Put(ctx, "cut", size, body)
		outcome, class := flows.OutcomeOf(err)
		if err == nil || outcome != flows.Failed || class != flows.Disconnected && class != flows.Refused {
			t.Errorf("a put that is cut ends as %v, %s (%v); want a failure, since it lost its connection", outcome,
				class, err)
		}
	})
	enter(t, "up", w.cutter.Up)
	await(t, "answer after the cut", func() error {
		content, err := get(t.Context(), o, uri, flows.Span{})
		if err == nil {
			t.Errorf("there are %d bytes of an object whose put was cut", len(content))
		}
		if errors.Is(err, flows.ErrNoObject) {
			return nil
		}
		return err
	})
}

func cutGet(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	const size = 32 << 20
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	uri, err := o.Put(ctx, "long", size, &patterned{})
	if err != nil {
		t.Fatal(err)
	}
	body, err := o.Get(ctx, uri, flows.Span{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, body, 1<<20); err != nil {
		t.Fatalf("read %d bytes: %v", n, err)
	}
	enter(t, "down", w.cutter.Down)
	within(t, "a get that is cut", func() {
		n, err := io.Copy(io.Discard, body)
		expect(t, fmt.Sprintf("reading on for %d bytes", n), err, flows.Failed, flows.Disconnected)
		_ = body.Close() // what there was to say has been said
	})
	enter(t, "up", w.cutter.Up)
	await(t, "get after the cut", func() error {
		content, err := get(t.Context(), o, uri, flows.Span{From: size - 10})
		if err == nil && len(content) != 10 {
			t.Errorf("got %d bytes; want 10", len(content))
		}
		return err
	})
}

// getsOver cuts all connections between calls. A call or two may be lost to it.
func getsOver(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	uri := put(t, o, "kept", pattern(1000))
	for i := range 3 {
		enter(t, "down", w.cutter.Down)
		if _, err := get(t.Context(), o, uri, flows.Span{}); err == nil {
			t.Error("got an object without a network")
		}
		enter(t, "up", w.cutter.Up)
		await(t, "get after an outage", func() error {
			_, err := get(t.Context(), o, uri, flows.Span{})
			return err
		})
		remove(t, o, put(t, o, fmt.Sprintf("after-%d", i), pattern(1000)))
	}
	expectContent(t, o, uri, flows.Span{}, pattern(1000))
}

// silent has the network take everything and deliver nothing.
func silent(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	uri := put(t, o, "there", pattern(10))
	enter(t, "swallow", w.cutter.Swallow)
	for what, call := range map[string]func(context.Context) error{
		"put": func(ctx context.Context) error {
			_, err := o.Put(ctx, "silent", 1<<20, &patterned{})
			return err
		},
		"get": func(ctx context.Context) error {
			_, err := get(ctx, o, uri, flows.Span{})
			return err
		},
		"delete": func(ctx context.Context) error { return o.Delete(ctx, uri) },
	} {
		within(t, "a "+what+" of a server that is silent", func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			expect(t, "a "+what+" of a server that is silent", call(ctx), flows.Undecided, flows.Timeout)
		})
	}
	enter(t, "down", w.cutter.Down)
	enter(t, "up", w.cutter.Up)
	await(t, "answer after the silence", func() error {
		_, err := o.Put(t.Context(), "spoken", 1, strings.NewReader("x"))
		return err
	})
}

// silentGet has the network fall silent in the middle of objects: one reader waits
// until its context ends, the other is closed.
func silentGet(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const size = 32 << 20
	uri, err := o.Put(ctx, "long", size, &patterned{})
	if err != nil {
		t.Fatal(err)
	}
	var bodies [2]io.ReadCloser
	for i := range bodies {
		if bodies[i], err = o.Get(ctx, uri, flows.Span{}); err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, bodies[i], 1<<20); err != nil {
			t.Fatalf("read %d bytes: %v", n, err)
		}
	}
	enter(t, "swallow", w.cutter.Swallow)
	within(t, "closing a get that is silent", func() {
		_ = bodies[0].Close() // it may say that it is silent
	})
	end := time.AfterFunc(200*time.Millisecond, cancel)
	defer end.Stop()
	within(t, "a get that is silent", func() {
		n, err := io.Copy(io.Discard, bodies[1])
		expect(t, fmt.Sprintf("reading on for %d bytes", n), err, flows.Undecided, flows.Canceled)
		_ = bodies[1].Close() // what there was to say has been said
	})
	enter(t, "down", w.cutter.Down)
	enter(t, "up", w.cutter.Up)
	await(t, "get after the silence", func() error {
		_, err := get(t.Context(), o, uri, flows.Span{From: size - 10})
		return err
	})
}

// silentClose closes a party with a connection over which nothing comes any more.
func silentClose(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	put(t, o, "object", pattern(10))
	enter(t, "swallow", w.cutter.Swallow)
	within(t, "closing a party", func() {
		_ = o.Close() // it may say that it could not say goodbye
	})
	enter(t, "down", w.cutter.Down)
	enter(t, "up", w.cutter.Up)
}
