package live

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Verb { // this binary draws its own pages
		os.Exit(Main(os.Args[2:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

const (
	hostile = `<img src=x onerror=alert(1)>`
	limit   = 20 * time.Second // that a test waits for what must happen
)

// written writes a run to a directory as one that is over, or as one of which so
// many cells have ended and one is under way.
func written(t testing.TB, dir string, run *results.Run, over bool) *results.Writer {
	t.Helper()
	run.Schema, run.Finished, run.Reason = results.RunSchema, over, results.NotEnded
	run.CellIDs = nil
	for _, c := range run.Cells {
		run.CellIDs = append(run.CellIDs, c.ID)
	}
	w, err := results.Create(dir, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for _, c := range run.Cells {
		if err := w.WriteCell(c); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// small returns a run of one cell.
func small() *results.Run { return fixture.Run(fixture.Default()[:1], 6, 400) }

// serving serves a site until the test ends and returns its address.
func serving(t testing.TB, s *Site) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Serve(l, s.Handler(), false)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

func opened(t testing.TB, dir string) *Site {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fetch returns the answer to a request and its body.
func fetch(t testing.TB, method, url string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestARunThatIsOverIsItsReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	written(t, dir, small(), true)
	url := serving(t, opened(t, dir))
	answer, body := fetch(t, "GET", url)
	if answer.StatusCode != 200 || strings.Contains(body, `id="live"`) || !strings.Contains(body, `id="glance"`) {
		t.Errorf("status is %d; want the report without the panel:\n%.300s", answer.StatusCode, body)
	}
}

func TestARunUnderWayIsItsReportBelowThePanel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run := fixture.Run(fixture.Default()[:3], 6, 400)
	run.Cells[2].Finished, run.Cells[2].Valid = false, false
	w := written(t, dir, run, false)
	url := serving(t, opened(t, dir))
	_, body := fetch(t, "GET", url)
	for _, want := range []string{
		`id="live"`, `data-ended="2"`, `id="glance"`, "it has not ended yet", ">running</span>", "connect-src 'self'",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "not valid</span>") || strings.Contains(body, "(not valid)") {
		t.Error("a cell that still runs is said not to be valid")
	}
	if strings.Contains(body, "This run is unfinished") {
		t.Error("the page warns of what the panel says")
	}
	if err := w.Update(func(r *results.Run) { r.Finished = true }); err != nil {
		t.Fatal(err)
	}
	if _, body := fetch(t, "GET", url); strings.Contains(body, `id="live"`) {
		t.Error("the run is over and its page still has the panel")
	}
}

func TestAPageIsDrawnAsideAsItIsHere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	run := small()
	run.Cells[0].Flow = hostile
	written(t, dir, run, false)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	here, err := paint(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	aside, err := Aside(dir)(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if string(here) != string(aside) || strings.Contains(string(here), hostile) {
		t.Errorf("pages have %d and %d bytes; want the same, and names escaped", len(here), len(aside))
	}
	if _, err := Aside(filepath.Join(dir, "cells"))(t.Context(), root); err == nil ||
		!strings.Contains(err.Error(), "holds no run") {
		t.Errorf("error is %v; want what the child said", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Aside(dir)(ctx, root); err == nil {
		t.Error("a page was drawn for nobody")
	}
}

func TestPagesAreDrawnNoMoreOftenThanTheRunChanges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w := written(t, dir, small(), false)
	drawn := 0
	p := newPages(func(context.Context, *os.Root) ([]byte, error) { drawn++; return []byte("page"), nil })
	get := func() {
		t.Helper()
		if _, err := p.get(t.Context(), "run", w.Root()); err != nil {
			t.Fatal(err)
		}
	}
	get()
	get()
	if drawn != 1 {
		t.Errorf("the page of an unchanged run was drawn %d times", drawn)
	}
	f, err := w.BeginCell(&results.Cell{ID: "more"})
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	get()
	if drawn != 2 || time.Since(before) < pause/2 {
		t.Errorf("a cell began, and the page was drawn %d times, the last after %v", drawn, time.Since(before))
	}
	if _, err := io.WriteString(f, "{}\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if get(); drawn != 2 {
		t.Error("the page was drawn again for a second")
	}
	for i := range 2 * maxPages {
		if _, err := p.get(t.Context(), strings.Repeat("x", i), w.Root()); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.kept) != maxPages {
		t.Errorf("%d pages are kept", len(p.kept))
	}
}
