package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"flowbench/report/otlp"
)

// simulated runs a small simulation and returns its directory.
func simulatedRun(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	code, stderr := callProgram(t, "simulate", "--quick", "--flows", "proxy-sync,direct", "--brokers", "nats",
		"--set", "duration=1s", "--set", "load.rate_per_s=150", "--out", dir, "--no-progress")
	if code != 0 {
		t.Fatalf("simulate ends with %d:\n%s", code, stderr)
	}
	return dir
}

// A collector takes traces as collectors do, or answers something else.
type collector struct {
	*httptest.Server
	answer func(w http.ResponseWriter)

	mu    sync.Mutex
	paths []string
	spans int
}

func newCollector(t *testing.T, answer func(w http.ResponseWriter)) *collector {
	t.Helper()
	c := &collector{answer: answer}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		var traces otlp.Traces
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
			d.Decode(&traces) != nil {
			t.Errorf("got %s of %q, %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		c.mu.Lock()
		c.paths, c.spans = append(c.paths, r.URL.Path), c.spans+spansOf(&traces)
		c.mu.Unlock()
		c.answer(w)
	}))
	t.Cleanup(c.Close)
	return c
}

func taken(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
}

func TestACollectorGetsAllSpansOfARun(t *testing.T) {
	dir, c := simulatedRun(t), newCollector(t, taken)
	code, stderr := callProgram(t, "report", dir, "--otlp", c.URL)
	file := filepath.Join(t.TempDir(), "traces.jsonl")
	code2, stderr2 := callProgram(t, "report", dir, "--otlp", file)
	if code != 0 || code2 != 0 {
		t.Fatalf("report ends with %d and %d:\n%s%s", code, code2, stderr, stderr2)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spans := 0
	for line := range bytes.Lines(text) {
		var traces otlp.Traces
		if err := json.Unmarshal(line, &traces); err != nil {
			t.Fatal(err)
		}
		spans += spansOf(&traces)
	}
	if c.spans == 0 || c.spans != spans || len(c.paths) < 2 || c.paths[0] != tracesPath {
		t.Errorf("the collector got %d spans at %v, the file has %d", c.spans, c.paths, spans)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	again := newCollector(t, taken)
	if code, stderr := callProgram(t, "report", dir, "--otlp", again.URL+"/otlp/spans"); code != 0 ||
		again.paths[0] != "/otlp/spans" {
		t.Errorf("a path of its own: %d, %s, %v", code, stderr, again.paths)
	}
}

// TestExportsThatFailSayWhy looks at collectors that are none, or do not take all.
func TestExportsThatFailSayWhy(t *testing.T) {
	dir := simulatedRun(t)
	says := func(code int, text string) string {
		return newCollector(t, func(w http.ResponseWriter) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text)
		}).URL
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, tt := range []struct {
		name, to, want string
		code           exitCode
	}{
		{"nobody listens", gone.URL, "connection refused", exitEnvironment},
		{"another server", says(404, "no such\npage\x1b[31m"),
			"answers POST /v1/traces with 404 Not Found: no such page", exitEnvironment},
		{"a redirect", says(302, ""), "with 302 Found; want 200 OK", exitEnvironment},
		{"some are rejected", says(200, `{"partialSuccess":{"rejectedSpans":"7","errorMessage":"too old"}}`),
			"rejected 7 spans: too old", exitEnvironment},
		{"another machine", "http://user:planted@192.0.2.1:4318", "http://192.0.2.1:4318 is not on this machine; " +
			"if it is yours, say so with --allow-remote", exitUsage},
		{"another protocol", "grpc://127.0.0.1:4317", "--otlp is not the URL of a collector", exitUsage},
		{"a directory", dir, "--otlp names the directory", exitUsage},
		{"a file in no directory", filepath.Join(dir, "absent", "x"), "export traces: ", exitEnvironment},
	} {
		code, stderr := callProgram(t, "report", dir, "--otlp", tt.to)
		if code != int(tt.code) || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "planted") ||
			strings.Contains(stderr, "\x1b") {
			t.Errorf("%s: ends with %d and says %s; want %d and %q", tt.name, code, stderr, tt.code, tt.want)
		}
	}
	out := filepath.Join(t.TempDir(), "run")
	code, stderr := callProgram(t, "run", "--out", out, "--otlp", "http://192.0.2.1:4318")
	if _, err := os.Stat(out); err == nil || code != int(exitUsage) {
		t.Errorf("a run begins although its traces cannot be had: %d, %s", code, stderr)
	}
}
