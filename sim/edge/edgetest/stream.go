package edgetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// TestStreams runs the part of the suite for edges whose endpoints have a body
// while it still comes.
func TestStreams(t *testing.T, open func(edge.Config) flows.Edge) {
	run(t, bench{open}, []testCase{
		{"the endpoint has the first bytes before the last are there", firstBeforeLast},
		{"a cancelled call breaks its body off at once", streamCancelled},
		{"a cut connection breaks a body off at once", streamCut},
		{"a backend that is cut off breaks a body off at once", streamCutBehind},
		{"a body that does not come in time breaks off", streamLate},
		{"an endpoint may answer before it has the body", answeredEarly},
		{"small calls end beside large bodies that nobody reads", smallBesideLarge},
		{"large bodies come beside each other", largeBesideLarge},
		{"a body goes to another backend when one is refused", streamRefused},
		{"a closed server breaks bodies off", streamClosed},
	})
}

// random returns bytes that look like no others.
func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(b) // it never fails
	return b
}

// streamed returns a command whose body r yields.
func streamed(id uint64, r io.Reader, size int64) flows.Call {
	c := command(id)
	c.Body, c.Stream, c.StreamBytes = nil, r, size
	return c
}

// plainly hides what else a reader can do.
type plainly struct{ io.Reader }

// bodyOf returns the body of a call, however it comes.
func bodyOf(c flows.Call) io.Reader {
	if c.Stream != nil {
		return c.Stream
	}
	return bytes.NewReader(c.Body)
}

// digesting returns an endpoint that answers with the sum of the body of a call
// and its size.
func digesting() flows.Endpoint {
	return answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
		sum := sha256.New()
		n, err := io.Copy(sum, bodyOf(c))
		if err != nil {
			return flows.Answer{}, err
		}
		if c.Stream != nil && n != c.StreamBytes {
			return flows.Answer{}, flows.Fail(flows.Corrupt, errCause)
		}
		return flows.Answer{Body: fmt.Appendf(nil, "%d %x", n, sum.Sum(nil))}, nil
	})
}

func digest(body []byte) string { return fmt.Sprintf("%d %x", len(body), sha256.Sum256(body)) }

func several(n int, e flows.Endpoint) []flows.Endpoint { return []flows.Endpoint{e, e}[:n] }

func streamsArrive(t *testing.T, b bench) {
	const limit = 8 << 20
	for _, backends := range []int{1, 2} {
		caller := b.serve(t, edge.Config{MaxBody: limit}, several(backends, digesting())...).dial(t, 0)
		for _, size := range []int{0, 1, 1 << 20, limit} {
			body := random(size)
			a, err := call(t, caller, streamed(1, plainly{bytes.NewReader(body)}, int64(size)))
			if err != nil || string(a.Body) != digest(body) {
				t.Errorf("%d bytes arrive as %s, %v; want %s", size, a.Body, err, digest(body))
			}
		}
		// What the reader has beyond the size is not of the body.
		a, err := call(t, caller, streamed(1, bytes.NewReader(random(100)), 10))
		if want := digest(random(100)[:10]); err != nil || string(a.Body) != want {
			t.Errorf("10 bytes of 100 arrive as %s, %v; want %s", a.Body, err, want)
		}
	}
}

// largeArrives sends what time and memory that grow faster than the body would
// not be enough for.
func largeArrives(t *testing.T, b bench) {
	size := 64 << 20
	if testing.Short() {
		size = 8 << 20
	}
	caller := b.serve(t, edge.Config{MaxBody: int64(size)}, several(2, digesting())...).dial(t, 0)
	c := command(1)
	c.Body = random(size)
	if a, err := call(t, caller, c); err != nil || string(a.Body) != digest(c.Body) {
		t.Errorf("%d bytes arrive as %s, %v; want %s", size, a.Body, err, digest(c.Body))
	}
}

// brokenOff has the reader of a client fail, or end too soon.
func brokenOff(t *testing.T, b bench) {
	const size = 300 << 10
	for _, backends := range []int{1, 2} {
		for _, came := range []int{0, 1, size / 2, size - 1} {
			for _, end := range []error{errCause, io.EOF} {
				var whole atomic.Bool
				caller := b.serve(t, edge.Config{}, several(backends, answering(
					func(_ context.Context, c flows.Call) (flows.Answer, error) {
						if _, err := io.Copy(io.Discard, bodyOf(c)); err == nil && c.Verb == flows.Submit {
							whole.Store(true)
						}
						return flows.Answer{}, nil
					}))...).dial(t, 0)
				failing := io.MultiReader(bytes.NewReader(make([]byte, came)), failed{end})
				_, err := call(t, caller, streamed(1, failing, size))
				if o, _ := flows.OutcomeOf(err); o == flows.OK {
					t.Errorf("a call whose body breaks off after %d bytes with %v ends as %v", came, end, o)
				}
				if _, err := call(t, caller, query(2, "k")); err != nil {
					t.Errorf("the next call ends as %v", err)
				}
				if whole.Load() {
					t.Errorf("a body that breaks off after %d bytes with %v has arrived as if it were whole", came, end)
				}
			}
		}
	}
}

// failed is a reader that has nothing but an error.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

func streamTooLarge(t *testing.T, b bench) {
	const limit = 1024
	for _, backends := range []int{1, 2} {
		caller := b.serve(t, edge.Config{MaxBody: limit}, several(backends, digesting())...).dial(t, 0)
		for _, size := range []int{limit + 1, 8 << 20} {
			begin := time.Now()
			_, err := call(t, caller, streamed(1, bytes.NewReader(make([]byte, size)), int64(size)))
			expect(t, fmt.Sprintf("a stream of %d bytes", size), err, flows.Failed, flows.TooLarge)
			if took := time.Since(begin); took > promptly {
				t.Errorf("to refuse %d bytes took %v", size, took)
			}
		}
		body := random(limit)
		a, err := call(t, caller, streamed(1, bytes.NewReader(body), limit))
		if err != nil || string(a.Body) != digest(body) {
			t.Errorf("afterwards a stream of the size of the limit ends as %s, %v", a.Body, err)
		}
	}
}

// farTooLarge sends more than fits into buffers on the way, so that a server that
// says no is heard while its client still writes.
func farTooLarge(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		caller := b.serve(t, edge.Config{MaxBody: 1024}, several(backends, digesting())...).dial(t, 0)
		c := command(1)
		c.Body = make([]byte, 12<<20)
		begin := time.Now()
		_, err := call(t, caller, c)
		expect(t, "a body far over the limit", err, flows.Failed, flows.TooLarge)
		if took := time.Since(begin); took > promptly {
			t.Errorf("to refuse a body far over the limit took %v", took)
		}
		if _, err := call(t, caller, command(2)); err != nil {
			t.Errorf("the next call ends as %v", err)
		}
	}
}

// A stalling is a reader that yields some bytes and then nothing until it is
// released.
type stalling struct {
	first   io.Reader
	release chan struct{}
	then    io.Reader
	stalls  chan struct{} // closed when there is nothing more for now
	once    sync.Once
}

// stalled returns a body that stalls after some bytes, until the test ends or it is
// released.
func stalled(t *testing.T, first, then []byte) *stalling {
	s := &stalling{
		first: bytes.NewReader(first), then: bytes.NewReader(then),
		release: make(chan struct{}), stalls: make(chan struct{}),
	}
	t.Cleanup(s.goOn)
	return s
}

func (s *stalling) goOn() { s.once.Do(func() { close(s.release) }) }

// Read implements [io.Reader].
func (s *stalling) Read(p []byte) (int, error) {
	n, err := s.first.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-s.stalls:
	default:
		close(s.stalls)
	}
	<-s.release
	return s.then.Read(p)
}

const firstBytes = 1000

// opening returns an endpoint that tells when it has the first bytes of a body, and
// how it ended. A call without a body it answers.
func opening(opened chan<- struct{}, ended chan<- error) flows.Endpoint {
	return answering(func(_ context.Context, c flows.Call) (flows.Answer, error) {
		if c.Stream == nil {
			return flows.Answer{}, nil
		}
		_, err := io.ReadFull(c.Stream, make([]byte, firstBytes))
		if err == nil {
			opened <- struct{}{}
			_, err = io.Copy(io.Discard, c.Stream)
		}
		ended <- err
		return flows.Answer{}, err
	})
}

// within returns what comes, promptly.
func within[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(promptly):
		t.Fatalf("this does not happen: %s", what)
	}
	return v
}

// An underway is a call whose body stalls at an endpoint that has its beginning.
type underway struct {
	*rig
	caller flows.Caller
	body   *stalling
	cancel func()
	ended  chan error // the call
	broke  chan error // the body at the endpoint
}

// size is that of the body of a call that is under way.
const size = 200 << 10

// stall makes a call whose body stalls.
func (b bench) stall(t *testing.T, c edge.Config, backends int) *underway {
	t.Helper()
	opened := make(chan struct{}, 1)
	u := &underway{ended: make(chan error, 1), broke: make(chan error, 1)}
	u.rig = b.serve(t, c, several(backends, opening(opened, u.broke))...)
	u.caller = u.dial(t, 0)
	u.body = stalled(t, make([]byte, firstBytes), make([]byte, size-firstBytes))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	u.cancel = cancel
	go func() {
		_, err := flows.First(ctx, u.caller, streamed(1, u.body, size))
		u.ended <- err
	}()
	within(t, "the endpoint has the first bytes", opened)
	return u
}

func firstBeforeLast(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		u := b.stall(t, edge.Config{}, backends)
		u.body.goOn()
		if err := within(t, "the body ends", u.broke); err != nil {
			t.Errorf("the body ends as %v", err)
		}
		if err := within(t, "the call ends", u.ended); err != nil {
			t.Errorf("the call ends as %v", err)
		}
	}
}

func streamCancelled(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		u := b.stall(t, edge.Config{}, backends)
		u.cancel()
		expect(t, "a cancelled call", within(t, "the call ends", u.ended), flows.Undecided, flows.Canceled)
		expect(t, "its body", within(t, "the body breaks off", u.broke), flows.Undecided, flows.Disconnected)
		if _, err := call(t, u.caller, query(2, "k")); err != nil {
			t.Errorf("the next call ends as %v", err)
		}
	}
}

func streamCut(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		network := &cutter{}
		u := b.stall(t, edge.Config{Dial: network.dial}, backends)
		network.cut()
		expect(t, "a call whose connection is cut", within(t, "the call ends", u.ended),
			flows.Undecided, flows.Disconnected)
		expect(t, "its body", within(t, "the body breaks off", u.broke), flows.Undecided, flows.Disconnected)
	}
}

// streamCutBehind cuts a balancer from its backends while it waits for the client.
func streamCutBehind(t *testing.T, b bench) {
	network := &cutter{}
	u := b.stall(t, edge.Config{Dial: network.dial}, 2)
	network.cutBehind(u.address(t))
	expect(t, "a call whose backend is cut off", within(t, "the call ends", u.ended),
		flows.Undecided, flows.Disconnected)
	expect(t, "its body", within(t, "the body breaks off", u.broke), flows.Undecided, flows.Disconnected)
}

func streamLate(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		u := b.stall(t, edge.Config{Timeout: 500 * time.Millisecond}, backends)
		expect(t, "a body that is late", within(t, "the body breaks off", u.broke), flows.Undecided, flows.Timeout)
		expect(t, "its call", within(t, "the call ends", u.ended), flows.Undecided, flows.Timeout)
	}
}

// answeredEarly has an endpoint read a part of a body or nothing, of one that
// stalls and of one that would go on.
func answeredEarly(t *testing.T, b bench) {
	const large = 8 << 20
	for _, backends := range []int{1, 2} {
		for _, read := range []int{0, firstBytes} {
			caller := b.serve(t, edge.Config{MaxBody: large}, several(backends, answering(
				func(_ context.Context, c flows.Call) (flows.Answer, error) {
					_, err := io.ReadFull(bodyOf(c), make([]byte, min(read, int(c.StreamBytes))))
					return flows.Answer{Body: []byte("early")}, err
				}))...).dial(t, 0)
			for _, body := range []io.Reader{
				stalled(t, make([]byte, firstBytes), nil), bytes.NewReader(make([]byte, large)),
			} {
				begin := time.Now()
				a, err := call(t, caller, streamed(1, body, large))
				if err != nil || string(a.Body) != "early" {
					t.Errorf("one of %d answers %q, %v after %d bytes of %T", backends, a.Body, err, read, body)
				}
				if took := time.Since(begin); took > promptly {
					t.Errorf("the answer took %v", took)
				}
				if _, err := call(t, caller, query(2, "k")); err != nil {
					t.Errorf("the next call ends as %v", err)
				}
			}
		}
	}
}

// smallBesideLarge has endpoints not read large bodies, or begin to and stop.
func smallBesideLarge(t *testing.T, b bench) {
	const large, many = 1 << 20, 20
	taken, release := make(chan struct{}, many), make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	caller := b.one(t, edge.Config{MaxBody: large}, answering(
		func(_ context.Context, c flows.Call) (flows.Answer, error) {
			if c.Stream == nil {
				return flows.Answer{Body: []byte(c.Key)}, nil
			}
			_, err := io.ReadFull(c.Stream, make([]byte, c.ID%2))
			taken <- struct{}{}
			<-release
			n, more := io.Copy(io.Discard, c.Stream)
			return flows.Answer{Body: fmt.Append(nil, n+int64(c.ID%2))}, errors.Join(err, more)
		}))
	var calls sync.WaitGroup
	defer calls.Wait()
	for id := range uint64(many) {
		calls.Go(func() {
			a, err := call(t, caller, streamed(id, bytes.NewReader(make([]byte, large)), large))
			if err != nil || string(a.Body) != fmt.Sprint(large) {
				t.Errorf("stream %d ends as %s, %v", id, a.Body, err)
			}
		})
	}
	defer free()
	for range many {
		within(t, "the endpoint has a call", taken)
	}
	for range 20 {
		begin := time.Now()
		a, err := call(t, caller, query(1, "small"))
		if took := time.Since(begin); err != nil || string(a.Body) != "small" || took > promptly {
			t.Errorf("a small call ends as %q, %v after %v", a.Body, err, took)
		}
	}
}

func largeBesideLarge(t *testing.T, b bench) {
	const large, many = 1 << 20, 20
	caller := b.serve(t, edge.Config{MaxBody: large}, several(2, digesting())...).dial(t, 0)
	var calls sync.WaitGroup
	for id := range many {
		calls.Go(func() {
			body := random(large - id)
			a, err := call(t, caller, streamed(uint64(id), bytes.NewReader(body), int64(len(body))))
			if err != nil || string(a.Body) != digest(body) {
				t.Errorf("stream %d ends as %s, %v", id, a.Body, err)
			}
		})
	}
	calls.Wait()
}

// streamRefused has the backend that is dialled first accept no connection.
func streamRefused(t *testing.T, b bench) {
	v := &victim{hurt: dialNobody}
	v.mu.Lock() // until it is known who is to be spared
	r := b.serve(t, edge.Config{Dial: v.dial, Health: lenient()}, several(2, digesting())...)
	v.front = r.address(t)
	v.mu.Unlock()
	for id := range 6 {
		body := random(size)
		a, err := call(t, r.dial(t, id), streamed(uint64(id), bytes.NewReader(body), size))
		if err != nil || string(a.Body) != digest(body) {
			t.Errorf("call %d ends as %s, %v", id, a.Body, err)
		}
	}
}

func streamClosed(t *testing.T, b bench) {
	for _, backends := range []int{1, 2} {
		u := b.stall(t, edge.Config{}, backends)
		u.stop()
		if err := within(t, "the body breaks off", u.broke); err == nil {
			t.Error("the body ends as if it were whole")
		}
		if o, c := flows.OutcomeOf(within(t, "the call ends", u.ended)); o != flows.Undecided {
			t.Errorf("a call whose server closes ends as %v, %s; want unknown", o, c)
		}
	}
}
