package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"

	"flowbench/flows"
)

// A Client makes HTTP requests to one address for one client of an edge. Its
// methods may be called concurrently.
type Client struct {
	URL string // http://host:port

	transport *http.Transport
	meter     *Meter
	limit     int64
}

// Client returns a client of address that reads answers of up to limit bytes.
func (w *Web) Client(address string, limit int64) *Client {
	return &Client{
		URL: "http://" + address, transport: w.Transport(w.config.ConnectionsPerClient), meter: w.config.Meter,
		limit: limit,
	}
}

// Close closes the connections. Requests must have ended.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Do makes a request and returns the response with its whole body. Errors have
// their outcome and class; a response with any status is none.
//
// The transport must not send a request again by itself, as it does after some
// errors with those that it takes for idempotent. Whether that is wise is what
// gets measured, so the body cannot be had twice.
func (c *Client) Do(r *http.Request) (*http.Response, []byte, error) {
	var sent atomic.Bool
	ctx := r.Context()
	r = r.WithContext(httptrace.WithClientTrace(
		ctx,
		&httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }},
	))
	r.GetBody = nil
	c.meter.Requests.Add(1)
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, nil, classify(ctx, err, sent.Load())
	}
	defer resp.Body.Close() // all of it has been read, or the error says why not
	body, err := c.read(resp)
	if _, class := flows.OutcomeOf(err); class == flows.TooLarge {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, classify(ctx, err, true)
	}
	return resp, body, nil
}

// read reads the whole body, and no more than was agreed on.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= c.limit {
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.limit+1))
	if err == nil && int64(len(body)) > c.limit {
		err = flows.Unknown(flows.TooLarge, fmt.Errorf("the answer is over %d bytes", c.limit))
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
