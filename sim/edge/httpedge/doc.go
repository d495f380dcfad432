// Package httpedge is the REST edge: what web clients of a front end, or of the
// service itself, speak in the flows that use HTTP.
//
//	POST /commands?key=K     take this command; the Idempotency-Key header names it
//	GET  /commands/{id}      what became of a command
//	GET  /queries/{key}      the value of a key
//
// A result comes as 200 with the result as body. A call that was taken and has
// no result yet comes as 202 with Location, where to ask for it, and
// Retry-After. Since that header counts whole seconds, Retry-After-Ms says it
// in milliseconds, and clients that know it use it.
//
// A body that its client has as a stream is sent chunked, with its size in the
// header Body-Bytes, and the endpoint has its bytes as they come; balancers pass
// them on as they come too. The endpoint gets an error in place of the end when
// the body breaks off, when it ends before its size or goes on after it, and when
// it has not all come within an operation's time. All other bodies are read
// whole before the endpoint is asked. An endpoint may answer before it has read
// all: the answer goes out at once, the connection is closed after it, and the
// rest of the body is not sent. That is also how a body is refused that says it is
// too large, with 413 and before it has come.
//
// Errors are problem documents (RFC 9457) with two members more: "outcome" says
// whether the operation certainly failed or whether nobody knows, and "class"
// says why. Gateways on the way answer 502 and 504 without them; that leaves
// the outcome unknown, since the request may have arrived.
//
// What it has in common with other edges, the servers, the balancer and the
// client side of HTTP, is in package edge.
package httpedge
