package report

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowbench/report/crossover"
	"flowbench/report/internal/fixture"
	"flowbench/report/words"
	"flowbench/results"
)

// parcels returns a run whose payloads differ, and with so few cells that each of
// them is shown.
func parcels() *results.Run {
	return fixture.CarriedBy(fixture.Parcels{
		Flows: []string{"async-reply-to"}, Brokers: []string{"nats", "rabbitmq"}, Stores: []string{"s3", "file"},
		Bytes: []int{1 << 10, 1 << 20},
	})
}

// pigeons returns such a run with what nobody expects: a payload of no bytes, a way
// with a hostile name, cells in which nobody looked at payloads, and others without
// any number.
func pigeons() *results.Run {
	run := parcels()
	run.Cells[0].Load.PayloadBytes = 0
	run.Cells[1].Payload, run.Cells[1].Store = "=pigeon()\x1b[31m<script>", "@loft"
	run.Cells[2].Payloads = nil
	for _, c := range run.Cells[3:6] {
		fixture.Empty(c)
		c.Payloads = &results.Payloads{Mode: c.Payload, Store: c.Store}
	}
	run.LeftOut = append(run.LeftOut, "", "nothing: ", "no colon\x1b]0;title\a")
	return run
}

func TestTheVerdictSaysFromWhichSizeOnWhichWayIsFaster(t *testing.T) {
	got := strings.Join(verdict(parcels()), "\n")
	for _, want := range []string{
		"the fastest way, or alike the fastest, for payloads of up to 1 KiB in both pairs of flow and broker.",
		"At 1 MiB, the largest size, reference (over s3) is the fastest way in both pairs of flow and broker.",
		"async-reply-to on nats: reference over any store is never faster than inline within what was measured",
		"inline ends at 1 KiB: 1 MiB does not fit into a message.",
		"async-reply-to on rabbitmq: reference over s3 overtakes inline between 1 KiB and 1 MiB (at 1 MiB 7.5",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, got)
		}
	}
	got = strings.Join(verdict(fixture.Carried()), "\n")
	for _, want := range []string{
		"Of 4 pairs of flow and broker, reference overtakes inline between 16 KiB and 256 KiB in 2 and is never faster",
		"Inline ends at 256 KiB (nats): larger payloads do not fit into a message.",
		"no-reply on nats, stream, 4 MiB: 1 payload arrived with other bytes than were sent.",
		"async-reply-to on rabbitmq, stream, 4 MiB is not valid: it was cut short.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, got)
		}
	}
}

func TestABrokerOnWhichInlineIsNeverTheFastestIsNamed(t *testing.T) {
	inline, stream := crossover.Inline(), crossover.Way{Mode: "stream"}
	run := medians(map[crossover.Way]map[int]time.Duration{
		inline: {1 << 10: time.Millisecond, 4 << 10: 9 * time.Millisecond},
		stream: {1 << 10: 2 * time.Millisecond, 4 << 10: 3 * time.Millisecond},
	})
	slow := medians(map[crossover.Way]map[int]time.Duration{
		inline: {1 << 10: 5 * time.Millisecond, 4 << 10: 9 * time.Millisecond},
		stream: {1 << 10: 2 * time.Millisecond, 4 << 10: 3 * time.Millisecond},
	})
	for _, c := range slow.Cells {
		c.Broker, c.ID = "slow", strings.Replace(c.ID, "f-b", "f-slow", 1)
		run.Cells = append(run.Cells, c)
	}
	got := strings.Join(verdict(run), "\n")
	if want := "for payloads of up to 1 KiB; in f on slow it is neither, even at 1 KiB."; !strings.Contains(got, want) {
		t.Errorf("the verdict does not say %q:\n%s", want, got)
	}
}

// medians is a run of one flow on one broker with given medians; 0 for a cell that is
// not there.
func medians(of map[crossover.Way]map[int]time.Duration) *results.Run {
	run := &results.Run{Finished: true}
	for way, sizes := range of {
		for bytes, median := range sizes {
			if median == 0 {
				continue
			}
			h := results.NewHist()
			for range 9 {
				h.Record(median)
			}
			size := strings.ToLower(strings.ReplaceAll(words.Size(bytes), " ", ""))
			id := "f-b-" + way.Mode + "-" + way.Store + "-" + size
			run.Cells = append(run.Cells, &results.Cell{
				ID:   strings.ReplaceAll(strings.ReplaceAll(id, "-inline", ""), "--", "-"),
				Flow: "f", Broker: "b", Payload: way.Mode, Store: way.Store, Valid: true,
				Counts:  results.Counts{Due: 9, OK: 9},
				Load:    results.Load{CommandShare: 1, PayloadBytes: bytes},
				Latency: map[string]map[string]*results.Hist{"command": {"answered": h}},
			})
		}
	}
	return run
}

// TestNoSentenceClaimsACrossoverThatTheNumbersDoNotHave reads the sentences as a
// reader does, and looks each claim up in the medians.
func TestNoSentenceClaimsACrossoverThatTheNumbersDoNotHave(t *testing.T) {
	overtakes := regexp.MustCompile(`^(.+) overtakes (.+) between (.+) and (.+) \(`)
	always := regexp.MustCompile(`^(.+) is faster than (.+) at every size of both`)
	from := regexp.MustCompile(`^(.+) is faster than (.+) from (.+) on and not slower below`)
	never := regexp.MustCompile(`^(.+) is never faster than (.+) within`)
	ways := []crossover.Way{crossover.Inline(), {Mode: "reference", Store: "s3"}, {Mode: "reference", Store: "file"},
		crossover.Stream()}
	rapid.Check(t, func(t *rapid.T) {
		of := make(map[crossover.Way]map[int]time.Duration)
		sizes := make(map[string]int)
		for _, w := range ways {
			of[w] = make(map[int]time.Duration)
			for i := range 5 {
				bytes := 1 << (10 + 2*i)
				sizes[words.Size(bytes)] = bytes
				of[w][bytes] = time.Duration(rapid.IntRange(0, 9).Draw(t, w.Short())) * 100 * time.Microsecond
			}
		}
		least := func(name string, bytes int) time.Duration { // of all ways that a name stands for
			var d time.Duration
			for _, w := range ways {
				named := w.String() == name || name == "reference over any store" && w.ByReference()
				if m := of[w][bytes]; named && m > 0 && (d == 0 || m < d) {
					d = m
				}
			}
			return d
		}
		// holds looks whether a is faster than b at all sizes of both between two.
		holds := func(a, b string, low, high int, want bool) {
			for _, bytes := range sizes {
				x, y := least(a, bytes), least(b, bytes)
				if bytes < low || bytes > high || x == 0 || y == 0 {
					continue
				}
				if ahead := float64(y) > 1.09*float64(x); ahead != want {
					t.Fatalf("%s against %s at %s: %v and %v", a, b, words.Size(bytes), x, y)
				}
			}
		}
		chart := crossover.Of(medians(of))
		if chart == nil {
			return
		}
		if len(chart.Groups) != 1 {
			t.Fatalf("there are %d groups", len(chart.Groups))
		}
		for _, clause := range clausesOf(chart, chart.Groups[0]) {
			if m := overtakes.FindStringSubmatch(clause); m != nil {
				holds(m[1], m[2], sizes[m[4]], 1<<30, true)
				holds(m[2], m[1], sizes[m[3]], sizes[m[3]], true)
			} else if m := always.FindStringSubmatch(clause); m != nil {
				holds(m[1], m[2], 0, 1<<30, true)
			} else if m := from.FindStringSubmatch(clause); m != nil {
				holds(m[1], m[2], sizes[m[3]], 1<<30, true)
				holds(m[2], m[1], 0, sizes[m[3]]-1, false)
			} else if m := never.FindStringSubmatch(clause); m != nil {
				holds(m[1], m[2], 0, 1<<30, false)
			}
		}
	})
}

func TestAPageOfHundredsOfCellsStaysLegible(t *testing.T) {
	p := fixture.Parcels{
		Flows: []string{"async-reply-to", "proxy-sync"}, Brokers: []string{"nats", "jetstream", "rabbitmq"},
		Stores: []string{"s3", "file"},
	}
	for n := 1 << 10; n <= 64<<20; n *= 4 {
		p.Bytes = append(p.Bytes, n)
	}
	run := fixture.CarriedBy(p)
	if len(run.Cells) < 200 {
		t.Fatalf("there are only %d cells", len(run.Cells))
	}
	for i, c := range run.Cells {
		if c.Warnings = []string{"tasks waited for a CPU in 44 % of the time"}; i%20 == 0 {
			c.Valid, c.Why = false, []string{"it was cut short"}
		}
	}
	page, text := htmlOf(t, run), textOf(t, run, 100, false)
	if len(page) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if n := strings.Count(page, "<svg"); n != 3 {
		t.Errorf("the page has %d figures; want those of all cells together", n)
	}
	if n := strings.Count(text, "\n"); n > 250 {
		t.Errorf("the text has %d lines", n)
	}
	for form, s := range map[string]string{"page": page, "text": text} {
		if !strings.Contains(s, "8 more cells are not valid; they are listed below.") {
			t.Errorf("the %s does not say how many more cells are not valid", form)
		}
	}
	for i, c := range run.Cells {
		if label := words.Labels(run)[i]; !c.Valid && !strings.Contains(page, ">"+label+"</th>") {
			t.Errorf("the page does not list %s, which is not valid", label)
		}
	}
}

func TestWhatWasLeftOutIsShownWithTheReason(t *testing.T) {
	run := fixture.Carried()
	for form, s := range map[string]string{"page": htmlOf(t, run), "text": textOf(t, run, 400, false)} {
		for _, want := range []string{"do not fit into a message of nats",
			"async-reply-to-nats-4mib and no-reply-nats-4mib"} {
			if !strings.Contains(s, want) {
				t.Errorf("the %s does not say %q", form, want)
			}
		}
	}
	run.LeftOut = nil
	if strings.Contains(htmlOf(t, run), `id="left-out"`) {
		t.Error("the page has a section about nothing that was left out")
	}
}

func TestWhatHappensToPayloadsIsToldOfWaysThatHaveIt(t *testing.T) {
	run := fixture.Carried()
	s := happened(view{run: run, labels: words.Labels(run), chart: crossover.Of(run)})
	if len(s.Tables) != 2 || len(s.Tables[0].Rows) != 8 {
		t.Fatalf("got %+v; want a row for reference and stream of each group, and a table of troubles", s.Tables)
	}
	heads := s.Tables[0].Heads
	for _, r := range s.Tables[0].Rows {
		for i, e := range r.Cells {
			stored := heads[i].Text == "stored"
			byReference := strings.HasPrefix(r.Cells[0].Text, "reference")
			if stored && (e.Text == words.Absent) == byReference {
				t.Errorf("%s: %s objects were stored", r.Cells[0].Text, e.Text)
			}
		}
	}
	if got := len(s.Terms); got != len(heads)-1 {
		t.Errorf("there are %d rules for %d numbers", got, len(heads)-1)
	}
	if got := s.Tables[1].Rows[0].Label; got != "no-reply on nats, reference, 256 KiB" {
		t.Errorf("trouble is told of %q", got)
	}
	plain := fixture.Run(fixture.Default(), 1, 60)
	for _, id := range []string{"crossover", "burden", "payloads", "bytes"} {
		if strings.Contains(htmlOf(t, plain), `id="`+id+`"`) {
			t.Errorf("a run whose payloads are alike has the section %s", id)
		}
	}
}

func TestTheCSVNamesWayStoreAndSize(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(csvOf(t, fixture.Carried()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(name string) int { return slices.Index(records[0], name) }
	var got []string
	for _, r := range records {
		if r[column("cell")] == "async-reply-to-nats-reference-s3-256kib" {
			got = append(got, fmt.Sprint(r[column("stage")], r[column("payload")], r[column("store")],
				r[column("payload_bytes")]))
		}
	}
	want := []string{"appliedreferences3262144", "answeredreferences3262144", "first_bytereferences3262144",
		"last_bytereferences3262144"}
	if !slices.Equal(got, want) {
		t.Errorf("the rows of the cell are %q; want %q", got, want)
	}
}
