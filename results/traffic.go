package results

import "time"

// Sent is what was sent for the operations of a part of a cell. Messages and
// requests are counted where they cross to a broker or an edge, at the time at
// which they do, whichever operation they are for.
type Sent struct {
	Due         int64 `json:"due"`         // operations due meanwhile
	Messages    int64 `json:"messages"`    // handed to the broker, answers included
	Redelivered int64 `json:"redelivered"` // requests that came to a service again, as the broker says
	Requests    int64 `json:"requests"`    // calls of web clients, polls included, and what balancers handed on
}

// All returns how many times something was sent.
func (s Sent) All() int64 { return s.Messages + s.Redelivered + s.Requests }

// PerOp returns n of what was sent for each operation that was due.
func (s Sent) PerOp(n int64) float64 {
	if s.Due == 0 {
		return 0
	}
	return float64(n) / float64(s.Due)
}

// Traffic is what was sent before a fault and because of it.
type Traffic struct {
	Before Sent `json:"before"` // in the steady time before the fault
	During Sent `json:"during"` // from Begin to the recovery, or to the end where there was none
}

// Amplification returns how many times as much was sent for each operation that
// was due while a fault and the recovery from it lasted as in the steady time
// before:
//
//	(messages + redeliveries + requests) / due, during
//	---------------------------------------------------
//	(messages + redeliveries + requests) / due, before
//
// Over 1, things were asked for or delivered again: the load on what is left grows
// when it can bear least. Below 1, operations failed before all of their messages were sent.
// Where there is no such figure, it returns why.
func (t *Traffic) Amplification() (factor float64, why string) {
	switch {
	case t == nil:
		return 0, "nobody counted what was sent"
	case t.Before.Due < MinShare:
		return 0, "too few operations were due before the fault"
	case t.During.Due < MinShare:
		return 0, "too few operations were due until all was well again"
	case t.Before.All() == 0:
		return 0, "nothing was sent before the fault that is counted"
	}
	return t.During.PerOp(t.During.All()) / t.Before.PerOp(t.Before.All()), ""
}

// Burn returns the burn rate of the error budget while a fault and the recovery
// from it lasted, if the share asked for is [WellShare]:
//
//	(bad / offered) / (1 − WellShare)
//
// At 1, operations end badly just as often as is allowed; at 100, with 99 % asked
// for, all of them do. It follows the definition in Google's Site Reliability
// Workbook, chapter 5, "Alerting on SLOs". It returns false where so few
// operations were due that the budget of that time is less than one of them.
func (r *Recovery) Burn() (rate float64, ok bool) {
	if r.Offered < MinShare {
		return 0, false
	}
	return float64(r.Bad) / float64(r.Offered) / (1 - WellShare), true
}

// BudgetUsed returns how much of the error budget of the whole measured time the
// fault used up:
//
//	bad / (measured × (1 − WellShare))
//
// That is the burn rate times the share of the operations that were due meanwhile,
// as in the workbook, where the share is one of time since the rate of requests is
// even. Over 1, the fault alone used more than the budget of the run. It returns
// false where that is less than one operation.
func (r *Recovery) BudgetUsed() (share float64, ok bool) {
	if r.Measured < MinShare {
		return 0, false
	}
	return float64(r.Bad) / float64(r.Measured) / (1 - WellShare), true
}

// traffic returns what was sent from one time to a fault, and from the fault to
// another, or nil where it was not counted.
func (l *Timeline) traffic(from, begin, until time.Duration) *Traffic {
	if len(l.Messages) == 0 && len(l.Requests) == 0 {
		return nil
	}
	sent := func(from, to time.Duration) Sent {
		return Sent{
			sum(l.Due, from, to), sum(l.Messages, from, to), sum(l.Redelivered, from, to), sum(l.Requests, from, to),
		}
	}
	return &Traffic{sent(from, begin), sent(begin, until)}
}

// A meterReading is where the counters of a cell stood.
type meterReading struct {
	at                 time.Duration
	messages, requests int64
	taken              bool
}

// meters takes a reading of the counters of what was sent. What has been sent
// since the last one is spread evenly over the bins between the two: where
// readings are as frequent as bins, that is one bin.
func (r *timelineRecorder) meters(now meterReading) {
	last := r.read
	now.taken = true
	r.read = now
	if !last.taken {
		return
	}
	// Readings are due at the edges of bins and come a little late, so the edges
	// are those that are nearest.
	edge := func(at time.Duration) int { return int((at - r.origin + BinWidth/2) / BinWidth) }
	first, end := edge(last.at), edge(now.at)
	end = max(end, first+1)
	if first < 0 || end > maxBins {
		return
	}
	spread(&r.line.Messages, first, end, now.messages-last.messages)
	spread(&r.line.Requests, first, end, now.requests-last.requests)
}

// spread adds n in all to the bins from first to end.
func spread(bins *[]int32, first, end int, n int64) {
	*bins = grown(*bins, end-1)
	for i := first; i < end; i++ {
		share := n / int64(end-i)
		(*bins)[i] += int32(share)
		n -= share
	}
}
