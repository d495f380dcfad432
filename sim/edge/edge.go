// Package edge is what the engine and every edge agree on, and what edges over
// HTTP have in common.
//
// An edge is a package of its own below this one. It describes itself with a
// [Driver] value, which package drivers lists, and is opened anew for each cell
// of a plan. What differs from edge to edge is how calls and answers are
// written; that is all that such a package holds. What must not differ, or a
// comparison of edges would compare their surroundings, is here: servers with
// all their timeouts set, the load balancer before several backends, the client
// side of an HTTP connection with its bounds, and what an error means.
//
// An error crosses an edge as its [Fault]: the outcome, so that a client knows
// whether the operation certainly failed or whether nobody knows, and the class
// that says why. Below the protocol of an edge there are gateways, which know
// nothing of it. They answer with problem documents (RFC 9457) or with bare
// status codes, and [ReadProblem] understands both.
//
// A part with several backends has a load balancer before them, which is a
// reverse proxy with a connection pool of its own. Package balance says which
// backend it picks, and when one is ejected or comes back. It learns how they
// are in two ways. It checks them: every server answers GET /healthz by itself,
// without its endpoint, so that a service that is slow is not taken for one that
// is gone. And it looks at what becomes of requests: a connection that is refused
// or breaks, and a status from 500 on without a problem document, count against a
// backend; a problem document is an answer, and a client that gives up says
// nothing about anybody. A refused request goes to another backend, once,
// because it was certainly not sent. Nothing else is sent again. Where no backend
// is well the answer is 503, and a certain failure. Checks are neither requests
// nor traffic of the edge in its [Meter].
// The body of a call may come as a stream; see [flows.Call]. What passes it on,
// clients and balancers, holds a few kilobytes of it and no more, and sends it once.
// Nobody waits in a reader that may have nothing to say: a call that is cancelled,
// and one whose connection is lost, end at once whatever their bodies do. Servers
// answer as soon as an endpoint has, whether or not its body has come, and give the
// client half a second to learn of it before a connection closes on which the rest
// still comes. So a body over the limit is refused while it is sent. A request is
// sent as long as its answer may be waited for, so a slow body ends with a timeout.
//
// Edges over sockets have in common what package socket holds.
//
// Everything listens on loopback, and everything is bounded: bodies, headers,
// and the time that anything may take.
package edge

import (
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/sim/edge/balance"
	"flowbench/sim/wire"
)

// A Driver describes one kind of edge and opens it.
type Driver struct {
	Name    string // as written in scenarios: rest, graphql, ws
	Summary string // one phrase for lists
	Sockets bool   // clients can hold a socket, over which flows with [flows.UsesSocket] go
	Open    func(Config) flows.Edge
}

// A Config describes an edge.
type Config struct {
	Timeout              time.Duration // of an operation; connections are given somewhat more
	MaxBody              int64         // bytes of a request or answer body, as the flow sees it
	Socket               bool          // everything of a client goes over one socket; for edges that have sockets
	LeastPending         bool          // balancers pick who has the fewest requests under way, and not each in turn
	Health               balance.Health
	Notify               func(Event) // told of what balancers do, in order; must not wait; may be nil
	ConnectionsPerClient int         // at most; 0 for as many as there are calls at once
	Dial                 wire.Dialer
	Route                wire.Route // what connections go through: of ClientParty, and of backends, as part-0
	Meter                *Meter
	Log                  *slog.Logger
}

// TraceHeader carries the trace that a call belongs to (W3C Trace Context).
const TraceHeader = "Traceparent"

// ClientParty is the party of web clients in a [wire.Route].
const ClientParty = "client"

// A Meter counts what crosses the edge. All counts only grow.
type Meter struct {
	Requests atomic.Int64 // calls of clients, and requests that balancers hand on
	BytesIn  atomic.Int64 // read by those who dial
	BytesOut atomic.Int64 // written by them
}

// grace is how much longer than an operation a connection lives, so that it is
// the operation that times out and not the connection under it.
const grace = 5 * time.Second

// WrittenLimit returns how many bytes a message may have in which a body of up
// to limit bytes travels as base64, with its key and all that is around it.
func WrittenLimit(limit int64) int64 { return (limit+2)/3*4 + writtenHeadroom }

// writtenHeadroom is what a message may have beside its body: as much as an HTTP
// server takes in headers.
const writtenHeadroom = maxHeader

// Milliseconds returns n milliseconds as somebody else has written them, who may
// have written nonsense: never less than none, and never more than a day.
func Milliseconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(24*time.Hour/time.Millisecond))) * time.Millisecond
}

// Ids travel as 16 hexadecimal digits.

// FormatID writes an id.
func FormatID(id uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[id>>(60-4*i)&15]
	}
	return string(b[:])
}

// ParseID reads an id that [FormatID] wrote.
func ParseID(s string) (uint64, error) {
	if len(s) != 16 {
		return 0, fmt.Errorf("%q is not an id of 16 hexadecimal digits", s)
	}
	id, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an id of 16 hexadecimal digits", s)
	}
	return id, nil
}
