package results

import (
	"maps"
	"sync"
)

// Payloads says how payloads travelled and when they arrived, in cells that look
// at that.
type Payloads struct {
	Mode     string `json:"mode"`               // inline, reference, stream
	Store    string `json:"store,omitempty"`    // the kind of store, by reference
	Endpoint string `json:"endpoint,omitempty"` // where it was; without credentials
	Bytes    int    `json:"bytes"`              // of each payload

	// Since the command was due, of commands that were due in the measured time and
	// ended ok: when the service had the first byte of the payload, and when the last.
	FirstByte *Hist `json:"first_byte"`
	LastByte  *Hist `json:"last_byte"`

	Corrupt int64 `json:"corrupt"` // payloads that arrived at the service and were not what was sent

	// Events counts what happened to payloads on their way, by what it was: stored,
	// fetched, deleted, orphaned, dangled, foreign; called, sent, resent, repeated, abandoned.
	// Like the account, it is about the whole cell.
	Events map[string]Tally `json:"events"`
}

// A Tally is how often something happened, and to how many bytes.
type Tally struct {
	N     int64 `json:"n"`
	Bytes int64 `json:"bytes"`
}

// PayloadStages names the times of [Payloads] in the order in which they pass.
func PayloadStages() []string { return []string{"first-byte", "last-byte"} }

// Of returns the histogram that [PayloadStages] names, or nil where it is empty.
func (p *Payloads) Of(stage string) *Hist {
	if p == nil {
		return nil
	}
	h := map[string]*Hist{"first-byte": p.FirstByte, "last-byte": p.LastByte}[stage]
	if h == nil || h.N() == 0 {
		return nil
	}
	return h
}

// arrived records when the payload of a command came.
func (p *Payloads) arrived(o Outcome, a Applied) {
	if p == nil || a.FirstByte == 0 {
		return
	}
	p.FirstByte.Record(a.FirstByte - o.Due)
	p.LastByte.Record(a.LastByte - o.Due)
}

// carriedTally counts the events of payloads. It has a lock of its own: what
// happens to chunks and objects need not wait for the collector.
type carriedTally struct {
	mu     sync.Mutex
	events map[string]Tally
}

// Carried takes something that happened to a payload on its way; see
// [Payloads].Events. It may be called concurrently.
func (r *CellRecorder) Carried(event string, bytes int64) {
	c := &r.carried
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = make(map[string]Tally)
	}
	t := c.events[event]
	t.N++
	t.Bytes += bytes
	c.events[event] = t
}

// closePayloads completes what is known of payloads.
func (r *CellRecorder) closePayloads() {
	if r.cell.Payloads == nil {
		return
	}
	r.carried.mu.Lock()
	defer r.carried.mu.Unlock()
	r.cell.Payloads.Events = maps.Clone(r.carried.events)
}

// ThroughputPerS returns how many bytes of payload a second went with operations
// that ended ok.
func (c *Cell) ThroughputPerS() float64 {
	all := c.AchievedPerS() * float64(c.Load.PayloadBytes)
	if b := c.Bulk; b != nil {
		all += perSecond(b.Counts.OK, c.Load.Measured) * float64(b.Bytes-c.Load.PayloadBytes)
	}
	return all
}

// A SummaryPayloads is [Payloads] in figures.
type SummaryPayloads struct {
	Mode        string           `json:"mode"`
	Store       string           `json:"store,omitempty"`
	Bytes       int              `json:"bytes"`
	FirstByteUS *SummaryLatency  `json:"first_byte_us,omitempty"`
	LastByteUS  *SummaryLatency  `json:"last_byte_us,omitempty"`
	BytesPerS   float64          `json:"bytes_per_s"` // of payload, with operations that ended ok
	Corrupt     int64            `json:"corrupt"`
	Events      map[string]Tally `json:"events,omitempty"`
}

func (c *Cell) summaryPayloads() *SummaryPayloads {
	p := c.Payloads
	if p == nil {
		return nil
	}
	return &SummaryPayloads{
		Mode: p.Mode, Store: p.Store, Bytes: p.Bytes, FirstByteUS: summarize(p.FirstByte),
		LastByteUS: summarize(p.LastByte), BytesPerS: c.ThroughputPerS(), Corrupt: p.Corrupt, Events: p.Events,
	}
}

// judgePayloads says what qualifies or spoils the figures about payloads.
func (c *Cell) judgePayloads() {
	p := c.Payloads
	if p == nil {
		return
	}
	if p.Corrupt > 0 {
		c.why("%d payloads arrived with other bytes than were sent", p.Corrupt)
	}
}
