package httpedge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"flowbench/flows"
)

const (
	idempotencyHeader  = "Idempotency-Key"
	requestIDHeader    = "X-Request-Id"
	retryAfterHeader   = "Retry-After"
	retryAfterMsHeader = "Retry-After-Ms"
	problemType        = "application/problem+json"
	bytesType          = "application/octet-stream"
)

// backendHandler serves an endpoint over HTTP.
func backendHandler(e flows.Endpoint, maxBody int64) http.Handler {
	b := backend{e, maxBody}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /commands", b.submit)
	mux.HandleFunc("GET /commands/{id}", b.status)
	mux.HandleFunc("GET /queries/{key}", b.query)
	return mux
}

type backend struct {
	endpoint flows.Endpoint
	maxBody  int64
}

func (b backend) submit(w http.ResponseWriter, r *http.Request) {
	id, err := parseID(r.Header.Get(idempotencyHeader))
	if err != nil {
		badRequest(w, fmt.Errorf("header %s: %w", idempotencyHeader, err))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, b.maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			err = flows.Fail(flows.TooLarge, fmt.Errorf("the body is over %d bytes", b.maxBody))
		}
		writeProblem(w, err)
		return
	}
	b.call(w, r, flows.Call{Verb: flows.Submit, Kind: flows.Command, ID: id, Key: r.URL.Query().Get("key"), Body: body})
}

func (b backend) status(w http.ResponseWriter, r *http.Request) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		badRequest(w, fmt.Errorf("command id: %w", err))
		return
	}
	b.call(w, r, flows.Call{Verb: flows.Fetch, Kind: flows.StatusOf, ID: id})
}

func (b backend) query(w http.ResponseWriter, r *http.Request) {
	id, err := parseID(r.Header.Get(requestIDHeader))
	if err != nil {
		badRequest(w, fmt.Errorf("header %s: %w", requestIDHeader, err))
		return
	}
	b.call(w, r, flows.Call{Verb: flows.Fetch, Kind: flows.Query, ID: id, Key: r.PathValue("key")})
}

func (b backend) call(w http.ResponseWriter, r *http.Request, c flows.Call) {
	for answer, err := range b.endpoint(r.Context(), c) {
		if err != nil {
			writeProblem(w, err)
			return
		}
		writeAnswer(w, c, answer)
		return
	}
	writeProblem(w, flows.Unknown(flows.Internal, errors.New("the endpoint gave no answer")))
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

// A problem is an RFC 9457 problem document.
type problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail,omitempty"`
	Outcome string `json:"outcome"`
	Class   string `json:"class"`
}

func writeProblem(w http.ResponseWriter, err error) {
	outcome, class := flows.OutcomeOf(err)
	code := problemCode(outcome, class)
	p := problem{
		Title: http.StatusText(
			code,
		), Status: code, Detail: err.Error(), Outcome: outcome.String(), Class: string(class),
	}
	body, _ := json.Marshal(p) // a struct of strings always encodes
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that has gone knows it
}

func badRequest(w http.ResponseWriter, err error) { writeProblem(w, flows.Fail(flows.Rejected, err)) }

// problemCode returns the HTTP status that says the same as outcome and class.
func problemCode(o flows.Outcome, c flows.Class) int {
	switch {
	case c == flows.Timeout:
		return http.StatusGatewayTimeout
	case o == flows.Undecided:
		return http.StatusBadGateway
	case c == flows.Rejected:
		return http.StatusUnprocessableEntity
	case c == flows.TooLarge:
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusServiceUnavailable
	}
}

// readProblem returns the error that a response other than 200 and 202 stands
// for. Without a problem document of ours it comes from a gateway, which cannot
// know what became of the request.
func readProblem(r *http.Response, body []byte) error {
	var p problem
	if r.Header.Get("Content-Type") == problemType && json.Unmarshal(body, &p) == nil && knownClass(p.Class) {
		err := fmt.Errorf("%s: %s", r.Status, p.Detail)
		if p.Outcome == flows.Failed.String() {
			return flows.Fail(flows.Class(p.Class), err)
		}
		return flows.Unknown(flows.Class(p.Class), err)
	}
	class := flows.Disconnected
	if r.StatusCode == http.StatusGatewayTimeout {
		class = flows.Timeout
	}
	return flows.Unknown(class, fmt.Errorf("%s", r.Status))
}

func knownClass(name string) bool {
	for _, c := range flows.Classes() {
		if string(c) == name {
			return true
		}
	}
	return false
}

// Ids travel as 16 hexadecimal digits.
func formatID(id uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[id>>(60-4*i)&15]
	}
	return string(b[:])
}

func parseID(s string) (uint64, error) {
	if len(s) != 16 {
		return 0, fmt.Errorf("%q is not an id of 16 hexadecimal digits", s)
	}
	id, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an id of 16 hexadecimal digits", s)
	}
	return id, nil
}

func statusPath(id uint64) string    { return "/commands/" + formatID(id) }
func queryPath(key string) string    { return "/queries/" + url.PathEscape(key) }
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
