package socket

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"flowbench/flows"
)

// receiving returns a session without a socket, and a body of its call 1.
func receiving(
	ctx context.Context, b Bounds, size int64, credit func(int64),
) (s *Session[uint64], body *Body, stop func()) {
	v := NewServer(Protocol[uint64]{Frames: true}, b, nil)
	s = newSession(ctx, v, nil, nil)
	body, stop = s.Receive(ctx, 1, size, credit)
	return s, body, stop
}

// frameOf returns a frame of a call.
func frameOf(n uint64, data []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, n), data...)
}

// TestABodyHasNoMoreWaitThanItsWindow sends all that it is asked for at once, and
// reads in pieces of any size.
func TestABodyHasNoMoreWaitThanItsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := For(1 << 20)
		bounds.Window = int64(rapid.IntRange(1, 100).Draw(t, "window"))
		want := rapid.SliceOfN(rapid.Byte(), 0, 500).Draw(t, "body")
		var s *Session[uint64]
		var body *Body
		sent := 0
		var stop func()
		s, body, stop = receiving(context.Background(), bounds, int64(len(want)), func(more int64) {
			s.frame(frameOf(1, want[sent:sent+int(more)]))
			sent += int(more)
			if waiting := int64(body.waiting.Len()); waiting > bounds.Window {
				t.Fatalf("%d bytes wait, and %d may", waiting, bounds.Window)
			}
		})
		defer stop()
		var got []byte
		for {
			p := make([]byte, rapid.IntRange(1, 200).Draw(t, "read"))
			n, err := body.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("read %x; want %x", got, want)
		}
	})
}

func TestABodyTakesNothingThatItHasNotAskedFor(t *testing.T) {
	var asked int64
	s, body, stop := receiving(t.Context(), For(1<<20), 10, func(more int64) { asked += more })
	s.frame(frameOf(2, []byte("of nobody")))
	if asked != 0 || body.put([]byte("x")) {
		t.Errorf("%d bytes are asked for before the first read, or one is taken", asked)
	}
	synctest.Test(t, func(t *testing.T) {
		_, body, stop := receiving(t.Context(), For(1<<20), 10, func(more int64) { asked += more })
		go func() { _, _ = body.Read(make([]byte, 1)) }()
		synctest.Wait()
		if asked != 10 || body.put(make([]byte, 11)) || !body.put(make([]byte, 10)) {
			t.Errorf("%d bytes are asked for, or others are taken; want 10", asked)
		}
		synctest.Wait()
		stop()
	})
	stop()
	if _, err := body.Read(make([]byte, 1)); !errors.Is(err, errReturned) {
		t.Errorf("a read after the endpoint has returned ends as %v", err)
	}
}

// TestTheWindowsOfAServerAreBounded has two bodies where one may have a window.
func TestTheWindowsOfAServerAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bounds := For(1 << 20)
		bounds.Windows = 1
		asked := make(map[int]int64)
		s, first, stop := receiving(t.Context(), bounds, 10, func(more int64) { asked[1] += more })
		second, stopSecond := s.Receive(t.Context(), 2, 10, func(more int64) { asked[2] += more })
		ended := make(chan error, 2)
		read := func(b *Body) { _, err := b.Read(make([]byte, 1)); ended <- err }
		go read(first)
		synctest.Wait()
		go read(second)
		synctest.Wait()
		if asked[1] != 10 || asked[2] != 0 {
			t.Errorf("%v bytes are asked for; want 10 of the first body alone", asked)
		}
		first.put(make([]byte, 1))
		synctest.Wait()
		stop()
		synctest.Wait()
		if asked[2] != 10 {
			t.Errorf("%v bytes are asked for once there is room; want 10 of the second body", asked)
		}
		second.put(make([]byte, 1))
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		stopSecond()
		if n := len(s.server.places); n != 0 {
			t.Errorf("%d windows are held when all have returned", n)
		}
	})
}

// TestABodyThatDoesNotComeIsLate has a client that sends nothing.
func TestABodyThatDoesNotComeIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bounds := For(1 << 20)
		bounds.Coming = 1000
		_, body, stop := receiving(t.Context(), bounds, 10, func(int64) {})
		defer stop()
		_, err := body.Read(make([]byte, 1))
		if o, c := flows.OutcomeOf(err); o != flows.Undecided || c != flows.Timeout {
			t.Errorf("it ends as %v, %s (%v); want unknown, timeout", o, c, err)
		}
	})
}
