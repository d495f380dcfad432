package results

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// What a recovery is judged by. Reports and docs/results.md print these figures.
const (
	DetectFactor  = 4    // of the base's p99, beyond which an operation shows the fault
	DownShare     = 0.5  // of what was due; with less a bin counts as down
	WellShare     = 0.99 // of what was due that must end ok for a tail to be well; the rest is the error budget
	WellFactor    = 1.5  // of the base's p99 that the p99 of a tail may be
	WellFloor     = 2 * time.Millisecond
	WellInARow    = 5    // tails
	DownCount     = 20   // operations that are expected in what is called down or not
	BacklogShare  = 0.01 // of the peak, below which a backlog counts as gone
	BacklogBefore = time.Second
	DriftLimit    = 0.10 // between the halves of the base
	MinBase       = 1000 // operations, for a p99 to compare with
	MinShare      = 100  // operations, of which one is the error budget, for what is counted per operation
)

// recovery returns what a fault did, as the timeline shows it. warmup is the
// length of the warm-up and settled the end of the fault that was healed last
// before this one began, and from then on it is the base.
func (l *Timeline) recovery(f Fault, from time.Duration, events []Event) *Recovery {
	r := &Recovery{}
	l.base(r, from, f.Begin)
	if r.BasePerS == 0 {
		return nil
	}
	l.recover(r, f)
	until := f.Heal + r.Within
	if r.Recover.Seen {
		until = f.Heal + r.Recover.After
	}
	// What comes later than that is not this fault's doing.
	l.detect(r, f, until, events)
	l.outage(r, f, until)
	l.backlog(r, f)
	due, ok := sum(l.Due, f.Begin, until), sum(l.OK, f.Begin, until)
	held := l.held(from, f.Begin)
	r.Offered, r.Bad = due+held, due-ok+held
	r.Traffic = l.traffic(from, f.Begin, until)
	return r
}

// bins returns the part of a timeline from one time to another.
func bins[T any](s []T, width, from, to time.Duration) []T {
	i, j := int((from+width-1)/width), int(to/width)
	i = min(max(i, 0), len(s))
	return s[i:min(max(j, i), len(s))]
}

func sum(s []int32, from, to time.Duration) int64 {
	var n int64
	for _, v := range bins(s, BinWidth, from, to) {
		n += int64(v)
	}
	return n
}

// held returns how many operations were under way when a fault began, or had just
// become due, and did not end ok: the calls that a crash cuts were due before it.
func (l *Timeline) held(from, begin time.Duration) int64 {
	last := (begin + BinWidth - 1) / BinWidth * BinWidth // from where on bins count as being due since
	notOK := sum(l.Due, from, last) - sum(l.OK, from, last)
	return max(0, notOK-sum(l.Bad, from, begin))
}

// base describes the steady time before a fault.
func (l *Timeline) base(r *Recovery, from, to time.Duration) {
	n := sum(l.OK, from, to)
	if to-from < TailWidth || n == 0 {
		return
	}
	r.BasePerS = float64(n) / (to - from).Seconds()
	var tails []time.Duration
	for _, p99 := range bins(l.P99, TailWidth, from, to) {
		if p99 >= 0 {
			tails = append(tails, p99)
		}
	}
	if len(tails) == 0 {
		r.BasePerS = 0
		return
	}
	// The median of the tails, since a base of a few seconds has a few tails and one
	// of them may have met a pause of the machine.
	slices.Sort(tails)
	r.BaseP99, r.Worst = tails[len(tails)/2], tails[len(tails)-1]
	half := from + (to-from)/2
	first, second := sum(l.OK, from, half), sum(l.OK, half, to)
	switch drift := float64(second-first) / float64(max(first, 1)); {
	case n < MinBase:
		r.Unsteady = fmt.Sprintf("only %d operations were before the fault; a p99 to compare with wants %d", n, MinBase)
	case drift > DriftLimit || drift < -DriftLimit:
		r.Unsteady = fmt.Sprintf("the rate changed by %.0f %% before the fault", 100*drift)
	}
}

// detect finds out when the fault showed.
func (l *Timeline) detect(r *Recovery, f Fault, until time.Duration, events []Event) {
	limit := max(DetectFactor*r.BaseP99, WellFloor)
	for i := int(f.Begin / BinWidth); i < min(len(l.Bad), int(until/BinWidth)+1); i++ {
		if l.Bad[i] > 0 || l.Slowest[i] > limit {
			r.Detect = Moment{max(0, time.Duration(i+1)*BinWidth-f.Begin), true}
			break
		}
	}
	for _, e := range events {
		if e.Kind == "disconnected" && e.At >= f.Begin && e.At <= f.Healed {
			r.Cut = Moment{e.At - f.Begin, true}
			break
		}
	}
}

// outage adds up how long nothing, or too little, ended ok. At low rates it looks
// at several bins together, since few operations are few by chance.
func (l *Timeline) outage(r *Recovery, f Fault, until time.Duration) {
	end := min(time.Duration(len(l.Due))*BinWidth, until)
	due, done := bins(l.Due, BinWidth, f.Begin, end), bins(l.Done, BinWidth, f.Begin, end)
	perBin := r.BasePerS * BinWidth.Seconds()
	together := int(max(1, math.Ceil(DownCount/perBin)))
	var gap time.Duration
	var n, looked int
	for i := range done {
		if i < len(due) && due[i] == 0 && sum(l.Due, f.Begin+time.Duration(i)*BinWidth, end) == 0 {
			break // the load is over
		}
		n += int(done[i])
		if looked++; looked == together {
			if float64(n) < DownShare*perBin*float64(together) {
				r.Down += time.Duration(together) * BinWidth
			}
			n, looked = 0, 0
		}
		if gap += BinWidth; done[i] > 0 {
			gap = 0
		}
		r.Gap = max(r.Gap, gap)
	}
}

// loadEnds returns the end of the last bin in which anything was due.
func (l *Timeline) loadEnds() time.Duration {
	n := len(l.Due)
	for n > 0 && l.Due[n-1] == 0 {
		n--
	}
	return time.Duration(n) * BinWidth
}

// recover finds the first tails in a row that are well. At low rates there are tails in
// which nothing was due: they say nothing, and neither make a row nor break it.
func (l *Timeline) recover(r *Recovery, f Fault) {
	limit := max(time.Duration(WellFactor*float64(r.BaseP99)), r.BaseP99+WellFloor, r.Worst)
	over := l.loadEnds()
	var first time.Duration // of the row
	inARow := 0
	for i := int((f.Heal + TailWidth - 1) / TailWidth); ; i++ {
		at := time.Duration(i) * TailWidth
		if i >= len(l.P99) || at >= over {
			r.Within = max(0, at-f.Heal)
			return
		}
		due := sum(l.Due, at, at+TailWidth)
		if due == 0 {
			continue
		}
		if inARow == 0 {
			first = at
		}
		well := float64(sum(l.OK, at, at+TailWidth)) >= WellShare*float64(due) && l.P99[i] <= limit
		if inARow++; !well {
			inARow = 0
		}
		if inARow == WellInARow && !r.Recover.Seen {
			r.Recover = Moment{max(0, first-f.Heal), true}
		}
	}
}

// backlog follows the commands that were acknowledged and not yet applied.
func (l *Timeline) backlog(r *Recovery, f Fault) {
	var depth, usual int64
	from, begin, heal := int((f.Begin-BacklogBefore)/BinWidth), int(f.Begin/BinWidth), int(f.Heal/BinWidth)
	peak := 0
	depths := make([]int64, len(l.Told))
	for i := range l.Told {
		depth += int64(l.Told[i]) - int64(l.Applied[i])
		depths[i] = depth
		switch {
		case i >= from && i < begin:
			usual = max(usual, depth)
		case i >= begin && depth > r.Backlog:
			r.Backlog, peak = depth, i
		}
	}
	limit := max(usual, int64(BacklogShare*float64(r.Backlog)))
	for i := max(heal, peak); i < len(depths); i++ {
		if depths[i] > limit {
			continue
		}
		r.Drain = Moment{max(0, time.Duration(i+1)*BinWidth-f.Heal), true}
		if n := sum(l.Applied, f.Heal, time.Duration(i+1)*BinWidth); r.Drain.After > 0 {
			r.DrainPerS = float64(n) / r.Drain.After.Seconds()
		}
		return
	}
}

// recoveries completes the faults of a cell. Each is compared with the time from
// the end of the warm-up, or from the recovery from the fault before it.
func (c *Cell) recoveries() {
	if c.Timeline == nil {
		return
	}
	from := c.Load.Warmup
	for i := range c.Faults {
		f := &c.Faults[i]
		if f.Absent || f.Begin < from {
			continue
		}
		f.Recovery = c.Timeline.recovery(*f, from, c.Events)
		if f.Recovery != nil {
			f.Recovery.Measured = c.Counts.Due
		}
		if i+1 < len(c.Faults) && f.Recovery != nil && c.Faults[i+1].Begin >= f.Healed {
			next := f.Heal + f.Recovery.Recover.After + WellInARow*TailWidth
			if f.Recovery.Recover.Seen && c.Faults[i+1].Begin-next >= TailWidth*WellInARow {
				from = next
			}
		}
	}
}
