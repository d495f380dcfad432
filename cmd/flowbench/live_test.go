package main

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"flowbench/report/browsertest"
	"flowbench/results"
)

// announced is a stderr that tells when the address of the live page is printed.
type announced struct {
	mu   sync.Mutex
	text strings.Builder
	url  chan string
}

func (a *announced) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(p)
	if m := regexp.MustCompile(`(?m)^Live: (http\S+)$`).FindStringSubmatch(a.text.String()); m != nil {
		select {
		case a.url <- m[1]:
		default:
		}
	}
	return len(p), nil
}

// TestALivePageInABrowser watches a real run on the embedded broker from its beginning
// to its end, and never reloads the page.
func TestALivePageInABrowser(t *testing.T) {
	t.Parallel()
	tab := browsertest.Open(t, 2*time.Minute)
	dir := filepath.Join(t.TempDir(), "run")
	errs := &announced{url: make(chan string, 1)}
	sh := shell{
		stdin: strings.NewReader(""), stdout: &strings.Builder{}, stderr: errs, width: 100,
		getenv: func(string) string { return "" },
	}
	tab.Do(t, chromedp.Navigate("about:blank")) // starts the browser, which takes its time
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, sh, strings.Fields("run --flows async-reply-to,direct --brokers nats --live --no-progress "+
			"--warmup 1s --duration 8s --set load.rate_per_s=100 --out "+dir))
	}()
	var url string
	select {
	case url = <-errs.url:
	case code := <-ended:
		t.Fatalf("the run ended at once with %d:\n%s", code, &errs.text)
	}
	tab.Do(t, chromedp.Navigate(url))
	const text = `document.querySelector('[data-live="%"]').textContent`
	of := func(name string) string { return strings.ReplaceAll(text, "%", name) }
	browsertest.Ask[bool](t, tab, `window.same = true`)
	tab.Await(t, of("measured-ok")+` > "0"`)
	first := browsertest.Ask[string](t, tab, of("measured-ok"))
	tab.Await(t, of("measured-ok")+` !== "`+first+`"`)
	tab.Await(t, of("where")+`.includes("Cell 2 of 2")`)
	if n := browsertest.Ask[int](t, tab, `document.querySelectorAll("#live polyline").length`); n < 2 {
		t.Errorf("the charts have %d lines", n)
	}
	// The first cell has ended: the report is there, and its tables sort.
	tab.Await(t, `document.querySelectorAll("#glance tbody tr").length > 0`)
	tab.Await(t, `document.querySelectorAll("#glance thead button").length > 0`)
	tab.Await(t, `document.getElementById("live").classList.contains("over")`)
	tab.Await(t, `document.querySelectorAll("#guarantees tbody tr").length === 3`) // one broker, and both flows
	select {
	case code := <-ended:
		if code != int(exitOK) && code != int(exitNoVerdict) {
			t.Errorf("exit code is %d:\n%s", code, &errs.text)
		}
	case <-time.After(patience):
		t.Error("the run ended and the program did not")
	}
	if !browsertest.Ask[bool](t, tab, `window.same === true`) {
		t.Error("the page was loaded again")
	}
	if trouble := tab.Trouble(); len(trouble) > 0 {
		t.Errorf("the browser says %q", trouble)
	}
	for _, r := range tab.Requests() {
		if !strings.HasPrefix(r, "data:") && !slices.Contains([]string{"about:blank", url, url + "events"}, r) {
			t.Errorf("the page asked for %s", r)
		}
	}
	if n := browsertest.Ask[int](t, tab, `document.documentElement.scrollWidth - innerWidth`); n > 0 {
		t.Errorf("the page is %d pixels too wide", n)
	}
	if r, err := results.Read(dir); err != nil || !r.Finished {
		t.Errorf("the run is unfinished, %v", err)
	}
}
