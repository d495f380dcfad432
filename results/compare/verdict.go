package compare

import (
	"fmt"
	"math"
)

// An Outcome is what a comparison of one metric comes to.
type Outcome string

// The outcomes.
const (
	Better     Outcome = "better"    // faster, more of what is wanted, less of what is not
	Worse      Outcome = "worse"     // the opposite
	NoChange   Outcome = "no change" // no change was found; the interval says how large one could have hidden
	CannotTell Outcome = "cannot tell"
)

// Word returns the outcome as one says it of a metric.
func (o Outcome) Word(m Metric) string {
	word := map[Family][2]string{
		Latency: {"faster", "slower"}, Rate: {"more", "fewer"}, Cost: {"cheaper", "dearer"}, Count: {"fewer", "more"},
	}[m.Family]
	switch o {
	case Better:
		return word[0]
	case Worse:
		return word[1]
	case NoChange:
		return "no change found"
	}
	return string(CannotTell)
}

// An evidence is what is known of one metric in two sides.
type evidence struct {
	metric      Metric
	old, new    int      // observations
	comparisons int      // in the family that Holm's procedure is applied to
	p           float64  // adjusted
	change      float64  // of the new side against the old: a factor, or a difference for counts
	floor       float64  // what the factor must be beyond, as a share
	disturbed   string   // why the observations cannot be trusted, if they cannot
	same        bool     // all observations of both sides are equal
	single      bool     // one run on a side
	estimate    Estimate // of single runs
}

// judge decides, and says why where it is not plain.
//
//	disturbed                                  cannot tell
//	all equal                                  no change
//	one run on a side                          cannot tell
//	too few observations for any call          cannot tell
//	p < 0.05 after Holm, beyond the floor      better or worse
//	p < 0.05 after Holm, within the floor      no change
//	else                                       no change
func (e evidence) judge() (Outcome, string) {
	switch {
	case e.disturbed != "":
		return CannotTell, e.disturbed
	case e.single && e.same:
		return CannotTell, "one run on a side"
	case e.same:
		return NoChange, "all observations are equal"
	case e.single:
		return CannotTell, "one run on a side" + e.leaning()
	case attainable(e.old, e.new)*float64(e.comparisons) >= alpha:
		return CannotTell, fmt.Sprintf("%d and %d observations cannot show a change among %d comparisons; want %d each",
			e.old, e.new, e.comparisons, needed(e.comparisons))
	case e.p >= alpha:
		return NoChange, ""
	case e.metric.Family != Count && size(e.change) <= e.floor:
		return NoChange, fmt.Sprintf("it differs by less than the noise floor of %.3g %%", 100*e.floor)
	}
	if e.up() == e.metric.Better() {
		return Better, ""
	}
	return Worse, ""
}

// up reports whether the new side has more.
func (e evidence) up() bool {
	if e.metric.Family == Count {
		return e.change > 0
	}
	return e.change > 1
}

// leaning says which way single runs seem to point, if their widened interval is on
// one side and they are further apart than the noise floor.
func (e evidence) leaning() string {
	if size(e.change) <= e.floor || e.estimate.Confidence == 0 {
		return ""
	}
	up := e.estimate.Low > 1
	if !up && e.estimate.High >= 1 {
		return ""
	}
	o := Worse
	if up == e.metric.Better() {
		o = Better
	}
	return "; it seems " + o.Word(e.metric)
}

// size returns how large a factor is, whichever way it goes: 0.5 and 2 are both 1.
func size(factor float64) float64 {
	if factor <= 0 || math.IsNaN(factor) {
		return math.Inf(1)
	}
	return max(factor, 1/factor) - 1
}
