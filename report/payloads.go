package report

import (
	"slices"
	"strconv"
	"strings"

	"flowbench/report/crossover"
	"flowbench/report/words"
	"flowbench/results"
)

// crowded reports whether the payloads of a run differ in so many ways that its
// cells are not shown one by one.
func (v view) crowded() bool { return v.chart != nil && v.chart.Crowded }

// crossing shows from which size on which way for payloads is the fastest.
func crossing(v view) section {
	if v.chart == nil {
		return section{}
	}
	s := section{
		ID: "crossover", Title: "Which way for payloads, from which size on",
		Lead: "A payload travels inline, in the message itself; by reference, in a store, while the message has " +
			"its address; or in a stream of chunks that are small messages. Follow a size upwards: the lowest line " +
			"is the fastest way.",
		Figures: v.figures["crossover"],
		Tables:  []table{v.medians()},
		Notes: []string{
			"Two ways are alike (≈) unless their medians differ by a tenth and the ranges in which the medians lie, " +
				"with a confidence of 95 %, do not overlap.",
			"Values in parentheses have fewer than 5 operations; they and cells that are not valid take part in no " +
				"comparison.",
		},
	}
	if len(v.chart.Ways) > 1 {
		s.Tables = []table{v.crossings(), v.leaders(), v.medians()}
	}
	tail := v.matrix("The same at the 99th percentile", func(p crossover.Point) entry { return quantile(p.Hist, 0.99) })
	tail.Folded = true
	s.Tables = append(s.Tables, tail)
	if v.crowded() {
		s.Notes = append(s.Notes, "With "+words.Plural(int64(len(v.run.Cells)), "cell")+" this page does not show "+
			"each of them: percentiles and accounts of every cell are in the CSV and in the files of the run.")
	}
	return s
}

// severalStages stands for the stage at which times end where flows differ in it.
const severalStages = "the stage in parentheses"

// stageOf says where the times of a chart end.
func stageOf(c *crossover.Chart) string {
	var stages []string
	for _, g := range c.Groups {
		if g.Stage != "" && !slices.Contains(stages, g.Stage) {
			stages = append(stages, g.Stage)
		}
	}
	if len(stages) == 0 {
		return results.AnsweredStage.String()
	}
	if len(stages) > 1 {
		return severalStages
	}
	return stages[0]
}

// groupName names a group, with its stage where groups end at different ones.
func groupName(c *crossover.Chart, g crossover.Group) string {
	if stageOf(c) == g.Stage || g.Stage == "" {
		return g.Name
	}
	return g.Name + " (" + g.Stage + ")"
}

// sizeHeads returns a head for each size.
func sizeHeads(c *crossover.Chart) []head {
	var h []head
	for _, bytes := range c.Sizes {
		h = append(h, head{Text: words.Size(bytes)})
	}
	return h
}

// crossings is the table of which way overtakes which, in words.
func (v view) crossings() table {
	t := table{
		Caption: "Where the ways cross", Corner: "flow and broker", Heads: heads(clauseHeads()...), Wide: true,
	}
	for _, g := range v.chart.Groups {
		r := row{Label: groupName(v.chart, g)}
		for _, clause := range clausesOf(v.chart, g) {
			r.Cells = append(r.Cells, orAbsent(clause))
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// medians is the table of the median times, in which the fastest of each size are
// set apart.
func (v view) medians() table {
	lead := make(map[*results.Cell]bool)
	for _, g := range v.chart.Groups {
		for _, bytes := range v.chart.Sizes {
			for _, w := range v.chart.Leaders(g, bytes) {
				lead[g.At(w, bytes).Cell] = true
			}
		}
	}
	t := v.matrix("Median time from due to "+stageOf(v.chart)+", by size of the payload; the fastest, and what is "+
		"alike, in bold", func(p crossover.Point) entry {
		e := entry{Text: words.Duration(p.Median)}
		if lead[p.Cell] {
			e.Class = "best"
		}
		return e
	})
	for i, r := range t.Rows {
		for _, g := range v.chart.Groups {
			if !r.Follows && r.Label == g.Name {
				t.Rows[i].Label = groupName(v.chart, g)
			}
		}
	}
	return t
}

// leaders is the table of the fastest way at each size.
func (v view) leaders() table {
	t := table{Caption: "The fastest way, by size of the payload", Corner: "flow and broker", Heads: sizeHeads(v.chart)}
	for _, g := range v.chart.Groups {
		r := row{Label: groupName(v.chart, g)}
		for _, bytes := range v.chart.Sizes {
			leaders := v.chart.Leaders(g, bytes)
			e := entry{Text: words.Absent, Title: "fewer than two ways have enough operations", Class: "faint"}
			if len(leaders) > 0 {
				p := g.At(leaders[0], bytes)
				e = entry{Text: leaders[0].Short(), Title: words.Duration(p.Median)}
				if len(leaders) > 1 {
					e.Text += " ≈ " + leaders[1].Short()
					e.Title += ", and alike: " + wayNames(leaders[1:])
				}
				if len(leaders) > 2 {
					e.Text += " …"
				}
			}
			r.Cells = append(r.Cells, e)
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func wayNames(ways []crossover.Way) string {
	var names []string
	for _, w := range ways {
		names = append(names, w.String())
	}
	return words.List(names)
}

// matrix is a table with a row for each way of each group and a column for each
// size.
func (v view) matrix(caption string, value func(crossover.Point) entry) table {
	t := table{Caption: caption, Corner: "flow and broker", Heads: append(
		[]head{{Text: "way", Class: "word"}}, sizeHeads(v.chart)...)}
	for _, g := range v.chart.Groups {
		first := len(t.Rows)
		for _, w := range v.chart.Ways {
			if !g.Has(w) {
				continue
			}
			r := row{Cells: []entry{{Text: w.String(), Class: "word"}}, Follows: len(t.Rows) > first}
			for _, bytes := range v.chart.Sizes {
				r.Cells = append(r.Cells, pointEntry(g, w, bytes, value))
			}
			t.Rows = append(t.Rows, r)
		}
		if len(t.Rows) > first {
			t.Rows[first].Label, t.Rows[first].Span = g.Name, len(t.Rows)-first
		}
	}
	return t
}

// pointEntry returns what is known of a size and a way, or why nothing is.
func pointEntry(g crossover.Group, w crossover.Way, bytes int, value func(crossover.Point) entry) entry {
	p := g.At(w, bytes)
	switch {
	case p.Cell == nil && w == crossover.Inline() && g.Ends != nil && bytes >= g.Ends.Next:
		return entry{Text: "too large", Title: "it does not fit into a message", Class: "faint"}
	case p.Cell == nil:
		return entry{Text: words.Absent, Title: "not measured", Class: "faint"}
	case !p.Cell.Valid:
		return entry{Text: words.Doubt(p.Cell), Title: words.List(cleaned(p.Cell.Why)), Class: doubtClass(p.Cell)}
	case p.Cell.Counts.OK == 0 && p.Cell.Classes["too-large"] > 0:
		return entry{Text: "too large", Title: "all operations failed as too large", Class: "warn"}
	case p.Cell.Counts.OK == 0:
		return entry{Text: "none ok", Title: "no operation ended ok", Class: "bad"}
	case p.Median == 0:
		return entry{Text: words.Absent, Title: "no operation reached this stage", Class: "faint"}
	}
	e := value(p)
	switch {
	case e.Text == words.Absent:
	case p.Inlined:
		e.Title, e.Class = "so small that it travelled inline after all", "faint"
	case !p.Solid() && strings.HasPrefix(e.Text, "("): // a quantile that is no finding has its own
	case !p.Solid():
		e = entry{Text: "(" + e.Text + ")", Title: "of " + words.Plural(p.N, "operation"), Class: "faint"}
	}
	return e
}

// burden shows what each way asks of the broker, of stores and of the process.
func burden(v view) section {
	if v.chart == nil {
		return section{}
	}
	perByte := func(of func(results.Cost) *float64) func(crossover.Point) entry {
		return func(p crossover.Point) entry {
			n := of(p.Cell.Cost)
			if n == nil || p.Cell.Load.PayloadBytes == 0 {
				return optional(nil, nil)
			}
			return entry{Text: multiple(*n / float64(p.Cell.Load.PayloadBytes))}
		}
	}
	each := func(of func(results.Cost) *float64, unit string) func(crossover.Point) entry {
		return func(p crossover.Point) entry {
			return optional(of(p.Cell.Cost), func(n float64) string { return words.Digits(n) + unit })
		}
	}
	s := section{
		ID: "burden", Title: "What the broker bears",
		Lead: "A payload that does not pass the broker leaves it free for messages: what it is spared somebody else " +
			"bears, the store or the process, in the tables below it.",
		Figures: v.figures["burden"],
	}
	for i, t := range []table{
		v.matrix("Bytes through the broker for each operation, both ways, as a multiple of the payload",
			perByte(func(c results.Cost) *float64 { return c.BrokerBytes })),
		v.matrix("Messages published to the broker for each operation, answers and chunks included",
			each(func(c results.Cost) *float64 { return c.BrokerMsgs }, "")),
		v.matrix("Bytes to and from the store for each operation, as a multiple of the payload",
			perByte(func(c results.Cost) *float64 { return c.StoreBytes })),
		v.matrix("Requests to the store for each operation: objects put, got and deleted",
			each(func(c results.Cost) *float64 { return c.StoreRequests }, "")),
		v.matrix("CPU time of the flowbench process for each operation, generator included",
			each(func(c results.Cost) *float64 { return c.CPUus }, " µs")),
	} {
		if t.Folded = i > 0; t.says() {
			s.Tables = append(s.Tables, t.only())
		}
	}
	return s
}

// multiple returns how many times something is the size of a payload.
func multiple(v float64) string {
	if v > 0 && v < 0.005 {
		return "< 0.01 ×"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + " ×"
}

// says reports whether any row of a matrix has a value.
func (t table) says() bool { return slices.ContainsFunc(t.Rows, row.says) }

// says reports whether a row of a matrix has a value behind its way.
func (r row) says() bool {
	return slices.ContainsFunc(r.Cells[1:], func(e entry) bool {
		return e.Text != words.Absent && e.Class != "bad" && e.Text != "too large"
	})
}

// only returns a matrix with only those rows that have values.
func (t table) only() table {
	var rows []row
	label, first := "", -1
	for _, r := range t.Rows {
		if !r.Follows {
			label, first = r.Label, -1
		}
		if !r.says() {
			continue
		}
		if r.Follows, r.Label, r.Span = first >= 0, "", 0; first < 0 {
			first, r.Label = len(rows), label
		}
		rows = append(rows, r)
		rows[first].Span = len(rows) - first
	}
	t.Rows = rows
	return t
}

// bytesInTime shows how much got through, and when bytes arrived.
func bytesInTime(v view) section {
	if v.chart == nil {
		return section{}
	}
	stage := func(name string, q float64) table {
		return v.matrix("From due until the service had the "+map[string]string{
			"first-byte": "first", "last-byte": "last"}[name]+" byte, "+words.Percentile(q),
			func(p crossover.Point) entry { return quantile(p.Cell.Payloads.Of(name), q) })
	}
	s := section{
		ID: "bytes", Title: "Throughput, and when bytes arrive",
		Lead: "A payload is of use when its last byte is there, or from its first on where a service can begin with " +
			"part of it.",
	}
	for i, t := range []table{
		v.matrix("Payload that went with operations that ended ok, per second", func(p crossover.Point) entry {
			return entry{Text: words.Bytes(p.Cell.ThroughputPerS()) + "/s"}
		}),
		stage("first-byte", 0.5), stage("first-byte", 0.99), stage("last-byte", 0.5), stage("last-byte", 0.99),
	} {
		if t.Folded = i > 0; t.says() {
			s.Tables = append(s.Tables, t.only())
		}
	}
	return s
}

// A happening is something that happens to payloads, and the rule by which it is
// counted.
type happening struct {
	event, rule, class string

	mode string // in which alone it happens; empty for all
}

// happenings returns all that results count, in the order of the table.
func happenings() []happening {
	return []happening{
		{"stored", "an object was put into the store", "", crossover.Reference().Mode},
		{"fetched", "an object was got from it, whole", "", crossover.Reference().Mode},
		{"deleted", "an object was deleted", "", crossover.Reference().Mode},
		{"orphaned", "an object expired, or was left, that nobody had ever got", "warn", crossover.Reference().Mode},
		{"dangled", "an address came, and its object was not there", "bad", crossover.Reference().Mode},
		{"foreign", "an address came that is none of the store's", "bad", crossover.Reference().Mode},
		{"called", "a call was made over an edge with its body as a stream", "", crossover.Stream().Mode},
		{"sent", "a chunk was sent for the first time", "", crossover.Stream().Mode},
		{"resent", "a chunk was sent again", "warn", crossover.Stream().Mode},
		{"repeated", "a chunk came that had come before", "warn", crossover.Stream().Mode},
		{"abandoned", "a stream was given up", "bad", crossover.Stream().Mode},
		{"corrupt", "a payload arrived at the service and was not what was sent", "bad", ""},
	}
}

// of returns how often it happened in a cell.
func (h happening) of(c *results.Cell) results.Tally {
	switch {
	case c.Payloads == nil:
		return results.Tally{}
	case h.event == "corrupt":
		return results.Tally{N: c.Payloads.Corrupt}
	}
	return c.Payloads.Events[h.event]
}

// happened shows what became of objects and chunks, summed over sizes, and the
// cells in which something went wrong with them.
func happened(v view) section {
	s := section{
		ID: "payloads", Title: "What happened to payloads",
		Lead: "Counted over the whole of each cell, the warm-up included. In a sound cell what is stored is fetched " +
			"and deleted, what is sent arrives once, and what is marked is 0.",
	}
	var seen []happening
	for _, h := range happenings() {
		if slices.ContainsFunc(v.run.Cells, func(c *results.Cell) bool { return h.of(c).N > 0 }) {
			seen = append(seen, h)
			s.Terms = append(s.Terms, term{h.event, h.rule})
		}
	}
	if v.chart == nil || len(seen) == 0 {
		return section{}
	}
	s.Tables = append(s.Tables, v.sums(seen))
	if t := v.troubles(seen); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	return s
}

// sums is the table of what happened by group and way, over all sizes.
func (v view) sums(seen []happening) table {
	t := table{Caption: "All sizes together", Corner: "flow and broker", Heads: []head{{Text: "way", Class: "word"}}}
	for _, h := range seen {
		t.Heads = append(t.Heads, head{Text: h.event, Title: h.rule})
	}
	for _, g := range v.chart.Groups {
		first := len(t.Rows)
		for _, w := range v.chart.Ways {
			r := row{Cells: []entry{{Text: w.String(), Class: "word"}}, Follows: len(t.Rows) > first}
			var total int64
			for _, h := range seen {
				var sum results.Tally
				for _, bytes := range v.chart.Sizes {
					if p := g.At(w, bytes); p.Cell != nil {
						n := h.of(p.Cell)
						sum.N, sum.Bytes = sum.N+n.N, sum.Bytes+n.Bytes
					}
				}
				total += sum.N
				if sum.N == 0 && h.mode != "" && h.mode != w.Mode {
					r.Cells = append(r.Cells, entry{Text: words.Absent, Title: "it does not happen so", Class: "faint"})
				} else {
					r.Cells = append(r.Cells, tally(sum, h.class))
				}
			}
			if total > 0 {
				t.Rows = append(t.Rows, r)
			}
		}
		if len(t.Rows) > first {
			t.Rows[first].Label, t.Rows[first].Span = g.Name, len(t.Rows)-first
		}
	}
	return t
}

// troubles is the table of the cells in which something happened that ought not to.
func (v view) troubles(seen []happening) table {
	t := table{Caption: "Cells in which payloads met trouble", Corner: "cell"}
	for _, h := range seen {
		if h.class != "" {
			t.Heads = append(t.Heads, head{Text: h.event, Title: h.rule})
		}
	}
	for i, c := range v.run.Cells {
		var cells []entry
		var total int64
		for _, h := range seen {
			if h.class != "" {
				cells = append(cells, tally(h.of(c), h.class))
				total += h.of(c).N
			}
		}
		if total > 0 {
			t.Rows = append(t.Rows, row{Label: v.labels[i], Marks: marks(c), Cells: cells})
		}
	}
	return t
}

// tally returns the entry of how often something happened, and to how many bytes.
func tally(n results.Tally, class string) entry {
	e := count(n.N, class)
	if n.Bytes > 0 {
		e.Title = words.Bytes(float64(n.Bytes))
	}
	return e
}

// A hindered is a reason for which cells were left out, and which.
type hindered struct {
	why   string
	cells []string
}

// leftOutOf returns the cells that were left out, by reason.
func leftOutOf(run *results.Run) []hindered {
	var all []hindered
	for _, s := range run.LeftOut {
		cell, why := splitLeftOut(words.Clean(s))
		i := slices.IndexFunc(all, func(h hindered) bool { return h.why == why })
		if i < 0 {
			i, all = len(all), append(all, hindered{why: why})
		}
		all[i].cells = append(all[i].cells, cell)
	}
	return all
}

// splitLeftOut returns the id of a cell that was left out, and why it was.
func splitLeftOut(s string) (cell, why string) {
	for i := range len(s) - 1 {
		if s[i:i+2] == ": " {
			return s[:i], s[i+2:]
		}
	}
	return s, "no reason is known"
}

// leftOut shows the cells that the scenario would have had and that cannot be.
func leftOut(v view) section {
	t := table{
		Caption: "Cells that were left out, by reason", Corner: "why", Heads: heads("cells", "which"), Wide: true,
	}
	for _, h := range leftOutOf(v.run) {
		t.Rows = append(t.Rows, row{Label: h.why, Cells: []entry{
			{Text: words.Count(int64(len(h.cells)))}, {Text: words.List(h.cells)},
		}})
	}
	if len(t.Rows) == 0 {
		return section{}
	}
	return section{
		ID: "left-out", Title: "What was left out",
		Lead:   "The scenario asks for every size in every way. These cells cannot be, and nobody tried them.",
		Tables: []table{t},
	}
}
