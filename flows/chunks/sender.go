package chunks

import (
	"slices"
	"time"
)

// A Plan says how a sender goes about a stream.
type Plan struct {
	Timing

	Stream     uint64
	Address    string // where receivers reach the sender
	ChunkBytes int
	Window     int // chunks that may be under way to one receiver

	// Await is how long the sender waits while nobody asks for the body, before it
	// gives up; 0 for ever.
	Await time.Duration

	// Many says that the opening went to everybody who listens: one that is done says
	// nothing of the others, and the stream ends when nobody has asked for Linger.
	Many   bool
	Linger time.Duration
}

// maxAttempts is how many receivers one body is sent to at the same time, where
// it is meant for one of them.
const maxAttempts = 8

// maxListeners is the same where it is meant for all.
const maxListeners = 1 << 10

// A Sender sends one body to whoever asks for it. It is used in rounds: tell it
// what time it is with [Sender.Tick], then send all that [Sender.Next] yields,
// give it more of the body while it is [Sender.Hungry], and wait until it is
// [Sender.Due] or has handled a frame.
type Sender struct {
	plan Plan
	size int64

	body []byte // nil where the body is fed
	sums []sums // of each chunk, as far as they were needed

	fed  bool // the body comes by Feed
	base uint64
	held []part // the chunks from base on
	hash uint64 // over all that was fed
	end  uint64

	total    uint64 // chunks, once that is known
	known    bool
	attempts []*attempt // in the order in which they began
	turn     int        // whose turn it is
	served   bool       // one attempt at least was done
	alone    time.Duration
	farewell []Parcel

	over    bool
	failure *Failure
}

// A part is one chunk that a sender holds.
type part struct {
	data []byte
	end  uint64
	hash uint64
	sum  uint32 // of data alone
}

// sums are what a chunk is checked by: the hash of the body up to its end, and the
// checksum of itself.
type sums struct {
	hash uint64
	own  uint32
}

// An attempt is one receiver's.
type attempt struct {
	address string
	number  uint64
	next    uint64   // the first chunk that it has not
	limit   uint64   // the first that it must not get yet
	sent    uint64   // the first that it was never sent
	again   []uint64 // to be sent once more
	heard   time.Duration
	asked   time.Duration // when it was asked where it is
	hold    bool          // it is to hear that there is nothing to send
	probe   bool          // it is to be asked where it is
	waits   bool          // it may begin only when the others have ended
}

// A Parcel is a frame and where it goes.
type Parcel struct {
	To    string
	Frame Frame
	Again bool // of a chunk: it was sent to this receiver before
}

// NewSender returns the sender of a body. The body must not change until the
// stream is over.
func NewSender(now time.Duration, p Plan, body []byte) *Sender {
	s := newSender(now, p)
	s.body, s.size, s.known = body, int64(len(body)), true
	s.total = max(1, (uint64(len(body))+uint64(s.plan.ChunkBytes)-1)/uint64(s.plan.ChunkBytes))
	return s
}

// NewFedSender returns the sender of a body that is passed to [Sender.Feed] chunk
// by chunk. It can send again only what it still holds: a window of chunks.
func NewFedSender(now time.Duration, p Plan) *Sender {
	s := newSender(now, p)
	s.fed, s.size = true, UnknownSize
	return s
}

func newSender(now time.Duration, p Plan) *Sender {
	p.ChunkBytes = min(max(1, p.ChunkBytes), MaxChunk)
	p.Window = min(max(1, p.Window), MaxWindow)
	return &Sender{plan: p, alone: now}
}

// Opening returns the frame that travels in the place of the body.
func (s *Sender) Opening() Frame {
	return Frame{
		Kind: Opening, Stream: s.plan.Stream, Size: s.size, ChunkBytes: s.plan.ChunkBytes, Address: s.plan.Address,
	}
}

// ChunkBytes returns how large the chunks are, but for the last.
func (s *Sender) ChunkBytes() int { return s.plan.ChunkBytes }

// Over reports whether the stream has ended, and why if not well. What is left to
// say about it, [Sender.Next] still yields.
func (s *Sender) Over() (over bool, err error) {
	if s.failure != nil {
		return true, s.failure
	}
	return s.over, nil
}

// HandedOver reports whether a receiver that is still at it has all of the body.
func (s *Sender) HandedOver() bool {
	return s.known && slices.ContainsFunc(s.attempts, func(a *attempt) bool { return a.next == s.total })
}

// Handle takes a frame of a receiver.
func (s *Sender) Handle(now time.Duration, f Frame) {
	if s.over || f.Stream != s.plan.Stream {
		return
	}
	switch f.Kind {
	case Want:
		s.want(now, f)
	case Done:
		s.served = true
		if s.plan.Many {
			s.drop(now, f.isOf)
			return
		}
		s.attempts = slices.DeleteFunc(s.attempts, f.isOf)
		s.finish(nil, Dealt)
	case Left:
		s.drop(now, f.isOf)
	case Refusal: // of which those who are still at it need not hear
		s.drop(now, f.isOf)
		if !s.plan.Many && len(s.attempts) == 0 {
			s.finish(&Failure{f.Reason, true}, Gone)
		}
	}
}

// isOf reports whether a receiver's frame belongs to an attempt.
func (f *Frame) isOf(a *attempt) bool { return a.number == f.Attempt && a.address == f.Address }

// finish ends the stream, and has those who are still at it told why.
func (s *Sender) finish(failure *Failure, why Reason) {
	s.over, s.failure = true, failure
	for _, a := range s.attempts {
		s.tell(a, why)
	}
	s.attempts, s.held, s.body, s.sums = nil, nil, nil, nil
}

func (s *Sender) tell(a *attempt, why Reason) {
	s.farewell = append(s.farewell, Parcel{To: a.address, Frame: Frame{
		Kind: Abort, Stream: s.plan.Stream, Attempt: a.number, Reason: why,
	}})
}

// drop lets attempts go.
func (s *Sender) drop(now time.Duration, which func(*attempt) bool) {
	n := len(s.attempts)
	s.attempts = slices.DeleteFunc(s.attempts, which)
	if len(s.attempts) == n {
		return
	}
	if len(s.attempts) == 0 {
		s.alone = now
	}
	s.promote()
	s.slide()
}

// promote lets those begin who waited, once all others have ended. If the
// beginning is gone by then, it is gone for everybody.
func (s *Sender) promote() {
	if len(s.attempts) == 0 || slices.ContainsFunc(s.attempts, func(a *attempt) bool { return !a.waits }) {
		return
	}
	for _, a := range s.attempts {
		if a.next < s.base {
			s.finish(&Failure{Gone, false}, Gone)
			return
		}
		a.waits, a.sent = false, a.next
	}
}

func (s *Sender) want(now time.Duration, f Frame) {
	if s.known && f.Next > s.total || s.fed && f.Next > s.base+uint64(len(s.held)) {
		return // nobody can have what was never sent
	}
	a := s.attempt(now, f)
	if a == nil {
		return
	}
	a.heard, a.probe = now, false
	a.next = max(a.next, f.Next)
	a.sent = max(a.sent, a.next)
	a.limit = max(a.limit, min(f.Limit, f.Next+uint64(s.plan.Window)))
	a.again = slices.DeleteFunc(a.again, func(seq uint64) bool { return seq < a.next })
	for _, seq := range f.Missing {
		if seq >= a.next && seq < a.sent && !slices.Contains(a.again, seq) {
			a.again = append(a.again, seq)
		}
	}
	s.slide()
	a.hold = !s.ready(a) && (!s.known || a.next < s.total)
}

// attempt finds the receiver of a want, or takes it on.
func (s *Sender) attempt(now time.Duration, f Frame) *attempt {
	for _, a := range s.attempts {
		if f.isOf(a) {
			return a
		}
	}
	most := maxAttempts
	if s.plan.Many {
		most = maxListeners
	}
	if len(s.attempts) >= most {
		return nil // it asks again, and by then one of the others may have ended
	}
	a := &attempt{number: f.Attempt, address: f.Address, heard: now, asked: now, next: f.Next, sent: f.Next}
	a.waits = s.fed && f.Next < s.base
	s.attempts = append(s.attempts, a)
	s.promote()
	if s.over {
		return nil
	}
	return a
}

// slide lets go of what was fed and everybody has.
func (s *Sender) slide() {
	if !s.fed || !slices.ContainsFunc(s.attempts, func(a *attempt) bool { return !a.waits }) {
		return
	}
	first := s.there()
	for _, a := range s.attempts {
		if !a.waits {
			first = min(first, a.next)
		}
	}
	if first > s.base {
		s.held = slices.Delete(s.held, 0, int(first-s.base))
		s.base = first
	}
}

// there returns how many chunks could be sent by now, counting from the first.
func (s *Sender) there() uint64 {
	if s.fed {
		return s.base + uint64(len(s.held))
	}
	return s.total
}

// ready reports whether there is a chunk to send to a.
func (s *Sender) ready(a *attempt) bool {
	return !a.waits && (len(a.again) > 0 || a.sent < min(a.limit, s.there()))
}

// Hungry reports whether more of the body is wanted.
func (s *Sender) Hungry() bool {
	if !s.fed || s.known || s.over || len(s.held) >= s.plan.Window {
		return false
	}
	return slices.ContainsFunc(s.attempts, func(a *attempt) bool {
		return !a.waits && a.sent == s.there() && a.sent < a.limit
	})
}

// Feed takes the next chunk of the body, full unless it is the last.
func (s *Sender) Feed(data []byte, last bool) {
	if s.over || s.known {
		return
	}
	sum := checksum(data)
	s.hash = chain(s.hash, sum, len(data))
	s.end += uint64(len(data))
	s.held = append(s.held, part{data, s.end, s.hash, sum})
	if last {
		s.known, s.total = true, s.base+uint64(len(s.held))
	}
}

// GiveUp ends the stream from the sender's side, unless it has ended.
func (s *Sender) GiveUp(why Reason) {
	if !s.over {
		s.finish(&Failure{why, false}, why)
	}
}

// Tick is called when it is due, or at any other time.
func (s *Sender) Tick(now time.Duration) {
	if s.over {
		return
	}
	s.drop(now, func(a *attempt) bool { return now-a.heard >= s.plan.Abandon })
	if s.over {
		return
	}
	for _, a := range s.attempts {
		if now-max(a.heard, a.asked) >= s.plan.Stall {
			a.asked, a.probe = now, true
		}
	}
	switch await, quiet := s.await(); {
	case len(s.attempts) > 0 || await == 0 || now-s.alone < await:
	case quiet:
		s.finish(nil, Gone)
	default:
		s.finish(&Failure{Silent, false}, Gone)
	}
}

// await returns how long it may be that nobody asks, and whether that is a good
// end.
func (s *Sender) await() (d time.Duration, quiet bool) {
	if s.plan.Many && s.served {
		return max(1, s.plan.Linger), true
	}
	return s.plan.Await, false
}

// Due returns when [Sender.Tick] is next due, if ever.
func (s *Sender) Due() (at time.Duration, ever bool) {
	if s.over {
		return 0, false
	}
	for i, a := range s.attempts {
		t := min(a.heard+s.plan.Abandon, max(a.heard, a.asked)+s.plan.Stall)
		if i == 0 || t < at {
			at, ever = t, true
		}
	}
	if await, _ := s.await(); len(s.attempts) == 0 && await > 0 {
		at, ever = s.alone+await, true
	}
	return at, ever
}

// Next returns what to send next, if there is anything. Receivers take turns.
func (s *Sender) Next() (Parcel, bool) {
	if len(s.farewell) > 0 {
		p := s.farewell[0]
		s.farewell = s.farewell[1:]
		return p, true
	}
	for range s.attempts {
		s.turn = (s.turn + 1) % len(s.attempts)
		if p, ok := s.nextTo(s.attempts[s.turn]); ok {
			return p, true
		}
	}
	return Parcel{}, false
}

func (s *Sender) nextTo(a *attempt) (Parcel, bool) {
	p := Parcel{To: a.address, Frame: Frame{Stream: s.plan.Stream, Attempt: a.number}}
	switch {
	case s.ready(a):
		seq := a.sent
		if p.Again = len(a.again) > 0; p.Again {
			seq, a.again = a.again[0], a.again[1:]
		} else {
			a.sent++
		}
		a.hold = false
		s.chunk(&p.Frame, seq)
	case a.hold:
		a.hold, p.Frame.Kind = false, Hold
	case a.probe:
		a.probe, p.Frame.Kind, p.Frame.Address = false, Probe, s.plan.Address
	default:
		return Parcel{}, false
	}
	return p, true
}

// chunk fills f in as the chunk of a number.
func (s *Sender) chunk(f *Frame, seq uint64) {
	f.Kind, f.Seq, f.Last = Chunk, seq, s.known && seq+1 == s.total
	if s.fed {
		p := s.held[seq-s.base]
		f.Data, f.End, f.Hash, f.sum, f.summed = p.data, p.end, p.hash, p.sum, true
		return
	}
	for uint64(len(s.sums)) <= seq {
		s.sumUp()
	}
	f.Hash, f.sum, f.summed = s.sums[seq].hash, s.sums[seq].own, true
	f.Data, f.End = s.cut(seq)
}

// sumUp computes the sums of the next chunk of a body that is there.
func (s *Sender) sumUp() {
	n, before := uint64(len(s.sums)), uint64(0)
	if n > 0 {
		before = s.sums[n-1].hash
	}
	data, _ := s.cut(n)
	own := checksum(data)
	s.sums = append(s.sums, sums{chain(before, own, len(data)), own})
}

// Prepare computes ahead what one more chunk needs, unless enough is ready for the
// next want: half a window, which is what receivers ask for at a time and what stays
// in a processor's cache until then. It reports whether it did, and is called while
// there is nothing to send.
func (s *Sender) Prepare() bool {
	if s.fed || s.over {
		return false
	}
	sent := uint64(0)
	for _, a := range s.attempts {
		sent = max(sent, a.sent)
	}
	ready := uint64(len(s.sums))
	if ready >= min(s.total, sent+max(1, uint64(s.plan.Window)/2)) {
		return false
	}
	s.sumUp()
	return true
}

// cut returns a chunk of a body that is there, and where it ends.
func (s *Sender) cut(seq uint64) (data []byte, end uint64) {
	size := uint64(s.plan.ChunkBytes)
	end = min((seq+1)*size, uint64(len(s.body)))
	return s.body[seq*size : end], end
}

// Held returns how many chunks the sender holds of a body that it is fed.
func (s *Sender) Held() int { return len(s.held) }
