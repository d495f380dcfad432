package results

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Merged returns the run with the repeats of each cell merged into one, in the
// order of the plan, each with its repeats as Observations. A run without repeats is
// returned as it is, and so is one that is merged already. The receiver is not
// changed; histograms and seconds of repeats are shared.
//
// A merged cell is what one long cell would have been: histograms are merged and
// never averaged, counts and accounts are summed, and seconds, events, faults and
// timeline of the repeats stand one after another, each repeat a whole number of
// seconds after the one before. Costs are weighted by what was started. Of the
// machine's pressure it has the hardest that any repeat met. It is valid if every
// repeat is, and finished and drained likewise.
func (r *Run) Merged() *Run {
	if !slices.ContainsFunc(r.Cells, func(c *Cell) bool { return c.Of != "" }) {
		return r
	}
	of, cells := make(map[string][]*Cell), []string{}
	for _, c := range r.Cells {
		if c.Of == "" {
			c = alone(c)
		}
		of[c.Of] = append(of[c.Of], c)
	}
	for _, id := range r.CellIDs {
		if id = r.mergedID(id); !slices.Contains(cells, id) {
			cells = append(cells, id)
		}
	}
	m := *r
	m.CellIDs, m.Cells = cells, nil
	for _, id := range cells {
		if repeats := of[id]; len(repeats) > 0 {
			slices.SortStableFunc(repeats, func(a, b *Cell) int { return a.Repeat - b.Repeat })
			m.Cells = append(m.Cells, mergeCells(id, repeats, r.Repeats))
		}
	}
	return &m
}

// alone returns a cell that did not repeat as the only repeat of its own.
func alone(c *Cell) *Cell {
	own := *c
	own.Of, own.Repeat = c.ID, 1
	return &own
}

// mergedID returns the id that the repeats of a cell have in common, which is all
// that is known of cells that never began.
func (r *Run) mergedID(id string) string {
	for _, c := range r.Cells {
		if c.ID == id && c.Of != "" {
			return c.Of
		}
	}
	if at := strings.LastIndex(id, "-r"); at > 0 && r.Repeats > 1 {
		return id[:at]
	}
	return id
}

// mergeCells merges the repeats of a cell, of which there are planned to be so many.
func mergeCells(id string, repeats []*Cell, planned int) *Cell {
	first := repeats[0]
	m := *first // what repeats have in common: flow, broker, load, guarantees, settings
	m.ID, m.Of, m.Repeat, m.Observations = id, "", 0, repeats
	m.Load.Measured, m.Load.Repeats = 0, len(repeats)
	m.Finished, m.Drained = len(repeats) >= planned, true
	m.Counts, m.WarmupOps, m.Accounting = Counts{}, Counts{}, Accounting{}
	m.Classes, m.Latency, m.Windows = make(map[string]int64), nil, nil
	m.Served, m.FrontEnds, m.Seconds, m.Events, m.Faults, m.Timeline = nil, nil, nil, nil, nil, nil
	for _, c := range repeats {
		m.Load.Measured += c.Load.Measured
		m.Finished, m.Drained = m.Finished && c.Finished, m.Drained && c.Drained
		m.Counts.plus(c.Counts)
		m.WarmupOps.plus(c.WarmupOps)
		m.Accounting.plus(c.Accounting)
		for class, n := range c.Classes {
			m.Classes[class] += n
		}
		m.Served, m.FrontEnds = added(m.Served, c.Served), added(m.FrontEnds, c.FrontEnds)
		m.Pressure = m.Pressure.hardest(c.Pressure)
	}
	m.Latency = mergeKinds(repeats, func(c *Cell) map[string]map[string]*Hist { return c.Latency })
	m.SendLag = mergeOf(repeats, func(c *Cell) *Hist { return c.SendLag })
	m.Canary = mergeOf(repeats, func(c *Cell) *Hist { return c.Canary })
	m.Stale = Stale{
		Accepted: mergeStale(repeats, func(c *Cell) StaleAfter { return c.Stale.Accepted }),
		Answered: mergeStale(repeats, func(c *Cell) StaleAfter { return c.Stale.Answered }),
	}
	m.Heard, m.Payloads = mergeHeard(repeats), mergePayloads(repeats)
	m.Hops, m.Sweep, m.Use = mergeHops(repeats), medianSweep(repeats), hardestUse(repeats)
	m.Urgency, m.Bulk = mergeUrgency(repeats), mergeBulk(repeats)
	m.Windows = mergeWindows(repeats)
	m.Cost = mergeCost(repeats)
	m.layOut(repeats)
	m.Why = gather(repeats, func(c *Cell) []string {
		if !c.Valid && len(c.Why) == 0 {
			return []string{"it is not valid"}
		}
		return c.Why
	})
	if missing := planned - len(repeats); missing > 0 {
		m.Why = append(m.Why, fmt.Sprintf("%d of %d repeats did not begin", missing, planned))
	}
	m.Warnings = gather(repeats, func(c *Cell) []string { return c.Warnings })
	m.Valid = len(m.Why) == 0
	m.Verdict, m.Broken = JudgePromise(PromiseOf(m.Promise, m.Idempotent), m.Accounting, m.Drained && m.Finished)
	return &m
}

// gather returns the texts of all repeats. Those that differ in nothing but their
// figures stand there once, as the repeat says it that has the largest last figure,
// with how many repeats say it.
func gather(repeats []*Cell, of func(*Cell) []string) []string {
	figure := regexp.MustCompile(`\b[0-9][0-9.,]*(e[+-]?[0-9]+)?( (µs|ms|s)\b)?`)
	type kind struct {
		text   string
		worst  float64
		repeat int
		n      int
	}
	var kinds []string
	said := make(map[string]*kind)
	for _, c := range repeats {
		for _, text := range of(c) {
			shape := figure.ReplaceAllString(text, "#")
			k := said[shape]
			if k == nil {
				k = &kind{worst: -1}
				said[shape], kinds = k, append(kinds, shape)
			}
			k.n++
			if size := lastFigure(figure, text); size > k.worst {
				k.text, k.worst, k.repeat = text, size, c.Repeat
			}
		}
	}
	out := []string{}
	for _, shape := range kinds {
		k := said[shape]
		where := fmt.Sprintf("repeat %d", k.repeat)
		if k.n > 1 {
			where = fmt.Sprintf("%d of %d repeats, most in repeat %d", k.n, len(repeats), k.repeat)
		}
		out = append(out, where+": "+k.text)
	}
	return out
}

// lastFigure returns the last number of a text, lengths of time in seconds, and 0
// if it has none.
func lastFigure(figure *regexp.Regexp, text string) float64 {
	all := figure.FindAllString(text, -1)
	if len(all) == 0 {
		return 0
	}
	number, unit, _ := strings.Cut(all[len(all)-1], " ")
	var v float64
	if _, err := fmt.Sscan(strings.Trim(strings.ReplaceAll(number, ",", ""), "."), &v); err != nil {
		return 0
	}
	switch unit {
	case "µs":
		return v / 1e6
	case "ms":
		return v / 1e3
	}
	return v
}

// layOut puts what happened in time one repeat after another.
func (c *Cell) layOut(repeats []*Cell) {
	var at time.Duration
	for _, r := range repeats {
		for _, s := range r.Seconds {
			s.At += int(at / time.Second)
			c.Seconds = append(c.Seconds, s)
		}
		for _, e := range r.Events {
			e.At += at
			c.Events = append(c.Events, e)
		}
		for _, f := range r.Faults {
			for _, t := range []*time.Duration{&f.Begin, &f.Begun, &f.Heal, &f.Healed} {
				*t += at
			}
			c.Faults = append(c.Faults, f)
		}
		length := r.length()
		if r.Timeline != nil {
			if c.Timeline == nil {
				c.Timeline = &Timeline{}
			}
			c.Timeline.extend(r.Timeline, at)
		}
		at += length
	}
}

// length returns how long a cell was, in whole seconds, from when its load began to
// the last that is known of it.
func (c *Cell) length() time.Duration {
	d := c.Load.Warmup + c.Load.Measured
	if n := len(c.Seconds); n > 0 {
		d = max(d, time.Duration(c.Seconds[n-1].At+1)*time.Second)
	}
	if l := c.Timeline; l != nil {
		d = max(d, time.Duration(len(l.Due))*BinWidth, time.Duration(len(l.P99))*TailWidth)
	}
	return (d + time.Second - 1) / time.Second * time.Second
}

// extend appends the bins of other from a time on, which is a whole number of
// seconds. Bins in between are empty.
func (l *Timeline) extend(other *Timeline, at time.Duration) {
	n, tails := int(at/BinWidth), int(at/TailWidth)
	for _, b := range []struct {
		to   *[]int32
		from []int32
	}{
		{&l.Due, other.Due}, {&l.OK, other.OK}, {&l.Done, other.Done}, {&l.Bad, other.Bad}, {&l.Told, other.Told},
		{&l.Applied, other.Applied}, {&l.Messages, other.Messages}, {&l.Redelivered, other.Redelivered},
		{&l.Requests, other.Requests},
	} {
		if b.from != nil {
			*b.to = append(padded(*b.to, n, 0), b.from...)
		}
	}
	l.Slowest = append(padded(l.Slowest, n, 0), other.Slowest...)
	l.P99 = append(padded(l.P99, tails, -1), other.P99...)
}

// padded returns a copy of s with n elements.
func padded[T any](s []T, n int, with T) []T {
	s = slices.Clone(s[:min(len(s), n)])
	for len(s) < n {
		s = append(s, with)
	}
	return s
}

// added adds two lists element by element.
func added(a, b []int64) []int64 {
	sum := slices.Clone(a)
	for i, n := range b {
		sum = grown(sum, i)
		sum[i] += n
	}
	return sum
}

// plus adds the counts of another account.
func (a *Accounting) plus(b Accounting) {
	for c := range numClasses {
		*a.of(c) += *b.of(c)
	}
}

// hardest returns the higher of each figure. What neither machine tells stays
// untold.
func (p Pressure) hardest(q Pressure) Pressure {
	return Pressure{
		max(p.CPUSome, q.CPUSome), max(p.IOSome, q.IOSome), max(p.Steal, q.Steal), max(p.Busy, q.Busy),
		max(p.OwnCores, q.OwnCores), max(p.GCPause, q.GCPause),
	}
}

// mergeHists returns the histograms merged, with the digits of the first, or nil if
// there is none.
func mergeHists(all ...*Hist) *Hist {
	var m *Hist
	for _, h := range all {
		if h == nil {
			continue
		}
		if m == nil {
			m = newHist(int(h.some().SignificantFigures()))
		}
		m.Merge(h)
	}
	return m
}

func mergeOf(repeats []*Cell, of func(*Cell) *Hist) *Hist {
	all := make([]*Hist, 0, len(repeats))
	for _, c := range repeats {
		all = append(all, of(c))
	}
	return mergeHists(all...)
}

func mergeNamed(all ...map[string]*Hist) map[string]*Hist {
	m := make(map[string]*Hist)
	for _, named := range all {
		for name, h := range named {
			m[name] = mergeHists(m[name], h)
		}
	}
	return m
}

func mergeKinds(repeats []*Cell, of func(*Cell) map[string]map[string]*Hist) map[string]map[string]*Hist {
	m := make(map[string]map[string]*Hist)
	for _, c := range repeats {
		for kind, stages := range of(c) {
			m[kind] = mergeNamed(m[kind], stages)
		}
	}
	return m
}

func mergeStale(repeats []*Cell, of func(*Cell) StaleAfter) StaleAfter {
	var m StaleAfter
	for _, c := range repeats {
		s := of(c)
		m.Commands, m.Early, m.Reads, m.Stale = m.Commands+s.Commands, m.Early+s.Early, m.Reads+s.Reads, m.Stale+s.Stale
	}
	m.Lag = mergeOf(repeats, func(c *Cell) *Hist { return of(c).Lag })
	return m
}

func mergeHeard(repeats []*Cell) *Heard {
	var m *Heard
	for _, c := range repeats {
		h := c.Heard
		if h == nil {
			continue
		}
		if m == nil {
			m = &Heard{Subscribers: h.Subscribers}
		}
		m.Commands, m.ByAll, m.BySome = m.Commands+h.Commands, m.ByAll+h.ByAll, m.BySome+h.BySome
		m.ByNone, m.Missing, m.Repeated = m.ByNone+h.ByNone, m.Missing+h.Missing, m.Repeated+h.Repeated
		m.Unresolved += h.Unresolved
		m.FromDue, m.FromApplied = m.FromDue.merge(h.FromDue), m.FromApplied.merge(h.FromApplied)
	}
	return m
}

func (t HeardTimes) merge(other HeardTimes) HeardTimes {
	return HeardTimes{
		mergeHists(t.First, other.First), mergeHists(t.Median, other.Median), mergeHists(t.Last, other.Last),
	}
}

func mergePayloads(repeats []*Cell) *Payloads {
	var m *Payloads
	for _, c := range repeats {
		p := c.Payloads
		if p == nil {
			continue
		}
		if m == nil {
			m = &Payloads{Mode: p.Mode, Store: p.Store, Endpoint: p.Endpoint, Bytes: p.Bytes}
			m.Events = make(map[string]Tally)
		}
		m.FirstByte, m.LastByte = mergeHists(m.FirstByte, p.FirstByte), mergeHists(m.LastByte, p.LastByte)
		m.Corrupt += p.Corrupt
		for name, t := range p.Events {
			sum := m.Events[name]
			m.Events[name] = Tally{sum.N + t.N, sum.Bytes + t.Bytes}
		}
	}
	return m
}

func mergeUrgency(repeats []*Cell) *Urgency {
	first := repeats[0].Urgency
	if first == nil {
		return nil
	}
	of := func(urgent bool) func(*Cell) map[string]map[string]*Hist {
		return func(c *Cell) map[string]map[string]*Hist {
			if c.Urgency == nil {
				return nil
			}
			return c.Urgency.class(urgent)
		}
	}
	return &Urgency{
		Mechanism: first.Mechanism, Urgent: mergeKinds(repeats, of(true)), Normal: mergeKinds(repeats, of(false)),
	}
}

func mergeBulk(repeats []*Cell) *Bulk {
	first := repeats[0].Bulk
	if first == nil {
		return nil
	}
	m := NewBulk(first.Bytes, first.Every, first.Timeout)
	of := func(beside bool) func(*Cell) map[string]map[string]*Hist {
		return func(c *Cell) map[string]map[string]*Hist {
			if c.Bulk == nil {
				return nil
			}
			return c.Bulk.part(beside)
		}
	}
	m.Alone, m.Beside = mergeKinds(repeats, of(false)), mergeKinds(repeats, of(true))
	for _, c := range repeats {
		if c.Bulk != nil {
			m.Counts.plus(c.Bulk.Counts)
			m.Instead += c.Bulk.Instead
			m.Large = mergeNamed(m.Large, c.Bulk.Large)
		}
	}
	return m
}

func mergeWindows(repeats []*Cell) map[string]*Window {
	var m map[string]*Window
	for _, c := range repeats {
		for name, w := range c.Windows {
			if w == nil {
				continue
			}
			if m == nil {
				m = make(map[string]*Window)
			}
			sum := m[name]
			if sum == nil {
				sum = &Window{}
				m[name] = sum
			}
			sum.For += w.For
			sum.Counts.plus(w.Counts)
			sum.Accounting.plus(w.Accounting)
			sum.Latency = mergeNamed(sum.Latency, w.Latency)
		}
	}
	return m
}

// mergeCost returns what one operation cost over all repeats: the mean, weighted by
// how many operations each repeat started.
func mergeCost(repeats []*Cell) Cost {
	var m Cost
	for _, field := range []func(*Cost) **float64{
		func(c *Cost) **float64 { return &c.BrokerMsgs }, func(c *Cost) **float64 { return &c.BrokerDeliveries },
		func(c *Cost) **float64 { return &c.BrokerBytes }, func(c *Cost) **float64 { return &c.HTTPRequests },
		func(c *Cost) **float64 { return &c.HTTPBytes }, func(c *Cost) **float64 { return &c.StoreRequests },
		func(c *Cost) **float64 { return &c.StoreBytes }, func(c *Cost) **float64 { return &c.CPUus },
	} {
		var sum, weight float64
		for _, c := range repeats {
			if v := *field(&c.Cost); v != nil {
				n := float64(max(1, c.Counts.Due-c.Counts.Dropped))
				sum, weight = sum+*v*n, weight+n
			}
		}
		if weight > 0 {
			mean := sum / weight
			*field(&m) = &mean
		}
	}
	return m
}
