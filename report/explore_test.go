package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flowbench/report/crossover"
	"flowbench/report/internal/fixture"
	"flowbench/report/words"
	"flowbench/results"
)

// chart is the expression of the first chart of a section.
func chart(section string) string { return `document.querySelector("#` + section + ` .chart")` }

// explores does with charts what a reader does.
func explores(t *testing.T, p *tab) {
	if n := ask[int](t, p, `[...document.querySelectorAll("figure.explored")].filter(f =>
		f.querySelector("svg.live").getBoundingClientRect().height < 40 ||
		f.querySelector("svg.figure").getBoundingClientRect().height > 0).length`); n != 0 {
		t.Errorf("%d figures do not show their chart in place of their drawing", n)
	}
	t.Run("reads the values of the table", func(t *testing.T) { readsTheTable(t, p) })
	t.Run("reads with the pointer what a hostile name says", func(t *testing.T) { readsUnderThePointer(t, p) })
	t.Run("zooms all charts over time", func(t *testing.T) { zooms(t, p) })
	t.Run("switches flows off and on", func(t *testing.T) { switches(t, p) })
	t.Run("changes its scale", func(t *testing.T) { changesScale(t, p) })
}

// readsTheTable goes by keyboard through an interval plot, which must say what the
// table says.
func readsTheTable(t *testing.T, p *tab) {
	stage := chart("intervals") + `.querySelector(".stage")`
	_ = ask[bool](t, p, stage+`.focus() ?? true`)
	p.Do(t, chromedp.KeyEvent(kb.Home))
	rows := ask[int](t, p, `document.querySelectorAll("#glance table tbody")[0].rows.length`)
	table := ask[[]string](t, p, `[...document.querySelectorAll("#glance table tbody")[0].rows].map(r =>
		r.cells[0].firstChild.textContent.trim() + ", p50 " + r.cells[9].firstChild.textContent + ", p99 " +
		r.cells[10].firstChild.textContent + ", p99.9 " + r.cells[11].firstChild.textContent + ", n " +
		r.cells[12].textContent)`)
	for i := range rows {
		got := ask[string](t, p, stage+`.getAttribute("aria-valuetext")`)
		if !slices.Contains(table, got) {
			t.Errorf("row %d reads %q, which is in no row of the table: %q", i, got, table)
		}
		p.Do(t, chromedp.KeyEvent(kb.ArrowDown))
	}
	p.Do(t, chromedp.KeyEvent(kb.Escape))
	if !ask[bool](t, p, stage+`.querySelector(".tip").hidden`) {
		t.Error("the reading stays after Escape")
	}
}

func readsUnderThePointer(t *testing.T, p *tab) {
	for _, section := range []string{"histograms", "heat", "over-time", "faults", "percentiles"} {
		got := ask[string](t, p, `(() => {
			const stage = `+chart(section)+`.querySelector(".stage"), b = stage.getBoundingClientRect();
			stage.dispatchEvent(new PointerEvent("pointermove", {clientX: b.left + 150, clientY: b.top + 90}));
			const tip = stage.querySelector(".tip");
			return tip.hidden ? "" : tip.innerText;
		})()`)
		if section != "percentiles" && !strings.Contains(got, hostile) || !strings.ContainsAny(got, "0123456789") {
			t.Errorf("%s reads %q", section, got)
		}
	}
	if n := ask[int](t, p, `document.images.length`); n != 0 {
		t.Errorf("a name became %d images", n)
	}
}

func zooms(t *testing.T, p *tab) {
	lastMark := func(section string) float64 {
		// Below a chart over time stand its seconds, of which the last is the largest number.
		marks := ask[[]string](t, p, `[...`+chart(section)+`.querySelectorAll("svg text")].map(t => t.textContent)`)
		most := 0.0
		for _, m := range marks {
			if v, err := strconv.ParseFloat(m, 64); err == nil && section == "over-time" {
				most = max(most, v)
			}
		}
		return most
	}
	picture := chart("heat") + `.querySelector("svg mask").getAttribute("width")`
	whole, before := lastMark("over-time"), ask[string](t, p, picture)
	_ = ask[bool](t, p, `(() => {
		const stage = `+chart("over-time")+`.querySelector(".stage"), b = stage.getBoundingClientRect();
		stage.setPointerCapture = () => {};
		for (const [type, x] of [["pointerdown", 80], ["pointermove", 160], ["pointerup", 160]]) {
			stage.dispatchEvent(new PointerEvent(type, {clientX: b.left + x, clientY: b.top + 60, pointerId: 1}));
		}
		return true;
	})()`)
	if zoomed := lastMark("over-time"); zoomed >= whole {
		t.Errorf("after a drag the last second in sight is %v; it was %v", zoomed, whole)
	}
	if after := ask[string](t, p, picture); after == before {
		t.Error("the heat map did not follow")
	}
	_ = ask[bool](t, p, `[...`+chart("over-time")+`.querySelectorAll("button")].find(
		b => b.textContent === "All of it").click() ?? true`)
	if again := lastMark("over-time"); again != whole {
		t.Errorf("all of it ends at %v; want %v", again, whole)
	}
}

func switches(t *testing.T, p *tab) {
	panels := chart("histograms") + `.querySelectorAll("svg > g > text[font-weight]").length`
	all := ask[int](t, p, panels)
	_ = ask[bool](t, p, `document.querySelector(".switch .list button").click() ?? true`)
	if got := ask[int](t, p, panels); got != all-1 {
		t.Errorf("%d panels are left of %d", got, all)
	}
	if got := ask[string](t, p, `document.querySelector(".switch summary").textContent`); got !=
		fmt.Sprintf("Charts show %d of %d flows", all-1, all) {
		t.Errorf("the switch says %q", got)
	}
	_ = ask[bool](t, p, `(document.querySelectorAll(".switch .list button")[1].dispatchEvent(
		new MouseEvent("click", {shiftKey: true})), true)`)
	if got := ask[int](t, p, panels); got != 1 {
		t.Errorf("%d panels are left where one is wanted alone", got)
	}
	_ = ask[bool](t, p, `document.querySelectorAll(".switch .list button")[1].click() ?? true`)
	none := chart("histograms") + `.querySelector("svg.live").textContent`
	if got := ask[string](t, p, none); got != "No flow is shown." {
		t.Errorf("without any flow a chart says %q", got)
	}
	_ = ask[bool](t, p, `document.querySelector(".switch .all").click() ?? true`)
	if got := ask[int](t, p, panels); got != all {
		t.Errorf("%d panels are back of %d", got, all)
	}
}

func changesScale(t *testing.T, p *tab) {
	marks := `[...` + chart("intervals") + `.querySelectorAll("svg text")].map(t => t.textContent).join()`
	button := `[...` + chart("intervals") + `.querySelectorAll("button")].find(
		b => b.textContent === "Linear scale")`
	before := ask[string](t, p, marks)
	for _, pressed := range []string{"true", "false"} {
		_ = ask[bool](t, p, button+`.click() ?? true`)
		if got := ask[string](t, p, button+`.getAttribute("aria-pressed")`); got != pressed {
			t.Errorf("the button is pressed: %s; want %s", got, pressed)
		}
		if got := ask[string](t, p, marks); (got == before) != (pressed == "false") {
			t.Errorf("with the linear scale %s the marks are %s; they were %s", pressed, got, before)
		}
	}
}

// opened opens the report of a run.
func opened(t *testing.T, run *results.Run) *tab {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(htmlOf(t, run)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := browser(t, "file://"+filepath.ToSlash(path), 3*time.Minute)
	p.Do(t, chromedp.Navigate(p.url))
	return p
}

// readings goes by keyboard through a chart, from its first value on, and returns what
// it reads.
func readings(t *testing.T, p *tab, chart string) (all []string) {
	t.Helper()
	stage := chart + `.querySelector(".stage")`
	_ = ask[bool](t, p, stage+`.focus() ?? true`)
	p.Do(t, chromedp.KeyEvent(kb.Home))
	for range ask[int](t, p, `+`+stage+`.getAttribute("aria-valuemax") + 1`) {
		all = append(all, ask[string](t, p, stage+`.getAttribute("aria-valuetext")`))
		p.Do(t, chromedp.KeyEvent(kb.ArrowRight))
	}
	return all
}

func TestACrossoverReadsTheNumbersOfItsTableAndHidesLines(t *testing.T) {
	run := fixture.Carried()
	p := opened(t, run)
	c, first := chart("crossover"), crossover.Of(run)
	told := readings(t, p, c)
	if len(told) != len(first.Sizes) {
		t.Fatalf("there are %d readings for %d sizes: %q", len(told), len(first.Sizes), told)
	}
	compared := 0
	for i, bytes := range first.Sizes {
		for _, w := range first.Ways {
			point := first.Groups[0].At(w, bytes)
			want := fmt.Sprintf("%s p50 %s, n %s", w.Short(), words.Duration(point.Median), words.Count(point.N))
			if point.Drawn() && !strings.Contains(told[i], want) {
				t.Errorf("at %s it reads %q; want %q in it", words.Size(bytes), told[i], want)
			}
			compared++
		}
		if want := words.Size(bytes) + ", " + first.Groups[0].Name; !strings.HasPrefix(told[i], want) {
			t.Errorf("the reading %q does not begin with %q", told[i], want)
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
	name := first.Ways[0].Short()
	hide := `[...` + c + `.querySelectorAll("button")].find(b => b.textContent === ` + strconv.Quote(name) + `)`
	for _, shown := range []string{"false", "true"} {
		_ = ask[bool](t, p, hide+`.click() ?? true`)
		if got := ask[string](t, p, hide+`.getAttribute("aria-pressed")`); got != shown {
			t.Errorf("the button of %s is pressed: %s; want %s", name, got, shown)
		}
		for _, reading := range readings(t, p, c) {
			if strings.Contains(reading, ", "+name+" p50") && shown == "false" {
				t.Errorf("%s is hidden, and yet it reads %q", name, reading)
			}
		}
	}
	if again := readings(t, p, c); !slices.Equal(again, told) {
		t.Errorf("shown again it reads %q; it was %q", again, told)
	}
	isQuiet(t, p)
}

func TestAKneeReadsWhatEachTrialSaidAndFollowsTheSwitch(t *testing.T) {
	run := fixture.Swept()
	p := opened(t, run)
	c := chart("knee")
	all := strings.Join(readings(t, p, c), "; ")
	for _, trial := range run.Cells[0].Sweep.Drawn() {
		if trial.Latency == nil || trial.Latency.N() == 0 {
			continue
		}
		want := fmt.Sprintf("p99 %s, n %s (%s)", words.QuantileOf(trial.Latency, 0.99), words.Count(trial.Latency.N()),
			trial.Verdict)
		if !strings.Contains(all, want) {
			t.Errorf("it reads %q; want %q in it", all, want)
		}
	}
	panels := c + `.querySelectorAll("svg > g > text[font-weight]").length`
	before := ask[int](t, p, panels)
	_ = ask[bool](t, p, `document.querySelector(".switch .list button").click() ?? true`)
	if got := ask[int](t, p, panels); got != before-1 {
		t.Errorf("with one flow switched off %d panels are left of %d", got, before)
	}
	isQuiet(t, p)
}

// compares chooses each reference; the differences that the page came with must be
// those that it computes for the same.
func compares(t *testing.T, p *tab) {
	const told = `[...document.querySelectorAll("#glance small")].map(s => s.textContent)`
	choose := func(flow string) []string {
		return ask[[]string](t, p, `(() => {
			const s = document.querySelector(".compare select");
			s.value = `+strconv.Quote(flow)+`;
			s.dispatchEvent(new Event("change"));
			return `+told+`;
		})()`)
	}
	still := ask[[]string](t, p, told)
	first := ask[string](t, p, `document.querySelector(".compare select").value`)
	for _, flow := range ask[[]string](t, p, `[...document.querySelector(".compare select").options].map(
		o => o.value)`) {
		if got := choose(flow); flow != first && slices.Equal(got, still) {
			t.Errorf("against %s the differences are those against %s", flow, first)
		}
	}
	if got := choose(first); !slices.Equal(got, still) {
		t.Errorf("against %s the page computes\n%q; it came with\n%q", first, got, still)
	}
}

func printsStill(t *testing.T, p *tab) {
	look(t, p, "light", "print")
	defer look(t, p, "light", "")
	if n := ask[int](t, p, `[...document.querySelectorAll("figure")].filter(f => !f.closest("details") &&
		f.querySelector("svg.figure").getBoundingClientRect().height < 40).length`); n != 0 {
		t.Errorf("%d drawings are not printed", n)
	}
	if n := ask[int](t, p, `[...document.querySelectorAll(".chart, .switch, .compare, nav")].filter(c =>
		c.getBoundingClientRect().height > 0).length`); n != 0 {
		t.Errorf("%d things are printed that one can only use on a screen", n)
	}
	// Browsers leave out buttons where they print the head of a table again on a new page.
	if n := ask[int](t, p, `[...document.querySelectorAll("thead button")].filter(b =>
		getComputedStyle(b).display !== "contents").length`); n != 0 {
		t.Errorf("%d heads of columns are buttons in print", n)
	}
}

func TestTheReferenceIsTheFlowThatWasAskedForOrDirect(t *testing.T) {
	for _, c := range []struct {
		name, flow, want string
		shapes           []fixture.Shape
	}{
		{"direct by default", "", "direct", fixture.Default()},
		{"the first without direct", "", "async-reply-to", fixture.Many()},
		{"what was asked for", "proxy-sync", "proxy-sync", fixture.Default()},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := fixture.Run(c.shapes, 1, 40)
			r, err := referenceOf(run, c.flow)
			if err != nil || r.flow != c.want {
				t.Fatalf("the reference is %q, %v; want %q", r.flow, err, c.want)
			}
			for i, cell := range run.Cells {
				other := run.Cells[r.cells[r.flow][i]]
				if other.Flow != c.want || other.Broker != "" && cell.Broker != "" && other.Broker != cell.Broker {
					t.Errorf("%s is compared with %s", words.Labels(run)[i], other.ID)
				}
			}
		})
	}
	var b bytes.Buffer
	err := WriteHTMLAgainst(&b, fixture.Run(fixture.Default(), 1, 40), "nothing")
	if err == nil || !strings.Contains(err.Error(), "direct, proxy-async") || b.Len() > 0 {
		t.Errorf("an unknown reference ends with %v and %d bytes", err, b.Len())
	}
	if err := WriteHTML(&b, &results.Run{ID: "empty"}); err != nil {
		t.Errorf("a run without cells: %v", err)
	}
}

func TestDifferencesSayWhatTheyAreWorth(t *testing.T) {
	for _, c := range []struct {
		v, of    float64
		resolved bool
		want     string
	}{
		{300, 100, true, "3.00 ×"},
		{110, 100, true, "≈ 1.10 ×"},
		{50, 100, false, "(0.5 ×)"},
		{100.1, 100, true, "="},
		{1, 0, true, ""},
	} {
		if got := difference(c.v, c.of, c.resolved); got != c.want {
			t.Errorf("%v against %v is %q; want %q", c.v, c.of, got, c.want)
		}
	}
}
