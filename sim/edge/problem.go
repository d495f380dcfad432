package edge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"flowbench/flows"
)

// A Fault is an error as it crosses an edge.
type Fault struct {
	Detail  string `json:"detail,omitempty"` // for people
	Outcome string `json:"outcome"`
	Class   string `json:"class"`
}

// FaultOf returns what of err crosses an edge.
func FaultOf(err error) Fault {
	outcome, class := flows.OutcomeOf(err)
	return Fault{Detail: err.Error(), Outcome: outcome.String(), Class: string(class)}
}

// Known reports whether the fault is one that [FaultOf] can have made.
func (f Fault) Known() bool {
	return (f.Outcome == flows.Failed.String() || f.Outcome == flows.Undecided.String()) &&
		slices.Contains(flows.Classes(), flows.Class(f.Class))
}

// Err returns the error that the fault stands for, with the same outcome and
// class. What stands for none is corrupt.
func (f Fault) Err() error {
	err := fmt.Errorf("%s", f.Detail)
	switch {
	case !f.Known():
		return flows.Unknown(flows.Corrupt, fmt.Errorf("outcome %q and class %q are none: %w", f.Outcome, f.Class, err))
	case f.Outcome == flows.Failed.String():
		return flows.Fail(flows.Class(f.Class), err)
	}
	return flows.Unknown(flows.Class(f.Class), err)
}

const problemType = "application/problem+json"

// A problem is an RFC 9457 problem document, with the outcome and the class of
// the fault as members of its own.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Fault
}

// WriteProblem answers a request with the problem document of err.
func WriteProblem(w http.ResponseWriter, err error) {
	code := statusOf(err)
	p := problem{Title: http.StatusText(code), Status: code, Fault: FaultOf(err)}
	body, _ := json.Marshal(p) // a struct of strings always encodes
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that has gone knows it
}

// statusOf returns the HTTP status that says the same as err, as far as one can.
func statusOf(err error) int {
	switch o, c := flows.OutcomeOf(err); {
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

// ReadProblem returns the error that a response stands for which is none of the
// edge's own. Without a problem document of ours it comes from a gateway, which
// cannot know what became of the request.
func ReadProblem(r *http.Response, body []byte) error {
	var p problem
	if r.Header.Get("Content-Type") == problemType && json.Unmarshal(body, &p) == nil && p.Known() {
		p.Detail = r.Status + ": " + p.Detail
		return p.Err()
	}
	class := flows.Disconnected
	if r.StatusCode == http.StatusGatewayTimeout {
		class = flows.Timeout
	}
	return flows.Unknown(class, fmt.Errorf("%s", r.Status))
}
