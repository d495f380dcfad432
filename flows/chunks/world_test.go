package chunks_test

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"flowbench/flows/chunks"
)

const (
	stall   = 20 * time.Millisecond
	abandon = 100 * stall
	hop     = time.Millisecond
)

// A plan is one stream and what befalls it.
type plan struct {
	Seed           uint64
	Size           int
	Chunk          int
	Window         int // the sender's
	Room           int // chunks that a receiver has room for
	Fed            bool
	Loss           float64
	Twice          float64
	Damage         float64       // the share of chunks of which a byte is another when they arrive
	Jitter         time.Duration // by how much a frame may be later than the next
	Slow           time.Duration // the reader's mean pause between two reads
	CutAt, CutFor  time.Duration
	Deaths         []time.Duration // receiver number n dies at that time
	Births         []time.Duration // receiver number n begins at that time
	SenderDies     time.Duration   // 0 for never
	Work           time.Duration   // between having read all and having dealt with it
	Forge, BreakAt int             // a chunk that comes with other bytes; where the source breaks off; -1 for none
}

// calm reports whether the stream must get through: what befalls it passes before
// anybody's patience ends.
func (p plan) calm() bool {
	return p.SenderDies == 0 && len(p.Deaths) == 0 && p.Loss+p.Damage <= 0.35 && p.CutFor < abandon/2 && p.Forge < 0 &&
		p.BreakAt < 0
}

// A world is one sender, its receivers, the network between them and a clock.
type world struct {
	plan   plan
	rand   *rand.Rand
	now    time.Duration
	events events
	seq    uint64
	steps  int

	body      []byte
	fed       int
	sender    *chunks.Sender
	over      bool // the sender is gone
	ended     bool // it has said how the stream ended
	endedAt   time.Duration
	verdict   error
	receivers []*receiver
	opening   chunks.Frame
	sent      int
	resent    int
}

// A receiver is one attempt and its reader.
type receiver struct {
	*chunks.Receiver

	number  int
	got     []byte
	dead    bool
	dealt   bool
	err     error
	pausing bool
}

type event struct {
	at  time.Duration
	seq uint64
	do  func() error
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(p plan) *world {
	w := &world{plan: p, rand: rand.New(rand.NewPCG(p.Seed, 1))}
	w.body = make([]byte, p.Size)
	for i := range w.body {
		w.body[i] = byte(w.rand.Uint32())
	}
	sp := chunks.Plan{
		Timing: chunks.Timing{Stall: stall, Abandon: abandon}, Stream: 7, Address: "sender",
		ChunkBytes: p.Chunk, Window: p.Window, Await: 3 * abandon,
	}
	if p.Fed {
		w.sender = chunks.NewFedSender(0, sp)
	} else {
		w.sender = chunks.NewSender(0, sp, w.body)
	}
	w.opening = w.sender.Opening()
	return w
}

func (w *world) at(t time.Duration, do func() error) {
	w.seq++
	heap.Push(&w.events, event{max(t, w.now), w.seq, do})
}

var errLivelock = errors.New("it does not come to an end")

// run runs the world until nothing is left to do.
func (w *world) run() error {
	for n, birth := range append([]time.Duration{0}, w.plan.Births...) {
		w.at(birth, func() error { return w.begin(n) })
	}
	if w.plan.SenderDies > 0 {
		w.at(w.plan.SenderDies, func() error { w.over = true; return nil })
	}
	w.at(0, w.send)
	limit := 20_000 + 400*(w.plan.Size/w.plan.Chunk+1)*(len(w.plan.Births)+1)
	for len(w.events) > 0 {
		if w.steps++; w.steps > limit {
			return errLivelock
		}
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		if err := e.do(); err != nil {
			return err
		}
		for _, r := range w.receivers {
			if r.Held() > w.plan.Room*w.plan.Chunk {
				return fmt.Errorf("attempt %d holds %d bytes", r.number, r.Held())
			}
		}
		if w.sender.Held() > w.plan.Window {
			return fmt.Errorf("the sender holds %d chunks", w.sender.Held())
		}
	}
	return w.judge()
}

// begin has another receiver take the message up, as brokers do that deliver again.
func (w *world) begin(n int) error {
	for _, r := range w.receivers {
		if r.dealt || r.err != nil {
			return nil // it was acknowledged, so that it does not come again
		}
	}
	timing := chunks.Timing{Stall: stall, Abandon: abandon}
	r := &receiver{number: n}
	r.Receiver = chunks.NewReceiver(w.now, timing, w.opening, uint64(n), fmt.Sprint("receiver-", n), w.plan.Room)
	w.receivers = append(w.receivers, r)
	if n < len(w.plan.Deaths) {
		w.at(w.now+w.plan.Deaths[n], func() error { r.dead = true; return nil })
	}
	w.toSender(r.Begin(w.now))
	return w.read(r)
}

// toSender has a receiver's frame cross the network.
func (w *world) toSender(f chunks.Frame) {
	w.cross(f, func(f chunks.Frame) error {
		if w.over {
			return nil
		}
		w.sender.Handle(w.now, f)
		return w.send()
	})
}

// toReceiver has a sender's frame cross the network.
func (w *world) toReceiver(p chunks.Parcel) {
	w.cross(p.Frame, func(f chunks.Frame) error {
		for _, r := range w.receivers {
			if fmt.Sprint("receiver-", r.number) != p.To || r.dead {
				continue
			}
			reply, _ := r.Handle(w.now, f)
			if reply != nil {
				w.toSender(*reply)
			}
			return w.read(r)
		}
		return nil
	})
}

func (w *world) cross(f chunks.Frame, arrive func(chunks.Frame) error) {
	cut := w.plan.CutAt <= w.now && w.now < w.plan.CutAt+w.plan.CutFor
	copies := 1
	if w.rand.Float64() < w.plan.Twice {
		copies = 2
	}
	for range copies {
		late := hop
		if w.plan.Jitter > 0 {
			late += time.Duration(w.rand.Int64N(int64(w.plan.Jitter)))
		}
		if cut || w.rand.Float64() < w.plan.Loss {
			continue
		}
		b := f.Bytes()
		if f.Kind == chunks.Chunk && int(f.Seq) == w.plan.Forge && len(f.Data) > 0 {
			forged := f
			forged.Data = bytes.Clone(f.Data)
			forged.Data[0] ^= 1
			forged.Forget()
			b = forged.Bytes() // of which the checksum is right
		}
		if f.Kind == chunks.Chunk && len(f.Data) > 0 && w.rand.Float64() < w.plan.Damage {
			b = bytes.Clone(b)
			b[len(b)-1-w.rand.IntN(len(f.Data))] ^= 1
		}
		read := chunks.Parse
		if f.Kind == chunks.Chunk {
			read = chunks.ParseHead // the receiver examines the rest
		}
		w.at(w.now+late, func() error {
			f, err := read(b)
			if err != nil {
				return err
			}
			return arrive(f)
		})
	}
}

// send is one round of the sender.
func (w *world) send() error {
	if w.over {
		return nil
	}
	w.sender.Tick(w.now)
	for ahead := w.rand.IntN(4); ahead > 0 && w.sender.Prepare(); {
		ahead--
	}
	for {
		p, ok := w.sender.Next()
		if !ok && w.sender.Hungry() {
			if err := w.feed(); err != nil {
				return err
			}
			continue
		}
		if !ok {
			break
		}
		if err := w.count(p); err != nil {
			return err
		}
		w.toReceiver(p)
	}
	if over, err := w.sender.Over(); over {
		if !w.ended {
			w.ended, w.endedAt, w.verdict = true, w.now, err
		}
		return nil
	}
	if due, ever := w.sender.Due(); ever {
		w.at(due, func() error {
			if next, ever := w.sender.Due(); !ever || next > w.now {
				return nil // something has happened since
			}
			return w.send()
		})
	}
	return nil
}

// count holds a parcel to the window.
func (w *world) count(p chunks.Parcel) error {
	if p.Frame.Kind != chunks.Chunk {
		return nil
	}
	w.sent++
	if p.Again {
		w.resent++
	}
	for _, r := range w.receivers {
		taken := len(r.got) / w.plan.Chunk
		if fmt.Sprint("receiver-", r.number) == p.To && int(p.Frame.Seq) >= taken+w.plan.Room {
			return fmt.Errorf("chunk %d is sent to attempt %d, which has taken %d", p.Frame.Seq, r.number, taken)
		}
	}
	return nil
}

func (w *world) feed() error {
	rest := w.body[w.fed:]
	if w.plan.BreakAt >= 0 && w.fed >= w.plan.BreakAt {
		w.sender.GiveUp(chunks.Broken)
		return nil
	}
	n := min(w.plan.Chunk, len(rest))
	w.fed += n
	w.sender.Feed(rest[:n], n < w.plan.Chunk || n == len(rest) && w.plan.Seed%2 == 0)
	return nil
}

// read is one round of a reader.
func (w *world) read(r *receiver) error {
	if r.dead || r.dealt || r.err != nil || r.pausing {
		return nil
	}
	for {
		n := 1 + w.rand.IntN(3*w.plan.Chunk)
		p := make([]byte, n)
		n, ask, err := r.Read(w.now, p)
		if ask != nil {
			w.toSender(*ask)
		}
		r.got = append(r.got, p[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			r.pausing = true
			w.at(w.now+w.plan.Work, func() error { return w.deal(r) })
			return nil
		case err != nil:
			r.err = err
			w.toSender(r.Finish())
			return nil
		case n > 0 && w.plan.Slow > 0:
			r.pausing = true
			w.at(w.now+time.Duration(w.rand.Int64N(2*int64(w.plan.Slow))), func() error {
				r.pausing = false
				return w.read(r)
			})
			return nil
		case n > 0:
			continue
		}
		break
	}
	if f := r.Tick(w.now); f != nil {
		w.toSender(*f)
	}
	if r.Err() != nil {
		return w.read(r)
	}
	due := r.Due()
	w.at(due, func() error {
		if r.Due() > w.now {
			return nil
		}
		return w.read(r)
	})
	return nil
}

// deal is the end of the reader's work.
func (w *world) deal(r *receiver) error {
	if r.dead {
		return nil
	}
	if !bytes.Equal(r.got, w.body) {
		return fmt.Errorf("attempt %d has read %d bytes to the end, and they are not the body's %d",
			r.number, len(r.got), len(w.body))
	}
	r.dealt = true
	w.toSender(r.Finish())
	return nil
}

// judge holds the end to what is promised.
func (w *world) judge() error {
	dealt := 0
	for _, r := range w.receivers {
		switch {
		case r.dealt:
			dealt++
		case !r.dead && r.err == nil:
			return fmt.Errorf("attempt %d neither ends nor fails: %v", r.number, r)
		case len(r.got) > len(w.body) || !bytes.Equal(r.got, w.body[:len(r.got)]):
			return fmt.Errorf("attempt %d was given what is not the body's", r.number)
		}
	}
	switch {
	case !w.over && !w.ended:
		return errors.New("the sender does not know how it ended")
	case w.ended && w.verdict == nil && dealt == 0:
		return errors.New("the sender takes for done what nobody has dealt with")
	case w.plan.calm() && (w.verdict != nil || dealt == 0):
		return fmt.Errorf("nothing stood in the way, and it failed: %w", w.verdict)
	case w.plan.Forge >= 0 && dealt > 0 && w.plan.Forge*w.plan.Chunk < len(w.body):
		return errors.New("a forged chunk was not noticed")
	}
	return nil
}
