package hops

import (
	"cmp"
	"slices"
	"time"

	"flowbench/results"
)

// A way finds out how an operation went.
type way struct {
	*record
	parties []party
	on      []bool // whether a stamp is on the way
}

// legs returns the legs of an operation that has ended, and the stage that its way
// leads to.
func (w *way) legs() (ends string, legs []results.HopLeg) {
	w.on = make([]bool, len(w.stamps))
	o, client := w.end, w.parties[w.client].role
	switch done := w.applied(); {
	case o.Answered != 0:
		ends = results.AnsweredStage.String()
		legs = w.upTo(o.Answered, results.HopInside)
	case o.Status == results.OK && done >= 0:
		ends = results.AppliedStage.String()
		w.on[done] = true
		legs = append(w.before(done), w.leg(done)...)
	case o.Accepted != 0 && o.Status == results.OK:
		ends = results.AcceptedStage.String()
		legs = w.upTo(o.Accepted, results.HopInside)
	case o.Status == results.OK: // handed over, and that was all that the client wanted to know
		legs = w.upTo(o.Ended, results.HopInside)
	default:
		legs = w.upTo(o.Ended, results.HopUnanswered)
	}
	lag := results.HopLeg{
		Hop: results.Hop{From: "schedule", To: client, Kind: results.HopLag}, For: o.Started - o.Due,
	}
	legs = append([]results.HopLeg{lag}, legs...)
	legs = append(legs, w.beside()...)
	slices.SortStableFunc(legs, func(a, b results.HopLeg) int { return cmp.Compare(a.At, b.At) })
	return ends, legs
}

// applied returns the stamp at which the service was done with the operation, or -1.
func (w *way) applied() int {
	return slices.IndexFunc(w.stamps, func(s stamp) bool { return s.point == worked && !s.poll && !s.no })
}

// upTo returns the way to what the client knew or did at a time. The last leg is
// the client's own.
func (w *way) upTo(end time.Duration, last results.HopKind) []results.HopLeg {
	n, _ := slices.BinarySearchFunc(w.stamps, end, func(s stamp, end time.Duration) int {
		if s.at > end {
			return 1
		}
		return -1
	})
	from := w.latest(n, w.client, false)
	at, legs := w.end.Started, []results.HopLeg(nil)
	if from >= 0 {
		w.on[from] = true
		legs, at = append(w.before(from), w.leg(from)...), w.stamps[from].at
	}
	client := w.parties[w.client].role
	return append(legs, w.between(results.Hop{From: client, To: client, Kind: last}, at, end))
}

// before returns the way to the cause of a stamp, oldest leg first.
func (w *way) before(i int) []results.HopLeg {
	var legs []results.HopLeg
	for i = w.cause(i); i >= 0; i = w.cause(i) {
		w.on[i] = true
		legs = append(legs, w.leg(i)...)
	}
	slices.Reverse(legs)
	return legs
}

// leg returns the leg that a stamp ends.
func (w *way) leg(i int) []results.HopLeg {
	s := w.stamps[i]
	to := w.parties[s.party].role
	j := w.cause(i)
	if j < 0 {
		client := w.parties[w.client].role
		hop := results.Hop{From: client, To: to, Kind: results.HopUntraced}
		if s.party == w.client && (s.point == called || s.point == published) {
			hop.Kind = results.HopInside
		}
		return []results.HopLeg{w.between(hop, w.end.Started, s.at)}
	}
	hop := results.Hop{From: w.parties[w.stamps[j].party].role, To: to, Kind: w.kind(j, i), Poll: s.poll}
	switch hop.Kind {
	case results.HopConfirm:
		hop.To = "broker"
	case results.HopPause, results.HopInside:
		hop.Poll = false
	}
	return []results.HopLeg{w.between(hop, w.stamps[j].at, s.at)}
}

func (w *way) between(h results.Hop, from, to time.Duration) results.HopLeg {
	return results.HopLeg{Hop: h, At: from - w.end.Due, For: max(0, to-from)}
}

// kind says what happens between a stamp and the one that it causes.
func (w *way) kind(j, i int) results.HopKind {
	switch s := w.stamps[i]; {
	case s.point == served:
		return results.HopCall
	case s.point == returned:
		return results.HopReturn
	case s.point == confirmed:
		return results.HopConfirm
	case s.point == received && s.class == request:
		return results.HopRequest
	case s.point == received:
		return results.HopAnswer
	case s.point == begun:
		return results.HopWait
	case s.point == worked:
		return results.HopWork
	case s.party == w.client && s.poll && w.stamps[j].point != called && w.stamps[j].point != published:
		return results.HopPause
	default:
		return results.HopInside
	}
}

// cause returns the stamp that a stamp follows from, or -1 for the first.
func (w *way) cause(i int) int {
	s := w.stamps[i]
	from, arrived := s.point.departure()
	if !arrived {
		return w.latest(i, s.party, s.poll)
	}
	for j := i - 1; j >= 0; j-- {
		c := w.stamps[j]
		if c.point == from && c.poll == s.poll && c.class == s.class && c.seq == s.seq &&
			(s.point != confirmed || c.party == s.party) {
			return j
		}
	}
	return -1
}

// departure returns at which point that left which arrives at p, if anything does.
func (p point) departure() (from point, arrived bool) {
	switch p {
	case served:
		return called, true
	case returned:
		return replied, true
	case received, confirmed:
		return published, true
	default:
		return p, false
	}
}

// latest returns the latest stamp before i of a party, or -1. A part that asks
// about an operation does so beside the operation, but for the client, which does
// one after the other. A confirm is passed over that an answer made needless, and so
// is what seems to have arrived without having left: a call that its own side ended.
func (w *way) latest(i int, who uint16, poll bool) int {
	for j := i - 1; j >= 0; j-- {
		c := w.stamps[j]
		if c.party != who || c.poll != poll && who != w.client || c.point == confirmed && w.overtaken(c, i) {
			continue
		}
		if _, arrived := c.point.departure(); !arrived || w.cause(j) >= 0 {
			return j
		}
	}
	return -1
}

// overtaken reports whether the answer to a message has come before stamp i.
func (w *way) overtaken(confirm stamp, i int) bool {
	return slices.ContainsFunc(w.stamps[:i], func(s stamp) bool {
		return s.point == received && s.class != request && s.party == confirm.party && !s.poll
	})
}

// beside returns the legs that nobody waits for.
func (w *way) beside() []results.HopLeg {
	var legs []results.HopLeg
	for i, s := range w.stamps {
		wanted := s.point == confirmed || s.point == received || s.point == begun || s.point == worked
		if w.on[i] || !wanted || w.cause(i) < 0 {
			continue
		}
		for _, l := range w.leg(i) {
			l.Beside = true
			legs = append(legs, l)
		}
	}
	return legs
}
