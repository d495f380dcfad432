package results

import "time"

// Bulk is what operations met while one with a large payload was under way, and
// what they met while none was, where a few of a cell's operations have one. What
// counts is whether one was under way when the operation started.
type Bulk struct {
	Bytes   int           `json:"bytes"`      // of a large payload
	Every   int           `json:"every"`      // operations, the last of which is to have one
	Timeout time.Duration `json:"timeout_ns"` // of the client of a large one

	Counts  Counts `json:"counts"`  // large ones that were due in the measured time; the cell's counts have them too
	Instead int64  `json:"instead"` // were due to be large while another was under way, and were small

	// Alone and Beside are the cell's latency, split: kind, then stage. Large is that
	// of the commands with a large payload, by stage; the cell's has them not.
	Alone  map[string]map[string]*Hist `json:"alone"`
	Beside map[string]map[string]*Hist `json:"beside"`
	Large  map[string]*Hist            `json:"large"`
}

// NewBulk returns an empty split of a cell in which every so-manieth operation has
// a payload of so many bytes.
func NewBulk(bytes, every int, timeout time.Duration) *Bulk {
	return &Bulk{
		Bytes: bytes, Every: every, Timeout: timeout,
		Alone: make(map[string]map[string]*Hist), Beside: make(map[string]map[string]*Hist),
		Large: make(map[string]*Hist),
	}
}

// count takes the end of an operation that was due in the measured time.
func (b *Bulk) count(o Outcome) {
	if b == nil {
		return
	}
	if o.Bulk {
		b.Counts.add(o.Status)
	}
	if o.Instead {
		b.Instead++
	}
}

// record takes the latency of a measured operation to a stage.
func (b *Bulk) record(o Outcome, stage Stage, d time.Duration) {
	if b == nil {
		return
	}
	stages := b.Large
	if !o.Bulk {
		kinds := b.part(o.Beside)
		if stages = kinds[o.Kind.String()]; stages == nil {
			stages = make(map[string]*Hist)
			kinds[o.Kind.String()] = stages
		}
	}
	h := stages[stage.String()]
	if h == nil {
		h = NewHist()
		stages[stage.String()] = h
	}
	h.Record(d)
}

func (b *Bulk) part(beside bool) map[string]map[string]*Hist {
	if beside {
		return b.Beside
	}
	return b.Alone
}

// SmallOf returns the histogram of a kind and stage of the small operations that
// started beside a large one or of the others, or nil where none of them reached
// that stage.
func (b *Bulk) SmallOf(beside bool, k Kind, s Stage) *Hist {
	if b == nil {
		return nil
	}
	return filled(b.part(beside)[k.String()][s.String()])
}

// LargeOf returns the histogram of a stage of the large ones, or nil where none of
// them reached it.
func (b *Bulk) LargeOf(s Stage) *Hist {
	if b == nil {
		return nil
	}
	return filled(b.Large[s.String()])
}

// filled returns h, or nil if nothing is in it.
func filled(h *Hist) *Hist {
	if h == nil || h.N() == 0 {
		return nil
	}
	return h
}

// judgeBulk says what qualifies the figures about large payloads.
func (c *Cell) judgeBulk() {
	b := c.Bulk
	switch {
	case b == nil:
		return
	case b.Counts.Due == 0:
		c.warn("no large payload was due in the measured time")
	case b.Counts.OK == 0:
		c.warn("none of %d large payloads ended ok", b.Counts.Due)
	}
	if b.Instead > 0 {
		c.warn("%d of %d payloads that were to be large were small, since another was still under way",
			b.Instead, b.Instead+b.Counts.Due)
	}
}

// A SummaryBulk is a [Bulk] in figures, in microseconds.
type SummaryBulk struct {
	Bytes   int                                  `json:"bytes"`
	Every   int                                  `json:"every"`
	Counts  Counts                               `json:"counts"`
	Instead int64                                `json:"instead"`
	Alone   map[string]map[string]SummaryLatency `json:"alone"`
	Beside  map[string]map[string]SummaryLatency `json:"beside"`
	Large   map[string]SummaryLatency            `json:"large"`
}

func (b *Bulk) summary() *SummaryBulk {
	if b == nil {
		return nil
	}
	s := &SummaryBulk{
		Bytes: b.Bytes, Every: b.Every, Counts: b.Counts, Instead: b.Instead,
		Alone:  summarizeKinds(func(k Kind, s Stage) *Hist { return b.SmallOf(false, k, s) }),
		Beside: summarizeKinds(func(k Kind, s Stage) *Hist { return b.SmallOf(true, k, s) }),
		Large:  make(map[string]SummaryLatency),
	}
	for _, stage := range Stages() {
		if l := summarize(b.LargeOf(stage)); l != nil {
			s.Large[stage.String()] = *l
		}
	}
	return s
}

// summarizeKinds returns those histograms of all kinds and stages that there are.
func summarizeKinds(of func(Kind, Stage) *Hist) map[string]map[string]SummaryLatency {
	all := make(map[string]map[string]SummaryLatency)
	for _, k := range Kinds() {
		for _, s := range Stages() {
			l := summarize(of(k, s))
			if l == nil {
				continue
			}
			if all[k.String()] == nil {
				all[k.String()] = make(map[string]SummaryLatency)
			}
			all[k.String()][s.String()] = *l
		}
	}
	return all
}
