package link

import "slices"

// Stall holds every byte, and lets them go in order when it is healed: what a
// partition does to a TCP connection that survives it. Connections can still be
// made, and are as silent as the others. Beyond what a queue holds, senders wait.
type Stall struct{}

// String returns the impairment in words.
func (Stall) String() string { return "stall" }

func (Stall) check() error { return nil }

func (Stall) impose(r *rules, a *Armed) {
	r.each(a, func(w *way) { w.stall = append(w.stall, a) })
}

// hold counts what a stall holds: bytes, or the end of a stream.
func (a *Armed) hold(n int) {
	if n == 0 {
		a.connections.Add(1)
	}
	a.bytes.Add(int64(n))
}

// countHeld counts what was in the queues when a stall was armed. What came
// after that has been counted when it came.
func (a *Armed) countHeld() {
	for _, c := range a.link.connections() {
		for _, h := range c.both() {
			if a.direction&(1<<h.way) == 0 {
				continue
			}
			h.mu.Lock()
			for _, c := range h.queue {
				if !slices.Contains(c.rules.ways[h.way].stall, a) {
					a.hold(len(c.data))
				}
			}
			h.mu.Unlock()
		}
	}
}
