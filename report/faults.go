package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"flowbench/report/words"
	"flowbench/results"
)

// A mishap is one fault of a plan, with what it did in each cell.
type mishap struct {
	name  string // what on what, and which of several
	meant string // its parameters
	met   []encounter
}

// An encounter is a mishap in one cell.
type encounter struct {
	cell  int
	fault results.Fault
	only  bool // nothing else was made to go wrong in this cell, nor in the others that met it
}

// mishaps returns the faults of run, in the order of the first cell that has
// them. A fault that comes several times in a cell is told apart by its turn,
// since its times differ a little from cell to cell.
func mishaps(run *results.Run) []mishap {
	index := make(map[string]int)
	var all []mishap
	for i, c := range run.Cells {
		turns := make(map[string]int)
		brought := 0
		for _, f := range c.Faults {
			if !f.Absent {
				brought++
			}
		}
		for _, f := range c.Faults {
			name, meant := words.Fault(f), params(f.Params)
			turns[name+meant]++
			if n := turns[name+meant]; n > 1 {
				name += fmt.Sprintf(" (%d)", n)
			}
			at, ok := index[name+"\n"+meant]
			if !ok {
				at = len(all)
				index[name+"\n"+meant] = at
				all = append(all, mishap{name: name, meant: meant})
			}
			all[at].met = append(all[at].met, encounter{i, f, brought == 1})
		}
	}
	for _, m := range all {
		m.agree()
	}
	return all
}

// agree makes all cells say whether the fault was the only one, or none: they are
// read beside each other.
func (m mishap) agree() {
	only := !slices.ContainsFunc(m.met, func(e encounter) bool { return !e.fault.Absent && !e.only })
	for i := range m.met {
		m.met[i].only = only && !m.met[i].fault.Absent
	}
}

// params returns the parameters of a fault: "delay 20ms, jitter 5ms".
func params(of map[string]string) string {
	var s []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		s = append(s, words.Clean(name)+" "+words.Clean(of[name]))
	}
	return strings.Join(s, ", ")
}

// title returns the name of a mishap and its parameters.
func (m mishap) title() string {
	if m.meant == "" {
		return m.name
	}
	return m.name + ", " + m.meant
}

// length returns how long the mishap lasted in the cells where it was brought
// about, and false where it was in none, or not undone.
func (m mishap) length() (time.Duration, bool) {
	for _, e := range m.met {
		if !e.fault.Absent && e.fault.Heal > e.fault.Begin {
			return e.fault.Heal - e.fault.Begin, true
		}
	}
	return 0, false
}

// faults shows what was made to go wrong, what clients saw of it, and how long it
// took until all was well again.
func faults(v view) section {
	all := mishaps(v.run)
	if len(all) == 0 {
		return section{}
	}
	s := section{
		ID: "faults", Title: "What went wrong, and how long until all was well",
		Lead: "Each fault was brought about while the load went on, and is compared with the steady time before it. " +
			"What clients saw counts from when the fault began, and how long it took to be well again from when it " +
			"was undone.",
		Figures: v.figures["faults"], Terms: append(faultTerms(), burdenTerms()...),
	}
	for _, m := range all {
		s.Tables = append(s.Tables, v.faultTable(m))
		if t := v.burdenTable(m); len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
		for _, e := range m.met {
			if n := unsteady(e.fault); n != "" {
				s.Notes = append(s.Notes, fmt.Sprintf("%s, %s: the time before is no good base, since %s.",
					v.labels[e.cell], m.name, n))
			}
		}
	}
	return s
}

// unsteady says why what a fault is compared with is no good base, or nothing.
func unsteady(f results.Fault) string {
	if f.Absent || f.Recovery == nil {
		return ""
	}
	return words.Clean(f.Recovery.Unsteady)
}

// faultTerms explains the columns of the tables of faults.
func faultTerms() []term {
	bin, tail, floor := words.Span(results.BinWidth), words.Span(results.TailWidth), words.Span(results.WellFloor)
	return []term{
		{"at, for", "seconds from when the load began, the warm-up included; from when it was brought about until " +
			"it was undone"},
		{"effect", "what the fault met, as whoever brought it about counted it; \u201cno effect\u201d means that it " +
			"met nothing, and then the row says nothing about it; \u201cabsent\u201d, that the flow has no such " +
			"part and it was not brought about"},
		{"noticed by client", fmt.Sprintf("until an operation failed, or took over %d times the p99 of before and "+
			"over %s, to %s; one that was only slow, when all was well again, does not count",
			results.DetectFactor, floor, bin)},
		{"noticed by link", "until a client was told that its connection is gone; exact"},
		{"unavailable in all", fmt.Sprintf("all time from when the fault began until the load ended in which "+
			"%s ended ok; in steps of %s, or of as many as %d operations take", tooFew(), bin, results.DownCount)},
		{"longest gap", "the longest part of that time in which no operation ended ok at all; in steps of " + bin},
		{"recovered after", fmt.Sprintf("until, in %d stretches of %s in a row, %s of the operations due ended ok and "+
			"their p99 was at most %g times that of before, %s above it, or the worst of before; the first of them "+
			"counts, to %s. \u201cNot within\u201d says how long there was something to see", results.WellInARow,
			tail, asked(), results.WellFactor, floor, tail)},
		{"backlog", "the most commands that were acknowledged and not yet applied; to " + bin},
		{"drained after, per s", fmt.Sprintf("until the backlog was no more than in the %s before the fault, or "+
			"than %s of its peak; and how many commands were applied per second until then",
			words.Span(results.BacklogBefore), percent(results.BacklogShare))},
		{"due, not ok", "operations that were due from when the fault began until all was well again, or until " +
			"the end, with those that it found under way and that did not end ok; and how many of all these did not " +
			"end ok: failed, unknown or never started"},
		{"(\u2026)", fmt.Sprintf("the time before the fault is no good base, so there is no finding: fewer than %s "+
			"operations, or a rate that changed by over %s from one half to the other",
			words.Count(results.MinBase), percent(results.DriftLimit))},
	}
}

// percent returns a share that is one of the rules: "99 %".
func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }

// asked returns the share of operations that is asked to end ok.
func asked() string { return percent(results.WellShare) }

// tooFew says how many operations are so few that a service counts as unavailable.
func tooFew() string {
	share := percent(results.DownShare) + " of"
	if share == "50 % of" {
		share = "half"
	}
	return "less than " + share + " as many operations as before"
}

// faultTable is the table of one mishap.
func (v view) faultTable(m mishap) table {
	t := table{
		Caption: "Fault: " + m.title(), Corner: "cell",
		Groups: []group{{"", 1}, {"fault", 3}, {"noticed by", 2}, {"unavailable", 2}, {"", 1},
			{"backlog", 3}, {"operations", 2}},
		Heads: []head{
			{Text: "at"}, {Text: "for"}, {Text: "effect", Class: "word"},
			{Text: "client", Title: "an operation failed or was slow"},
			{Text: "link", Title: "a connection was gone"},
			{Text: "in all", Title: tooFew() + " ended ok"},
			{Text: "longest gap", Title: "none ended ok at all"},
			{Text: "recovered after", Title: "from when the fault was undone"},
			{Text: "max", Title: "acknowledged and not yet applied"}, {Text: "drained after"}, {Text: "per s"},
			{Text: "due", Title: "from when the fault began until all was well again"},
			{Text: "not ok", Title: "of these: failed, unknown or never started"},
		},
	}
	for _, e := range m.met {
		r := row{Label: v.labels[e.cell], Marks: marks(v.run.Cells[e.cell]), Cells: faultCells(e.fault)}
		if why := unsteady(e.fault); why != "" {
			r.Marks = append(r.Marks, entry{Text: "unsteady base", Title: why, Class: "warn"})
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// mostEffect is how many characters of an effect a table shows at most; the rest
// is in its title.
const mostEffect = 40

// faultCells returns the entries of one fault in one cell.
func faultCells(f results.Fault) []entry {
	none := entry{Text: words.Absent, Class: "faint"}
	cells := []entry{{Text: words.FaultTime(f.Begin)}, {Text: words.FaultTime(f.Heal - f.Begin)}}
	if f.Heal <= f.Begin {
		cells[1] = none
	}
	effect := words.Clean(f.Effect)
	switch {
	case f.Absent:
		cells = []entry{none, none, {Text: "absent", Title: "the flow has no such part", Class: "word faint"}}
	case effect == "":
		cells = append(cells, entry{
			Text: "no effect", Title: "it met nothing, so the row says nothing about it", Class: "word bad",
		})
	default:
		cells = append(cells, entry{Text: words.Elide(effect, mostEffect), Title: effect, Class: "word"})
	}
	if f.Recovery == nil || f.Absent {
		for range 10 {
			cells = append(cells, none)
		}
		return cells
	}
	return append(cells, recoveryCells(f)...)
}

// recoveryCells returns the entries of what a fault did to the clients.
func recoveryCells(f results.Fault) []entry {
	r := f.Recovery
	base := fmt.Sprintf("before: p99 %s, %s ok per second", words.Duration(r.BaseP99), words.Digits(r.BasePerS))
	// against returns an entry that is worth no more than the base.
	against := func(text, class string) entry {
		e := entry{Text: text, Title: base, Class: class}
		if r.Unsteady != "" {
			e.Text, e.Title, e.Class = "("+text+")", words.Clean(r.Unsteady), "faint"
		}
		return e
	}
	moment := func(m results.Moment) entry {
		if !m.Seen {
			return entry{Text: words.Absent, Title: "never", Class: "faint"}
		}
		return entry{Text: words.FaultTime(m.After)}
	}
	detect := moment(results.Moment{})
	if words.Noticed(f) {
		detect = against(words.FaultTime(r.Detect.After), "")
	}
	cut := moment(r.Cut)
	if r.Cut.Seen {
		cut.Text = words.Duration(r.Cut.After)
	}
	text, class := recovered(r)
	cells := []entry{
		detect, cut, against(words.FaultTime(r.Down), ""), {Text: words.FaultTime(r.Gap)}, against(text, class),
		count(r.Backlog, ""),
	}
	drain, rate := moment(r.Drain), entry{Text: words.Absent, Class: "faint"}
	switch {
	case r.Backlog == 0:
		drain.Title = "there was none"
	case !r.Drain.Seen:
		drain = entry{Text: "never", Title: "by the end of the drain", Class: "bad"}
	default:
		rate = entry{Text: words.Digits(r.DrainPerS)}
	}
	if r.Backlog == 0 {
		drain.Text, drain.Class = words.Absent, "faint"
	}
	return append(cells, drain, rate, count(r.Offered, "soft"), count(r.Bad, "warn"))
}

// recovered says how long it took until all was well, and how bad that is.
func recovered(r *results.Recovery) (text, class string) {
	switch {
	case !r.Recover.Seen:
		return "not within " + words.FaultTime(r.Within), "bad"
	case r.Recover.After < results.TailWidth:
		return "< " + words.Span(results.TailWidth), ""
	}
	return words.FaultTime(r.Recover.After), ""
}
