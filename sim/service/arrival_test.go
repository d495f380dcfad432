package service

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
)

func TestAPayloadIsRecognizedInWhateverPiecesItComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.Uint64().Draw(t, "op")
		b := NewPayload(op, rapid.IntRange(0, 200).Draw(t, "size"))
		damaged := rapid.Bool().Draw(t, "damaged")
		if damaged {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "byte")] ^= 1
		}
		var c payloadCheck
		for rest := b; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			c.take(rest[:n])
			rest = rest[n:]
		}
		if got, ok := c.judge(); ok == damaged || ok && got != op {
			t.Fatalf("the payload of %d, damaged %v, is recognized as %d, %v", op, damaged, got, ok)
		}
	})
}

// slowly yields a payload a byte at a time, each after a second.
type slowly struct {
	s    *Service
	t    *testing.T
	rest []byte
}

func (r *slowly) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	if err := r.s.runtime.Sleep(r.t.Context(), time.Second); err != nil {
		return 0, err
	}
	n := copy(p[:1], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestTheLedgerKnowsWhenTheFirstAndTheLastByteCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 1})
		s.config.Arrivals = true
		r := flows.Request{Kind: flows.Command, ID: 7, Key: "k1", Stream: &slowly{s, t, NewPayload(7, 20)}}
		if resp, err := s.Handle(t.Context(), 0, r); err != nil || resp.Status != flows.Done {
			t.Fatalf("the command answers %v, %v; want done", resp, err)
		}
		want := results.Applied{Op: 7, Key: 1, Version: 1, FirstByte: time.Second, LastByte: 20 * time.Second,
			At: 20 * time.Second}
		if len(l.all) != 1 || l.all[0] != want {
			t.Errorf("the ledger says %+v; want %+v", l.all, want)
		}
	})
}

func TestWhatBecomesOfACommandWhosePayloadDoesNotCome(t *testing.T) {
	broken := errors.New("broken")
	gone := flows.Fail(flows.Rejected, broken)
	for name, tt := range map[string]struct {
		err     error
		before  bool // the command has been done before
		status  flows.Status
		retried bool
		ledger  []results.Applied
	}{
		"it may come yet": {flows.Unknown(flows.Timeout, broken), false, 0, true, nil},
		"nobody knows":    {broken, false, 0, true, nil},
		"its sender gave up": {
			flows.Unknown(flows.Disconnected, flows.ErrStreamLost), false, flows.Denied, false,
			[]results.Applied{{Op: 7, Refused: true}},
		},
		"it is gone":                 {gone, false, flows.Denied, false, []results.Applied{{Op: 7, Refused: true}}},
		"it is gone, after the work": {gone, true, flows.Done, false, []results.Applied{{Op: 7, Repeated: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l ledger
				s := newService(&l, scenarios.Service{Instances: 1, Workers: 1})
				if tt.before {
					if _, err := s.Handle(t.Context(), 0, command(7, "k1")); err != nil {
						t.Fatal(err)
					}
					l.all = nil
				}
				resp, err := s.Handle(t.Context(), 0, flows.Request{
					Kind: flows.Command, ID: 7, Key: "k1",
					Stream: io.MultiReader(bytes.NewReader(NewPayload(7, 20)[:10]), iotest.ErrReader(tt.err)),
				})
				if (err != nil) != tt.retried || resp.Status != tt.status {
					t.Errorf("the command answers %v, %v; want %v, an error %v", resp, err, tt.status, tt.retried)
				}
				if len(l.all) != len(tt.ledger) || len(l.all) > 0 && l.all[0] != tt.ledger[0] {
					t.Errorf("the ledger says %+v; want %+v", l.all, tt.ledger)
				}
			})
		})
	}
}

func TestLargeValuesAreReadAsTheyWereWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 1})
		for size, kept := range map[int]bool{1 << 20: true, keptBytes/4 + 1: false} {
			large := NewPayload(5, size)
			for _, r := range []flows.Request{
				{Kind: flows.Command, ID: 5, Key: "k1", Body: large},
				{Kind: flows.Command, ID: 5, Key: "k2", Stream: bytes.NewReader(large)},
			} {
				if _, err := s.Handle(t.Context(), 0, r); err != nil {
					t.Fatal(err)
				}
				got, err := s.Handle(t.Context(), 0, flows.Request{Kind: flows.Query, ID: 6, Key: r.Key})
				if err != nil || !bytes.Equal(got.Body, large) {
					t.Errorf("%s reads %d bytes, %v; want the %d that were written", r.Key, len(got.Body), err, size)
				}
			}
			if is := s.state[1].body.bytes != nil; is != kept {
				t.Errorf("a value of %d bytes is kept: %v; want %v", size, is, kept)
			}
		}
	})
}

func TestACommandThatWasGivenUpIsNotDoneByAnotherDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		s := newService(&l, scenarios.Service{Instances: 1, Workers: 1})
		r := flows.Request{Kind: flows.Command, ID: 7, Key: "k1"}
		for _, body := range []io.Reader{iotest.ErrReader(flows.ErrStreamLost), bytes.NewReader(NewPayload(7, 20))} {
			r.Stream = body
			if resp, err := s.Handle(t.Context(), 0, r); err != nil || resp.Status != flows.Denied {
				t.Errorf("the command answers %v, %v; want denied", resp, err)
			}
		}
		if v := s.state[1].version; v != 0 {
			t.Errorf("the key has version %d; want that nothing was done", v)
		}
	})
}
