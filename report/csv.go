package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// WriteCSV writes one row for each cell, kind and stage that operations reached,
// and for a cell without any one row that says so by empty fields. Latencies are
// in microseconds. A cell that tells others of commands has rows for them as well:
// the stages heard_first, heard_median and heard_last, from due, and the same from
// applied; one that looks at when payloads arrive has the stages first_byte and
// last_byte, from due. Where operations are urgent, further rows have the urgent and the others
// apart; urgency is empty in those of all. Where a few commands have a large payload,
// all these are about the small ones; further rows have those that were alone, those
// beside a large one and the large ones, as the column beside says. A cell that
// looked for its knee has a row for each trial as well, with the stage done; the counts
// in it are those of the trial. Where cells repeat, the column repeat is empty in the
// rows of all repeats together and says which one it is in further rows of each. At the
// end there is a row of the kind expectation for every cell that an expectation was
// judged in, and one without a cell for a statement that concerned none. Every
// other row carries the counts and the account of its cell, so that a filter on rows
// loses none of them. Text that a spreadsheet would take for a formula is prefixed with
// an apostrophe.
func WriteCSV(w io.Writer, run *results.Run) error {
	run = run.Merged()
	out := csv.NewWriter(w)
	rows := [][]string{{
		"run", "cell", "flow", "broker", "kind", "stage",
		"n", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us", "p99_resolved", "p99_9_resolved",
		"offered_per_s", "achieved_per_s", "due", "ok", "failed", "unknown", "dropped",
		"acknowledged", "lost", "duplicated", "valid", "finished", "urgency", "payload", "store", "payload_bytes",
		"beside",
	}}
	faulty := slices.ContainsFunc(run.Cells, func(c *results.Cell) bool { return len(c.Faults) > 0 })
	if faulty {
		rows[0] = append(rows[0], faultHeads()...)
	}
	swept := anySweep(run)
	if swept {
		rows[0] = append(rows[0], trialHeads()...)
	}
	width := len(rows[0])
	if repeated(run) {
		rows[0] = append(rows[0], "repeat")
	}
	add := func(id, repeat string, c *results.Cell) {
		for _, row := range cellRows(run, c) {
			row = widened(row, width)
			if row[1] = inert(id); repeated(run) {
				row = append(row, repeat)
			}
			rows = append(rows, row)
		}
	}
	for _, c := range run.Cells {
		add(c.ID, "", c)
		for _, o := range c.Observations {
			add(c.ID, strconv.Itoa(o.Repeat), o)
		}
	}
	if judged := expectationRows(run, len(rows[0])); len(judged) > 0 {
		rows[0] = append(rows[0], expectationHeads()...)
		for i := range rows {
			rows[i] = widened(rows[i], len(rows[0]))
		}
		rows = append(rows, judged...)
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}

// widened returns a row with empty fields behind, up to a width.
func widened(row []string, width int) []string {
	return append(row, make([]string, max(0, width-len(row)))...)
}

// cellRows returns the rows of one cell.
func cellRows(run *results.Run, c *results.Cell) [][]string {
	head := []string{inert(run.ID), inert(c.ID), inert(c.Flow), inert(c.Broker)}
	n, a := c.Counts, c.Accounting
	tail := []string{perSecond(c.OfferedPerS()), perSecond(c.AchievedPerS())}
	for _, v := range []int64{n.Due, n.OK, n.Failed, n.Unknown, n.Dropped, a.Acknowledged, a.Lost, a.Duplicated} {
		tail = append(tail, strconv.FormatInt(v, 10))
	}
	tail = append(tail, strconv.FormatBool(c.Valid), strconv.FormatBool(c.Finished))
	var rows [][]string
	size, beside := c.Load.PayloadBytes, ""
	add := func(urgency string, fields ...string) {
		rows = append(rows, slices.Concat(head, fields, tail, []string{
			urgency, inert(c.Payload), inert(c.Store), strconv.Itoa(size), beside,
		}))
	}
	latency := func(urgency string, of func(results.Kind, results.Stage) *results.Hist) {
		for _, k := range results.Kinds() {
			for _, s := range results.Stages() {
				if h := of(k, s); h != nil {
					add(urgency, append([]string{k.String(), s.String()}, figuresOf(h)...)...)
				}
			}
		}
	}
	latency("", c.LatencyOf)
	for _, urgent := range []bool{true, false} {
		latency(urgencyWord(urgent), func(k results.Kind, s results.Stage) *results.Hist {
			return c.Urgency.LatencyOf(urgent, k, s)
		})
	}
	if c.Bulk != nil {
		for _, b := range []bool{false, true} {
			beside = bulkWord(b)
			latency("", func(k results.Kind, s results.Stage) *results.Hist { return c.Bulk.SmallOf(b, k, s) })
		}
		size, beside = c.Bulk.Bytes, "large"
		latency("", func(k results.Kind, s results.Stage) *results.Hist {
			if k != results.Command {
				return nil
			}
			return c.Bulk.LargeOf(s)
		})
		size, beside = c.Load.PayloadBytes, ""
	}
	for _, fields := range heardRows(c) {
		add("", fields...)
	}
	for _, stage := range results.PayloadStages() {
		if h := c.Payloads.Of(stage); h != nil {
			add("", append([]string{results.Command.String(), strings.ReplaceAll(stage, "-", "_")}, figuresOf(h)...)...)
		}
	}
	for _, fields := range faultRows(c) {
		add("", "fault", "", "", "", "", "", "", "", "", "")
		rows[len(rows)-1] = append(rows[len(rows)-1], fields...)
	}
	rows = append(rows, trialRows(c, head)...)
	if len(rows) == 0 {
		add("", "", "", "0", "", "", "", "", "", "", "")
	}
	return rows
}

// figuresOf returns the fields of a histogram.
func figuresOf(h *results.Hist) []string {
	fields := []string{strconv.FormatInt(h.N(), 10)}
	for _, p := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		fields = append(fields, strconv.FormatFloat(float64(h.Quantile(p).Nanoseconds())/1e3, 'f', 1, 64))
	}
	return append(fields, strconv.FormatBool(h.Resolved(0.99)), strconv.FormatBool(h.Resolved(0.999)))
}

func perSecond(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// inert returns s, cleaned, so that a spreadsheet shows it and does not run it.
func inert(s string) string {
	s = words.Clean(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
