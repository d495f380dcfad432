package results

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Sweep is what looking for the knee of a cell found: the highest rate at which
// it still meets an objective. The cell's own figures are those of one of the
// trials.
type Sweep struct {
	SLO       SLO        `json:"slo"`
	MaxPerS   float64    `json:"max_per_s"` // no trial had a higher rate
	Precision float64    `json:"precision"` // asked for
	Most      int        `json:"most"`      // trials that it could have taken
	State     SweepState `json:"state"`
	Limit     string     `json:"limit,omitempty"` // of a knee that is a lower bound: generator or max_per_s

	KneePerS   float64 `json:"knee_per_s"`             // 0 if no rate met the objective
	MissedPerS float64 `json:"missed_per_s,omitempty"` // lowest rate tried above it that did not; 0 if there was none

	Saturated []Part   `json:"saturated"`              // above the knee, most important first
	Seen      int      `json:"saturated_in,omitempty"` // the trial that they were seen in
	Own       int      `json:"own_trial,omitempty"`    // the trial whose figures are the cell's
	Trials    []*Trial `json:"trials"`                 // in the order in which they ran
}

// A SweepState says what a knee is.
type SweepState string

// The states of a sweep.
const (
	SweepCut     SweepState = "cut short"   // it has not ended; the knee is the best that was seen
	SweepFound   SweepState = "found"       // met and confirmed, and a little more was missed
	SweepAtLeast SweepState = "at least"    // met and confirmed, and nothing higher could be told; see Limit
	SweepUnsure  SweepState = "unconfirmed" // no rate that met it did so over a longer time
	SweepUnmet   SweepState = "unmet"       // no rate met it
)

// What can be the limit of a sweep that is not the flow's.
const (
	LimitGenerator = "generator"
	LimitMax       = "max_per_s"
)

// A Trial is one short run of a sweep.
type Trial struct {
	Number   int           `json:"n"` // from 1
	Purpose  TrialPurpose  `json:"purpose"`
	Share    float64       `json:"share,omitempty"` // of the knee, for those on the curve
	RatePerS float64       `json:"rate_per_s"`
	Warmup   time.Duration `json:"warmup_ns"`
	Measured time.Duration `json:"measured_ns"`

	Verdict TrialVerdict `json:"verdict"`
	Why     []string     `json:"why,omitempty"` // it did not meet the objective, or could not be judged

	Counts     Counts   `json:"counts"`
	Done       int64    `json:"done"`       // answered, or applied where clients learn no result
	Lost       int64    `json:"lost"`       // acknowledged commands that were never applied
	Duplicated int64    `json:"duplicated"` // commands that were applied more than once
	Latency    *Hist    `json:"latency"`    // from due to done, commands and queries together
	SendLag    *Hist    `json:"send_lag"`
	Pressure   Pressure `json:"pressure"`
	Use        *Use     `json:"use,omitempty"`
	Judged     float64  `json:"judged_quantile"` // the quantile that was judged; 0 if too few operations for any
}

// A TrialPurpose says what a trial is for.
type TrialPurpose string

// The purposes, in their order.
const (
	TrialSearch  TrialPurpose = "search"
	TrialConfirm TrialPurpose = "confirm"
	TrialCurve   TrialPurpose = "curve"
)

// A TrialVerdict says how a trial went.
type TrialVerdict string

// The verdicts.
const (
	TrialMet    TrialVerdict = "met"
	TrialMissed TrialVerdict = "missed"
	TrialSpoilt TrialVerdict = "spoilt" // by the generator: it says nothing about the flow
	TrialCut    TrialVerdict = "cut short"
)

// An SLO is what a cell must do at a rate: drop nothing, end a share of what was due
// well, and do so in time at a quantile.
type SLO struct {
	Quantile float64       `json:"quantile"`
	Latency  time.Duration `json:"latency_ns"`
	Achieved float64       `json:"achieved"`
}

// AchievedPerS returns how many operations per second were done.
func (t *Trial) AchievedPerS() float64 { return perSecond(t.Done, t.Measured) }

// OfferedPerS returns how many operations per second were due.
func (t *Trial) OfferedPerS() float64 { return perSecond(t.Counts.Due, t.Measured) }

// Done returns the latency of all operations of c from due until they were done:
// answered, or applied where clients learn no result. It is nil if none was.
func (c *Cell) Done() *Hist {
	var all *Hist
	for _, k := range Kinds() {
		h := c.LatencyOf(k, AnsweredStage)
		if h == nil {
			h = c.LatencyOf(k, AppliedStage)
		}
		if h == nil {
			continue
		}
		if all == nil {
			all = NewHist()
		}
		all.Merge(h)
	}
	return all
}

// NewTrial returns what a sweep keeps of a trial that ran as c, and judges it. The
// caller says which one it is.
func NewTrial(c *Cell, slo SLO) *Trial {
	t := &Trial{
		RatePerS: c.Load.RatePerS, Warmup: c.Load.Warmup, Measured: c.Load.Measured,
		Counts: c.Counts, Lost: c.Accounting.Lost, Duplicated: c.Accounting.Duplicated,
		Latency: c.Done(), SendLag: c.SendLag, Pressure: c.Pressure, Use: c.Use,
	}
	if t.Latency != nil {
		t.Done = t.Latency.N()
	}
	t.judge(c, slo)
	return t
}

// judge decides whether the trial met the objective. A trial whose generator was
// late says nothing about the flow. Operations that were dropped do: so many were
// under way.
func (t *Trial) judge(c *Cell, slo SLO) {
	t.Verdict, t.Judged = TrialMet, highestResolved(t.Done, slo.Quantile)
	if late := c.lateness(); late != "" && c.Finished {
		t.Verdict, t.Why = TrialSpoilt, []string{late}
		return
	}
	miss := func(format string, args ...any) {
		t.Verdict = TrialMissed
		t.Why = append(t.Why, fmt.Sprintf(format, args...))
	}
	n := t.Counts
	switch {
	case !c.Finished:
		t.Verdict, t.Why = TrialCut, []string{"it was cut short"}
		return
	case n.Due == 0:
		t.Verdict, t.Why = TrialSpoilt, []string{"no operation was due"}
		return
	case n.Dropped > 0:
		miss("%d of %d operations were dropped: %d were under way", n.Dropped, n.Due, c.Load.MaxInFlight)
	case float64(t.Done) < slo.Achieved*float64(n.Due):
		miss("%d of %d operations were done, less than %g %%", t.Done, n.Due, 100*slo.Achieved)
	}
	if t.Judged > 0 {
		if q := t.Latency.Quantile(t.Judged); q > slo.Latency {
			miss("p%g is %s, more than %s", 100*t.Judged, short(q), short(slo.Latency))
		}
	}
	if !c.Drained {
		miss("some work had not ended when the drain did")
	}
}

// highestResolved returns the quantile that is asked for if n values resolve it,
// else the highest below it that they do of those that cells are judged by, and 0
// if they resolve none.
func highestResolved(n int64, p float64) float64 {
	if Resolved(n, p) {
		return p
	}
	return min(p, judgedQuantile(n))
}

// A Part is one part of what a cell ran on.
type Part struct {
	Name  string  `json:"part"`            // generator, service, machine or broker
	Share float64 `json:"share,omitempty"` // of what it has that was in use, 0 to 1; 0 where that is no share
	Text  string  `json:"text"`            // what was seen, as the end of a sentence
}

// The parts that can be saturated.
const (
	PartGenerator = "generator"
	PartService   = "service"
	PartMachine   = "machine"
	PartBroker    = "broker"
)

// saturatedShare is from which share in use on a part counts as saturated. It is
// less than all: what waits for work between two requests is idle.
const saturatedShare = 0.9

// SaturatedParts returns which parts were saturated in a trial on a machine with a
// number of CPUs, the generator first, since nothing can be said of the others where
// it was late. Front ends are not among them: they have no limit of their own but
// the CPU of the process that they, the clients and the service are in.
func (t *Trial) SaturatedParts(cpus int) []Part {
	parts := []Part{}
	add := func(name string, share float64, format string, args ...any) {
		parts = append(parts, Part{name, share, fmt.Sprintf(format, args...)})
	}
	if t.Verdict == TrialSpoilt {
		add(PartGenerator, 0, "the generator was late (%s)", t.Why[0])
	}
	if t.Use != nil && t.Use.Workers >= saturatedShare {
		add(PartService, t.Use.Workers, "the workers of the service were busy %.0f %% of the time", 100*t.Use.Workers)
	}
	if t.Use != nil && t.Use.BrokerServer != nil && *t.Use.BrokerServer >= saturatedShare {
		share := *t.Use.BrokerServer
		add(PartBroker, share, "the model of the broker was busy %.0f %% of the time", 100*share)
	}
	if t.Pressure.Busy >= saturatedShare {
		add(PartMachine, t.Pressure.Busy, "the CPUs of the machine were busy %.0f %% of the time (%s)",
			100*t.Pressure.Busy, t.cores(cpus))
	}
	return parts
}

// cores says who used the CPUs.
func (t *Trial) cores(cpus int) string {
	rest := t.Pressure.Busy*float64(cpus) - t.Pressure.OwnCores
	s := fmt.Sprintf("of %d: clients, front ends and service %.2g", cpus, t.Pressure.OwnCores)
	if t.Use != nil && t.Use.BrokerCores != nil {
		rest -= *t.Use.BrokerCores
		s += fmt.Sprintf(", broker %.2g", *t.Use.BrokerCores)
	}
	if rest >= 0.05 {
		s += fmt.Sprintf(", all others %.2g", rest)
	}
	return s
}

// Find completes s from its trials: which parts were saturated just above the knee.
// The trial to look at is the one at the lowest rate above it that did not meet the
// objective.
func (s *Sweep) Find(cpus int) {
	s.Saturated, s.Seen = []Part{}, 0
	var above *Trial
	for _, t := range s.Trials {
		if t.RatePerS > s.KneePerS && (t.Verdict == TrialMissed || t.Verdict == TrialSpoilt) &&
			t.Purpose != TrialCurve && (above == nil || t.RatePerS <= above.RatePerS) {
			above = t
		}
	}
	if above != nil {
		s.Saturated, s.Seen = above.SaturatedParts(cpus), above.Number
	}
}

// Curve returns the trials that show latency against the rate, in the order of
// their rates: those on the curve, and the one that confirmed the knee.
func (s *Sweep) Curve() []*Trial {
	var all []*Trial
	for _, t := range s.Trials {
		if t.Purpose == TrialCurve || t.Purpose == TrialConfirm && t.Number == s.Own {
			all = append(all, t)
		}
	}
	sortByRate(all)
	return all
}

func sortByRate(all []*Trial) {
	slices.SortStableFunc(all, func(a, b *Trial) int { return cmp.Compare(a.RatePerS, b.RatePerS) })
}

// judgeSweep says what a sweep means for the cell.
func (c *Cell) judgeSweep() {
	s := c.Sweep
	if s == nil {
		return
	}
	switch {
	case s.State == SweepAtLeast && s.Limit == LimitGenerator:
		c.warn("the knee is at least %.4g/s: the generator was the limit, and nothing is known of the flow above that",
			s.KneePerS)
	case s.State == SweepAtLeast:
		c.warn("the knee is at least %.4g/s: no higher rate was to be tried (max_per_s)", s.KneePerS)
	case s.State == SweepUnsure:
		c.warn("what met the objective in a short trial did not over a longer time: the knee is below %.4g/s",
			s.MissedPerS)
	case s.State == SweepUnmet && s.Limit == LimitGenerator:
		c.why("the generator was late at every rate that was tried")
	}
}

// OwnTrial returns the trial whose figures are the cell's, or nil.
func (s *Sweep) OwnTrial() *Trial {
	for _, t := range s.Trials {
		if t.Number == s.Own {
			return t
		}
	}
	return nil
}

// Drawn returns the trials that a figure shows, in the order of their rates: those of
// the curve, or all of a sweep that has none yet.
func (s *Sweep) Drawn() []*Trial {
	if all := s.Curve(); len(all) > 1 {
		return all
	}
	all := slices.Clone(s.Trials)
	sortByRate(all)
	return all
}

// A SummarySweep is a [Sweep] in figures.
type SummarySweep struct {
	SLO        SummarySLO     `json:"slo"`
	MaxPerS    float64        `json:"max_per_s"`
	Precision  float64        `json:"precision"`
	State      SweepState     `json:"state"`
	Limit      string         `json:"limit,omitempty"`
	KneePerS   float64        `json:"knee_per_s"`
	MissedPerS float64        `json:"missed_per_s,omitempty"`
	Saturated  []Part         `json:"saturated"`
	OwnTrial   int            `json:"own_trial"`
	Trials     []SummaryTrial `json:"trials"`
}

// A SummarySLO is an [SLO] in figures.
type SummarySLO struct {
	Quantile  float64 `json:"quantile"`
	LatencyUS float64 `json:"latency_us"`
	Achieved  float64 `json:"achieved"`
}

// A SummaryTrial is a [Trial] in figures.
type SummaryTrial struct {
	Number       int             `json:"n"`
	Purpose      TrialPurpose    `json:"purpose"`
	Share        float64         `json:"share,omitempty"`
	RatePerS     float64         `json:"rate_per_s"`
	MeasuredS    float64         `json:"measured_s"`
	Verdict      TrialVerdict    `json:"verdict"`
	Why          []string        `json:"why,omitempty"`
	OfferedPerS  float64         `json:"offered_per_s"`
	AchievedPerS float64         `json:"achieved_per_s"`
	Counts       Counts          `json:"counts"`
	Lost         int64           `json:"lost"`
	Duplicated   int64           `json:"duplicated"`
	LatencyUS    *SummaryLatency `json:"latency_us,omitempty"`
	SendLagUS    *SummaryLatency `json:"send_lag_us,omitempty"`
	Judged       float64         `json:"judged_quantile"`
	Pressure     Pressure        `json:"pressure"`
	Use          *Use            `json:"use,omitempty"`
}

func (s *Sweep) summary() *SummarySweep {
	if s == nil {
		return nil
	}
	out := &SummarySweep{
		SLO:     SummarySLO{s.SLO.Quantile, float64(s.SLO.Latency.Nanoseconds()) / 1e3, s.SLO.Achieved},
		MaxPerS: s.MaxPerS, Precision: s.Precision, State: s.State, Limit: s.Limit, KneePerS: s.KneePerS,
		MissedPerS: s.MissedPerS, Saturated: s.Saturated, OwnTrial: s.Own, Trials: []SummaryTrial{},
	}
	for _, t := range s.Trials {
		out.Trials = append(out.Trials, SummaryTrial{
			t.Number, t.Purpose, t.Share, t.RatePerS, t.Measured.Seconds(), t.Verdict, t.Why, t.OfferedPerS(),
			t.AchievedPerS(), t.Counts, t.Lost, t.Duplicated, summarize(t.Latency), summarize(t.SendLag), t.Judged,
			t.Pressure, t.Use,
		})
	}
	return out
}
