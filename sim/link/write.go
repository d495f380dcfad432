package link

import (
	"errors"
	"os"
	"time"
)

// pieceSize is how much is written at once at most. It is what another
// impairment that is armed now has to wait for at most, in a manner of speaking:
// a write that waits for its receiver is broken off.
const pieceSize = 32 << 10

// write is the writer: it hands on the front of the queue when the rules permit.
// It ends when there is nothing to write and no rule that could need it.
func (h *half) write() {
	for {
		c, r, ok := h.front()
		if !ok {
			return
		}
		w := &r.ways[h.way]
		if len(w.stall) > 0 {
			h.await(r, nil)
			continue
		}
		if !h.awaitTime(r, h.due(w, c)) {
			continue
		}
		if len(c.data) == 0 {
			if h.tell(r) {
				return
			}
			continue
		}
		h.hand(r, c)
	}
}

// front waits for something to write. It returns false when the writer is to
// end.
func (h *half) front() (chunk, *rules, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		r := h.conn.link.rules.Load()
		switch {
		case h.dead || h.sinking, len(h.queue) == 0 && r.ways[h.way].idle():
			h.writing = false
			h.changed.Broadcast()
			return chunk{}, nil, false
		case len(h.queue) > 0:
			return h.queue[0], r, true
		}
		h.changed.Wait()
	}
}

// await waits until c is ready, and returns false if the rules changed before or
// the connection ended.
func (h *half) await(r *rules, c <-chan struct{}) bool {
	select {
	case <-r.changed:
		return false
	case <-h.conn.ctx.Done():
		return false
	case <-c:
		return true
	}
}

func (h *half) awaitTime(r *rules, at time.Time) bool {
	if time.Until(at) <= 0 {
		return true
	}
	a := h.conn.link.alarms.At(at)
	defer a.Stop()
	return h.await(r, a.Rings())
}

// due returns when a chunk may go: a fixed time after it was read, so that a
// late wake-up delays nothing that comes after it. Order keeps itself, since
// nothing overtakes the front of the queue.
func (h *half) due(w *way, c chunk) time.Time {
	at := c.at
	for _, a := range w.latency {
		at = at.Add(a.impairment.(Latency).of(c.draw))
	}
	if len(c.data) == 0 {
		for _, a := range w.slowClose {
			at = at.Add(a.impairment.(SlowClose).Delay)
		}
		return at
	}
	if len(w.slice) > 0 && h.resume.After(at) {
		return h.resume
	}
	return at
}

// hand hands on a piece of the front of the queue, unless the rules change before
// it may go.
func (h *half) hand(r *rules, c chunk) {
	w := &r.ways[h.way]
	n := h.piece(w, len(c.data))
	late := false
	for _, a := range w.bandwidth {
		at := a.paces[h.way].reserve(time.Now(), n)
		late = late || time.Until(at) > 0
		if !h.awaitTime(r, at) {
			return
		}
	}
	if !h.begin(r) {
		return
	}
	m, err := h.dst.Write(c.data[:n])
	cut := h.done(w, m, n < len(c.data), late)
	switch {
	case len(cut) > 0:
		if h.conn.leave() {
			touch(cut)
		}
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		h.abandon()
	}
}

// begin starts a write, unless other rules are in force by now.
func (h *half) begin(r *rules) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead || h.sinking || h.conn.link.rules.Load() != r {
		return false
	}
	if h.kicked {
		_ = h.dst.SetWriteDeadline(time.Time{}) // it fails only if the socket is closed
		h.kicked = false
	}
	h.busy = r
	return true
}

// done ends a write of n bytes and returns the limits that are used up.
func (h *half) done(w *way, n int, cut, late bool) []*Armed {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = nil
	h.changed.Broadcast()
	if h.dead || h.sinking {
		return nil // the bytes have been counted as thrown away
	}
	if n > 0 {
		h.take(n)
	}
	h.traffic.forwarded.Add(int64(n))
	for _, a := range w.latency {
		a.bytes.Add(int64(n))
	}
	if late {
		for _, a := range w.bandwidth {
			a.bytes.Add(int64(n))
		}
	}
	if len(w.slice) > 0 && cut {
		h.resume = time.Now().Add(pause(w.slice))
		for _, a := range w.slice {
			a.bytes.Add(int64(n))
		}
	}
	return h.spend(w.limit, n)
}

// piece returns how many of n bytes are written at once.
func (h *half) piece(w *way, n int) int {
	n = min(n, pieceSize)
	for _, a := range w.bandwidth {
		n = min(n, a.impairment.(Bandwidth).quantum())
	}
	for _, a := range w.slice {
		n = min(n, a.impairment.(Slice).Bytes)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range w.limit {
		n = int(min(int64(n), a.impairment.(Limit).Bytes-h.spent[a]))
	}
	return n
}

// tell hands on the end of the stream, unless other rules are in force by now.
// It reports whether it did.
func (h *half) tell(r *rules) bool {
	h.mu.Lock()
	if h.dead || h.sinking || h.conn.link.rules.Load() != r {
		h.mu.Unlock()
		return false
	}
	h.told = true
	broken := h.broken
	h.pop()
	h.writing = false
	h.mu.Unlock()
	touch(r.ways[h.way].slowClose)
	if broken {
		h.conn.end(abort) // a peer wanted it so: the link has cut nothing
		return true
	}
	_ = h.dst.CloseWrite() // if it fails, the peer has gone, which the other half learns
	h.conn.finish()
	return true
}
