package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/report/internal/fixture"
	"flowbench/report/words"
	"flowbench/results"
)

// TestSmallBesideLargeStandSideBySide looks for the section, its ratios and the
// rows for spreadsheets, and for nothing of it in a run whose payloads are alike.
func TestSmallBesideLargeStandSideBySide(t *testing.T) {
	plain := fixture.Run(fixture.Default()[:2], 3, 100)
	if strings.Contains(htmlOf(t, plain), `id="bulk"`) || strings.Contains(textOf(t, plain, 200, false), "beside") {
		t.Error("a run without large payloads has a section about them")
	}
	run := fixture.Bulk()
	s := bulk(view{run: run, labels: words.Labels(run)})
	if len(s.Tables) != 1 || len(s.Tables[0].Rows) != 8 {
		t.Fatalf("got %+v; want a table with a row for each kind of the four cells", s)
	}
	for i, want := range []string{"12.0", "", "1.05", "", "2.00", "", "("} {
		if got := s.Tables[0].Rows[i].Cells[8].Text; want != "" && got != want &&
			(want != "(" || !strings.HasPrefix(got, want)) {
			t.Errorf("row %d: p99 beside a large one is %q times that alone; want %q", i, got, want)
		}
	}
	for _, want := range []string{"alone answered", "beside answered", "large answered", "8 of 9",
		"Alone and beside: small"} {
		if text := textOf(t, run, 200, false); !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	for _, want := range []string{",256,alone\n", ",256,beside\n", ",67108864,large\n"} {
		if !strings.Contains(csvOf(t, run), want) {
			t.Errorf("the csv has no row that ends in %q", want)
		}
	}
	if page := htmlOf(t, run); strings.Contains(page, `id="crossover"`) {
		t.Error("the page says which way is the fastest for payloads that nobody compared")
	}
}

// TestTheVerdictSaysWhichWayLeavesSmallOperationsAlone takes what is needed for
// it away, one thing after the other.
func TestTheVerdictSaysWhichWayLeavesSmallOperationsAlone(t *testing.T) {
	told := func(run *results.Run) string { return strings.Join(besides(run), "\n") }
	inline := func(run *results.Run) *results.Cell { return run.Cells[0] }
	all := told(fixture.Bulk())
	for _, want := range []string{
		"async-reply-to on rabbitmq: while a payload of 64 MiB was under way, the p99 of small commands was about as " +
			"long by reference over s3 (", "), 2.00 times as long in a stream (", ") and 12.0 times as long inline (",
		"; 8 large ones took 900 ms to 907 ms)",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "nats") {
		t.Errorf("the verdict speaks of a cell with too few small ones beside a large one:\n%s", all)
	}
	for name, spoil := range map[string]func(*results.Cell){
		"a cell that is not valid": func(c *results.Cell) { c.Valid = false },
		"four large ones": func(c *results.Cell) {
			h := results.NewHist()
			for range 4 {
				h.Record(time.Second)
			}
			c.Bulk.Large["answered"] = h
		},
		"no large one":               func(c *results.Cell) { c.Bulk.Large = nil },
		"no small one beside it":     func(c *results.Cell) { c.Bulk.Beside = nil },
		"no small one alone":         func(c *results.Cell) { c.Bulk.Alone = nil },
		"small ones all of one kind": func(c *results.Cell) { delete(c.Bulk.Beside, "command") },
	} {
		run := fixture.Bulk()
		spoil(inline(run))
		if s := told(run); strings.Contains(s, "inline") || !strings.Contains(s, "stream") {
			t.Errorf("with %s the verdict says:\n%s", name, s)
		}
		for _, c := range run.Cells {
			spoil(c)
		}
		if s := besides(run); len(s) != 1 || !strings.HasPrefix(s[0], "No valid cell has enough") {
			t.Errorf("with %s in all cells the verdict says %q", name, s)
		}
	}
	if s := besides(fixture.Run(fixture.Default(), 1, 10)); s != nil {
		t.Errorf("the verdict on a run without large payloads says %q", s)
	}
	if s := verdict(fixture.Bulk()); !slices.Contains(s, all) {
		t.Errorf("the verdict is %q; want %q in it", s, all)
	}
}
