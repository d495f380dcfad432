package chunks_test

import (
	"errors"
	"testing"
	"time"

	"flowbench/flows/chunks"
)

func quietPlan() plan { return plan{Size: 1000, Chunk: 10, Window: 8, Room: 8, Forge: -1, BreakAt: -1} }

// TestAnUndisturbedStreamNeverStalls sends a hundred chunks, eight at a time: that
// takes some two dozen round trips, and no timer.
func TestAnUndisturbedStreamNeverStalls(t *testing.T) {
	for _, fed := range []bool{false, true} {
		p := quietPlan()
		p.Fed = fed
		w := newWorld(p)
		if err := w.run(); err != nil {
			t.Fatal(err)
		}
		if w.endedAt > 60*hop || w.resent > 0 {
			t.Errorf("fed %t: it took %v and %d chunks were sent again; want none, within %v",
				fed, w.endedAt, w.resent, 60*hop)
		}
	}
}

// TestAGapIsAskedForAtOnce loses one chunk in a long stream: that must not cost the
// time of a stall.
func TestAGapIsAskedForAtOnce(t *testing.T) {
	timing := chunks.Timing{Stall: time.Hour, Abandon: time.Hour}
	s := chunks.NewSender(0, chunks.Plan{Timing: timing, Stream: 1, ChunkBytes: 1, Window: 8}, []byte("abcdefgh"))
	r := chunks.NewReceiver(0, timing, s.Opening(), 1, "r", 8)
	s.Handle(0, r.Begin(0))
	var asked *chunks.Frame
	for n := 0; ; n++ {
		p, ok := s.Next()
		if !ok {
			break
		}
		if n == 2 {
			continue
		}
		if reply, _ := r.Handle(0, p.Frame); reply != nil && asked == nil {
			asked = reply
		}
	}
	if asked == nil || len(asked.Missing) != 1 || asked.Missing[0] != 2 {
		t.Fatalf("asked for %+v; want chunk 2 alone", asked)
	}
	s.Handle(0, *asked)
	p, ok := s.Next()
	if !ok || !p.Again || p.Frame.Seq != 2 {
		t.Fatalf("got %+v; want chunk 2 again", p)
	}
	if _, repeated := r.Handle(0, p.Frame); repeated || !r.Whole() {
		t.Error("the chunk does not make the body whole")
	}
	if _, repeated := r.Handle(0, p.Frame); !repeated {
		t.Error("the same chunk once more is not told to be repeated")
	}
}

// TestAReceiverTakesNothingItHasNoRoomFor has a sender that sends more than it was
// asked for.
func TestAReceiverTakesNothingItHasNoRoomFor(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	o := chunks.Frame{Kind: chunks.Opening, Stream: 1, Size: 100, ChunkBytes: 10}
	r := chunks.NewReceiver(0, timing, o, 1, "r", 2)
	r.Begin(0)
	for seq := uint64(2); seq < 10; seq++ {
		r.Handle(0, chunks.Frame{
			Kind: chunks.Chunk, Stream: 1, Attempt: 1, Seq: seq, End: 10*seq + 10, Data: make([]byte, 10),
		})
	}
	if r.Held() != 0 || r.Err() != nil {
		t.Errorf("it holds %d bytes, %v", r.Held(), r.Err())
	}
}

// TestADamagedChunkIsAsGoodAsLost has a chunk arrive whose head is right: it is neither
// taken nor news of the sender.
func TestADamagedChunkIsAsGoodAsLost(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	o := chunks.Frame{Kind: chunks.Opening, Stream: 1, Size: 100, ChunkBytes: 10}
	r := chunks.NewReceiver(0, timing, o, 1, "r", 2)
	r.Begin(0)
	f := chunks.Frame{Kind: chunks.Chunk, Stream: 1, Attempt: 1, End: 10, Data: make([]byte, 10)}
	b := f.Bytes()
	b[len(b)-1] ^= 1
	damaged, err := chunks.ParseHead(b)
	if err != nil {
		t.Fatal(err)
	}
	reply, repeated := r.Handle(stall/2, damaged)
	if reply != nil || repeated || r.Held() != 0 || r.News() != 0 || r.Err() != nil {
		t.Errorf("answers %+v, repeated %t, holds %d bytes, last heard at %v, %v", reply, repeated, r.Held(), r.News(),
			r.Err())
	}
}

// TestASenderPreparesHalfAWindowAhead sums nothing up that is not soon asked for.
func TestASenderPreparesHalfAWindowAhead(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	s := chunks.NewSender(0, chunks.Plan{Timing: timing, Stream: 1, ChunkBytes: 1, Window: 8}, make([]byte, 14))
	prepared := func() (n int) {
		for s.Prepare() {
			n++
		}
		return n
	}
	if n := prepared(); n != 4 {
		t.Errorf("%d chunks are prepared before anybody asks; want 4", n)
	}
	r := chunks.NewReceiver(0, timing, s.Opening(), 1, "r", 8)
	s.Handle(0, r.Begin(0))
	for range 8 {
		p, _ := s.Next()
		r.Handle(0, p.Frame)
	}
	if n := prepared(); n != 4 {
		t.Errorf("%d chunks are prepared behind the eight that were sent; want 4", n)
	}
	_, ask, err := r.Read(0, make([]byte, 8))
	if ask == nil || err != nil {
		t.Fatalf("asked %+v, %v", ask, err)
	}
	s.Handle(0, *ask)
	for p, ok := s.Next(); ok; p, ok = s.Next() {
		r.Handle(0, p.Frame)
	}
	if n := prepared(); n != 0 || !r.Whole() {
		t.Errorf("%d chunks are prepared after the last, whole %t", n, r.Whole())
	}
	if s.GiveUp(chunks.Gone); s.Prepare() {
		t.Error("it prepares what it has given up")
	}
}

// TestABodyOfAnotherSizeIsRefused has the hash right and the size wrong.
func TestABodyOfAnotherSizeIsRefused(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	for _, size := range []int64{5, 9, 11, 20} {
		s := chunks.NewSender(0, chunks.Plan{Timing: timing, Stream: 1, ChunkBytes: 4, Window: 8}, make([]byte, 10))
		o := s.Opening()
		o.Size = size
		r := chunks.NewReceiver(0, timing, o, 1, "r", 8)
		s.Handle(0, r.Begin(0))
		for {
			p, ok := s.Next()
			if !ok {
				break
			}
			if reply, _ := r.Handle(0, p.Frame); reply != nil {
				s.Handle(0, *reply)
			}
		}
		var failure *chunks.Failure
		if !errors.As(r.Err(), &failure) || failure.Reason != chunks.Corrupted {
			t.Errorf("size %d: the receiver ends as %v; want corrupt", size, r.Err())
		}
		if over, err := s.Over(); !over || err == nil {
			t.Errorf("size %d: the sender has not heard of it", size)
		}
	}
}

// TestASenderThatGivesUpTellsItsReceivers lets a source break off: the receiver must
// know at once, and not by its patience.
func TestASenderThatGivesUpTellsItsReceivers(t *testing.T) {
	p := quietPlan()
	p.Fed, p.BreakAt = true, 500
	w := newWorld(p)
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	var failure *chunks.Failure
	if r := w.receivers[0]; !errors.As(r.err, &failure) || failure.Reason != chunks.Broken || !failure.Said {
		t.Errorf("the receiver ends as %v; want to be told that the source broke off", r.err)
	}
	if r := w.receivers[0]; r.News() > 10*stall {
		t.Errorf("it was told at %v", r.News())
	}
}

// TestASecondReceiverWaitsForABeginningThatIsGone has two receivers of a body that
// comes from a reader, of which the first is far ahead.
func TestASecondReceiverWaitsForABeginningThatIsGone(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	begin := func() *chunks.Sender {
		s := chunks.NewFedSender(0, chunks.Plan{Timing: timing, Stream: 1, ChunkBytes: 1, Window: 1})
		s.Handle(0, chunks.Frame{Kind: chunks.Want, Stream: 1, Attempt: 1, Address: "a", Next: 0, Limit: 1})
		s.Feed([]byte("x"), false)
		s.Next()
		s.Handle(0, chunks.Frame{Kind: chunks.Want, Stream: 1, Attempt: 1, Address: "a", Next: 1, Limit: 2})
		s.Handle(0, chunks.Frame{Kind: chunks.Want, Stream: 1, Attempt: 1, Address: "b", Next: 0, Limit: 1})
		return s
	}
	s := begin()
	if p, ok := s.Next(); !ok || p.Frame.Kind != chunks.Hold || p.To != "b" {
		t.Errorf("the second is told %+v; want to wait", p)
	}
	s.Handle(0, chunks.Frame{Kind: chunks.Done, Stream: 1, Attempt: 1, Address: "a"})
	if p, ok := s.Next(); !ok || p.Frame.Kind != chunks.Abort || p.Frame.Reason != chunks.Dealt || p.To != "b" {
		t.Errorf("the second is told %+v; want that the message has been dealt with", p)
	}
	s = begin()
	s.Next()
	s.Handle(0, chunks.Frame{Kind: chunks.Left, Stream: 1, Attempt: 1, Address: "a"})
	if p, ok := s.Next(); !ok || p.Frame.Kind != chunks.Abort || p.Frame.Reason != chunks.Gone || p.To != "b" {
		t.Errorf("the second is told %+v; want that the beginning is gone", p)
	}
	if over, err := s.Over(); !over || err == nil {
		t.Error("the sender has not failed")
	}
}

// TestABodyForAllGoesToEachOfThem has two listeners, and a sender that ends when it
// is quiet.
func TestABodyForAllGoesToEachOfThem(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	plan := chunks.Plan{Timing: timing, Stream: 1, ChunkBytes: 4, Window: 2, Many: true, Linger: stall, Await: abandon}
	s := chunks.NewSender(0, plan, []byte("for all of you"))
	for _, address := range []string{"a", "b"} {
		r := chunks.NewReceiver(0, timing, s.Opening(), 1, address, 4)
		s.Handle(0, r.Begin(0))
		for !r.Whole() {
			p, ok := s.Next()
			if !ok || p.To != address {
				t.Fatalf("got %+v, %t; want more for %s", p, ok, address)
			}
			r.Handle(0, p.Frame)
			if _, ask, _ := r.Read(0, make([]byte, 4)); ask != nil {
				s.Handle(0, *ask)
			}
		}
		s.Handle(0, r.Finish())
		if over, _ := s.Over(); over {
			t.Fatal("it ends when one of them is done")
		}
	}
	if due, ever := s.Due(); !ever || due != stall {
		t.Errorf("due at %v, %t; want %v", due, ever, stall)
	}
	s.Tick(stall)
	if over, err := s.Over(); !over || err != nil {
		t.Errorf("over %t, %v; want a good end", over, err)
	}
}

// TestALostEndIsAskedForAfterAStall loses the last chunks, of which no later one
// tells.
func TestALostEndIsAskedForAfterAStall(t *testing.T) {
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	s := chunks.NewSender(0, chunks.Plan{Timing: timing, Stream: 1, ChunkBytes: 1, Window: 8}, []byte("abcdef"))
	r := chunks.NewReceiver(0, timing, s.Opening(), 1, "r", 8)
	s.Handle(0, r.Begin(0))
	for n := 0; ; n++ {
		p, ok := s.Next()
		if !ok {
			break
		}
		if n < 4 {
			r.Handle(0, p.Frame)
		}
	}
	if ask := r.Tick(stall - 1); ask != nil || r.Due() != stall {
		t.Errorf("asked %+v before it was due, at %v", ask, r.Due())
	}
	ask := r.Tick(stall)
	if ask == nil {
		t.Fatal("a stall passed, and nothing was asked")
	}
	s.Handle(stall, *ask)
	for {
		p, ok := s.Next()
		if !ok {
			break
		}
		r.Handle(stall, p.Frame)
	}
	if !r.Whole() {
		t.Errorf("after %+v there is %v", ask, r)
	}
}
