package report

import (
	"fmt"
	"strconv"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// slowed is how many times the 99th percentile of before a flow must reach for the
// verdict to say that the load slowed it down: seconds have few operations.
const slowed = 2

// shaped says what a ramp or a spike did to each flow.
func shaped(run *results.Run, labels []string) []string {
	var sentences []string
	for i, c := range run.Cells {
		if !c.Finished {
			continue
		}
		switch c.Load.ShapeKind {
		case "ramp":
			sentences = append(sentences, onRamp(labels[i], c))
		case "spike":
			sentences = append(sentences, afterSpike(labels[i], c))
		}
	}
	return few(run, sentences, "cells have a load that changes")
}

// A pulse is the 99th percentile of one second.
type pulse struct {
	at  int // seconds since the load began
	p99 time.Duration
}

// pulses returns the seconds of a cell from one time to another, by the time since
// the load began, that have operations which ended ok.
func pulses(c *results.Cell, from, to float64) []pulse {
	var all []pulse
	for _, sec := range c.Seconds {
		if h := sec.Merged(results.AnsweredStage); h != nil && float64(sec.At) >= from && float64(sec.At+1) <= to {
			all = append(all, pulse{sec.At, h.Quantile(0.99)})
		}
	}
	return all
}

// usual returns the largest of the first n pulses, or 0 if there are none.
func usual(all []pulse, n int) time.Duration {
	var most time.Duration
	for _, p := range all[:min(n, len(all))] {
		most = max(most, p.p99)
	}
	return most
}

// rateAt returns the rate that a load had at a time.
func rateAt(l results.Load, at float64) float64 {
	for i := 1; i < len(l.Rates); i++ {
		a, b := l.Rates[i-1], l.Rates[i]
		if at >= a.AtS && at <= b.AtS && b.AtS > a.AtS {
			return a.PerS + (b.PerS-a.PerS)*(at-a.AtS)/(b.AtS-a.AtS)
		}
	}
	return 0
}

// onRamp says from which rate on a flow was slow for good.
func onRamp(label string, c *results.Cell) string {
	all := pulses(c, c.Load.Warmup.Seconds(), (c.Load.Warmup + c.Load.Measured).Seconds())
	before := usual(all, max(1, len(all)/4))
	if before == 0 {
		return label + ": too little was answered to say where the ramp slowed it down."
	}
	slow := len(all)
	for slow > 0 && all[slow-1].p99 > slowed*before {
		slow--
	}
	last := c.Load.Rates[len(c.Load.Rates)-1].PerS
	if slow == len(all) {
		return fmt.Sprintf("%s was as fast at the end of the ramp, at %s per second, as in its first quarter (p99 "+
			"within %d times %s).", label, words.Digits(last), slowed, words.Duration(before))
	}
	rate := rateAt(c.Load, float64(all[slow].at)+0.5)
	return fmt.Sprintf("%s slowed down for good at about %s per second, %d s into the ramp: from there on p99 was "+
		"more than %d times the %s of its first quarter.", label, words.Digits(rate),
		all[slow].at-int(c.Load.Warmup.Seconds()), slowed, words.Duration(before))
}

// afterSpike says how slow a spike made a flow and how long after it that was over.
func afterSpike(label string, c *results.Cell) string {
	begin, end := spikeOf(c.Load)
	before := usual(pulses(c, c.Load.Warmup.Seconds(), begin), len(c.Seconds))
	after := pulses(c, begin, (c.Load.Warmup + c.Load.Measured).Seconds())
	if before == 0 || len(after) == 0 {
		return label + ": too little was answered to say what the spike did."
	}
	worst := usual(after, len(after))
	if worst <= slowed*before {
		return fmt.Sprintf("%s was as fast in and after the spike as before it (p99 within %d times %s).", label,
			slowed, words.Duration(before))
	}
	calm := 0 // seconds in a row
	for _, p := range after {
		switch {
		case float64(p.at) < end:
		case p.p99 > slowed*before:
			calm = 0
		default:
			calm++
		}
		if calm == 2 {
			return fmt.Sprintf("%s was as fast as before the spike %s s after its end (p99 %s before, up to %s in and "+
				"after it).", label, strconv.FormatFloat(max(0, float64(p.at-1)-end), 'g', 3, 64),
				words.Duration(before), words.Duration(worst))
		}
	}
	return fmt.Sprintf("%s was not as fast again as before the spike while the load lasted (p99 %s before, up to %s "+
		"in and after it).", label, words.Duration(before), words.Duration(worst))
}

// spikeOf returns when a spike begins and ends, in seconds since the load began: the
// times of the two jumps of the rate.
func spikeOf(l results.Load) (begin, end float64) {
	for i := 1; i < len(l.Rates); i++ {
		if a, b := l.Rates[i-1], l.Rates[i]; a.AtS == b.AtS && a.PerS != b.PerS {
			if begin == 0 {
				begin = a.AtS
			}
			end = a.AtS
		}
	}
	return begin, end
}
