package report

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/report/words"
	"flowbench/results"
)

// A reference is the flow that the others are compared with. Each cell is compared with
// the cell of that flow which is most like it: on the same broker where there is one.
type reference struct {
	flow  string
	cells map[string][]int // by flow: for each cell the index of the one that it is compared with
}

// referenceOf returns the reference of run: flow, or without any, direct if it is there
// and else the first one. A flow that run has not is an error.
func referenceOf(run *results.Run, flow string) (reference, error) {
	r := reference{flow: flow, cells: make(map[string][]int)}
	for _, c := range run.Cells {
		if r.cells[c.Flow] == nil {
			r.cells[c.Flow] = counterparts(run, c.Flow)
		}
	}
	if flow != "" && r.cells[flow] == nil {
		return r, fmt.Errorf("compare with flow %q: the run has no such flow; want %s", flow, r.names())
	}
	if flow == "" && len(run.Cells) > 0 {
		if r.flow = "direct"; r.cells[r.flow] == nil {
			r.flow = run.Cells[0].Flow
		}
	}
	return r, nil
}

// names lists the flows of the run.
func (r reference) names() string {
	var names []string
	for name := range r.cells {
		names = append(names, words.Clean(name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// counterparts returns for each cell of run the index of the cell of a flow that it has
// most in common with, the first of those that have as much.
func counterparts(run *results.Run, flow string) []int {
	best := make([]int, len(run.Cells))
	for i, c := range run.Cells {
		most := -1
		for j, other := range run.Cells {
			if other.Flow != flow {
				continue
			}
			alike := 0
			for k, same := range []bool{
				c.Payload == other.Payload && c.Load.PayloadBytes == other.Load.PayloadBytes, c.Store == other.Store,
				c.Edge == other.Edge, c.Broker == other.Broker,
			} {
				if same {
					alike += 1 << k
				}
			}
			if i == j {
				alike = 1 << 10
			}
			if alike > most {
				most, best[i] = alike, j
			}
		}
	}
	return best
}

// difference returns how many times as much as at the reference something is, and why
// it says what it says. Two numbers of one run that are nearly alike are not told
// apart, and what samples do not resolve stands in parentheses.
func difference(v, reference float64, resolved bool) string {
	if reference <= 0 || v < 0 {
		return ""
	}
	ratio := v / reference
	s := words.Digits(ratio) + " ×"
	if s == "1.00 ×" {
		s = "="
	} else if ratio < alike && ratio > 1/alike {
		s = "≈ " + s
	}
	if !resolved {
		s = "(" + s + ")"
	}
	return s
}

// against adds to each entry of a table, whose rows are the cells of the run, how it
// differs from that of the reference. Only columns that say so are compared.
func (v view) against(t *table, compared []bool) {
	t.Compared = true
	refs := v.reference.cells[v.reference.flow]
	for i := range t.Rows {
		t.Rows[i].Cell, t.Rows[i].Numbered = i, true
	}
	for i, r := range t.Rows {
		for k := range r.Cells {
			if !compared[k] || r.Cells[k].Value == "" {
				continue
			}
			r.Cells[k].Compared = true
			ref := t.Rows[refs[i]].Cells[k]
			if refs[i] == i || ref.Value == "" {
				continue
			}
			resolved := r.Cells[k].Class != "faint" && ref.Class != "faint"
			r.Cells[k].Against = difference(r.Cells[k].number, ref.number, resolved)
		}
	}
	for i := range t.Rows {
		t.Rows[i].Reference = refs[i] == i
	}
}
