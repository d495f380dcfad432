package chunks

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// A Timing says how patient the two sides are.
type Timing struct {
	Stall   time.Duration // without news for so long, they ask again
	Abandon time.Duration // without news for so long, they give up
}

// A Failure is why a stream ended early.
type Failure struct {
	Reason Reason
	Said   bool // by the other side
}

// Error implements error.
func (f *Failure) Error() string { return "the stream has failed: " + f.Reason.String() }

// A Receiver puts one body together. Whoever reads it calls [Receiver.Read], and
// [Receiver.Tick] when it is due while there is nothing to read; between reads the
// sender keeps watch.
//
// It holds no more than its window of chunks: what its reader has not taken yet,
// and what came before its turn.
type Receiver struct {
	timing  Timing
	opening Frame
	attempt uint64
	address string // where the sender reaches it
	window  uint64

	slots  []slot // of the chunks from head on, each at its number modulo the window
	head   uint64 // the first chunk that has not been read to its end
	offset int    // how much of it has been read
	next   uint64 // the first chunk that is not there
	beyond uint64 // one more than the highest that came
	end    uint64 // bytes of the chunks before next
	hash   uint64
	whole  bool // next is the number of chunks
	dealt  bool
	left   bool
	held   int // bytes

	promised uint64 // the limit of the latest want
	news     time.Duration
	asked    time.Duration // when a want was sent, or a chunk came that was new
	failure  *Failure
}

type slot struct {
	there bool
	frame Frame
}

// NewReceiver returns the receiver of an opening. The attempt must differ from all
// others at the same address. The window is how many chunks there is room for.
func NewReceiver(now time.Duration, t Timing, o Frame, attempt uint64, address string, window int) *Receiver {
	w := min(max(1, window), MaxWindow)
	return &Receiver{
		timing: t, opening: o, attempt: attempt, address: address, window: uint64(w), slots: make([]slot, w),
		news: now, asked: now,
	}
}

// Begin returns the first want.
func (r *Receiver) Begin(now time.Duration) Frame { return *r.want(now, nil) }

// Held returns how many bytes of the body the receiver holds.
func (r *Receiver) Held() int { return r.held }

// Whole reports whether all of the body has come.
func (r *Receiver) Whole() bool { return r.whole }

// Err returns why the stream has failed, if it has.
func (r *Receiver) Err() error {
	if r.failure == nil {
		return nil
	}
	return r.failure
}

// News returns when the sender was heard last.
func (r *Receiver) News() time.Duration { return r.news }

// Handle takes a frame of the sender. It returns the frame to answer with, if
// there is one, and whether the frame was a chunk that had come before. A chunk that is
// not intact is as good as lost.
func (r *Receiver) Handle(now time.Duration, f Frame) (reply *Frame, repeated bool) {
	switch {
	case f.Stream != r.opening.Stream || f.Attempt != r.attempt:
		return nil, false
	case f.Kind == Abort:
		if !r.whole {
			r.fail(f.Reason, true)
		}
		return nil, false
	case r.dealt || r.left || r.failure != nil:
		if last := r.verdict(); last.Kind != Done || f.Kind == Probe {
			return last, false
		}
		return nil, f.Kind == Chunk
	case !f.Intact():
		return nil, false
	}
	r.news = now
	switch f.Kind {
	case Chunk:
		return r.chunk(now, f)
	case Probe:
		return r.want(now, r.missing(r.limit())), false
	}
	return nil, false
}

// verdict is what there is to say when it is over.
func (r *Receiver) verdict() *Frame {
	f := Frame{Kind: Done, Stream: r.opening.Stream, Attempt: r.attempt, Address: r.address}
	switch {
	case r.dealt:
	case r.failure != nil:
		f.Kind, f.Reason = Refusal, r.failure.Reason
	default:
		f.Kind = Left
	}
	return &f
}

func (r *Receiver) chunk(now time.Duration, f Frame) (reply *Frame, repeated bool) {
	s := &r.slots[f.Seq%r.window]
	switch {
	case r.whole || f.Seq < r.next:
		return nil, true
	case f.Seq >= r.limit():
		return nil, false // it was never asked for, and there is no room
	case s.there:
		return nil, true
	case len(f.Data) > r.opening.ChunkBytes || !f.Last && len(f.Data) != r.opening.ChunkBytes:
		return r.fail(Corrupted, false), false
	}
	s.there, s.frame = true, f
	r.held += len(f.Data)
	r.asked = now
	gap := f.Seq > max(r.beyond, r.next) // chunks before it did not come: the first news of that
	r.beyond = max(r.beyond, f.Seq+1)
	if reply := r.advance(); reply != nil {
		return reply, false
	}
	switch {
	case r.whole: // so that the sender knows that it is needed no more but for hearing the end
		return r.want(now, nil), false
	case gap:
		return r.want(now, r.missing(r.beyond)), false
	}
	return nil, false
}

// advance takes up what has come in order.
func (r *Receiver) advance() *Frame {
	for !r.whole && r.next < r.limit() {
		s := &r.slots[r.next%r.window]
		if !s.there {
			return nil
		}
		f := s.frame
		r.hash = chain(r.hash, f.dataSum(), len(f.Data))
		r.end += uint64(len(f.Data))
		size := r.opening.Size
		wrong := r.hash != f.Hash || r.end != f.End || size >= 0 && r.end > uint64(size) ||
			size >= 0 && f.Last && r.end != uint64(size) || f.Last && r.beyond > r.next+1
		if wrong {
			return r.fail(Corrupted, false)
		}
		r.next++
		r.whole = f.Last
	}
	return nil
}

func (r *Receiver) limit() uint64 { return r.head + r.window }

// missing lists the chunks before a bound that are not there.
func (r *Receiver) missing(bound uint64) []uint64 {
	var list []uint64
	for seq := r.next; seq < bound && len(list) < MaxMissing && !r.whole; seq++ {
		if !r.slots[seq%r.window].there {
			list = append(list, seq)
		}
	}
	return list
}

func (r *Receiver) want(now time.Duration, missing []uint64) *Frame {
	r.asked = now
	limit := r.limit()
	if r.whole {
		limit = r.next
	}
	r.promised = max(r.promised, limit)
	return &Frame{
		Kind: Want, Stream: r.opening.Stream, Attempt: r.attempt, Address: r.address,
		Next: r.next, Limit: limit, Missing: missing,
	}
}

// fail gives the stream up and lets go of what it holds.
func (r *Receiver) fail(reason Reason, said bool) *Frame {
	if r.failure == nil {
		r.failure = &Failure{reason, said}
		r.forget()
	}
	if said {
		return nil
	}
	return r.verdict()
}

func (r *Receiver) forget() {
	r.slots = nil // nothing is taken any more
	r.held = 0
}

// Read copies bytes of the body into p, in order, as far as they are there. It
// returns the frame to send, if there is one. With nothing there, and nothing
// wrong, n is 0 and the error nil; at the end of the body it is [io.EOF].
func (r *Receiver) Read(now time.Duration, p []byte) (n int, ask *Frame, err error) {
	if err := r.readable(); err != nil {
		return 0, nil, err
	}
	for n < len(p) && r.head < r.next {
		m := copy(p[n:], r.front())
		n += m
		r.skip(m)
	}
	ask, err = r.proceed(now, n)
	return n, ask, err
}

// Take is [Receiver.Read] for who wants no copy: it returns the next bytes of the
// body, at most a chunk, which are the caller's from then on.
func (r *Receiver) Take(now time.Duration) (data []byte, ask *Frame, err error) {
	if err := r.readable(); err != nil {
		return nil, nil, err
	}
	for len(data) == 0 && r.head < r.next {
		data = r.front()
		r.skip(len(data))
	}
	ask, err = r.proceed(now, len(data))
	return data, ask, err
}

// readable returns why nothing can be read any more, if so.
func (r *Receiver) readable() error {
	switch {
	case r.failure != nil:
		return r.failure
	case r.left || r.dealt:
		return errOver
	}
	return nil
}

// front returns what has not been read of the first chunk that is held.
func (r *Receiver) front() []byte { return r.slots[r.head%r.window].frame.Data[r.offset:] }

// skip lets go of n bytes of the front.
func (r *Receiver) skip(n int) {
	s := &r.slots[r.head%r.window]
	if r.offset += n; r.offset < len(s.frame.Data) {
		return
	}
	r.held -= len(s.frame.Data)
	*s, r.offset = slot{}, 0
	r.head++
}

// proceed says what follows when n bytes have been read: that it was the end, or a
// want, since there is room for more.
func (r *Receiver) proceed(now time.Duration, n int) (ask *Frame, err error) {
	switch {
	case r.whole && n == 0 && r.head == r.next:
		return nil, io.EOF
	case !r.whole && r.limit()-r.promised >= max(1, r.window/2):
		return r.want(now, nil), nil
	}
	return nil, nil
}

var errOver = errors.New("the message has been dealt with or left")

// Tick is called when it is due and the reader waits. It returns the frame to
// send, if there is one.
func (r *Receiver) Tick(now time.Duration) *Frame {
	switch {
	case r.failure != nil || r.whole || r.left || r.dealt:
		return nil
	case now-r.news >= r.timing.Abandon:
		return r.fail(Silent, false)
	case now-r.asked >= r.timing.Stall:
		return r.want(now, r.missing(r.limit()))
	}
	return nil
}

// Due returns when [Receiver.Tick] is next due.
func (r *Receiver) Due() time.Duration {
	return min(r.news+r.timing.Abandon, r.asked+r.timing.Stall)
}

// Finish notes that the message has been dealt with. It returns what to tell the
// sender.
func (r *Receiver) Finish() Frame {
	if r.failure == nil && !r.left {
		r.dealt = true
	}
	r.forget()
	return *r.verdict()
}

// Leave notes that whoever read has gone. It returns what to tell the sender.
// Where nobody else will come, the stream is refused.
func (r *Receiver) Leave(forGood bool) Frame {
	switch {
	case r.failure != nil || r.dealt:
	case forGood:
		r.fail(Dropped, false)
	default:
		r.left = true
	}
	r.forget()
	return *r.verdict()
}

// String says how far the receiver is.
func (r *Receiver) String() string {
	return fmt.Sprintf("attempt %d: read to chunk %d, there to %d, whole %t, dealt %t, failed %v",
		r.attempt, r.head, r.next, r.whole, r.dealt, r.failure)
}
