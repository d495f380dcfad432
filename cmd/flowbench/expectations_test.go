package main

import (
	"strings"
	"testing"

	"flowbench/results"
)

func TestHowARunEndsFollowsFromWhatItShowed(t *testing.T) {
	said := func(verdict string) results.Expectation { return results.Expectation{Statement: "s", Verdict: verdict} }
	held, failed, unclear := said(results.ExpectationHeld), said(results.ExpectationFailed),
		said(results.ExpectationCannotTell)
	kept := results.Cell{ID: "a", Finished: true, Valid: true, Verdict: results.PromiseKept}
	broken := kept
	broken.Verdict, broken.Broken = results.PromiseBroken, []string{"at least once: 1 command is lost"}
	late, lateAndBroken := kept, broken
	late.Valid, lateAndBroken.Valid = false, false
	for _, tt := range []struct {
		about    string
		cell     results.Cell
		expected []results.Expectation
		code     exitCode
		says     string
	}{
		{"nothing was expected", kept, nil, exitOK, ""},
		{"all held", kept, []results.Expectation{held, held}, exitOK, ""},
		{"one failed", kept, []results.Expectation{held, failed}, exitExpectation, `not as expected: "s"`},
		{"one cannot be told", kept, []results.Expectation{held, unclear}, exitNoVerdict, "it cannot be told"},
		{"a failure counts more", kept, []results.Expectation{unclear, failed}, exitExpectation, "not as expected"},
		{"a promise is broken", broken, nil, exitExpectation, "a broke its promise: at least once"},
		{"one is broken, and all held", broken, []results.Expectation{held}, exitExpectation, "broke its promise"},
		{"a promise is broken in a cell that is not valid", lateAndBroken, nil, exitExpectation, "broke its promise"},
		{"a cell is not valid", late, []results.Expectation{held}, exitNoVerdict, "not every cell is valid"},
		{"one failed in a cell that is not valid", late, []results.Expectation{failed}, exitExpectation, "not as"},
	} {
		r := &results.Run{Finished: true, CellIDs: []string{"a"}, Cells: []*results.Cell{&tt.cell},
			Expectations: tt.expected}
		code, err := expectationError(r)
		says := ""
		if err != nil {
			says = err.Error()
		}
		if code != tt.code || !strings.Contains(says, tt.says) || (says == "") != (tt.code == exitOK) {
			t.Errorf("%s: it ends with %d, %q; want %d, %q", tt.about, code, says, tt.code, tt.says)
		}
	}
}
