package httpedge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"

	"flowbench/flows"
	"flowbench/sim/edge"
)

// A caller is one web client.
type caller struct{ client *edge.Client }

// Call implements [flows.Caller].
func (c *caller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	return flows.Single(func() (flows.Answer, error) { return c.call(ctx, call) })
}

// Close implements [flows.Caller].
func (c *caller) Close() error {
	c.client.Close()
	return nil
}

var errNoSocket = errors.New("to watch takes a socket, and REST has none")

func (c *caller) call(ctx context.Context, call flows.Call) (flows.Answer, error) {
	if call.Verb == flows.Watch {
		return flows.Answer{}, flows.Fail(flows.Rejected, errNoSocket)
	}
	req, err := c.request(ctx, call)
	if err != nil {
		return flows.Answer{}, flows.Fail(flows.Internal, err)
	}
	resp, body, err := c.client.Do(req)
	if err != nil {
		return flows.Answer{}, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return flows.Answer{Status: flows.Done, Body: body}, nil
	case http.StatusAccepted:
		return flows.Answer{Status: flows.Pending, RetryAfter: retryAfter(resp.Header)}, nil
	}
	return flows.Answer{}, edge.ReadProblem(resp, body)
}

// request writes call as an HTTP request.
func (c *caller) request(ctx context.Context, call flows.Call) (*http.Request, error) {
	method, path := http.MethodGet, ""
	switch {
	case call.Verb == flows.Submit:
		method, path = http.MethodPost, commandsPath(call.Key)
	case call.Kind == flows.StatusOf:
		path = statusPath(call.ID)
	default:
		path = queryPath(call.Key)
	}
	var body io.Reader
	switch {
	case method != http.MethodPost:
	case call.Stream != nil:
		body = edge.NewOutgoing(call.Stream, call.StreamBytes)
	default:
		body = bytes.NewReader(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.client.URL+path, body)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", bytesType)
		req.Header.Set(idempotencyHeader, edge.FormatID(call.ID))
	} else {
		req.Header.Set(requestIDHeader, edge.FormatID(call.ID))
	}
	if call.Trace != "" {
		req.Header.Set(edge.TraceHeader, call.Trace)
	}
	if method == http.MethodPost && call.Stream != nil {
		req.ContentLength = -1 // what is chunked leaves as it comes
		req.Header.Set(bodyBytesHeader, strconv.FormatInt(call.StreamBytes, 10))
	}
	return req, nil
}
