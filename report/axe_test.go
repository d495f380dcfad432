package report

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"flowbench/report/internal/fixture"
	"flowbench/results"
)

// TestAccessibility holds pages against the rules of axe-core, in the light and in the
// dark. It installs axe-core, of the version in the lock file. Without npm there is
// nothing to run, which is an error in CI.
func TestAccessibility(t *testing.T) {
	axe := installAxe(t)
	for name, run := range map[string]*results.Run{
		"faults": full(), "payloads": fixture.Carried(), "simulated": simulatedRun(),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "report.html")
			if err := os.WriteFile(path, []byte(htmlOf(t, run)), 0o600); err != nil {
				t.Fatal(err)
			}
			p := browser(t, "file://"+filepath.ToSlash(path), 5*time.Minute)
			for _, scheme := range []string{"light", "dark"} {
				look(t, p, scheme, "")
				p.Do(t, chromedp.Navigate(p.url))
				// What is folded and what only comes up when it is asked for counts as well.
				_ = ask[bool](t, p, `(() => {
					for (const d of document.querySelectorAll("details")) d.open = true;
					document.querySelector(".stage")?.dispatchEvent(
						new PointerEvent("pointermove", {clientX: 300, clientY: 300}));
					document.querySelector(".switch .list button")?.click();
					return true;
				})()`)
				findings(t, p, axe, scheme)
			}
		})
	}
}

// findings reports what axe finds on a page and takes for serious or worse.
func findings(t *testing.T, p *tab, axe, scheme string) {
	t.Helper()
	// A debugger may run what the policy of the page forbids the page itself.
	_ = ask[bool](t, p, axe+`; true`)
	const expression = `axe.run(document, {resultTypes: ["violations"]})
		.then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical")
			.flatMap(v => v.nodes.slice(0, 5).map(n => v.impact + ": " + v.id + ": " + v.help + ": " +
				n.html.slice(0, 200) + " " + n.failureSummary.slice(0, 400))))`
	found, err := chromedp.Run(p.Context(), chromedp.Evaluate[[]string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("in the %s: %s", scheme, f)
	}
}

// installAxe returns the source of axe-core.
func installAxe(t *testing.T) string {
	t.Helper()
	without := t.Skipf
	if os.Getenv("CI") == "true" {
		without = t.Fatalf
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "npm", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir, npm.WaitDelay = dir, 10*time.Second
	if text, err := npm.CombinedOutput(); err != nil {
		without("install axe-core: %v\n%s", err, text)
	}
	axe, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(axe)
}

// TestTheLockFileNamesNoOtherRegistry keeps machines and their mirrors out.
func TestTheLockFileNamesNoOtherRegistry(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "npm", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"resolved"`) && !strings.Contains(line, `"https://registry.npmjs.org/`) {
			t.Errorf("%s is resolved elsewhere", strings.TrimSpace(line))
		}
	}
}
