package link

// Drop throws every byte away, and with the first one the connection's future: a
// stream with a hole cannot be continued, so a connection that lost something is
// silent from then on and is reset when the impairment is healed. One that lost
// nothing carries on. The end of a stream is lost like a byte.
type Drop struct{}

// String returns the impairment in words.
func (Drop) String() string { return "drop" }

func (Drop) check() error { return nil }

func (Drop) impose(r *rules, a *Armed) {
	r.each(a, func(w *way) { w.drop = append(w.drop, a) })
}

// drop loses n bytes, or the end of the stream if there are none.
func (h *half) drop(w *way, n int) {
	h.spoiled = true
	h.discard(n)
	for _, a := range w.drop {
		a.bytes.Add(int64(n))
	}
}

// resetSpoiled resets the connections that have lost bytes in a direction where
// nothing is dropped any more.
func (l *Link) resetSpoiled(a *Armed) {
	r := l.rules.Load()
	for _, c := range l.connections() {
		for _, h := range c.both() {
			if len(r.ways[h.way].drop) > 0 {
				continue
			}
			h.mu.Lock()
			spoiled := h.spoiled
			h.mu.Unlock()
			if spoiled && c.reset() {
				a.connections.Add(1)
			}
		}
	}
}
