package report

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"flowbench/report/internal/fixture"
	"flowbench/report/words"
	"flowbench/results"
)

func TestOnlyRunsWithFaultsSpeakOfThem(t *testing.T) {
	faulty, sound := fixture.Faulty(), fixture.Run(fixture.Default(), 1, 100)
	for form, texts := range map[string][2]string{
		"page": {htmlOf(t, faulty), htmlOf(t, sound)},
		"text": {textOf(t, faulty, 120, false), textOf(t, sound, 120, false)},
		"csv":  {csvOf(t, faulty), csvOf(t, sound)},
	} {
		mark := map[string]string{"page": `id="faults"`, "text": "outage on broker, 4 s", "csv": "fault_effect"}[form]
		if !strings.Contains(texts[0], mark) {
			t.Errorf("the %s of a run with faults has no %q", form, mark)
		}
		if strings.Contains(texts[1], mark) {
			t.Errorf("the %s of a run without faults has %q", form, mark)
		}
	}
}

// TestEachFaultHasARowForEachCell holds the entries of the table to the run.
func TestEachFaultHasARowForEachCell(t *testing.T) {
	run := fixture.FaultyTwice()
	s := faults(view{run: run, labels: words.Labels(run)})
	if len(s.Tables) != 4 || len(s.Tables[0].Rows) != 5 || len(s.Tables[1].Rows) != 3 || len(s.Tables[2].Rows) != 5 {
		t.Fatalf("got %+v; want two tables for each fault, the first with a row for each of five cells", s.Tables)
	}
	if got := s.Tables[2].Caption; got != "Fault: latency on edge, delay 20ms, jitter 5ms" {
		t.Errorf("the second table is about %q", got)
	}
	for _, table := range s.Tables {
		span := 0
		for _, g := range table.Groups {
			span += g.Span
		}
		for i, r := range table.Rows {
			if len(r.Cells) != len(table.Heads) || span != len(table.Heads)+1 {
				t.Errorf("row %d has %d entries below %d heads in groups of %d", i, len(r.Cells),
					len(table.Heads), span)
			}
		}
	}
	for _, c := range []struct {
		row, column int
		text, class string
	}{
		{0, 0, "8 s", ""}, {0, 1, "4 s", ""}, {0, 2, "8 connections cut, 211 refused", "word"}, {0, 3, "50 ms", ""},
		{0, 4, "3.00 ms", ""}, {0, 5, "4.50 s", ""}, {0, 6, "4.45 s", ""}, {0, 7, "500 ms", ""},
		{0, 12, "1,800", "warn"},
		{1, 7, "not within 12 s", "bad"}, {1, 9, "never", "bad"}, {1, 11, "6,400", "soft"},
		{2, 7, "(1.25 s)", "faint"}, {2, 8, "800", ""}, {2, 9, "1.05 s", ""}, {2, 10, "962", ""},
		{3, 0, words.Absent, "faint"}, {3, 2, "absent", "word faint"}, {3, 7, words.Absent, "faint"},
		{4, 2, "no effect", "word bad"}, {4, 3, words.Absent, "faint"}, {4, 7, "< 250 ms", ""},
	} {
		if e := s.Tables[0].Rows[c.row].Cells[c.column]; e.Text != c.text || e.Class != c.class {
			t.Errorf("row %d, column %q: %q of class %q, want %q of %q", c.row, s.Tables[0].Heads[c.column].Text,
				e.Text, e.Class, c.text, c.class)
		}
	}
	for _, c := range []struct {
		row, column int
		text, class string
	}{
		{0, 0, "100", ""}, {0, 1, "2,045 %", "warn"}, {0, 2, "× 0.111", ""}, {0, 3, "2.00", ""}, {0, 4, "0.222", ""},
		{0, 5, words.Absent, "faint"}, {0, 7, words.Absent, "faint"},
		{1, 0, "55.0", ""}, {1, 2, "× 2.00", ""}, {1, 7, "1.00", ""}, {1, 8, "4.00", ""},
		{2, 0, "0", ""}, {2, 1, "0 %", ""}, {2, 2, "(× 1.15)", "faint"}, {2, 5, "0", ""}, {2, 6, "0.305", ""},
	} {
		if e := s.Tables[1].Rows[c.row].Cells[c.column]; e.Text != c.text || e.Class != c.class {
			t.Errorf("budget and traffic, row %d, column %q: %q of class %q, want %q of %q", c.row,
				s.Tables[1].Heads[c.column].Text, e.Text, e.Class, c.text, c.class)
		}
	}
	if e := s.Tables[3].Rows[0].Cells[2]; e.Text != words.Absent || e.Title != "nobody counted what was sent" {
		t.Errorf("where nobody counted what was sent, the table says %+v", e)
	}
	if !slices.ContainsFunc(s.Tables[0].Rows[2].Marks, func(e entry) bool { return e.Text == "unsteady base" }) {
		t.Error("the row with an unsteady base is not marked")
	}
}

func TestTheSameFaultTwiceInACellIsTwoFaults(t *testing.T) {
	run := fixture.Faulty()
	for _, c := range run.Cells {
		again := c.Faults[0]
		again.Begin, again.Heal = again.Begin+8*time.Second, again.Heal+8*time.Second
		c.Faults = append(c.Faults, again)
	}
	var got []string
	for _, m := range mishaps(run) {
		got = append(got, fmt.Sprint(m.name, " in ", len(m.met)))
		if m.met[0].only {
			t.Errorf("%s claims to be the only one", m.name)
		}
	}
	if want := []string{"outage on broker in 5", "outage on broker (2) in 5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheVerdictOnAFaultNamesTheWorstFirst(t *testing.T) {
	run := fixture.Faulty()
	got := underFaults(run, words.Labels(run))
	want := []string{
		"During outage on broker (4 s): proxy-sync on nats lost 14 of 4,400 acknowledged commands, was down for 16 " +
			"s, left 3,520 of 6,400 operations not ok and did not recover within 12 s of its end; async-reply-to on " +
			"nats lost none of 4,400, was down for 4.50 s, left 1,800 of 1,800 not ok and recovered 500 ms after " +
			"its end; async-reply-to on jetstream lost none of 4,400, was down for 4.10 s and recovered 1.25 s after " +
			"its end (with an unsteady time before it).",
		"Of outage on broker: it met nothing in proxy-async on jetstream, so the numbers say nothing about it there; " +
			"direct has no such part.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if all := verdict(run); all[0] != got[0] {
		t.Errorf("the verdict begins with %q", all[0])
	}
}

// TestTheVerdictOnManyCellsStaysShort gives ten cells the same fault, of which two
// do not notice it, and one is not valid.
func TestTheVerdictOnManyCellsStaysShort(t *testing.T) {
	run := fixture.Run(fixture.Many()[:10], 1, 100)
	run.Cells[9].Valid = false
	for i, c := range run.Cells {
		r := &results.Recovery{Recover: results.Moment{Seen: true}, Offered: 1000}
		if i > 1 {
			r.Bad, r.Detect.Seen, r.Recover.After = int64(i), true, time.Second
		}
		c.Faults = []results.Fault{{What: "reset", On: "edge", Heal: time.Second, Effect: "1 connection", Recovery: r}}
	}
	got := underFaults(run, words.Labels(run))
	want := "During reset on edge (1 s): no-reply on jetstream (not valid) lost none of 50 acknowledged commands, " +
		"left 9 of 1,000 operations not ok and recovered 1 s after its end; proxy-async on jetstream lost none of " +
		"50, left 8 of 1,000 not ok and recovered 1 s after its end; 5 others fared between these and the next; " +
		"proxy-sync on nats lost none of 50, left 2 of 1,000 not ok and recovered 1 s after its end; " +
		"async-reply-to on nats and async-poll on nats did not notice."
	if len(got) != 1 || got[0] != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// TestLossesAreNotLaidToOneOfSeveralFaults looks for the words about lost commands
// in the sentences on faults.
func TestLossesAreNotLaidToOneOfSeveralFaults(t *testing.T) {
	run := fixture.FaultyTwice()
	got := underFaults(run, words.Labels(run))
	for _, s := range got {
		if strings.Contains(s, "lost") {
			t.Errorf("a verdict on one of two faults says %q", s)
		}
	}
	want := "During latency on edge (2 s): async-reply-to on nats, proxy-sync on nats and 3 others recovered as " +
		"soon as it ended."
	if got[len(got)-1] != want {
		t.Errorf("got %q, want %q", got[len(got)-1], want)
	}
	if all := strings.Join(verdict(run), "\n"); !strings.Contains(all, "14 were lost") {
		t.Errorf("the verdict does not say that commands were lost:\n%s", all)
	}
}

func TestHostileFaultsStayText(t *testing.T) {
	run := fixture.Faulty()
	for _, c := range run.Cells {
		f := &c.Faults[0]
		f.What, f.On = "=cmd()<script>alert(1)</script>", "\x1b[31m-red\u202e"
		f.Params = map[string]string{"@<b>key": "+1\x1b[2J"}
		if f.Effect != "" {
			f.Effect = "-1</td><img src=x>"
		}
		if f.Recovery != nil {
			f.Recovery.Unsteady = "<i>no\x1b]0;title\a</i>"
		}
	}
	forms := map[string]string{"page": htmlOf(t, run), "text": textOf(t, run, 100, false), "csv": csvOf(t, run)}
	for form, s := range forms {
		for _, r := range s {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("the %s has the character %U", form, r)
			}
		}
	}
	if n := strings.Count(forms["page"], "<script>"); n != 1 {
		t.Errorf("the page has %d scripts; want its own alone", n)
	}
	for _, bad := range []string{"<img", "<i>no", "<b>key"} {
		if strings.Contains(forms["page"], bad) {
			t.Errorf("a name became an element of the page: %s", bad)
		}
	}
	records, err := csv.NewReader(strings.NewReader(forms["csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		for _, field := range record {
			if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
				t.Errorf("a spreadsheet would run %q", field)
			}
		}
	}
}

// TestTheCSVHasARowForEachFault reads the rows back.
func TestTheCSVHasARowForEachFault(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(csvOf(t, fixture.FaultyTwice()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := make(map[string]int)
	for i, name := range records[0] {
		if _, ok := column[name]; ok {
			t.Errorf("there are two columns %s", name)
		}
		column[name] = i
	}
	var got []string
	for _, r := range records[1:] {
		if r[column["kind"]] != "fault" {
			if r[column["fault"]] != "" {
				t.Errorf("a row of %s has a fault", r[column["kind"]])
			}
			continue
		}
		if r[column["fault"]] == "outage" {
			var fields []string
			for _, name := range []string{
				"fault_effect", "fault_begin_ms", "recover_ms", "within_ms", "fault_due", "fault_not_ok", "lost",
			} {
				fields = append(fields, r[column[name]])
			}
			got = append(got, strings.Join(fields, ";"))
		}
	}
	want := []string{
		"8 connections cut, 211 refused;8000.0;500.0;;1800;1800;0",
		"8 connections cut, 211 refused;8000.0;;12000.0;6400;3520;14",
		"8 connections cut, 211 refused;8000.0;1250.0;;2100;0;0",
		"absent;;;;;;0", "none;8000.0;0.0;;1600;0;0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFaultsOfWhichLittleIsKnownAreShown covers what a run that was cut short has.
func TestFaultsOfWhichLittleIsKnownAreShown(t *testing.T) {
	run := fixture.Run(fixture.Default()[:1], 1, 100)
	run.Cells[0].Faults = []results.Fault{{What: "", Effect: "1 connection"}}
	run.Cells[0].Timeline = &results.Timeline{}
	page, text := htmlOf(t, run), textOf(t, run, 80, false)
	for _, s := range []string{page, text} {
		if !strings.Contains(s, "too little was before it to compare with") {
			t.Errorf("the report does not say that too little is known:\n%s", s)
		}
	}
}

// TestCellsWithFaultsAreShownByWindow adds up the rows of each cell.
func TestCellsWithFaultsAreShownByWindow(t *testing.T) {
	run := fixture.FaultyTwice()
	run.Cells[4].Windows = nil
	run.Cells[3].Windows[results.SteadyWindow].Latency = map[string]*results.Hist{}
	accepted := run.Cells[2].Windows
	for _, w := range accepted {
		w.Latency["accepted"], w.Latency["answered"] = w.Latency["answered"], nil
	}
	run.Cells[0].Windows[results.FaultWindow].Latency["accepted"] = results.NewHist()
	run.Cells[0].Windows[results.FaultWindow].Latency["accepted"].Record(time.Millisecond)
	s := windows(view{run: run, labels: words.Labels(run)})
	if len(s.Tables) != 1 {
		t.Fatalf("there are %d tables; want one", len(s.Tables))
	}
	var got []string
	for _, r := range s.Tables[0].Rows {
		if !r.Follows {
			got = append(got, fmt.Sprint(r.Label, ", ", r.Span))
		}
		var fields []string
		for _, e := range r.Cells[:9] {
			fields = append(fields, e.Text)
		}
		got = append(got, strings.Join(fields, ";"))
	}
	want := []string{
		"async-reply-to on nats, 4",
		"warm-up;2 s;800;800;0;0;0;answered;800", "steady;15.4 s;6,160;6,160;0;0;0;answered;6,160",
		"fault;6.10 s;2,440;820;1,620;0;0;answered;820", "recovery;500 ms;200;20;180;0;0;answered;20",
	}
	if len(got) < 5 || !slices.Equal(got[:5], want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if all := strings.Join(got, "\n"); strings.Contains(all, "proxy-async") ||
		!strings.Contains(all, "async-reply-to on jetstream, 4\nwarm-up;2 s;800;800;0;0;0;accepted;800") {
		t.Errorf("got\n%s\nwant accepted where nobody is answered, and no cell without windows", all)
	}
	if s := windows(view{run: fixture.Run(fixture.Default(), 1, 100)}); len(s.Tables) > 0 {
		t.Error("a run without faults is shown by window")
	}
}
