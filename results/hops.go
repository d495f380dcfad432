package results

import (
	"cmp"
	"slices"
	"time"
)

// A Hop is one leg of the way of operations: between two parts, or within one.
// Parts are named by what they do: client, front-end, service, broker. Time that a
// message spends at a broker is in the hop between the two parts that it connects,
// since no broker tells when it had the message.
type Hop struct {
	From string  `json:"from"`
	To   string  `json:"to"` // the same as From for time within one part
	Kind HopKind `json:"kind"`
	Poll bool    `json:"poll,omitempty"` // it is part of asking what became of a command

	// Beside says that whoever waits for the operation does not wait for this: it
	// happens while something else does. Such hops are no part of any sum.
	Beside bool `json:"beside,omitempty"`
}

// A HopKind says what happens in a hop.
type HopKind string

// The kinds of hops.
const (
	HopLag        HopKind = "lag"        // from due to started: the generator's own lateness
	HopInside     HopKind = "inside"     // within one part, between what it got and what it sent
	HopPause      HopKind = "pause"      // a client waits before it asks what became of its command
	HopCall       HopKind = "call"       // over an edge, balancer included
	HopReturn     HopKind = "return"     // the answer of a call, over an edge
	HopRequest    HopKind = "request"    // through a broker
	HopAnswer     HopKind = "answer"     // through a broker, of a request; or an event about it
	HopConfirm    HopKind = "confirm"    // to a broker and back, which says that it has the message
	HopWait       HopKind = "wait"       // at the service, for a worker that is free
	HopWork       HopKind = "work"       // of the service
	HopUnanswered HopKind = "unanswered" // until a client gave up, since the last thing that it did or heard
	HopUntraced   HopKind = "untraced"   // between things that no stamp connects
)

// A HopLeg is one passage of one operation over a hop.
type HopLeg struct {
	Hop
	At  time.Duration // since the operation was due
	For time.Duration
}

// A HopRecord is where the time of one operation went. The legs that are not
// beside others follow each other without a gap, from due to the end of the
// operation, so that they add up to Took.
type HopRecord struct {
	Op     uint64
	Kind   Kind
	Status Status
	Class  string        // why it is not ok
	Trace  string        // of W3C Trace Context, 32 hexadecimal digits
	Span   string        // the parent that the messages of the operation name, 16 hexadecimal digits
	Due    time.Duration // since the load of the cell began
	Took   time.Duration // from due to the end, as Ends says
	Ends   string        // the stage that the way leads to: answered, or applied where nobody is answered
	Legs   []HopLeg      // in the order in which they began
}

// Hops says where the time of the operations of a cell went, by a sample of those
// that were due in the measured time. Which operations are in the sample follows
// from their numbers alone.
type Hops struct {
	Sampled int64 `json:"sampled"` // operations that were followed
	OneIn   int64 `json:"one_in"`  // how many there are to each of these, about
	Records int64 `json:"records"` // of these, how many the file of hops has; see [ReadHops]

	// Partial counts operations that are left out, because more happened to them
	// than is kept.
	Partial int64 `json:"partial,omitempty"`

	// Kinds has the operations that ended ok, by kind. A kind without any is absent.
	Kinds map[string]*KindHops `json:"kinds"`
}

// KindHops are the hops of the operations of one kind.
type KindHops struct {
	Ends  string        `json:"ends"`   // the stage at which their ways end: answered or applied
	Total *Hist         `json:"total"`  // from due to that stage
	Sum   time.Duration `json:"sum_ns"` // of all of Total, exactly
	Hops  []HopTimes    `json:"hops"`   // in the order in which operations pass them
}

// HopTimes is the time that operations spent in one hop. An operation that passes a
// hop several times counts once, with the sum.
type HopTimes struct {
	Hop
	Start time.Duration `json:"start_ns"` // since due, the median of when operations first came there
	Sum   time.Duration `json:"sum_ns"`   // of all operations, exactly: those of all hops that are not beside add up
	Times int64         `json:"times"`    // passages, of all operations
	Hist  *Hist         `json:"hist"`     // of those operations that passed it
}

// HopsOf returns the hops of a kind of operation, or nil where none was followed.
func (c *Cell) HopsOf(k Kind) *KindHops {
	if c.Hops == nil {
		return nil
	}
	h := c.Hops.Kinds[k.String()]
	if h == nil || h.Total == nil || h.Total.N() == 0 {
		return nil
	}
	return h
}

// SumHops returns the hops of operations that ended ok, by kind.
func SumHops(records []HopRecord) map[string]*KindHops {
	kinds := make(map[string]*KindHops)
	for _, k := range Kinds() {
		var of []HopRecord
		for _, r := range records {
			if r.Kind == k && r.Status == OK {
				of = append(of, r)
			}
		}
		if len(of) > 0 {
			kinds[k.String()] = sumKind(of)
		}
	}
	return kinds
}

// sumKind sums operations of one kind. Should their ways end at several stages, the
// one that most of them have is meant, and the others are left out.
func sumKind(records []HopRecord) *KindHops {
	ends := make(map[string]int)
	for _, r := range records {
		ends[r.Ends]++
	}
	k := &KindHops{Total: NewCoarseHist()}
	for end, n := range ends {
		if n > ends[k.Ends] || n == ends[k.Ends] && end < k.Ends {
			k.Ends = end
		}
	}
	tallies := make(map[Hop]*hopTally)
	for _, r := range records {
		if r.Ends == k.Ends {
			k.Sum += r.Took
			k.Total.Record(r.Took)
			r.tally(tallies)
		}
	}
	for _, t := range tallies {
		slices.Sort(t.starts)
		t.Start = t.starts[(len(t.starts)-1)/2]
		k.Hops = append(k.Hops, t.HopTimes)
	}
	slices.SortFunc(k.Hops, func(a, b HopTimes) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), compareHops(a.Hop, b.Hop))
	})
	return k
}

// A hopTally is a hop that is being summed up.
type hopTally struct {
	HopTimes
	starts []time.Duration
}

// tally adds what one operation spent in each hop.
func (r *HopRecord) tally(all map[Hop]*hopTally) {
	own := make(map[Hop]time.Duration)
	for _, l := range r.Legs {
		t := all[l.Hop]
		if t == nil {
			t = &hopTally{HopTimes: HopTimes{Hop: l.Hop, Hist: NewCoarseHist()}}
			all[l.Hop] = t
		}
		if _, again := own[l.Hop]; !again {
			t.starts = append(t.starts, l.At)
		}
		own[l.Hop] += l.For
		t.Times++
	}
	for hop, d := range own {
		all[hop].Sum += d
		all[hop].Hist.Record(d)
	}
}

// compareHops orders hops that begin together: shortest names first, then by name.
func compareHops(a, b Hop) int {
	rank := func(h Hop) int { return slices.Index(hopOrder(), h.Kind) }
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To),
		compareFlags(a.Poll, b.Poll), compareFlags(a.Beside, b.Beside))
}

func compareFlags(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// hopOrder returns all kinds in the order in which an operation would pass them if
// none of them took any time.
func hopOrder() []HopKind {
	return []HopKind{
		HopLag, HopUntraced, HopInside, HopCall, HopConfirm, HopRequest, HopWait, HopWork, HopAnswer, HopReturn,
		HopPause, HopUnanswered,
	}
}

// SummaryHops is [Hops] in figures, in microseconds.
type SummaryHops struct {
	Sampled int64                  `json:"sampled"`
	OneIn   int64                  `json:"one_in"`
	Records int64                  `json:"records"`
	Partial int64                  `json:"partial"`
	Kinds   map[string]SummaryWays `json:"kinds"`
}

// SummaryWays are the hops of one kind of operation.
type SummaryWays struct {
	Ends    string         `json:"ends"`
	TotalUS SummaryLatency `json:"total_us"`
	MeanUS  float64        `json:"mean_us"`
	Hops    []SummaryHop   `json:"hops"`
}

// A SummaryHop is one hop. Its mean is over all operations of the kind, whether or
// not they passed it, so that those of hops that are not beside add up.
type SummaryHop struct {
	Hop
	TimeUS  SummaryLatency `json:"time_us"`
	MeanUS  float64        `json:"mean_us"`
	StartUS float64        `json:"start_us"`
	PerOp   float64        `json:"per_op"`
}

// Mean returns the mean time of the operations of k, in nanoseconds.
func (k *KindHops) Mean() float64 { return float64(k.Sum) / float64(max(1, k.Total.N())) }

// MeanOf returns the mean time that operations of k spend in a hop, in nanoseconds,
// those counted that do not pass it.
func (k *KindHops) MeanOf(h HopTimes) float64 { return float64(h.Sum) / float64(max(1, k.Total.N())) }

// PerOp returns how often an operation of k passes a hop.
func (k *KindHops) PerOp(h HopTimes) float64 { return float64(h.Times) / float64(max(1, k.Total.N())) }

func (c *Cell) summaryHops() *SummaryHops {
	if c.Hops == nil {
		return nil
	}
	s := &SummaryHops{
		c.Hops.Sampled, c.Hops.OneIn, c.Hops.Records, c.Hops.Partial, make(map[string]SummaryWays),
	}
	for _, kind := range Kinds() {
		k := c.HopsOf(kind)
		if k == nil {
			continue
		}
		w := SummaryWays{Ends: k.Ends, TotalUS: *summarize(k.Total), MeanUS: k.Mean() / 1e3, Hops: []SummaryHop{}}
		for _, h := range k.Hops {
			if t := summarize(h.Hist); t != nil {
				w.Hops = append(w.Hops, SummaryHop{
					h.Hop, *t, k.MeanOf(h) / 1e3, float64(h.Start.Nanoseconds()) / 1e3, k.PerOp(h),
				})
			}
		}
		s.Kinds[kind.String()] = w
	}
	return s
}
