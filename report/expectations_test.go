package report

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

func TestCSVHasARowForEachCellThatAnExpectationWasJudgedIn(t *testing.T) {
	run := fixture.Faulty()
	first := run.Cells[0]
	run.Expectations = []results.Expectation{
		{
			Statement: "answered.p99 <= 50ms", Verdict: results.ExpectationFailed,
			Findings: []results.ExpectationFinding{
				{Cell: first.ID, Verdict: results.ExpectationFailed, Figure: "71 ms", Limit: "50 ms", N: 4321},
				{Cell: run.Cells[1].ID, Against: first.ID, Verdict: results.ExpectationCannotTell,
					Why: "=only(12) samples"},
			},
		},
		{Statement: "stale.share < 1%", Verdict: results.ExpectationCannotTell, Why: "no cell has it"},
	}
	rows, err := csv.NewReader(strings.NewReader(csvOf(t, run))).ReadAll() // which wants rows of one width
	if err != nil {
		t.Fatal(err)
	}
	column := func(row []string, name string) string { return row[slices.Index(rows[0], name)] }
	var got [][]string
	for _, row := range rows[1:] {
		if column(row, "kind") != "expectation" {
			if s := column(row, "expectation") + column(row, "verdict") + column(row, "why"); s != "" {
				t.Errorf("a row of other things has %q of an expectation", s)
			}
			continue
		}
		var fields []string
		for _, name := range []string{
			"cell", "flow", "n", "expectation", "verdict", "figure", "limit", "against", "why", "fault", "due",
		} {
			fields = append(fields, column(row, name))
		}
		got = append(got, fields)
	}
	want := [][]string{
		{first.ID, first.Flow, "4321", "answered.p99 <= 50ms", "failed", "71 ms", "50 ms", "", "", "", ""},
		{run.Cells[1].ID, run.Cells[1].Flow, "0", "answered.p99 <= 50ms", "cannot tell", "", "", first.ID,
			"'=only(12) samples", "", ""},
		{"", "", "0", "stale.share < 1%", "cannot tell", "", "", "", "no cell has it", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the rows are not as wanted (-want +got):\n%s", diff)
	}
	run.Expectations = nil
	if strings.Contains(csvOf(t, run), "expectation") {
		t.Error("a run that nothing was expected of has columns for it")
	}
}

func TestThePageShowsAtItsEdgeHowTheRunEnded(t *testing.T) {
	sound := func() *results.Run {
		run := fixture.Run(fixture.Default(), 20, 50)
		for _, c := range run.Cells {
			c.Valid, c.Verdict = true, results.PromiseKept
		}
		return run
	}
	for name, tt := range map[string]struct {
		spoil func(*results.Run)
		class string
	}{
		"a run in which all held": {func(*results.Run) {}, `<div class="verdict">`},
		"one with a broken promise": {func(run *results.Run) {
			run.Cells[1].Verdict = results.PromiseBroken
		}, `<div class="verdict failed">`},
		"one with a cell that is not valid": {func(run *results.Run) { run.Cells[1].Valid = false },
			`<div class="verdict untold">`},
		"one with an expectation that failed, and one that cannot be told": {func(run *results.Run) {
			run.Expectations = []results.Expectation{
				{Statement: "lost == 0", Verdict: results.ExpectationCannotTell},
				{Statement: "stale.share < 1%", Verdict: results.ExpectationFailed},
			}
		}, `<div class="verdict failed">`},
	} {
		run := sound()
		tt.spoil(run)
		if page := htmlOf(t, run); !strings.Contains(page, tt.class) {
			t.Errorf("%s has no %s", name, tt.class)
		}
	}
}
