package report

import "flowbench/report/plot"

// maxOpen is how many flows have their diagrams in sight; those of more are shown
// on demand, or they would be most of the page.
const maxOpen = 3

// walkthroughs shows how each flow works, for those who do not know them by name.
func walkthroughs(v view) section {
	s := section{
		ID: plot.SequenceSection, Title: "How each flow works",
		Lead: "Who tells whom what while one operation goes without trouble. The steps are those of a model, with " +
			"the payload in the message; they are no measurement. Numbers tell instances apart.",
		Figures: v.figures[plot.SequenceSection],
	}
	flows, last := 0, ""
	for i, f := range s.Figures {
		if f.Of != last {
			flows, last = flows+1, f.Of
		}
		s.Figures[i].Folded = flows > maxOpen
	}
	return s
}
