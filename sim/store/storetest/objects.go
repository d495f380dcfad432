package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"flowbench/flows"
	"flowbench/sim/store"
)

// objects are the cases about what becomes of objects.
func objects() []testCase {
	return []testCase{
		{"what a driver tells about itself is complete", false, described},
		{"what is put can be got, by everybody", false, putAndGet},
		{"a part of an object is that part", false, parts},
		{"an object without bytes is an object", false, empty},
		{"an object of 8 MiB survives", false, large},
		{"what was deleted is gone, and deleting it again is no error", false, deleted},
		{"an object that is not there is said to be", false, missing},
		{"a name may have letters, digits and hyphens, and nothing else", false, names},
		{"only as much of a body as was announced is stored", false, longBody},
		{"a body that is too short is an error and no object", false, shortBody},
		{"a body that breaks is an error and no object", false, brokenBody},
		{"nobody gets an object before it is all there", false, notYet},
		{"many put and get at once", false, manyAtOnce},
		{"a party reads several objects at once", false, interleaved},
		{"a put that is cancelled ends promptly and leaves nothing", false, cancelPut},
		{"a get that is cancelled ends promptly", false, cancelGet},
		{"what is done before it begins asks nobody", false, doneBefore},
		{"closing a reader early is no error and does no harm", false, closeEarly},
		{"a closed party says so", false, closedSaysSo},
		{"a full store says so, and has room again after a delete", false, full},
		{"closing a party deletes nothing, closing the session deletes what is left", false, leftBehind},
		{"the meter counts what succeeded", false, metered},
	}
}

func described(t *testing.T, r *rig) {
	d := r.bench.Driver
	for what, text := range map[string]string{
		"name": d.Name, "summary": d.Summary, "scheme": d.Scheme, "embedded": d.Embedded,
	} {
		if strings.TrimSpace(text) != text || text == "" {
			t.Errorf("the %s is %q; want a phrase", what, text)
		}
	}
	if r.bench.URL != "" && !d.External {
		t.Error("the bench names a server, and the driver says that none can be named")
	}
	w := r.world(t)
	if e := w.session.Endpoint(); !strings.HasPrefix(e, d.Scheme+":") || strings.Contains(e, "@") {
		t.Errorf("the endpoint is %q; want a URI of the scheme %s without credentials", e, d.Scheme)
	}
}

func putAndGet(t *testing.T, r *rig) {
	w := r.world(t)
	sender, receiver := w.party(t, "sender"), w.party(t, "receiver")
	for _, size := range []int{1, 2, 4096, 65_537, 1 << 20} {
		content := pattern(size)
		uri := put(t, sender, fmt.Sprintf("object-%d", size), content)
		if !strings.HasPrefix(uri, r.bench.Driver.Scheme+":") || !strings.Contains(uri, w.config.Prefix) {
			t.Errorf("the address is %s; want the scheme %s and the prefix %s", uri, r.bench.Driver.Scheme,
				w.config.Prefix)
		}
		expectContent(t, receiver, uri, flows.Span{}, content)
		expectContent(t, sender, uri, flows.Span{}, content)
	}
}

func parts(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	const size = 100_000
	content := pattern(size)
	uri := put(t, o, "whole", content)
	for _, c := range []struct {
		part flows.Span
		want []byte
	}{
		{flows.Span{}, content},
		{flows.Span{Bytes: 1}, content[:1]},
		{flows.Span{Bytes: size}, content},
		{flows.Span{Bytes: size + 1}, content},
		{flows.Span{From: 1}, content[1:]},
		{flows.Span{From: 10_000, Bytes: 70_000}, content[10_000:80_000]},
		{flows.Span{From: size - 1}, content[size-1:]},
		{flows.Span{From: size - 1, Bytes: 1}, content[size-1:]},
		{flows.Span{From: size - 1, Bytes: 1 << 62}, content[size-1:]},
		{flows.Span{From: size}, nil},
		{flows.Span{From: size, Bytes: 1}, nil},
		{flows.Span{From: size + 1}, nil},
		{flows.Span{From: 1 << 62, Bytes: 1 << 62}, nil},
	} {
		expectContent(t, o, uri, c.part, c.want)
	}
}

func empty(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	uri := put(t, o, "empty", nil)
	for _, part := range []flows.Span{{}, {Bytes: 1}, {From: 1}, {From: 1, Bytes: 1}} {
		expectContent(t, o, uri, part, nil)
	}
	remove(t, o, uri)
	expectNone(t, o, uri, "it was deleted")
}

func large(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	const size = 8 << 20
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, out := sha256.New(), sha256.New()
	uri, err := o.Put(ctx, "large", size, io.TeeReader(io.LimitReader(&patterned{}, size), in))
	if err != nil {
		t.Fatal(err)
	}
	body, err := o.Get(ctx, uri, flows.Span{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(out, body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	if a, b := in.Sum(nil), out.Sum(nil); n != size || !bytes.Equal(a, b) {
		t.Errorf("got %d bytes with the hash %x; want %d with %x", n, b, size, a)
	}
}

func deleted(t *testing.T, r *rig) {
	w := r.world(t)
	a, b := w.party(t, "a"), w.party(t, "b")
	uri, other := put(t, a, "gone", pattern(100)), put(t, a, "stays", pattern(200))
	remove(t, b, uri)
	expectNone(t, a, uri, "it was deleted")
	remove(t, b, uri)
	remove(t, a, uri)
	expectNone(t, b, uri, "it was deleted")
	expectContent(t, b, other, flows.Span{}, pattern(200))
}

func missing(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	uri := addressOf(t, o, "never-put")
	_, err := o.Get(t.Context(), uri, flows.Span{})
	expect(t, "getting what was never put", err, flows.Failed, flows.Rejected)
	expectNone(t, o, uri, "it was never put")
	_, err = o.Get(t.Context(), uri, flows.Span{From: 10, Bytes: 10})
	if !errors.Is(err, flows.ErrNoObject) {
		t.Errorf("getting a part of what was never put ends as %v", err)
	}
	remove(t, o, uri)
}

func names(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	for i, name := range []string{"a", "A-b-9", "0", "-", "--a", "con", strings.Repeat("long-", 20)} {
		uri := put(t, o, name, pattern(i+1))
		expectContent(t, o, uri, flows.Span{}, pattern(i+1))
		remove(t, o, uri)
	}
	for _, name := range []string{
		"", ".", "..", "../up", "a/b", "/a", `a\b`, "a.b", "a b", "a%2fb", "a?b", "a#b", "ä", "a\x00", "a\r\nb", "a:b",
		"a@b", strings.Repeat("x", 1000),
	} {
		uri, err := o.Put(t.Context(), name, 1, strings.NewReader("x"))
		if outcome, _ := flows.OutcomeOf(err); err == nil || outcome != flows.Failed {
			t.Errorf("put %q: %s, %v; want a failure, since it is no name", name, uri, err)
		}
	}
}

func longBody(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	content := pattern(1000)
	for _, size := range []int64{0, 1, 999} {
		uri, err := o.Put(t.Context(), fmt.Sprintf("first-%d", size), size, bytes.NewReader(content))
		if err != nil {
			t.Errorf("put the first %d bytes of 1000: %v", size, err)
			continue
		}
		expectContent(t, o, uri, flows.Span{}, content[:size])
	}
}

func shortBody(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	for _, c := range []struct{ has, announced int }{
		{0, 1}, {1, 2}, {1000, 1001}, {1000, 1 << 20}, {1 << 20, 2 << 20},
	} {
		name := fmt.Sprintf("short-%d-of-%d", c.has, c.announced)
		within(t, "a put of a body that is too short", func() {
			_, err := o.Put(t.Context(), name, int64(c.announced), bytes.NewReader(pattern(c.has)))
			if outcome, _ := flows.OutcomeOf(err); err == nil || outcome != flows.Failed {
				t.Errorf("put %d bytes as %d ends as %v; want a failure", c.has, c.announced, err)
			}
		})
		expectNone(t, o, addressOf(t, o, name), "its body was too short")
	}
	expectContent(t, o, put(t, o, "after", pattern(10)), flows.Span{}, pattern(10))
}

func brokenBody(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	cause := errors.New("the source is dry")
	for _, has := range []int{0, 1000, 1 << 20} {
		name := fmt.Sprintf("broken-after-%d", has)
		within(t, "a put of a body that breaks", func() {
			body := io.MultiReader(bytes.NewReader(pattern(has)), failing{cause})
			_, err := o.Put(t.Context(), name, 2<<20, body)
			if outcome, _ := flows.OutcomeOf(err); outcome != flows.Failed || !errors.Is(err, cause) {
				t.Errorf("put of a body that breaks after %d bytes ends as %v; want a failure because %v", has, err,
					cause)
			}
		})
		expectNone(t, o, addressOf(t, o, name), "its body broke")
	}
	expectContent(t, o, put(t, o, "after", pattern(10)), flows.Span{}, pattern(10))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// notYet looks for an object while it is being put: in the middle, and when
// nothing but the last byte is missing.
func notYet(t *testing.T, r *rig) {
	w := r.world(t)
	sender, receiver := w.party(t, "sender"), w.party(t, "receiver")
	const size = 1 << 20
	uri := addressOf(t, sender, "growing")
	looks := 0
	look := func() {
		looks++
		expectNone(t, receiver, uri, "it is not yet all there")
	}
	body := &patterned{at: map[int64]func(){0: look, size / 2: look, size - 1: look}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := sender.Put(ctx, "growing", size, body)
	if err != nil {
		t.Fatal(err)
	}
	if got != uri || looks != 3 {
		t.Errorf("looked %d times at %s; want 3 times, and at %s", looks, uri, got)
	}
	expectContent(t, receiver, got, flows.Span{}, pattern(size))
}

func manyAtOnce(t *testing.T, r *rig) {
	w := r.world(t)
	parties := []flows.Objects{w.party(t, "a"), w.party(t, "b"), w.party(t, "c")}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			sender, receiver := parties[i%len(parties)], parties[(i+1)%len(parties)]
			for j := range 4 {
				content := pattern(i*3000 + j)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				name := fmt.Sprintf("object-%d-%d", i, j)
				uri, err := sender.Put(ctx, name, int64(len(content)), bytes.NewReader(content))
				if err != nil {
					t.Errorf("put: %v", err)
				} else {
					expectContent(t, receiver, uri, flows.Span{}, content)
					if err := receiver.Delete(ctx, uri); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if n := w.meter.Puts.Load(); n != 64 {
		t.Errorf("counted %d puts; want 64", n)
	}
}

// interleaved has several readers of one party open and reads from each in turn,
// and puts and deletes in between.
func interleaved(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	content := pattern(1 << 20)
	uri := put(t, o, "read", content)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const readers = 6
	var bodies [readers]io.ReadCloser
	for i := range bodies {
		body, err := o.Get(ctx, uri, flows.Span{From: int64(i)})
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = body
	}
	remove(t, o, put(t, o, "in-between", content))
	const piece = 100_000
	for at := 0; at < 1_000_000; at += piece {
		for i, body := range bodies {
			got := make([]byte, piece)
			if _, err := io.ReadFull(body, got); err != nil || !bytes.Equal(got, content[i+at:i+at+piece]) {
				t.Fatalf("reader %d at %d reads %s, %v; want %s", i, at, describe(got), err,
					describe(content[i+at:i+at+piece]))
			}
		}
	}
	for i, body := range bodies {
		if rest, err := io.ReadAll(body); err != nil || !bytes.Equal(rest, content[i+1_000_000:]) {
			t.Errorf("reader %d ends with %s, %v", i, describe(rest), err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("close reader %d: %v", i, err)
		}
	}
}

func cancelPut(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	const size = 32 << 20
	for i, at := range []int64{0, 1, 1 << 20} {
		name := fmt.Sprintf("cancelled-at-%d", at)
		uri := addressOf(t, o, name)
		ctx, cancel := context.WithCancel(t.Context())
		body := &patterned{at: map[int64]func(){at: cancel}}
		within(t, "a cancelled put", func() {
			_, err := o.Put(ctx, name, size, body)
			expect(t, "a cancelled put", err, flows.Undecided, flows.Canceled)
		})
		if body.offset == size {
			t.Error("the put that was cancelled has read all of its body")
		}
		cancel()
		expectNone(t, o, uri, "its put was cancelled")
		after := put(t, o, fmt.Sprintf("after-%d", i), pattern(10))
		expectContent(t, o, after, flows.Span{}, pattern(10))
	}
}

func cancelGet(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	content := pattern(8 << 20)
	uri := put(t, o, "long", content)
	for _, read := range []int64{0, 1, 1 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		body, err := o.Get(ctx, uri, flows.Span{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, body, read); err != nil {
			t.Fatalf("read %d bytes of %d: %v", n, read, err)
		}
		cancel()
		within(t, "a cancelled get", func() {
			n, err := io.Copy(io.Discard, body)
			expect(t, fmt.Sprintf("reading on for %d bytes", n), err, flows.Undecided, flows.Canceled)
			_ = body.Close() // what there was to say has been said
		})
	}
	expectContent(t, o, uri, flows.Span{From: 1 << 20}, content[1<<20:])
}

func doneBefore(t *testing.T, r *rig) {
	w := r.world(t)
	o := w.party(t, "party")
	uri := put(t, o, "there", pattern(10))
	never := addressOf(t, o, "never")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "what is done before it begins", func() {
		_, err := o.Put(ctx, "never", 1, strings.NewReader("x"))
		expect(t, "a put", err, flows.Undecided, flows.Canceled)
		_, err = o.Get(ctx, uri, flows.Span{})
		expect(t, "a get", err, flows.Undecided, flows.Canceled)
		expect(t, "a delete", o.Delete(ctx, uri), flows.Undecided, flows.Canceled)
		late, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		_, err = o.Get(late, uri, flows.Span{})
		expect(t, "a get that is too late", err, flows.Undecided, flows.Timeout)
	})
	expectNone(t, o, never, "it was done before it began")
	expectContent(t, o, uri, flows.Span{}, pattern(10))
}

func closeEarly(t *testing.T, r *rig) {
	o := r.world(t).party(t, "party")
	content := pattern(4 << 20)
	uri := put(t, o, "long", content)
	for i := range 20 {
		within(t, "a get that is closed early", func() {
			body, err := o.Get(t.Context(), uri, flows.Span{})
			if err != nil {
				t.Errorf("get: %v", err)
				return
			}
			read := int64(i) * 100
			if n, err := io.CopyN(io.Discard, body, read); err != nil {
				t.Errorf("read %d bytes of %d: %v", n, read, err)
			}
			if err := body.Close(); err != nil {
				t.Errorf("closing after %d bytes: %v", read, err)
			}
		})
	}
	expectContent(t, o, uri, flows.Span{}, content)
	remove(t, o, uri)
}

func closedSaysSo(t *testing.T, r *rig) {
	w := r.world(t)
	o, other := w.party(t, "closed"), w.party(t, "open")
	uri := put(t, o, "there", pattern(10))
	for range 2 {
		if err := o.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	_, putting := o.Put(t.Context(), "late", 1, strings.NewReader("x"))
	_, getting := o.Get(t.Context(), uri, flows.Span{})
	for what, err := range map[string]error{"put": putting, "get": getting, "delete": o.Delete(t.Context(), uri)} {
		if !errors.Is(err, flows.ErrClosed) {
			t.Errorf("a %s of a closed party ends as %v; want %v", what, err, flows.ErrClosed)
		}
	}
	expectContent(t, other, uri, flows.Span{}, pattern(10))
}

func full(t *testing.T, r *rig) {
	if r.bench.URL != "" {
		return // it is for somebody else to bound
	}
	o := r.world(t, func(c *store.Config) { c.MaxBytes = 1 << 20 }).party(t, "party")
	expectFull := func(name string, size int) {
		t.Helper()
		_, err := o.Put(t.Context(), name, int64(size), bytes.NewReader(pattern(size)))
		expect(t, "a put into a full store", err, flows.Failed, flows.Overloaded)
	}
	expectFull("too-large", 2<<20)
	const most = 600 << 10
	first := put(t, o, "first", pattern(most))
	expectFull("second", most)
	expectContent(t, o, first, flows.Span{}, pattern(most))
	remove(t, o, first)
	remove(t, o, put(t, o, "third", pattern(most)))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := o.Put(ctx, "cancelled", most, &patterned{at: map[int64]func(){most - 1: cancel}})
	expect(t, "a cancelled put", err, flows.Undecided, flows.Canceled)
	_, err = o.Put(t.Context(), "short", most, bytes.NewReader(pattern(most-1)))
	if err == nil {
		t.Error("a body that is too short was stored")
	}
	await(t, "room again after puts that came to nothing", func() error {
		_, err := o.Put(t.Context(), "fourth", most, bytes.NewReader(pattern(most)))
		return err
	})
}

// leftBehind looks for objects after their session, where a session with the same
// prefix can. One that starts a store of its own finds nothing in any case.
func leftBehind(t *testing.T, r *rig) {
	w, neighbour := r.world(t), r.world(t)
	here := neighbour.party(t, "here")
	kept := put(t, here, "kept", pattern(10))
	var uris []string
	for i := range 5 {
		o := w.party(t, fmt.Sprintf("party-%d", i))
		uris = append(uris, put(t, o, fmt.Sprintf("left-%d", i), pattern(1000*i)))
		if err := o.Close(); err != nil {
			t.Errorf("close party: %v", err)
		}
	}
	o := w.party(t, "looker")
	for i, uri := range uris {
		expectContent(t, o, uri, flows.Span{}, pattern(1000*i))
	}
	remove(t, o, uris[0])
	w.close(t)
	again := r.world(t, func(c *store.Config) { c.Prefix = w.config.Prefix }).party(t, "again")
	for _, uri := range uris {
		content, err := get(t.Context(), again, uri, flows.Span{})
		if !errors.Is(err, flows.ErrNoObject) && (r.bench.URL != "" || !errors.Is(err, flows.ErrForeign)) {
			t.Errorf("after its session %s is %s, %v; want that it is gone", uri, describe(content), err)
		}
	}
	expectContent(t, here, kept, flows.Span{}, pattern(10))
}

func metered(t *testing.T, r *rig) {
	w := r.world(t)
	sender, receiver := w.party(t, "sender"), w.party(t, "receiver")
	const size = 100_000
	never := addressOf(t, sender, "never")
	puts, gets, deletes := w.meter.Puts.Load(), w.meter.Gets.Load(), w.meter.Deletes.Load()
	in, out := w.meter.BytesIn.Load(), w.meter.BytesOut.Load()
	uri := put(t, sender, "counted", pattern(size))
	expectContent(t, receiver, uri, flows.Span{}, pattern(size))
	expectNone(t, receiver, never, "it was never put")
	if _, err := sender.Put(t.Context(), "short", 2, strings.NewReader("x")); err == nil {
		t.Error("a body that is too short was stored")
	}
	remove(t, receiver, uri)
	puts, gets, deletes = w.meter.Puts.Load()-puts, w.meter.Gets.Load()-gets, w.meter.Deletes.Load()-deletes
	if puts != 1 || gets != 1 || deletes != 1 {
		t.Errorf("counted %d puts, %d gets and %d deletes; want 1 of each", puts, gets, deletes)
	}
	in, out = w.meter.BytesIn.Load()-in, w.meter.BytesOut.Load()-out
	switch {
	case r.bench.Driver.Wired && (in < size || out < size || in > 2*size || out > 2*size):
		t.Errorf("read %d bytes and wrote %d; want %d each and a little more", in, out, size)
	case !r.bench.Driver.Wired && (in != 0 || out != 0 || w.dials.Load() != 0):
		t.Errorf("read %d bytes and wrote %d over %d connections; want none", in, out, w.dials.Load())
	}
}
