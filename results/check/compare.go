package check

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"

	"flowbench/results"
)

// A Finding is a cell of a run, judged again.
type Finding struct {
	Cell        string
	Judgement   *Judgement // nil where there is nothing to judge
	Problem     string     // why there is nothing to judge, or why it is not the whole story
	Differences []string   // from what the run recorded, of which one is wrong
}

// Run reads the histories of a run directory and judges every cell that began.
// A run none of whose cells has a history is an error.
func Run(dir string) ([]Finding, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	defer root.Close() // nothing was written, so closing has nothing to say
	run, err := results.ReadRoot(root)
	if err != nil {
		return nil, err
	}
	var found []Finding
	histories := 0
	recorded := make(map[string]*results.Cell)
	for _, c := range run.Cells {
		recorded[c.ID] = c
	}
	for _, id := range run.CellIDs {
		c := recorded[id]
		if c == nil {
			found = append(found, Finding{Cell: id, Problem: "the cell did not begin"})
			continue
		}
		f, there := cell(root, c)
		if there {
			histories++
		}
		found = append(found, f)
	}
	if histories == 0 {
		return nil, fmt.Errorf("%s has no history; run with history: on, or with faults", dir)
	}
	return found, nil
}

// cell judges one cell and compares. there is false where it has no history.
func cell(root *os.Root, c *results.Cell) (f Finding, there bool) {
	f.Cell = c.ID
	file, err := results.OpenHistory(root, c.ID)
	if errors.Is(err, fs.ErrNotExist) {
		f.Problem = "no history was kept"
		return f, false
	}
	if err == nil {
		f.Judgement, err = Judge(file)
		_ = file.Close() // nothing was written, so closing has nothing to say
	}
	switch {
	case err != nil:
		f.Problem = err.Error()
	case f.Judgement.Cell != c.ID:
		f.Problem = fmt.Sprintf("the history is of cell %.80q", f.Judgement.Cell)
		f.Judgement = nil
	case f.Judgement.Incomplete != "":
		f.Problem = f.Judgement.Incomplete
	case !c.Finished:
		f.Problem = "the cell did not run to its end"
	case c.Accounting.Unresolved > 0:
		f.Problem = fmt.Sprintf("the run gave up on %d commands, and cannot be compared", c.Accounting.Unresolved)
	default:
		f.Differences = differences(c, f.Judgement)
	}
	return f, true
}

// differences lists where a judgement is not what the run recorded.
func differences(c *results.Cell, j *Judgement) []string {
	var d []string
	d = append(d, compare("", c.Accounting, j.Accounting)...)
	d = append(d, compare("", c.Counts, j.Counts)...)
	d = append(d, compare("warm-up: ", c.WarmupOps, j.Warmup)...)
	for _, name := range results.WindowNames() {
		recorded, judged := c.Windows[name], j.Windows[name]
		if recorded == nil {
			recorded = &results.Window{}
		}
		if judged == nil {
			judged = &results.Window{}
		}
		d = append(d, compare("window "+name+": ", recorded.Counts, judged.Counts)...)
		d = append(d, compare("window "+name+": ", recorded.Accounting, judged.Accounting)...)
	}
	if c.Verdict != j.Verdict {
		d = append(d, fmt.Sprintf("the run recorded the verdict %.20q, its history says %q", c.Verdict, j.Verdict))
	}
	return d
}

// compare lists the fields of two structs of counts that differ.
func compare[T any](where string, recorded, judged T) []string {
	r, j := counts(recorded), counts(judged)
	var d []string
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if r[name] != j[name] {
			d = append(d, fmt.Sprintf("%sthe run recorded %d %s, its history says %d", where, r[name], name, j[name]))
		}
	}
	return d
}

// counts returns the fields of a struct of counts by the names that result files
// have for them.
func counts[T any](v T) map[string]int64 {
	named := make(map[string]int64)
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		named[s.Type().Field(i).Tag.Get("json")] = s.Field(i).Int()
	}
	return named
}

// plus adds the counts of b to a.
func plus(a *results.Accounting, b results.Accounting) {
	to, from := reflect.ValueOf(a).Elem(), reflect.ValueOf(b)
	for i := range to.NumField() {
		to.Field(i).SetInt(to.Field(i).Int() + from.Field(i).Int())
	}
}
