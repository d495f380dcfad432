package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flowbench/report/browsertest"
	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// hostile is a name that would run a script if a page took it for an element.
const hostile = `<img src=x onerror=alert(1)>`

// full returns a run with something of everything that a page shows of a run
// whose payloads are all alike, and with a flow of somebody hostile.
func full() *results.Run {
	run := fixture.FaultyTwice()
	run.LeftOut = []string{"nothing-nowhere: it cannot be"}
	lag := results.NewHist()
	lag.Record(time.Millisecond)
	urgent, heard := fixture.Urgent(), fixture.Listeners()
	for i, c := range run.Cells {
		c.Served = []int64{int64(300 + i), 100}
		c.Urgency = urgent.Cells[1].Urgency
		c.Stale.Accepted = results.StaleAfter{Commands: 20, Early: 20, Reads: 40, Stale: 1, Lag: lag}
		c.Stale.Answered = results.StaleAfter{Commands: 20, Reads: 40, Lag: results.NewHist()}
		for _, other := range heard.Cells {
			if other.Heard != nil {
				c.Heard = other.Heard
			}
		}
	}
	slow := results.NewHist() // which comes first among texts, and last among numbers
	for range 2000 {
		slow.Record(100 * time.Millisecond)
	}
	run.Cells[0].Latency[results.Command.String()][results.AnsweredStage.String()] = slow
	run.Cells[0].Flow = hostile
	return fixture.Told(run)
}

// A tab is a page in a browser.
type tab struct {
	*browsertest.Tab

	url string
}

// browser returns a tab for the page of an address.
func browser(t *testing.T, url string, patience time.Duration) *tab {
	t.Helper()
	return &tab{browsertest.Open(t, patience), url}
}

// ask returns what an expression is in the page.
func ask[T any](t *testing.T, p *tab, expression string) T {
	t.Helper()
	return browsertest.Ask[T](t, p.Tab, expression)
}

// TestAReportInABrowser opens the report of a run as somebody would who was sent
// the file.
func TestAReportInABrowser(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	if err := WriteAll(root, full()); err != nil {
		t.Fatal(err)
	}
	p := browser(t, "file://"+filepath.ToSlash(filepath.Join(root.Name(), "report.html")), 3*time.Minute)
	p.Do(t, chromedp.Navigate(p.url))
	t.Run("shows every section", func(t *testing.T) { showsEverySection(t, p) })
	t.Run("leaves a hostile name text", func(t *testing.T) { leavesNamesText(t, p) })
	t.Run("sorts its tables by keyboard", func(t *testing.T) { sorts(t, p) })
	t.Run("has charts that can be explored", func(t *testing.T) { explores(t, p) })
	t.Run("compares with another reference", func(t *testing.T) { compares(t, p) })
	t.Run("prints its still drawings", func(t *testing.T) { printsStill(t, p) })
	t.Run("is dark in the dark", func(t *testing.T) { isDark(t, p) })
	t.Run("is quiet and asks for nothing", func(t *testing.T) { isQuiet(t, p) })
	t.Run("lets nothing else run or load", func(t *testing.T) { isClosed(t, p) })
	t.Run("is whole without scripts", func(t *testing.T) { isWholeWithoutScripts(t, p) })
}

func showsEverySection(t *testing.T, p *tab) {
	got := ask[[]string](t, p, `[...document.querySelectorAll("main > section")].map(s => s.id)`)
	want := []string{
		"glance", "guarantees", "intervals", "percentiles", "histograms", "over-time", "faults", "windows", "heat",
		"stages", "urgency", "heard", "cost", "account", "stale", "served", "left-out", "steps", "trust", "environment",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sections are\n%q; want\n%q", got, want)
	}
	for _, id := range ask[[]string](t, p, `[...document.querySelectorAll("main > section, main figure svg")]
		.filter(s => !s.closest("details, .explored > .scroll, .key") &&
			s.getBoundingClientRect().height < 40).map(s => s.id)`) {
		t.Errorf("%s has no height", id)
	}
	if n := ask[int](t, p, `document.documentElement.scrollWidth - innerWidth`); n > 0 {
		t.Errorf("the page is %d pixels too wide", n)
	}
}

func leavesNamesText(t *testing.T, p *tab) {
	if n := ask[int](t, p, `document.images.length`); n != 0 {
		t.Errorf("the page has %d images", n)
	}
	if !strings.Contains(ask[string](t, p, `document.querySelector("#glance table").textContent`), hostile) {
		t.Error("the table at a glance does not show the name")
	}
	if !strings.Contains(ask[string](t, p, `document.querySelector("#steps").textContent`), hostile) {
		t.Error("the diagrams do not show the name")
	}
}

func sorts(t *testing.T, p *tab) {
	const (
		first  = `document.querySelector("#glance table")`
		column = `[...` + first + `.tBodies[0].rows].map(r => r.cells[9].dataset.value ?? "")`
		names  = `[...` + first + `.tBodies[0].rows].map(r => r.cells[0].textContent)`
		head   = `[...` + first + `.tHead.rows].pop().cells[9]`
	)
	original := ask[[]string](t, p, names)
	_ = ask[bool](t, p, head+`.querySelector("button").focus() ?? true`)
	for _, want := range []string{"ascending", "descending", ""} {
		p.Do(t, chromedp.KeyEvent(kb.Enter))
		if got := ask[string](t, p, head+`.getAttribute("aria-sort") ?? ""`); got != want {
			t.Errorf("aria-sort is %q; want %q", got, want)
		}
		var values []float64
		for _, s := range ask[[]string](t, p, column) {
			var v float64
			if _, err := fmt.Sscan(s, &v); err != nil {
				t.Fatalf("a latency is sorted by %q: %v", s, err)
			}
			values = append(values, v)
		}
		if want == "descending" {
			slices.Reverse(values)
		}
		if want != "" && (!slices.IsSorted(values) || values[0] == values[len(values)-1]) {
			t.Errorf("the column is not %s: %v", want, values)
		}
		if got := ask[[]string](t, p, names); want == "" && !slices.Equal(got, original) {
			t.Errorf("the third time the rows are %q; want them as they were: %q", got, original)
		}
	}
}

func isDark(t *testing.T, p *tab) {
	const colours = `["section", "svg text", "thead button"].map(s => {
		const style = getComputedStyle(document.querySelector(s));
		return s === "section" ? style.backgroundColor : s === "svg text" ? style.fill : style.color;
	})`
	light := ask[[]string](t, p, colours)
	for _, scheme := range []string{"dark", "light"} {
		_, err := chromedp.Call(p.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ask[[]string](t, p, colours)
		if scheme == "light" && !slices.Equal(got, light) {
			t.Errorf("back in the light colours are %q; want %q", got, light)
		}
		for i := range got {
			if scheme == "dark" && got[i] == light[i] {
				t.Errorf("colour %d is %s in the dark and in the light", i, got[i])
			}
		}
	}
}

func isQuiet(t *testing.T, p *tab) {
	if trouble := p.Trouble(); len(trouble) > 0 {
		t.Errorf("the browser says %q", trouble)
	}
	if requests := p.Requests(); !slices.Equal(requests, []string{p.url}) {
		t.Errorf("the page asked for %q; want itself alone", requests)
	}
}

// isClosed tries what somebody would who got an element into the page after all.
func isClosed(t *testing.T, p *tab) {
	const attempt = `(() => {
		const s = document.createElement("script");
		s.textContent = "window.ran = true";
		document.body.append(s);
		const d = document.createElement("div");
		d.setAttribute("onclick", "window.ran = true");
		document.body.append(d);
		d.click();
		return window.ran === undefined;
	})()`
	if !ask[bool](t, p, attempt) {
		t.Error("a script ran that is not the page's")
	}
	const load = `new Promise(end => {
		document.addEventListener("securitypolicyviolation", e => end("stopped by " + e.effectiveDirective));
		fetch("http://127.0.0.1:9/").then(() => end("loaded"), () => {});
	})`
	got, err := chromedp.Run(p.Context(), chromedp.Evaluate[string](load, chromedp.EvalAwaitPromise))
	if err != nil || got != "stopped by connect-src" {
		t.Errorf("a request to elsewhere is %q, %v; want the policy to stop it", got, err)
	}
}

func isWholeWithoutScripts(t *testing.T, p *tab) {
	_, err := chromedp.Call(p.Context(), emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Do(t, chromedp.Navigate(p.url))
	if n := ask[int](t, p, `document.querySelectorAll("button, select, .chart, .switch").length`); n != 0 {
		t.Errorf("the page has %d controls that do nothing", n)
	}
	if n := ask[int](t, p, `[...document.querySelectorAll("svg.figure")].filter(s => !s.closest("details") &&
		s.getBoundingClientRect().height < 40).length`); n != 0 {
		t.Errorf("%d drawings are not in sight", n)
	}
	differences := ask[[]string](t, p, `[...document.querySelectorAll("#glance small")].map(s => s.textContent)`)
	if !slices.ContainsFunc(differences, func(s string) bool { return strings.Contains(s, "×") }) {
		t.Errorf("nothing is compared with the reference: %q", differences)
	}
	if n := ask[int](t, p, `document.querySelectorAll("main > section").length`); n < 15 {
		t.Errorf("the page has %d sections", n)
	}
}
