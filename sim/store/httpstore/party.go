package httpstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
)

// A party is one party's access.
type party struct {
	session   *session
	meter     *store.Meter
	transport *http.Transport

	undoing context.Context // until the party is closed
	cancel  context.CancelFunc
	undone  sync.WaitGroup

	mu     sync.Mutex // so that nothing is begun to be undone after the end
	closed bool
}

// Close implements [flows.Objects].
func (p *party) Close() error {
	p.close()
	return nil
}

func (p *party) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.undone.Wait()
	p.transport.CloseIdleConnections() // one that is in use now is closed after that
}

// ready returns why nothing can be asked, if that is so.
func (p *party) ready(ctx context.Context) error {
	if p.undoing.Err() != nil {
		return flows.ErrClosed
	}
	return store.Done(ctx)
}

// do sends a request about an object. The transport must not send it again by
// itself, unless it is one that only reads.
func (p *party) do(ctx context.Context, method, object string, change func(*http.Request)) (*http.Response, error) {
	s := p.session
	r, err := http.NewRequestWithContext(ctx, method, s.place.Address(object), nil)
	if err != nil {
		return nil, flows.Fail(flows.Internal, fmt.Errorf("ask for %s: %w", object, err))
	}
	if c := s.at.Credentials; c != (store.Credentials{}) {
		r.SetBasicAuth(c.Name, c.Secret)
	}
	if change != nil {
		change(r)
	}
	resp, err := p.transport.RoundTrip(r)
	if err != nil {
		return nil, store.Classify(ctx, fmt.Errorf("ask %s: %w", s.at.Host, err))
	}
	return resp, nil
}

// maxRefusal is how much is read of an answer that nobody wants, so that its
// connection can be used again.
const maxRefusal = 64 << 10

// discard reads what nobody wants to know.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxRefusal) // an end or an error, and neither matters
	_ = resp.Body.Close()                              // a connection that is not used again is no harm
}

// refusal returns what a status means that is none of those hoped for.
func refusal(resp *http.Response) error {
	class := flows.Rejected
	switch resp.StatusCode {
	case http.StatusRequestEntityTooLarge:
		class = flows.TooLarge
	case http.StatusInsufficientStorage, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		class = flows.Overloaded
	}
	return flows.Fail(class, fmt.Errorf("the server says %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
}

// announced is the size from which on a body is announced before it is sent.
const announced = 1 << 20

// Put implements [flows.Objects].
func (p *party) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	s := p.session
	object, err := s.place.Object(name)
	if err != nil {
		return "", err
	}
	if err := p.ready(ctx); err != nil {
		return "", fmt.Errorf("put over http: %w", err)
	}
	if size < 0 {
		return "", flows.Fail(flows.Internal, fmt.Errorf("put over http: an object of %d bytes", size))
	}
	s.inventory.Add(object)
	if err := p.put(ctx, object, store.NewBody(ctx, body, size), size); err != nil {
		p.undo(object, err)
		return "", fmt.Errorf("put over http: %w", err)
	}
	p.meter.Puts.Add(1)
	return s.place.Address(object), nil
}

func (p *party) put(ctx context.Context, object string, body *store.Body, size int64) error {
	defer body.Close()
	resp, err := p.do(ctx, http.MethodPut, object, func(r *http.Request) {
		r.Body, r.ContentLength = body, size
		if size == 0 {
			r.Body = http.NoBody // or it would go without a length
		}
		if size > announced {
			r.Header.Set("Expect", "100-continue")
		}
		r.Header.Set("Content-Type", "application/octet-stream")
	})
	if reason := body.Err(); err != nil && reason != nil {
		return reason
	}
	if _, class := flows.OutcomeOf(err); class == flows.Refused || class == flows.Unreachable {
		p.session.inventory.Remove(object) // nobody has heard of it
	}
	if err != nil {
		return err
	}
	defer discard(resp)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return nil
	}
	return refusal(resp)
}

// undoPatience is how long it may take to delete what a failed Put has left.
const undoPatience = 5 * time.Second

// undo deletes in the background what a Put may have left that failed with err: its
// body may have arrived, and only the answer not. What a server refused, or has
// never heard of, is not there. Anything that is left in spite of that is deleted
// at the end of the session.
func (p *party) undo(object string, err error) {
	switch _, class := flows.OutcomeOf(err); class {
	case flows.Refused, flows.Unreachable, flows.Rejected, flows.TooLarge, flows.Overloaded:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.undone.Go(func() {
		ctx, cancel := context.WithTimeout(p.undoing, undoPatience)
		defer cancel()
		if err := p.remove(ctx, object); err != nil {
			p.session.config.Log.Debug("a failed put was not undone", "object", object, "error", err)
		}
	})
}

// Delete implements [flows.Objects].
func (p *party) Delete(ctx context.Context, uri string) error {
	object, err := p.session.place.Find(uri)
	if err == nil {
		err = p.ready(ctx)
	}
	if err == nil {
		err = p.remove(ctx, object)
	}
	if err != nil {
		return fmt.Errorf("delete over http: %w", err)
	}
	p.session.inventory.Remove(object)
	p.meter.Deletes.Add(1)
	return nil
}

// remove deletes an object. It stays in the inventory.
func (p *party) remove(ctx context.Context, object string) error {
	resp, err := p.do(ctx, http.MethodDelete, object, nil)
	if err != nil {
		return err
	}
	defer discard(resp)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent, http.StatusNotFound, http.StatusGone:
		return nil
	}
	return refusal(resp)
}
