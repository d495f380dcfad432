package httpedge

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge"
)

const (
	idempotencyHeader  = "Idempotency-Key"
	requestIDHeader    = "X-Request-Id"
	retryAfterHeader   = "Retry-After"
	retryAfterMsHeader = "Retry-After-Ms"
	bodyBytesHeader    = "Body-Bytes"
	bytesType          = "application/octet-stream"
)

// backendHandler serves an endpoint over HTTP.
func backendHandler(e flows.Endpoint, web *edge.Web, maxBody int64) http.Handler {
	b := backend{e, web, maxBody}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /commands", b.submit)
	mux.HandleFunc("GET /commands/{id}", b.status)
	mux.HandleFunc("GET /queries/{key...}", b.query)
	return mux
}

type backend struct {
	endpoint flows.Endpoint
	web      *edge.Web
	maxBody  int64
}

func (b backend) submit(w http.ResponseWriter, r *http.Request) {
	id, err := edge.ParseID(r.Header.Get(idempotencyHeader))
	if err != nil {
		badRequest(w, fmt.Errorf("header %s: %w", idempotencyHeader, err))
		return
	}
	c := flows.Call{Verb: flows.Submit, Kind: flows.Command, ID: id, Key: r.URL.Query().Get("key")}
	if announced := r.Header.Get(bodyBytesHeader); announced != "" {
		b.stream(w, r, c, announced)
		return
	}
	if c.Body, err = edge.ReadBody(r, b.maxBody); err != nil {
		edge.WriteProblem(w, err)
		return
	}
	b.call(r, w, c)
}

// stream has the endpoint take a body while it still comes.
func (b backend) stream(w http.ResponseWriter, r *http.Request, c flows.Call, announced string) {
	size, err := strconv.ParseUint(announced, 10, 63)
	if err != nil {
		badRequest(w, fmt.Errorf("header %s: %q is no size", bodyBytesHeader, announced))
		return
	}
	if size > uint64(max(b.maxBody, 0)) {
		edge.WriteProblem(w, edge.OverLimit(b.maxBody))
		return
	}
	ctx, body, leave := b.web.Stream(w, r, int64(size))
	defer leave()
	c.Stream, c.StreamBytes = body, int64(size)
	b.call(r.WithContext(ctx), w, c)
}

func (b backend) status(w http.ResponseWriter, r *http.Request) {
	id, err := edge.ParseID(r.PathValue("id"))
	if err != nil {
		badRequest(w, fmt.Errorf("command id: %w", err))
		return
	}
	b.call(r, w, flows.Call{Verb: flows.Fetch, Kind: flows.StatusOf, ID: id})
}

func (b backend) query(w http.ResponseWriter, r *http.Request) {
	id, err := edge.ParseID(r.Header.Get(requestIDHeader))
	if err != nil {
		badRequest(w, fmt.Errorf("header %s: %w", requestIDHeader, err))
		return
	}
	b.call(r, w, flows.Call{Verb: flows.Fetch, Kind: flows.Query, ID: id, Key: r.PathValue("key")})
}

func (b backend) call(r *http.Request, w http.ResponseWriter, c flows.Call) {
	c.Trace = r.Header.Get(edge.TraceHeader)
	for answer, err := range b.endpoint(r.Context(), c) {
		if err != nil {
			edge.WriteProblem(w, err)
			return
		}
		writeAnswer(w, c, answer)
		return
	}
	edge.WriteProblem(w, flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer")))
}

func writeAnswer(w http.ResponseWriter, c flows.Call, a flows.Answer) {
	h := w.Header()
	h.Set("Content-Type", bytesType)
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	code := http.StatusOK
	if a.Status == flows.Pending {
		code = http.StatusAccepted
		h.Set("Location", statusPath(c.ID))
		h.Set(retryAfterHeader, strconv.Itoa(int(math.Ceil(a.RetryAfter.Seconds()))))
		h.Set(retryAfterMsHeader, strconv.FormatInt(max(a.RetryAfter.Milliseconds(), 1), 10))
	}
	w.WriteHeader(code)
	_, _ = w.Write(a.Body) // a client that has gone knows it
}

func badRequest(w http.ResponseWriter, err error) {
	edge.WriteProblem(w, flows.Fail(flows.Rejected, err))
}

func statusPath(id uint64) string { return "/commands/" + edge.FormatID(id) }

// queryPath names a key in a path. Dots need more than escaping: a path in which
// one or two of them stand alone is taken for a relative one on the way.
func queryPath(key string) string {
	if key == "." || key == ".." {
		return "/queries/" + strings.ReplaceAll(key, ".", "%2E")
	}
	return "/queries/" + url.PathEscape(key)
}

func commandsPath(key string) string { return "/commands?key=" + url.QueryEscape(key) }

// retryAfter returns what a 202 says about when to ask again.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.Atoi(h.Get(retryAfterMsHeader)); err == nil && ms >= 0 {
		return time.Duration(ms) * time.Millisecond
	}
	s, err := strconv.Atoi(h.Get(retryAfterHeader))
	if err != nil || s < 0 {
		return 0
	}
	return time.Duration(s) * time.Second
}
