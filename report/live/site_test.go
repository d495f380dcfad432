package live

import (
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowbench/report/internal/fixture"
)

const secret = "nobody may read this"

// several returns a directory of runs with secrets in and around it.
func several(t testing.TB) string {
	t.Helper()
	above := t.TempDir()
	dir := filepath.Join(above, "runs")
	written(t, filepath.Join(dir, "one"), small(), true)
	written(t, filepath.Join(above, "outside"), small(), true)
	for _, name := range []string{
		filepath.Join(above, "secret"), filepath.Join(dir, "secret"), filepath.Join(dir, "one", "secret"),
		filepath.Join(dir, "one", "report.html"), filepath.Join(dir, "one", "cells", "secret"),
	} {
		if err := os.WriteFile(name, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOnlyRunsBelowTheDirectoryAreServed(t *testing.T) {
	dir := several(t)
	if err := os.Symlink(filepath.Join(filepath.Dir(dir), "outside"), filepath.Join(dir, "link")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	address := serving(t, opened(t, dir))
	for _, path := range []string{
		"", "events", "runs/one/", "runs/one/events",
	} {
		if answer, _ := fetch(t, "HEAD", address+path); answer.StatusCode != 200 {
			t.Errorf("/%s: status is %d; want it served", path, answer.StatusCode)
		}
	}
	for _, path := range []string{
		"secret", "runs/secret/", "runs/one/secret", "runs/one/run.json", "runs/one/report.html",
		"runs/one/cells/secret",
		"runs/../secret", "runs/%2e%2e/", "runs/..%2foutside/", "runs/..%5coutside/", "runs/one%2f..%2f..%2foutside/",
		"runs/./", "runs/%2f/", "runs/C:/", "runs/link/", "runs/link/events", "runs/..%2foutside/events", "runs/%00/",
		"runs/none/", "runs/none/events", "runs/" + strings.Repeat("x", 5000) + "/", "//etc/passwd", "runs/one/events/",
	} {
		answer, body := fetch(t, "GET", address+path)
		if answer.StatusCode != 404 && answer.StatusCode != 400 || strings.Contains(body, secret) {
			t.Errorf("/%.60s: status is %d; want it refused:\n%.200s", path, answer.StatusCode, body)
		}
	}
}

// FuzzPaths asks for whatever comes up: nothing but the run may come of it.
func FuzzPaths(f *testing.F) {
	dir := several(f)
	site := opened(f, dir)
	f.Cleanup(func() { _ = site.Close() })
	handler := guarded(site.Handler(), false)
	for _, path := range []string{
		"/", "/runs/one/", "/runs/../secret", "/runs/%2e%2e%2foutside/", "/runs/one\x00/", "//",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" || strings.HasSuffix(u.Path, "/events") {
			return // events have no end
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, r.Host, r.RequestURI = u, "127.0.0.1", path
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), secret) || strings.Contains(w.Body.String(), "outside") {
			t.Errorf("%q gives what is not to be seen:\n%.300s", path, w.Body)
		}
		if w.Code == 200 && u.Path != "/" && u.Path != "/runs/one/" {
			t.Errorf("%q is served", path)
		}
	})
}

func TestTheListShowsRunsAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	valid := small()
	valid.Cells[0].Valid, valid.Cells[0].Verdict = true, "kept"
	written(t, filepath.Join(dir, "kept"), valid, true)
	broken := fixture.Run(fixture.Default()[:2], 6, 400)
	broken.Cells[1].Verdict = "broken"
	broken.Started = valid.Started.AddDate(0, 0, 1)
	written(t, filepath.Join(dir, "broken"), broken, true)
	going := small()
	going.Cells[0].Finished, going.Scenario = false, hostile
	going.Started = valid.Started.AddDate(0, 0, 2)
	written(t, filepath.Join(dir, "going & <b>"), going, false)
	if err := os.MkdirAll(filepath.Join(dir, "torn"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "torn", "run.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "no run"), 0o755); err != nil {
		t.Fatal(err)
	}
	site := opened(t, dir)
	found, err := site.list.look()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range found.Runs {
		got = append(got, strings.Join([]string{r.Name, r.Cells, r.Valid, r.Verdict}, ", "))
	}
	want := []string{
		"torn, –, –, cannot be read", "going & <b>, 0 of 1, 0 of 1, under way",
		"broken, 2 of 2, 2 of 2, promise broken in 1 cell", "kept, 1 of 1, 1 of 1, all promises kept",
	}
	if len(got) != len(want) {
		t.Fatalf("runs are %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("run %d is %q; want %q", i, got[i], want[i])
		}
	}
	_, body := fetch(t, "GET", serving(t, site))
	if strings.Contains(body, hostile) || strings.Contains(body, "<b>") ||
		!strings.Contains(body, `href="runs/going%20&amp;%20%3Cb%3E/"`) {
		t.Errorf("names are not escaped:\n%s", body)
	}
}

func TestAPipeInARunDirectoryHoldsNobodyUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	written(t, dir, small(), true)
	if err := pipe(filepath.Join(dir, "cells", "more.json")); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "run.json")); err != nil {
		t.Fatal(err)
	}
	if err := pipe(filepath.Join(dir, "run.json")); err != nil {
		t.Fatal(err)
	}
	if answer, body := fetch(t, "GET", serving(t, opened(t, dir))); answer.StatusCode != 500 ||
		!strings.Contains(body, "no regular file") {
		t.Errorf("status is %d:\n%s", answer.StatusCode, body)
	}
}
