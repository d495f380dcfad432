package link

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

const (
	readSize = 32 << 10
	overhead = 64 // bytes that a chunk costs beside its own
)

// A half is one direction of a connection: a reader, and a writer where there is
// something to be done to the bytes.
//
// The reader is in one of two places. While no impairment is in force it passes
// bytes straight from socket to socket. Otherwise it fills a queue, and the
// writer empties it as the rules permit. Any change of the rules kicks it out
// of either with a deadline in the past, and it looks again.
type half struct {
	conn     *conn
	way      int // toTarget or fromTarget
	src, dst *net.TCPConn
	traffic  *traffic
	rng      *rand.Rand // of the reader
	passage  passage    // of the reader

	mu      sync.Mutex
	changed sync.Cond // on mu: anything below, or the rules
	queue   []chunk
	bytes   int              // in the queue
	charged int              // the same with overhead
	busy    *rules           // those under which bytes are being handed on now, or nil
	kicked  bool             // the deadline of writes has passed
	writing bool             // there is a writer
	spoiled bool             // bytes are missing: none may follow
	ended   bool             // the source has no more
	told    bool             // the destination knows that
	broken  bool             // the end is a reset
	lost    bool             // the destination is gone
	sinking bool             // nothing more is handed on
	until   time.Time        // how long what still comes is read, if sinking
	dead    bool             // the sockets are closed
	resume  time.Time        // when the next slice may go
	spent   map[*Armed]int64 // bytes handed on under limits
}

// A chunk is bytes that arrived together, or the end of the stream.
type chunk struct {
	data  []byte    // nil at the end
	at    time.Time // when it was read
	draw  uint64    // for what is random about it
	rules *rules    // in force when it was queued
}

func newHalf(c *conn, way int, src, dst *net.TCPConn) *half {
	h := &half{
		conn: c, way: way, src: src, dst: dst, traffic: &c.link.traffic[way],
		rng: rand.New(rand.NewPCG(c.link.seed, 2*c.id+uint64(way))), spent: make(map[*Armed]int64),
	}
	h.changed.L = &h.mu
	h.passage = newPassage(h)
	return h
}

// A place is where the reader goes next.
type place uint8

const (
	straight place = iota // from socket to socket
	queueing
	draining // read and thrown away
	nowhere
)

// run is the reader. It returns when the source has no more bytes, or the
// connection is gone.
func (h *half) run() {
	for {
		var err error
		switch h.enter() {
		case straight:
			var rest []byte
			rest, err = h.passage.pass()
			h.exit(rest)
		case queueing:
			err = h.fill()
		case draining:
			_, _ = io.Copy(io.Discard, h.src) // until its end, the deadline, or a reset
			h.conn.finish()
			return
		case nowhere:
			return
		}
		if lost := new(writeError); errors.As(err, &lost) {
			if h.abandon() {
				return
			}
			continue
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			if h.accept(nil, !errors.Is(err, io.EOF)) {
				h.conn.finish()
			}
			return
		}
	}
}

// enter waits until the reader may go on and says where. What was queued must be
// out before bytes pass straight.
func (h *half) enter() place {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch r := h.conn.link.rules.Load(); {
		case h.dead || h.lost:
			return nowhere
		case h.sinking:
			_ = h.src.SetReadDeadline(h.until) // it fails only if the socket is closed
			return draining
		case !h.clear():
			return nowhere
		case !r.ways[h.way].idle() || h.spoiled:
			return queueing
		case len(h.queue) == 0 && !h.writing:
			h.busy = r
			return straight
		}
		h.changed.Wait()
	}
}

// clear takes back the kick. It reports whether the sockets are still open.
func (h *half) clear() bool {
	err := h.src.SetReadDeadline(time.Time{})
	if h.kicked && h.busy == nil {
		err = errors.Join(err, h.dst.SetWriteDeadline(time.Time{}))
		h.kicked = false
	}
	return err == nil
}

// exit ends a straight passage. rest is what was read and not handed on.
func (h *half) exit(rest []byte) {
	h.mu.Lock()
	h.busy = nil
	h.changed.Broadcast()
	h.mu.Unlock()
	if len(rest) > 0 {
		h.accept(rest, false) // bytes are never all
	}
}

// fill reads into the queue until an error, which is that of a deadline if the
// rules have changed.
func (h *half) fill() error {
	buf := h.conn.link.buffers.Get().(*[readSize]byte)
	defer h.conn.link.buffers.Put(buf)
	for {
		n, err := h.src.Read(buf[:])
		if n > 0 {
			h.accept(buf[:n], false)
		}
		if err != nil {
			return err
		}
	}
}

// accept queues bytes, or the end of the stream if there are none. It waits for
// room. reset says that the end is one. It reports whether this end is all that
// the half had left to do.
func (h *half) accept(data []byte, reset bool) (over bool) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(data) == 0 {
		h.ended = true
		h.broken = h.broken || reset
	}
	for {
		r := h.conn.link.rules.Load()
		switch w := &r.ways[h.way]; {
		case h.dead || h.sinking:
			h.discard(len(data))
			over = h.ended && !h.lost && !h.told
			h.told = h.told || over
			return over
		case h.spoiled || len(w.drop) > 0:
			h.drop(w, len(data))
			return false
		case len(data) == 0 || h.charged < h.conn.link.queueBytes:
			h.put(r, data, now)
			return false
		}
		h.changed.Wait()
	}
}

func (h *half) put(r *rules, data []byte, now time.Time) {
	c := chunk{at: now, draw: h.rng.Uint64(), rules: r}
	if len(data) > 0 {
		c.data = append(make([]byte, 0, len(data)), data...)
	}
	h.queue = append(h.queue, c)
	h.bytes += len(data)
	h.charged += len(data) + overhead
	h.traffic.held.Add(int64(len(data)))
	for _, a := range r.ways[h.way].stall {
		a.hold(len(data))
	}
	if !h.writing {
		h.writing = true
		h.conn.link.wg.Go(h.write)
	}
	h.changed.Broadcast()
}

// take removes n bytes from the front of the queue.
func (h *half) take(n int) {
	front := &h.queue[0]
	front.data = front.data[n:]
	h.bytes -= n
	h.charged -= n
	h.traffic.held.Add(int64(-n))
	if len(front.data) == 0 {
		h.pop()
	}
}

func (h *half) pop() {
	h.charged -= overhead
	h.queue[0] = chunk{} // so that its bytes are free
	h.queue = h.queue[1:]
	h.changed.Broadcast()
}

// discard counts bytes that nobody will get.
func (h *half) discard(n int) { h.traffic.discarded.Add(int64(n)) }

// empty throws the queue away.
func (h *half) empty() {
	h.discard(h.bytes)
	h.traffic.held.Add(int64(-h.bytes))
	h.queue, h.bytes, h.charged = nil, 0, 0
	h.changed.Broadcast()
}

// kick makes the reader and the writer look at the rules again, wherever they
// are.
func (h *half) kick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead || h.sinking {
		return
	}
	past := time.Unix(1, 0)
	_ = h.src.SetReadDeadline(past) // both fail only if the socket is closed
	if h.busy != nil {
		_ = h.dst.SetWriteDeadline(past)
		h.kicked = true
	}
	h.changed.Broadcast()
}

// settle waits until nothing is handed on under other rules than r.
func (h *half) settle(r *rules) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.busy != nil && h.busy != r && !h.dead {
		h.changed.Wait()
	}
}

// sink throws away what the half holds and what still comes until a moment. It
// reports whether nothing comes and nobody has told the destination so.
func (h *half) sink(until time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sinking, h.until = true, until
	h.empty()
	past := time.Unix(1, 0)
	_ = h.src.SetReadDeadline(past) // both fail only if the socket is closed
	_ = h.dst.SetWriteDeadline(past)
	over := (h.ended || h.lost) && !h.told
	h.told = h.told || over
	return over
}

// die notes that the sockets are closed.
func (h *half) die() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead = true
	h.empty()
}

// abandon is for a destination that is gone. What it has said before it went may
// still be on its way to the source, which gets the reset after that. It reports
// whether there is nothing more to do.
func (h *half) abandon() bool {
	h.mu.Lock()
	if h.sinking && !h.dead {
		h.mu.Unlock()
		return h.lost
	}
	h.sinking, h.lost = true, true
	h.empty()
	h.mu.Unlock()
	back := h.conn.halves[1-h.way]
	back.mu.Lock()
	over := back.told || back.sinking
	back.broken = true
	back.mu.Unlock()
	if over {
		h.conn.end(abort) // a peer wanted it so: the link has cut nothing
	}
	return true
}
