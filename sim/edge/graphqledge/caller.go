package graphqledge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"unicode/utf8"

	"flowbench/flows"
	"flowbench/sim/edge"
	"flowbench/sim/edge/socket"
)

// The documents. What differs from call to call is in variables, and the result
// is always called r.
const (
	submitDocument = `mutation Submit($id: ID!, $key: String!, $body: String!) ` +
		`{ r: submit(id: $id, key: $key, body: $body) { status body retryAfterMs } }`
	statusDocument = `query Status($id: ID!) { r: status(id: $id) { status body retryAfterMs } }`
	queryDocument  = `query Query($id: ID!, $key: String!) ` +
		`{ r: query(id: $id, key: $key) { status body retryAfterMs } }`
	changesDocument = `subscription Changes($id: ID!, $key: String!) ` +
		`{ r: changes(id: $id, key: $key) { status body retryAfterMs op } }`
	commandDocument = `subscription Command($id: ID!, $key: String!, $body: String!) ` +
		`{ r: command(id: $id, key: $key, body: $body) { status body retryAfterMs } }`
)

// A post is a request as the client writes it.
type post struct {
	Query      string      `json:"query"`
	Variables  variables   `json:"variables"`
	Extensions *extensions `json:"extensions,omitempty"`
}

// extensions are what a request over a socket has instead of headers.
type extensions struct {
	Trace string `json:"traceparent,omitempty"`
}

// variables are those of all documents. What is left out is in none that wants
// it, except for the empty ones of submit, which are there.
type variables struct {
	ID   string  `json:"id"`
	Key  *string `json:"key,omitempty"`
	Body *[]byte `json:"body,omitempty"` // as base64
}

// A response is what comes back.
type response struct {
	Data *struct {
		R *struct {
			Status       string `json:"status"`
			Body         []byte `json:"body"`
			RetryAfterMs int32  `json:"retryAfterMs"`
			Op           string `json:"op"`
		} `json:"r"`
	} `json:"data"`
	Errors []failure `json:"errors"`
}

// A caller is one web client.
type caller struct {
	client     *edge.Client
	socket     *socket.Client // opened by the first call over it
	overSocket bool           // everything goes over it, and not only what must
	maxBody    int64
}

// Call implements [flows.Caller].
func (c *caller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	if c.overSocket || call.Verb == flows.Watch {
		return func(yield func(flows.Answer, error) bool) {
			whole, err := edge.Whole(ctx, call, c.maxBody)
			if err != nil {
				yield(flows.Answer{}, err)
				return
			}
			c.socket.Call(ctx, whole)(yield)
		}
	}
	return flows.Single(func() (flows.Answer, error) { return c.call(ctx, call) })
}

// Close implements [flows.Caller].
func (c *caller) Close() error {
	c.client.Close()
	return c.socket.Close()
}

var errNotText = errors.New("the key is not UTF-8, and GraphQL knows no other text")

func (c *caller) call(ctx context.Context, call flows.Call) (flows.Answer, error) {
	if !utf8.ValidString(call.Key) {
		return flows.Answer{}, flows.Fail(flows.Rejected, errNotText)
	}
	call, err := edge.Whole(ctx, call, c.maxBody)
	if err != nil {
		return flows.Answer{}, err
	}
	text, err := json.Marshal(written(call))
	if err != nil {
		return flows.Answer{}, flows.Fail(flows.Internal, fmt.Errorf("write request: %w", err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.client.URL+path, bytes.NewReader(text))
	if err != nil {
		return flows.Answer{}, flows.Fail(flows.Internal, fmt.Errorf("write request: %w", err))
	}
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("Accept", responseType)
	if call.Trace != "" {
		req.Header.Set(edge.TraceHeader, call.Trace)
	}
	resp, body, err := c.client.Do(req)
	if err != nil {
		return flows.Answer{}, err
	}
	if resp.Header.Get("Content-Type") != responseType {
		return flows.Answer{}, edge.ReadProblem(resp, body)
	}
	return readResponse(body, c.maxBody)
}

// written returns the request for a call.
func written(call flows.Call) post {
	v := variables{ID: edge.FormatID(call.ID)}
	switch {
	case call.Verb == flows.Submit, call.Verb == flows.Watch && call.Kind == flows.Command:
		body := call.Body
		if body == nil {
			body = []byte{}
		}
		v.Key, v.Body = &call.Key, &body
		if call.Verb == flows.Watch {
			return post{Query: commandDocument, Variables: v}
		}
		return post{Query: submitDocument, Variables: v}
	case call.Verb == flows.Watch:
		v.Key = &call.Key
		return post{Query: changesDocument, Variables: v}
	case call.Kind == flows.StatusOf:
		return post{Query: statusDocument, Variables: v}
	default:
		v.Key = &call.Key
		return post{Query: queryDocument, Variables: v}
	}
}

// readResponse returns what a response says.
func readResponse(body []byte, maxBody int64) (flows.Answer, error) {
	var r response
	if err := json.Unmarshal(body, &r); err != nil {
		return flows.Answer{}, flows.Unknown(flows.Corrupt, fmt.Errorf("read response: %w", err))
	}
	if len(r.Errors) > 0 {
		return flows.Answer{}, r.fault()
	}
	if r.Data == nil || r.Data.R == nil {
		return flows.Answer{}, flows.Unknown(flows.Corrupt, errors.New("the response has neither result nor errors"))
	}
	switch got := r.Data.R; {
	case got.Status == statusPending:
		return flows.Answer{Status: flows.Pending, RetryAfter: edge.Milliseconds(int64(got.RetryAfterMs))}, nil
	case got.Status != statusDone:
		return flows.Answer{}, flows.Unknown(flows.Corrupt, fmt.Errorf("status %q is none", got.Status))
	case int64(len(got.Body)) > maxBody:
		return flows.Answer{}, flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", maxBody))
	case got.Op != "":
		op, err := edge.ParseID(got.Op)
		if err != nil {
			return flows.Answer{}, flows.Unknown(flows.Corrupt, fmt.Errorf("op: %w", err))
		}
		return flows.Answer{Status: flows.Done, Op: op, Body: got.Body}, nil
	default:
		return flows.Answer{Status: flows.Done, Body: got.Body}, nil
	}
}

// fault returns what the first error means. Without data no resolver ran, so
// that nothing was done.
func (r *response) fault() error {
	first := r.Errors[0]
	switch {
	case first.Extensions != nil:
		f := *first.Extensions
		f.Detail = first.Message
		return f.Err()
	case r.Data == nil:
		return flows.Fail(flows.Rejected, errors.New(first.Message))
	default:
		return flows.Unknown(flows.Corrupt, errors.New(first.Message))
	}
}
