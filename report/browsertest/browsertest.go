// Package browsertest opens pages in a Chromium, for tests of what people see: a page
// that is right as text may still be blank, throw errors, or ask for what it must not.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Tab is a page in a browser, and what the browser had to say about it.
type Tab struct {
	ctx context.Context

	mu       sync.Mutex
	requests []string
	trouble  []string
}

// Options say how to start a Chromium, which the test environment of CI must have. The
// test is skipped where there is none.
func Options(t testing.TB) []chromedp.ExecAllocatorOption {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" && os.Getenv("CI") != "" {
		t.Fatal("no Chromium is installed; CI needs one")
	}
	if path == "" {
		t.Skip("no Chromium is installed")
	}
	// Tests may run as root, where the sandbox cannot work; the page is our own.
	return append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900))
}

// Open returns an empty tab of a Chromium, for so long.
func Open(t testing.TB, patience time.Duration) *Tab {
	t.Helper()
	options := Options(t)
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	ctx, stopAll := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stopAll)
	p := &Tab{}
	ctx, closeTab := chromedp.NewContext(ctx, chromedp.WithListener(p.listen))
	t.Cleanup(closeTab)
	p.ctx = ctx
	return p
}

// listen notes what the page asks for and what it complains about.
func (p *Tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") { // pictures that are in the page itself
			p.requests = append(p.requests, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			what += ": " + thrown.Description
		}
		p.trouble = append(p.trouble, what)
	case *runtime.EventConsoleAPICalled:
		p.trouble = append(p.trouble, fmt.Sprint("console: ", e.Type))
	case *log.EventEntryAdded:
		p.trouble = append(p.trouble, e.Entry.Text)
	}
}

// Context is what steps of chromedp run in.
func (p *Tab) Context() context.Context { return p.ctx }

// Requests returns the addresses that the page has asked for.
func (p *Tab) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Trouble returns what went to the console, and exceptions that nobody caught.
func (p *Tab) Trouble() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.trouble)
}

// Do performs steps and ends the test if one fails.
func (p *Tab) Do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// Ask returns what an expression is in the page.
func Ask[T any](t testing.TB, p *Tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Await waits until an expression is true in the page, for as long as the tab lasts.
func (p *Tab) Await(t testing.TB, expression string) {
	t.Helper()
	for !Ask[bool](t, p, expression) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ctx.Done():
			t.Fatalf("%s did not come true", expression)
		}
	}
}
