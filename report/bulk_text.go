package report

import (
	"fmt"

	"flowbench/report/words"
	"flowbench/results"
)

// bulkColumns adds what small operations met beside large ones and without them,
// if there are any.
func bulkColumns(
	run *results.Run, add func(group, name string, value func(*results.Cell) (text, mark string)),
	quantiles func(string, func(*results.Cell) *results.Hist, ...float64),
) {
	if !anyBulk(run) {
		return
	}
	for _, beside := range []bool{false, true} {
		quantiles(bulkWord(beside), func(c *results.Cell) *results.Hist {
			return c.Bulk.SmallOf(beside, comparedKind(run), results.AnsweredStage)
		}, 0.5, 0.99)
	}
	quantiles("large", func(c *results.Cell) *results.Hist { return c.Bulk.LargeOf(results.AnsweredStage) }, 0.5)
	add("large", "ok", func(c *results.Cell) (string, string) {
		switch b := c.Bulk; {
		case b == nil:
			return words.Absent, faint
		case b.Counts.OK < b.Counts.Due:
			return fmt.Sprintf("%s of %s", words.Count(b.Counts.OK), words.Count(b.Counts.Due)), yellow
		default:
			return words.Count(b.Counts.OK), ""
		}
	})
}

// bulkNote says what the columns of [bulkColumns] are, or nothing.
func bulkNote(run *results.Run) string {
	if !anyBulk(run) {
		return ""
	}
	return "Alone and beside: small " + plural(comparedKind(run)) + " that started while no large one was under way, " +
		"and while one was. Other latencies are of all small ones; counts are of all operations."
}
