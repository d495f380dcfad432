package graphqledge

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"

	"github.com/graph-gophers/graphql-go"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

const (
	path     = "/graphql"
	jsonType = "application/json"

	// responseType is what a response is called that is one of GraphQL whatever
	// its status, so that it cannot be a gateway's.
	responseType = "application/graphql-response+json"
)

// A request is what is posted.
type request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName,omitempty"`
	Variables     map[string]any `json:"variables,omitempty"`
	Extensions    extensions     `json:"extensions,omitzero"` // of an operation over a socket
}

// traceKey is where a context has the trace that an operation belongs to.
type traceKey struct{}

// traced returns a context that tells resolvers of a trace.
func traced(ctx context.Context, trace string) context.Context {
	if trace == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, trace)
}

// traceOf returns the trace that the context of a resolver tells of, or nothing.
func traceOf(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}

// A served is an endpoint over GraphQL, with its sockets.
type served struct {
	http.Handler
	sockets *socket.Server[string]
}

// Shutdown ends the sockets.
func (s served) Shutdown(ctx context.Context) { s.sockets.Shutdown(ctx) }

// backend serves an endpoint over GraphQL.
func (e *Edge) backend(endpoint flows.Endpoint) (served, error) {
	schema, err := newSchema(endpoint, e.config.MaxBody)
	if err != nil {
		return served{}, err
	}
	sockets := newSockets(schema, e.bounds, e.greeting, e.config.Log)
	mux := http.NewServeMux()
	mux.Handle("POST "+path, &backend{schema, edge.WrittenLimit(e.config.MaxBody)})
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" { // a query in the address would be one that any page can make
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		sockets.ServeHTTP(w, r)
	})
	return served{mux, sockets}, nil
}

type backend struct {
	schema *graphql.Schema
	limit  int64 // bytes of a request
}

// ServeHTTP implements [http.Handler].
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != jsonType {
		http.Error(w, "want "+jsonType, http.StatusUnsupportedMediaType)
		return
	}
	var q request
	text, err := edge.ReadBody(r, b.limit)
	if err == nil {
		err = json.Unmarshal(text, &q)
	}
	if err != nil {
		edge.WriteProblem(w, readingFailed(err))
		return
	}
	resp := b.schema.Exec(traced(r.Context(), r.Header.Get(edge.TraceHeader)), q.Query, q.OperationName, q.Variables)
	if err := r.Context().Err(); err != nil {
		// The response looks like that to a refused document, and resolvers have run.
		edge.WriteProblem(w, flows.Unknown(flows.Canceled, fmt.Errorf("resolve: %w", err)))
		return
	}
	code := http.StatusOK
	if len(resp.Data) == 0 || string(resp.Data) == "null" { // no resolver ran
		code = http.StatusBadRequest
	}
	body, err := json.Marshal(resp)
	if err != nil {
		edge.WriteProblem(w, flows.Unknown(flows.Internal, fmt.Errorf("write response: %w", err)))
		return
	}
	w.Header().Set("Content-Type", responseType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that has gone knows it
}

// readingFailed returns what it means that a request cannot be read: nothing
// was done.
func readingFailed(err error) error {
	if _, class := flows.OutcomeOf(err); class == flows.TooLarge {
		return err
	}
	return flows.Fail(flows.Rejected, fmt.Errorf("read request: %w", err))
}
