package otlp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"flowbench/report/internal/fixture"
	"flowbench/report/otlp"
	"flowbench/results"
)

// written returns the directory of a run of the fixture whose hops are kept, and how
// many operations and legs there are.
func written(t *testing.T, began time.Time) (root *os.Root, run *results.Run, operations, legs int) {
	t.Helper()
	run = fixture.Followed()
	run.Simulated = began.IsZero()
	dir := filepath.Join(t.TempDir(), "run")
	w, err := results.Create(dir, run, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for i, c := range run.Cells {
		records := fixture.Follow(c, 250, uint64(i))
		records[1].Status, records[1].Class = results.Failed, "refused"
		records[2].Status, records[2].Class, records[2].Ends = results.Unknown, "timeout", ""
		if err := w.WriteHops(c.ID, began, records); err != nil {
			t.Fatal(err)
		}
		operations += len(records)
		for _, r := range records {
			legs += len(r.Legs)
		}
	}
	return w.Root(), run, operations, legs
}

// A read span is one that a receiver has read, with the part that it belongs to.
type readSpan struct {
	otlp.Span
	service    string
	start, end int64
}

// receive reads messages as strictly as the rules of OTLP in JSON are.
func receive(t *testing.T, root *os.Root, run *results.Run) map[string][]readSpan {
	t.Helper()
	traces := make(map[string][]readSpan)
	for message, err := range otlp.Of(root, run) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		var back otlp.Traces
		if err := d.Decode(&back); err != nil {
			t.Fatal(err)
		}
		if len(text) > 4<<20 {
			t.Errorf("a message has %d bytes; collectors take a few million", len(text))
		}
		for _, r := range back.ResourceSpans {
			service := attribute(r.Resource.Attributes, "service.name")
			if service == "" || len(r.ScopeSpans) != 1 || r.ScopeSpans[0].Scope.Name != "flowbench" {
				t.Fatalf("a resource is %+v; want a service.name and one scope", r.Resource)
			}
			for _, s := range r.ScopeSpans[0].Spans {
				traces[s.TraceID] = append(traces[s.TraceID], readSpan{s, service, nanos(t, s.Start), nanos(t, s.End)})
			}
		}
	}
	return traces
}

// attribute returns the text of an attribute.
func attribute(all []otlp.Attribute, key string) string {
	for _, a := range all {
		if a.Key == key && a.Value.String != nil {
			return *a.Value.String
		}
	}
	return ""
}

// nanos reads a time as the protocol has it.
func nanos(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		t.Fatalf("a time is %q; want nanoseconds since 1970, not 0", s)
	}
	return n
}

func TestTracesFollowTheRulesOfTheProtocol(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	root, run, operations, legs := written(t, began)
	traces := receive(t, root, run)
	if len(traces) != operations {
		t.Errorf("there are %d traces; want one for each of %d operations", len(traces), operations)
	}
	trace, span := regexp.MustCompile(`^[0-9a-f]{32}$`), regexp.MustCompile(`^[0-9a-f]{16}$`)
	children := 0
	for id, spans := range traces {
		var roots []readSpan
		seen := make(map[string]bool)
		for _, s := range spans {
			if !trace.MatchString(id) || !span.MatchString(s.SpanID) || seen[s.SpanID] || s.Name == "" || s.Kind < 1 ||
				s.Kind > 5 || s.end < s.start {
				t.Fatalf("a span is %+v", s)
			}
			if seen[s.SpanID] = true; s.ParentSpanID == "" {
				roots = append(roots, s)
			}
		}
		if len(roots) != 1 || roots[0].service != "client" || roots[0].start < began.UnixNano() {
			t.Fatalf("trace %s has the roots %+v; want one, of a client, after %v", id, roots, began)
		}
		var sum int64
		for _, s := range spans {
			switch {
			case s.ParentSpanID == "":
				continue
			case s.ParentSpanID != roots[0].SpanID || s.start < roots[0].start:
				t.Fatalf("a hop is %+v; want it within %+v", s, roots[0])
			}
			children++
			if !beside(s.Span) {
				sum += s.end - s.start
				if s.end > roots[0].end {
					t.Fatalf("a hop is %+v; want it to end within %+v", s, roots[0])
				}
			}
		}
		if sum != roots[0].end-roots[0].start {
			t.Fatalf("the hops of %s add up to %d ns; want %d", id, sum, roots[0].end-roots[0].start)
		}
	}
	if children != legs {
		t.Errorf("there are %d hops; want %d", children, legs)
	}
}

func beside(s otlp.Span) bool {
	for _, a := range s.Attributes {
		if a.Key == "flowbench.hop.beside" {
			return *a.Value.Bool
		}
	}
	return false
}

// TestOnlyWhatHasFailedIsAnError says that an outcome that nobody knows is none.
func TestOnlyWhatHasFailedIsAnError(t *testing.T) {
	root, run, _, _ := written(t, time.Time{})
	counts := make(map[string]int)
	for _, spans := range receive(t, root, run) {
		for _, s := range spans {
			if s.ParentSpanID == "" {
				counts[attribute(s.Attributes, "flowbench.status")+" "+strconv.Itoa(s.Status.Code)]++
			} else if s.Status.Code != 0 {
				t.Errorf("a hop has the status %+v", s.Status)
			}
		}
	}
	n := len(run.Cells)
	if counts["failed 2"] != n || counts["unknown 0"] != n || counts["ok 0"] == 0 || len(counts) != 3 {
		t.Errorf("outcomes and codes are %v", counts)
	}
}

func TestARunWithoutHopsHasNoTraces(t *testing.T) {
	run := fixture.Run(fixture.Default()[:1], 1, 10)
	w, err := results.Create(filepath.Join(t.TempDir(), "run"), run, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	n := 0
	for _, err := range otlp.Of(w.Root(), run) {
		if n++; !errors.Is(err, otlp.ErrNone) {
			t.Errorf("the error is %v; want %v", err, otlp.ErrNone)
		}
	}
	if n != 1 {
		t.Errorf("it says so %d times", n)
	}
}
