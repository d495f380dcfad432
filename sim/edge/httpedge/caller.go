package httpedge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"

	"flowbench/flows"
	"flowbench/sim/wire"
)

// A caller is one web client.
type caller struct {
	base      string
	transport *http.Transport
	config    Config
}

func newCaller(c Config, dial wire.Dialer, address string) *caller {
	return &caller{base: "http://" + address, transport: newTransport(c, dial, c.ConnectionsPerClient), config: c}
}

// Call implements [flows.Caller].
func (c *caller) Call(ctx context.Context, call flows.Call) iter.Seq2[flows.Answer, error] {
	return flows.Single(func() (flows.Answer, error) { return c.call(ctx, call) })
}

// Close implements [flows.Caller].
func (c *caller) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

func (c *caller) call(ctx context.Context, call flows.Call) (flows.Answer, error) {
	var sent atomic.Bool
	req, err := c.request(ctx, call, &sent)
	if err != nil {
		return flows.Answer{}, flows.Fail(flows.Internal, err)
	}
	c.config.Meter.Requests.Add(1)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return flows.Answer{}, classify(ctx, err, sent.Load())
	}
	defer resp.Body.Close() // all of it has been read, or the error says why not
	body, err := c.read(resp)
	if _, class := flows.OutcomeOf(err); class == flows.TooLarge {
		return flows.Answer{}, err
	}
	if err != nil {
		return flows.Answer{}, classify(ctx, err, true)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return flows.Answer{Status: flows.Done, Body: body}, nil
	case http.StatusAccepted:
		return flows.Answer{Status: flows.Pending, RetryAfter: retryAfter(resp.Header)}, nil
	}
	return flows.Answer{}, readProblem(resp, body)
}

// request writes call as an HTTP request. sent is set once the request may have
// reached the server.
func (c *caller) request(ctx context.Context, call flows.Call, sent *atomic.Bool) (*http.Request, error) {
	ctx = httptrace.WithClientTrace(
		ctx,
		&httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }},
	)
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
	if method == http.MethodPost {
		body = bytes.NewReader(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	if method == http.MethodPost {
		// The idempotency key would have the transport send the request again by
		// itself after some errors. Whether that is wise is what gets measured.
		req.GetBody = nil
		req.Header.Set("Content-Type", bytesType)
		req.Header.Set(idempotencyHeader, formatID(call.ID))
	} else {
		req.Header.Set(requestIDHeader, formatID(call.ID))
	}
	return req, nil
}

// read reads the whole body, and no more than was agreed on.
func (c *caller) read(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= c.config.MaxBody {
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.config.MaxBody+1))
	if err == nil && int64(len(body)) > c.config.MaxBody {
		err = flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", c.config.MaxBody))
	}
	return body, err
}

// classify says what an error of a round trip means for the operation. Before
// the request had a connection it certainly did not arrive.
func classify(ctx context.Context, err error, sent bool) error {
	err = fmt.Errorf("http: %w", err)
	class := flows.Disconnected
	switch {
	case ctx.Err() != nil && !sent && errors.Is(ctx.Err(), context.DeadlineExceeded):
		// It waited for a connection all the time. Still, patience ended and not the
		// path, and a timeout is never called a failure.
		return flows.Unknown(flows.Timeout, err)
	case ctx.Err() != nil:
		_, class = flows.OutcomeOf(ctx.Err())
		return flows.Unknown(class, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		class = flows.Refused
	case !sent:
		class = flows.Unreachable
	case strings.Contains(err.Error(), "timeout awaiting response headers"):
		class = flows.Timeout
	}
	if !sent {
		return flows.Fail(class, err)
	}
	return flows.Unknown(class, err)
}
