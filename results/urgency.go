package results

import "time"

// Urgency is what urgent operations met and what the others did, where some of a
// cell's operations are urgent.
type Urgency struct {
	// Mechanism says in a phrase how urgent operations overtake the others, or
	// [NoMechanism].
	Mechanism string `json:"mechanism"`

	// Urgent and Normal are the cell's latency, split: kind, then stage.
	Urgent map[string]map[string]*Hist `json:"urgent"`
	Normal map[string]map[string]*Hist `json:"normal"`
}

// NoMechanism is the mechanism of flows that treat all operations alike.
const NoMechanism = "none"

// NewUrgency returns an empty split of a cell with the given mechanism.
func NewUrgency(mechanism string) *Urgency {
	return &Urgency{
		Mechanism: mechanism,
		Urgent:    make(map[string]map[string]*Hist), Normal: make(map[string]map[string]*Hist),
	}
}

// record takes the latency of a measured operation to a stage.
func (u *Urgency) record(o Outcome, stage Stage, d time.Duration) {
	if u == nil {
		return
	}
	kind := u.class(o.Urgent)[o.Kind.String()]
	if kind == nil {
		kind = make(map[string]*Hist)
		u.class(o.Urgent)[o.Kind.String()] = kind
	}
	h := kind[stage.String()]
	if h == nil {
		h = NewHist()
		kind[stage.String()] = h
	}
	h.Record(d)
}

func (u *Urgency) class(urgent bool) map[string]map[string]*Hist {
	if urgent {
		return u.Urgent
	}
	return u.Normal
}

// LatencyOf returns the histogram of a kind and stage of the urgent operations or
// of the others, or nil where none of them reached that stage.
func (u *Urgency) LatencyOf(urgent bool, k Kind, s Stage) *Hist {
	if u == nil {
		return nil
	}
	h := u.class(urgent)[k.String()][s.String()]
	if h == nil || h.N() == 0 {
		return nil
	}
	return h
}

// A SummaryUrgency is an [Urgency] in figures, in microseconds.
type SummaryUrgency struct {
	Mechanism string                               `json:"mechanism"`
	Urgent    map[string]map[string]SummaryLatency `json:"urgent"`
	Normal    map[string]map[string]SummaryLatency `json:"normal"`
}

func (u *Urgency) summary() *SummaryUrgency {
	if u == nil {
		return nil
	}
	figures := func(urgent bool) map[string]map[string]SummaryLatency {
		return summarizeKinds(func(k Kind, s Stage) *Hist { return u.LatencyOf(urgent, k, s) })
	}
	return &SummaryUrgency{Mechanism: u.Mechanism, Urgent: figures(true), Normal: figures(false)}
}
