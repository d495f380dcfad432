package results

import "time"

// A SummaryFault is a [Fault] in figures. Times count from when the load began.
type SummaryFault struct {
	What   string            `json:"what"`
	On     string            `json:"on"`
	Params map[string]string `json:"params"`

	BeginMS  float64 `json:"begin_ms"`
	BegunMS  float64 `json:"begun_ms"`
	HealMS   float64 `json:"heal_ms"`
	HealedMS float64 `json:"healed_ms"`

	Absent   bool             `json:"absent"`
	Effect   string           `json:"effect"`
	Recovery *SummaryRecovery `json:"recovery,omitempty"`
}

// A SummaryRecovery is a [Recovery] in figures: spans of time, which are as
// precise as its bins, in milliseconds, and the latency in microseconds. A moment
// that was not seen is absent.
type SummaryRecovery struct {
	BaseP99US float64  `json:"base_p99_us"`
	WorstUS   float64  `json:"base_worst_us"`
	BasePerS  float64  `json:"base_per_s"`
	Unsteady  string   `json:"unsteady,omitempty"`
	DetectMS  *float64 `json:"detect_ms,omitempty"`
	CutMS     *float64 `json:"cut_ms,omitempty"`
	DownMS    float64  `json:"down_ms"`
	GapMS     float64  `json:"gap_ms"`
	RecoverMS *float64 `json:"recover_ms,omitempty"`
	WithinMS  float64  `json:"within_ms"`
	Backlog   int64    `json:"backlog"`
	DrainMS   *float64 `json:"drain_ms,omitempty"`
	DrainPerS float64  `json:"drain_per_s"`
	Offered   int64    `json:"offered"`
	Bad       int64    `json:"bad"`
	// Figures that a cell is too short for, or that nobody counted, are absent.
	Burn          *float64        `json:"burn,omitempty"`
	BudgetUsed    *float64        `json:"budget_used,omitempty"`
	Amplification *float64        `json:"amplification,omitempty"`
	Unamplified   string          `json:"unamplified,omitempty"`
	Sent          *SummaryTraffic `json:"sent,omitempty"`
}

// A SummaryTraffic is a [Traffic] in figures, per operation that was due.
type SummaryTraffic struct {
	Before SummarySent `json:"before"`
	During SummarySent `json:"during"`
}

// A SummarySent is a [Sent] in figures.
type SummarySent struct {
	Due         int64   `json:"due"`
	Messages    float64 `json:"messages"`
	Redelivered float64 `json:"redelivered"`
	Requests    float64 `json:"requests"`
}

func (s Sent) summary() SummarySent {
	return SummarySent{s.Due, s.PerOp(s.Messages), s.PerOp(s.Redelivered), s.PerOp(s.Requests)}
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// millis returns when m happened, or nil if it did not.
func (m Moment) millis() *float64 {
	if !m.Seen {
		return nil
	}
	ms := millis(m.After)
	return &ms
}

func (f Fault) summary() SummaryFault {
	s := SummaryFault{
		What: f.What, On: f.On, Params: f.Params, BeginMS: millis(f.Begin), BegunMS: millis(f.Begun),
		HealMS: millis(f.Heal), HealedMS: millis(f.Healed), Absent: f.Absent, Effect: f.Effect,
		Recovery: f.Recovery.summary(),
	}
	if s.Params == nil {
		s.Params = make(map[string]string)
	}
	return s
}

func (r *Recovery) summary() *SummaryRecovery {
	if r == nil {
		return nil
	}
	s := &SummaryRecovery{
		BaseP99US: float64(r.BaseP99.Nanoseconds()) / 1e3, WorstUS: float64(r.Worst.Nanoseconds()) / 1e3,
		BasePerS: r.BasePerS, Unsteady: r.Unsteady,
		DetectMS: r.Detect.millis(), CutMS: r.Cut.millis(), DownMS: millis(r.Down), GapMS: millis(r.Gap),
		RecoverMS: r.Recover.millis(), WithinMS: millis(r.Within),
		Backlog: r.Backlog, DrainMS: r.Drain.millis(), DrainPerS: r.DrainPerS,
		Offered: r.Offered, Bad: r.Bad,
	}
	if burn, ok := r.Burn(); ok {
		s.Burn = &burn
	}
	if used, ok := r.BudgetUsed(); ok {
		s.BudgetUsed = &used
	}
	factor, why := r.Traffic.Amplification()
	if s.Unamplified = why; why == "" {
		s.Amplification = &factor
	}
	if r.Traffic != nil {
		s.Sent = &SummaryTraffic{r.Traffic.Before.summary(), r.Traffic.During.summary()}
	}
	return s
}

// summarizeFaults returns faults in figures, or nil where there are none.
func summarizeFaults(faults []Fault) []SummaryFault {
	var all []SummaryFault
	for _, f := range faults {
		all = append(all, f.summary())
	}
	return all
}
