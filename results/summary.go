package results

import "time"

// SummarySchema names the machine summary. Its fields keep their names and
// meanings as long as this name stays; docs/results.md describes them.
const SummarySchema = "flowbench.summary/1"

// A Summary is a run in figures, for programs.
type Summary struct {
	Schema string        `json:"schema"`
	Run    SummaryRun    `json:"run"`
	Cells  []SummaryCell `json:"cells"`

	Expectations []Expectation `json:"expectations,omitempty"`
}

// A SummaryRun says which run it is.
type SummaryRun struct {
	ID       string    `json:"id"`
	Scenario string    `json:"scenario"`
	Question string    `json:"question"`
	Seed     uint64    `json:"seed"`
	Started  time.Time `json:"started,omitzero"`
	// Simulated says that time was virtual, and brokers and networks were models.
	Simulated bool              `json:"simulated"`
	Finished  bool              `json:"finished"`
	Host      Host              `json:"host"`
	Versions  map[string]string `json:"versions"`
}

// A SummaryCell is one cell in figures. Rates and latencies are of the measured
// time, the accounting is of the whole cell. What a flow does not have is absent.
type SummaryCell struct {
	ID           string                               `json:"id"`
	Flow         string                               `json:"flow"`
	Broker       string                               `json:"broker"`
	Edge         string                               `json:"edge"`
	Payload      string                               `json:"payload"`
	Store        string                               `json:"store"`
	Finished     bool                                 `json:"finished"`
	Valid        bool                                 `json:"valid"`
	Why          []string                             `json:"why"`
	Warnings     []string                             `json:"warnings"`
	Load         string                               `json:"load"` // open or closed
	OfferedPerS  float64                              `json:"offered_per_s"`
	AchievedPerS float64                              `json:"achieved_per_s"`
	Promise      string                               `json:"promise"`
	Guarantees   map[string]string                    `json:"guarantees"`
	Counts       Counts                               `json:"counts"`
	Warmup       Counts                               `json:"warmup"`
	Classes      map[string]int64                     `json:"classes"`
	Accounting   Accounting                           `json:"accounting"`
	Idempotent   bool                                 `json:"idempotent"`
	Verdict      string                               `json:"verdict"`
	Broken       []string                             `json:"broken"`
	Windows      map[string]SummaryWindow             `json:"windows,omitempty"`
	LatencyUS    map[string]map[string]SummaryLatency `json:"latency_us"`
	SendLagUS    *SummaryLatency                      `json:"send_lag_us,omitempty"`
	CanaryUS     *SummaryLatency                      `json:"canary_us,omitempty"`
	CostPerOp    Cost                                 `json:"cost_per_op"`
	Stale        SummaryStale                         `json:"stale"`
	Heard        *SummaryHeard                        `json:"heard,omitempty"`
	Payloads     *SummaryPayloads                     `json:"payloads,omitempty"`
	Pressure     Pressure                             `json:"pressure"`
	Served       []int64                              `json:"served,omitempty"`
	Urgency      *SummaryUrgency                      `json:"urgency,omitempty"`
	Bulk         *SummaryBulk                         `json:"bulk,omitempty"`
	FrontEnds    []int64                              `json:"front_ends,omitempty"`
	Hops         *SummaryHops                         `json:"hops,omitempty"`
	Use          *Use                                 `json:"use,omitempty"`
	Shape        string                               `json:"shape,omitempty"`
	Rates        []RatePoint                          `json:"rates,omitempty"`
	Sweep        *SummarySweep                        `json:"sweep,omitempty"`
	Faults       []SummaryFault                       `json:"faults,omitempty"`
	// Repeats are what each repeat measured, where there were several; all else is of
	// all of them together.
	Repeats []SummaryRepeat `json:"repeats,omitempty"`
}

// A SummaryRepeat is one repeat of a cell in figures.
type SummaryRepeat struct {
	Repeat       int                                  `json:"repeat"` // from 1
	Valid        bool                                 `json:"valid"`
	AchievedPerS float64                              `json:"achieved_per_s"`
	Counts       Counts                               `json:"counts"`
	Accounting   Accounting                           `json:"accounting"`
	LatencyUS    map[string]map[string]SummaryLatency `json:"latency_us"`
	CostPerOp    Cost                                 `json:"cost_per_op"`
}

func (c *Cell) summaryRepeat() SummaryRepeat {
	return SummaryRepeat{
		c.Repeat, c.Valid, c.AchievedPerS(), c.Counts, c.Accounting, summarizeKinds(c.LatencyOf), c.Cost,
	}
}

// A SummaryWindow is a [Window] in figures.
type SummaryWindow struct {
	Seconds    float64                   `json:"seconds"`
	Counts     Counts                    `json:"counts"`
	Accounting Accounting                `json:"accounting"`
	LatencyUS  map[string]SummaryLatency `json:"latency_us"`
}

func (c *Cell) summaryWindows() map[string]SummaryWindow {
	if len(c.Windows) == 0 {
		return nil
	}
	all := make(map[string]SummaryWindow)
	for name, w := range c.Windows {
		if w == nil {
			continue
		}
		s := SummaryWindow{w.For.Seconds(), w.Counts, w.Accounting, make(map[string]SummaryLatency)}
		for stage, h := range w.Latency {
			if l := summarize(h); l != nil {
				s.LatencyUS[stage] = *l
			}
		}
		all[name] = s
	}
	return all
}

// A SummaryStale says who saw old state after being told of a command.
type SummaryStale struct {
	Accepted SummaryStaleAfter `json:"accepted"`
	Answered SummaryStaleAfter `json:"answered"`
}

// A SummaryStaleAfter is a [StaleAfter] in figures.
type SummaryStaleAfter struct {
	Commands int64           `json:"commands"`
	Early    int64           `json:"early"`
	Reads    int64           `json:"reads"`
	Stale    int64           `json:"stale"`
	LagUS    *SummaryLatency `json:"lag_us,omitempty"`
}

func (s StaleAfter) summary() SummaryStaleAfter {
	return SummaryStaleAfter{s.Commands, s.Early, s.Reads, s.Stale, summarize(s.Lag)}
}

// A SummaryLatency is a histogram in a few figures, in microseconds.
type SummaryLatency struct {
	N    int64   `json:"n"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Summary returns r in figures.
func (r *Run) Summary() Summary {
	r = r.Merged()
	s := Summary{Schema: SummarySchema, Cells: []SummaryCell{}, Run: SummaryRun{
		ID: r.ID, Scenario: r.Scenario, Question: r.Question, Seed: r.Seed, Started: r.Started,
		Simulated: r.Simulated, Finished: r.Finished,
		Host: r.Host, Versions: r.Versions,
	}}
	s.Expectations = r.Expectations
	for _, c := range r.Cells {
		s.Cells = append(s.Cells, c.summary())
		for _, o := range c.Observations {
			last := &s.Cells[len(s.Cells)-1]
			last.Repeats = append(last.Repeats, o.summaryRepeat())
		}
	}
	return s
}

func (c *Cell) summary() SummaryCell {
	load := "open"
	if !c.Load.Open() {
		load = "closed"
	}
	s := SummaryCell{
		ID: c.ID, Flow: c.Flow, Broker: c.Broker, Edge: c.Edge, Payload: c.Payload, Store: c.Store,
		Finished: c.Finished, Valid: c.Valid, Why: c.Why, Warnings: c.Warnings, Load: load,
		OfferedPerS: c.OfferedPerS(), AchievedPerS: c.AchievedPerS(), Promise: c.Promise, Guarantees: c.Guarantees,
		Counts: c.Counts, Warmup: c.WarmupOps, Classes: c.Classes, Accounting: c.Accounting,
		LatencyUS: summarizeKinds(c.LatencyOf), SendLagUS: summarize(c.SendLag), CanaryUS: summarize(c.Canary),
		Idempotent: c.Idempotent, Verdict: c.Verdict, Broken: c.Broken, Windows: c.summaryWindows(),
		CostPerOp: c.Cost, Pressure: c.Pressure, Served: c.Served, FrontEnds: c.FrontEnds,
		Use: c.Use, Shape: c.Load.Shape, Rates: c.Load.Rates, Sweep: c.Sweep.summary(),
		Urgency:  c.Urgency.summary(),
		Bulk:     c.Bulk.summary(),
		Stale:    SummaryStale{c.Stale.Accepted.summary(), c.Stale.Answered.summary()},
		Payloads: c.summaryPayloads(), Hops: c.summaryHops(),
		Heard: c.Heard.summary(), Faults: summarizeFaults(c.Faults),
	}
	// Programs iterate over these; an empty object is easier on them than null.
	if s.Guarantees == nil {
		s.Guarantees = make(map[string]string)
	}
	if s.Broken == nil {
		s.Broken = []string{}
	}
	if s.Classes == nil {
		s.Classes = make(map[string]int64)
	}
	return s
}

// summarize returns h in figures, or nil where nothing was recorded.
func summarize(h *Hist) *SummaryLatency {
	if h == nil || h.N() == 0 {
		return nil
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return &SummaryLatency{
		N: h.N(), P50: us(h.Quantile(0.5)), P90: us(h.Quantile(0.9)), P99: us(h.Quantile(0.99)),
		P999: us(h.Quantile(0.999)), Max: us(h.Max()),
	}
}
