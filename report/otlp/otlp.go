// Package otlp writes where the time of operations went as traces: OTLP, the
// protocol of OpenTelemetry, in its JSON form (opentelemetry-proto 1.x, and the
// exceptions to proto3's JSON that its specification lists: identities in hexadecimal
// digits, enums as numbers).
//
// An operation is a trace. Its root span is the operation as its client saw it, from
// due to its end, and each hop is a child of that. Parts are services: a span belongs
// to the part that the hop begins in. Traces and parents are the ones that the
// operation's messages named in their traceparent while the run went on.
//
// A hop that nobody waited for may end after its parent; OpenTelemetry allows that,
// and it is what happened.
package otlp

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"flowbench/results"
)

// Traces is the message TracesData, and the body of an export request, which are the
// same in JSON.
type Traces struct {
	ResourceSpans []ResourceSpans `json:"resourceSpans"`
}

// ResourceSpans are the spans of one part of one cell.
type ResourceSpans struct {
	Resource   Resource     `json:"resource"`
	ScopeSpans []ScopeSpans `json:"scopeSpans"`
}

// A Resource is what spans belong to.
type Resource struct {
	Attributes []Attribute `json:"attributes"`
}

// ScopeSpans are spans with what has made them.
type ScopeSpans struct {
	Scope Scope  `json:"scope"`
	Spans []Span `json:"spans"`
}

// A Scope is what has made spans.
type Scope struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// A Span is an operation, or one hop of it.
type Span struct {
	TraceID      string      `json:"traceId"` // 32 hexadecimal digits
	SpanID       string      `json:"spanId"`  // 16
	ParentSpanID string      `json:"parentSpanId,omitempty"`
	Name         string      `json:"name"`
	Kind         int         `json:"kind"`
	Start        string      `json:"startTimeUnixNano"` // a 64-bit number is a string in proto3's JSON
	End          string      `json:"endTimeUnixNano"`
	Attributes   []Attribute `json:"attributes"`
	Status       Status      `json:"status"`
}

// The kinds of spans and codes of statuses that are used, as numbers of the protocol.
const (
	kindInternal = 1
	kindClient   = 3
	codeUnset    = 0
	codeError    = 2
)

// A Status says whether what a span stands for went wrong.
type Status struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

// An Attribute is a name with a value.
type Attribute struct {
	Key   string `json:"key"`
	Value Value  `json:"value"`
}

// A Value is a text, a whole number or a truth value; one of its fields is set.
type Value struct {
	String *string `json:"stringValue,omitempty"`
	Int    *string `json:"intValue,omitempty"` // as a string, like all 64-bit numbers
	Bool   *bool   `json:"boolValue,omitempty"`
}

func textOf(key, value string) Attribute { return Attribute{key, Value{String: &value}} }

func numberOf(key string, value uint64) Attribute {
	s := strconv.FormatUint(value, 10)
	return Attribute{key, Value{Int: &s}}
}

func truthOf(key string, value bool) Attribute { return Attribute{key, Value{Bool: &value}} }

// perBatch is how many operations go into one message: with some twenty hops each it
// has about a megabyte, and collectors take twenty.
const perBatch = 100

// ErrNone says that a run has no hops to make traces of.
var ErrNone = errors.New("the run has no hops: it was made by an older flowbench, or no operation was followed")

// Of yields the traces of a run in a directory, some operations at a time. An error,
// which is [ErrNone] if there are none at all, is the last thing that it yields.
func Of(root *os.Root, run *results.Run) iter.Seq2[*Traces, error] {
	return func(yield func(*Traces, error) bool) {
		found := false
		for _, c := range run.Cells {
			for t, err := range ofCell(root, run, c) {
				found = true
				if !yield(t, err) || err != nil {
					return
				}
			}
		}
		if !found {
			yield(nil, ErrNone)
		}
	}
}

// ofCell yields the traces of one cell.
func ofCell(root *os.Root, run *results.Run, c *results.Cell) iter.Seq2[*Traces, error] {
	return func(yield func(*Traces, error) bool) {
		f, err := results.OpenHops(root, c.ID)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return
		case err != nil:
			yield(nil, err)
			return
		}
		defer f.Close() // nothing was written, so closing has nothing to say
		b := newBatch(run, c, f.Began)
		for r, err := range f.Records() {
			if err != nil {
				yield(nil, fmt.Errorf("hops of %s: %w", c.ID, err))
				return
			}
			if b.add(&r); b.operations < perBatch {
				continue
			}
			if !yield(b.traces(), nil) {
				return
			}
			b = newBatch(run, c, f.Began)
		}
		if b.operations > 0 {
			yield(b.traces(), nil)
		}
	}
}

// A batch is the spans of some operations of a cell, by the part that they belong to.
type batch struct {
	run        *results.Run
	cell       *results.Cell
	began      time.Time
	operations int
	parts      []string // in the order in which they came
	spans      map[string][]Span
}

func newBatch(run *results.Run, c *results.Cell, began time.Time) *batch {
	if began.IsZero() { // a simulation, which happens at no time; but 0 means no time at all in OTLP
		began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return &batch{run: run, cell: c, began: began, spans: make(map[string][]Span)}
}

// put adds a span to those of a part.
func (b *batch) put(part string, s Span) {
	if part == "" {
		part = "unknown" // a file may hold anything, and a service needs a name
	}
	if b.spans[part] == nil {
		b.parts = append(b.parts, part)
	}
	b.spans[part] = append(b.spans[part], s)
}

// scheduler is the part that operations wait in before a client has them.
const scheduler = "schedule"

// add adds an operation.
func (b *batch) add(r *results.HopRecord) {
	b.operations++
	due := b.began.Add(r.Due)
	client := "client"
	for _, l := range r.Legs {
		if l.From == scheduler {
			client = l.To
		}
	}
	root := b.span(r, r.Span, due, 0, r.Took)
	root.Name, root.Kind = b.cell.Flow+" "+r.Kind.String(), kindClient
	root.Attributes = []Attribute{
		numberOf("flowbench.op", r.Op), textOf("flowbench.kind", r.Kind.String()),
		textOf("flowbench.status", r.Status.String()),
	}
	if r.Ends != "" {
		root.Attributes = append(root.Attributes, textOf("flowbench.ends", r.Ends))
	}
	if r.Class != "" {
		root.Attributes = append(root.Attributes, textOf("error.type", r.Class))
	}
	if r.Status == results.Failed { // one whose outcome is unknown has not failed
		root.Status = Status{Message: r.Class, Code: codeError}
	}
	b.put(client, root)
	for i, l := range r.Legs {
		part := l.From
		if part == scheduler {
			part = client
		}
		b.put(part, b.leg(r, i, l, due))
	}
}

// leg returns the span of a leg.
func (b *batch) leg(r *results.HopRecord, i int, l results.HopLeg, due time.Time) Span {
	s := b.span(r, r.LegSpan(i), due, l.At, l.For)
	s.ParentSpanID, s.Kind, s.Name = r.Span, kindInternal, nameOf(l.Hop)
	s.Attributes = []Attribute{
		textOf("flowbench.hop.kind", string(l.Kind)), textOf("flowbench.hop.from", l.From),
		textOf("flowbench.hop.to", l.To),
	}
	if l.Poll {
		s.Attributes = append(s.Attributes, truthOf("flowbench.hop.poll", true))
	}
	if l.Beside {
		s.Attributes = append(s.Attributes, truthOf("flowbench.hop.beside", true))
	}
	switch l.Kind {
	case results.HopRequest, results.HopAnswer, results.HopConfirm:
		s.Attributes = append(s.Attributes, textOf("messaging.system", b.cell.Broker))
	}
	return s
}

func nameOf(h results.Hop) string {
	name := cmp.Or(string(h.Kind), "hop") // a file may hold anything, and a span needs a name
	if h.Poll {
		name = "poll " + name
	}
	if h.From != h.To {
		name += " " + h.From + " → " + h.To
	}
	return name
}

func (b *batch) span(r *results.HopRecord, id string, due time.Time, at, takes time.Duration) Span {
	start := due.Add(at)
	return Span{
		TraceID: r.Trace, SpanID: id, Start: nanos(start), End: nanos(start.Add(takes)),
		Status: Status{Code: codeUnset},
	}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// traces returns the batch as a message.
func (b *batch) traces() *Traces {
	t := &Traces{}
	for _, part := range b.parts {
		t.ResourceSpans = append(t.ResourceSpans, ResourceSpans{
			Resource: Resource{b.resource(part)},
			ScopeSpans: []ScopeSpans{{
				Scope: Scope{Name: "flowbench", Version: b.run.Versions["flowbench"]}, Spans: b.spans[part],
			}},
		})
	}
	return t
}

// resource describes a part of the cell.
func (b *batch) resource(part string) []Attribute {
	all := []Attribute{
		textOf("service.name", part), textOf("service.namespace", "flowbench"),
		textOf("flowbench.run", b.run.ID), textOf("flowbench.scenario", b.run.Scenario),
		textOf("flowbench.cell", b.cell.ID), textOf("flowbench.flow", b.cell.Flow),
	}
	for _, a := range [][2]string{{"broker", b.cell.Broker}, {"edge", b.cell.Edge}, {"payload", b.cell.Payload}} {
		if a[1] != "" {
			all = append(all, textOf("flowbench."+a[0], a[1]))
		}
	}
	if b.run.Simulated {
		all = append(all, truthOf("flowbench.simulated", true))
	}
	if os := b.run.Host.OS; os != "" {
		all = append(all, textOf("os.type", strings.ToLower(os)))
	}
	return all
}
