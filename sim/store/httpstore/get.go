package httpstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"flowbench/flows"
	"flowbench/sim/store"
)

// Get implements [flows.Objects].
func (p *party) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	object, err := p.session.place.Find(uri)
	if err == nil {
		err = p.ready(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("get over http: %w", err)
	}
	resp, err := p.do(ctx, http.MethodGet, object, func(r *http.Request) {
		if header := rangeOf(part); header != "" {
			r.Header.Set("Range", header)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("get over http: %w", err)
	}
	body, err := content(ctx, resp, object, part)
	if err != nil {
		discard(resp)
		return nil, fmt.Errorf("get over http: %w", err)
	}
	p.meter.Gets.Add(1)
	return body, nil
}

// rangeOf returns the header that asks for a part, or nothing for the whole.
func rangeOf(part flows.Span) string {
	from := max(part.From, 0)
	switch {
	case part.Bytes > 0 && from <= math.MaxInt64-part.Bytes:
		return fmt.Sprintf("bytes=%d-%d", from, from+part.Bytes-1)
	case from > 0:
		return fmt.Sprintf("bytes=%d-", from)
	}
	return ""
}

var (
	errEncoded = errors.New("the server has encoded the object, which nobody asked for")
	errEndless = errors.New("the server does not say where the object ends")
	errRange   = errors.New("the server sends another part than the one asked for")
)

// content returns the bytes of a part out of an answer.
func content(ctx context.Context, resp *http.Response, object string, part flows.Span) (io.ReadCloser, error) {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return nil, store.NoObject(object)
	case http.StatusRequestedRangeNotSatisfiable: // it begins at the end or after it
		discard(resp)
		return http.NoBody, nil
	case http.StatusOK, http.StatusPartialContent:
	default:
		return nil, refusal(resp)
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, flows.Fail(flows.Corrupt, errEncoded)
	}
	if resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 {
		return nil, flows.Fail(flows.Corrupt, errEndless)
	}
	if resp.StatusCode == http.StatusOK {
		return within(ctx, resp, part)
	}
	from, bytes, ok := partOf(resp.Header.Get("Content-Range"))
	if !ok || from != max(part.From, 0) || part.Bytes > 0 && bytes > part.Bytes ||
		resp.ContentLength >= 0 && resp.ContentLength != bytes {
		return nil, flows.Fail(flows.Corrupt, errRange)
	}
	return store.NewReader(ctx, resp.Body, bytes), nil
}

// within takes a part out of a whole object, which is what servers send that know
// of no parts.
func within(ctx context.Context, resp *http.Response, part flows.Span) (io.ReadCloser, error) {
	whole := store.NewReader(ctx, resp.Body, resp.ContentLength)
	if _, err := io.CopyN(io.Discard, whole, max(part.From, 0)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if part.Bytes <= 0 {
		return whole, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(whole, part.Bytes), whole}, nil
}

// partOf reads a Content-Range: "bytes 0-99/200".
func partOf(header string) (from, bytes int64, ok bool) {
	span, is := strings.CutPrefix(header, "bytes ")
	span, _, slash := strings.Cut(span, "/")
	first, last, dash := strings.Cut(span, "-")
	if !is || !slash || !dash {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if err != nil || err2 != nil || from < 0 || to < from || to == math.MaxInt64 {
		return 0, 0, false
	}
	return from, to - from + 1, true
}
