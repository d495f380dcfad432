package report

import (
	"html/template"
	"io"
	"slices"

	"flowbench/report/plot"
	"flowbench/results"
)

// An Insert is what stands above the report of a run that goes on: a part of the
// page that says how it goes, with its style, and the script that keeps it true.
// The script may ask the server that the page came from, and no one else.
type Insert struct {
	Style  template.CSS
	Body   template.HTML
	Script template.JS
}

// WriteUnfinished writes the page of a run that may still go on: all that there
// is so far, below top. Cells of which nothing has been measured yet are left out.
func WriteUnfinished(w io.Writer, run *results.Run, top Insert) error {
	shown := *run.Merged()
	shown.Cells = slices.DeleteFunc(slices.Clone(shown.Cells), func(c *results.Cell) bool {
		return !c.Finished && c.Counts.Due == 0
	})
	for i, c := range shown.Cells {
		if !c.Finished {
			open := *c
			open.Running, open.Why = true, []string{"it has not ended yet"}
			shown.Cells[i] = &open
		}
	}
	return writePageWith(w, &shown, plot.All(&shown), "", &top)
}
