package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
//
// If the body is [Outgoing] and its reader fails, so does the request, and nobody
// knows what the other side has made of what had come by then. The answer may come
// before all of the body has been sent; then the rest stays where it is.
func (c *Client) Do(r *http.Request) (*http.Response, []byte, error) {
	ctx := r.Context()
	r.GetBody = nil
	out, _ := r.Body.(*Outgoing)
	if out != nil {
		defer out.End()
		r = r.WithContext(out.traced(ctx))
	}
	c.meter.Requests.Add(1)
	resp, err := c.transport.RoundTrip(r)
	if out != nil && err != nil && ctx.Err() == nil && out.Failed() != nil {
		_, class := flows.OutcomeOf(out.Failed())
		return nil, nil, flows.Unknown(class, fmt.Errorf("http: %w", out.Failed()))
	}
	if err != nil {
		return nil, nil, classify(ctx, err)
	}
	defer resp.Body.Close() // all of it has been read, or the error says why not
	body, err := c.read(resp)
	if _, class := flows.OutcomeOf(err); class == flows.TooLarge {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, classify(ctx, err)
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

// classify says what an error of a round trip means for the operation. Without a
// connection it certainly did not arrive; with one, nobody can know. Where the
// operation's own time is over, it is patience that ended and not the path, and a
// timeout is never called a failure, whether or not there was a connection yet.
func classify(ctx context.Context, err error) error {
	var undialled *dialError
	notSent := errors.As(err, &undialled)
	err = fmt.Errorf("http: %w", err)
	switch {
	case ctx.Err() != nil:
		_, class := flows.OutcomeOf(ctx.Err())
		return flows.Unknown(class, err)
	case !notSent:
		return flows.Unknown(flows.Disconnected, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return flows.Fail(flows.Refused, err)
	default:
		return flows.Fail(flows.Unreachable, err)
	}
}
