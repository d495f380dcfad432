package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"flowbench/report/otlp"
	"flowbench/results"
	"flowbench/sim/broker"
	"flowbench/sim/wire"
)

// A traceTarget is where the traces of a run go: a file, or a collector.
type traceTarget struct {
	to          string // FILE or URL, as it was given
	file        string
	url         *url.URL // nil for a file
	allowRemote bool
}

const tracesPath = "/v1/traces" // of OTLP over HTTP

func (t *traceTarget) add(f *pflag.FlagSet) {
	f.StringVar(&t.to, "otlp", "",
		"write the hops of sampled operations as traces, OTLP in JSON, to `FILE|URL`: a file, or a collector "+
			"such as http://127.0.0.1:4318")
}

// parse reads what was given, before anything is done.
func (t *traceTarget) parse(allowRemote bool) error {
	if t.to == "" {
		return nil
	}
	t.allowRemote = allowRemote
	if !strings.Contains(t.to, "://") {
		t.file = t.to
		if info, err := os.Stat(t.file); err == nil && info.IsDir() {
			return fmt.Errorf("--otlp names the directory %s; want a file in it, or the URL of a collector", t.file)
		}
		return nil
	}
	u, err := url.Parse(t.to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("--otlp is not the URL of a collector; want such as http://127.0.0.1:4318, or a file")
	}
	if !allowRemote && !onThisMachine(u.Hostname()) {
		return fmt.Errorf("the collector at %s is not on this machine; if it is yours, say so with --allow-remote",
			broker.Redacted(t.to))
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = tracesPath
	}
	t.url = u
	return nil
}

// onThisMachine reports whether a host, as URLs have it, is this machine by its name.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// export sends the traces of a run to where they are to go, and says so.
func (t *traceTarget) export(ctx context.Context, sh shell, root *os.Root, run *results.Run) error {
	var n int
	var err error
	switch {
	case t.to == "":
		return nil
	case t.url != nil:
		n, err = t.post(ctx, root, run)
	default:
		n, err = t.write(root, run)
	}
	if err != nil {
		return fmt.Errorf("export traces: %w", err)
	}
	where := t.file
	if t.url != nil {
		where = broker.Redacted(t.to) + t.url.Path
	}
	fmt.Fprintf(sh.stderr, "flowbench: %d spans to %s\n", n, where)
	return nil
}

// write writes one message on each line, as collectors read files. The file appears
// whole or not at all.
func (t *traceTarget) write(root *os.Root, run *results.Run) (spans int, err error) {
	f, err := os.CreateTemp(filepath.Dir(t.file), "."+filepath.Base(t.file)+".*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	lines := json.NewEncoder(f)
	for traces, failed := range otlp.Of(root, run) {
		if failed == nil {
			spans += spansOf(traces)
			failed = lines.Encode(traces)
		}
		if failed != nil {
			return 0, errors.Join(failed, f.Close())
		}
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return 0, err
	}
	return spans, os.Rename(f.Name(), t.file)
}

func spansOf(t *otlp.Traces) (n int) {
	for _, r := range t.ResourceSpans {
		for _, s := range r.ScopeSpans {
			n += len(s.Spans)
		}
	}
	return n
}

// postTime is how long a collector may take to answer one message.
const postTime = 10 * time.Second

// post sends all messages to a collector, one after the other.
func (t *traceTarget) post(ctx context.Context, root *os.Root, run *results.Run) (spans int, err error) {
	dial := wire.Loopback()
	if t.allowRemote {
		dial = wire.Anywhere()
	}
	transport := &http.Transport{DialContext: dial}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport, Timeout: postTime,
		// A redirect may lead to another machine, and most make a GET of a POST.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for traces, err := range otlp.Of(root, run) {
		if err != nil {
			return spans, err
		}
		if err := t.postOne(ctx, client, traces); err != nil {
			return spans, fmt.Errorf("%w (%d spans had gone before)", err, spans)
		}
		spans += spansOf(traces)
	}
	return spans, nil
}

// maxReply bounds what is read of a collector's answer, and shownReply what is shown.
const (
	maxReply   = 64 << 10
	shownReply = 200
)

func (t *traceTarget) postOne(ctx context.Context, client *http.Client, traces *otlp.Traces) error {
	body, err := json.Marshal(traces)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	where := broker.Redacted(t.to)
	resp, err := client.Do(r)
	if err != nil {
		var failed *url.Error // which would show the whole address
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("post to the collector at %s: %w", where, err)
	}
	defer resp.Body.Close() // all that matters has been read
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return fmt.Errorf("read the answer of the collector at %s: %w", where, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the collector at %s answers POST %s with %s%s; want 200 OK of an OTLP/HTTP receiver that "+
			"takes JSON", where, t.url.Path, resp.Status, shown(reply))
	}
	return partly(where, reply)
}

// shown returns the beginning of an answer, if it is text.
func shown(reply []byte) string {
	text := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == '\uFFFD' {
			return ' '
		}
		return c
	}, string(reply))
	if text = strings.TrimSpace(text); len(text) > shownReply {
		text = strings.ToValidUTF8(text[:shownReply], "") + "…"
	}
	if text == "" {
		return ""
	}
	return ": " + text
}

// partly returns an error if a collector has not taken all spans.
func partly(where string, reply []byte) error {
	var answer struct {
		PartialSuccess struct {
			RejectedSpans json.RawMessage `json:"rejectedSpans"` // a number, written as one or as a string
			ErrorMessage  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(reply, &answer) != nil {
		return nil // it said 200, which is what counts
	}
	n := strings.Trim(string(answer.PartialSuccess.RejectedSpans), `"`)
	if n == "" || n == "0" || n == "null" {
		return nil
	}
	return fmt.Errorf("the collector at %s rejected %s spans%s", where, n,
		shown([]byte(answer.PartialSuccess.ErrorMessage)))
}
