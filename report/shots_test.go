package report

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// TestShots opens reports in a browser and takes pictures of them for somebody to look
// at: wide and narrow, in the light and in the dark, and each page as it is printed.
func TestShots(t *testing.T) {
	dir := flag.Lookup("shots").Value.String()
	if dir == "" {
		t.Skip("run with -shots=DIR, or make shots, to take pictures for the eye")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]*results.Run{
		"faults": fixture.FaultyTwice(), "payloads": fixture.Carried(),
		"many":      fixture.Told(fixture.Run(fixture.Many(), 30, 120)),
		"simulated": simulatedRun(),
	}
	published, err := filepath.Glob(filepath.Join("..", "results", "published", "*", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range published {
		run, err := results.Read(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		runs[filepath.Base(filepath.Dir(file))] = run
	}
	for name, run := range runs {
		if only := flag.Lookup("shot").Value.String(); only != "" && only != name {
			continue
		}
		t.Run(name, func(t *testing.T) { shoot(t, filepath.Join(dir, name), run) })
	}
}

// simulatedRun returns a run in virtual time.
func simulatedRun() *results.Run {
	run := fixture.Run(fixture.Default(), 30, 400)
	run.Simulated = true
	return run
}

// shoot writes the report of run and the pictures of it into a directory.
func shoot(t *testing.T, dir string, run *results.Run) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "report.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteHTML(f, run); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p := browser(t, "file://"+filepath.ToSlash(path), 10*time.Minute)
	write := func(name string, b []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			look(t, p, scheme, "")
			p.Do(t, chromedp.EmulateViewport(width, 900), chromedp.Navigate(p.url))
			b, err := chromedp.Run(p.Context(), chromedp.FullScreenshot(100))
			write(map[int64]string{1280: "wide-", 390: "narrow-"}[width]+scheme+".png", b, err)
		}
	}
	look(t, p, "light", "")
	r, err := chromedp.Call(p.Context(), cdppage.PrintToPDF, cdppage.PrintToPDFParams{
		PreferCSSPageSize: new(true), PrintBackground: new(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	write("print.pdf", r.Data, nil)
	if _, err := exec.LookPath("pdftoppm"); err != nil {
		t.Log("no pages of print.pdf: install poppler-utils, which has pdftoppm")
		return
	}
	text, err := exec.CommandContext(p.Context(), "pdftoppm", "-r", "80", "-png", filepath.Join(dir, "print.pdf"),
		filepath.Join(dir, "page")).CombinedOutput()
	if err != nil {
		t.Fatalf("make pages of print.pdf: %v\n%s", err, strings.TrimSpace(string(text)))
	}
}

// look sets what a tab takes itself for: the colours that its reader likes, and
// screen or print.
func look(t *testing.T, p *tab, scheme, medium string) {
	t.Helper()
	if _, err := chromedp.Call(p.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		t.Fatal(err)
	}
}
