// Package wsedge is the WebSocket edge: each client has one socket, over which
// it makes many calls at once.
//
// Every message is a JSON object. A client sends calls, and takes them back:
//
//	{"n":1,"verb":"submit","id":ID,"key":K,"body":BASE64}   take this command
//	{"n":2,"verb":"status","id":ID}                         what became of a command
//	{"n":3,"verb":"query","id":ID,"key":K}                  the value of a key
//	{"n":3,"verb":"cancel"}                                 nobody waits for call 3 any more
//
// The number n tells the calls of a socket apart. The server answers each that
// has not been taken back, in whatever order the answers come:
//
//	{"n":1,"status":"done","body":BASE64}
//	{"n":2,"status":"pending","retry_after_ms":10}
//	{"n":3,"status":"error","outcome":"failed","class":"rejected","detail":"…"}
//
// When the socket is lost, nobody knows what became of the calls that were under
// way on it, and they end so at once, not at their timeouts. The next call dials
// anew. Before a socket is there, a call certainly has not been made.
//
// What a server holds for a client is bounded: the size of a message, the calls
// that are under way, and the answers that wait to be sent. A client that does
// not take its answers is dropped with a reason; the answers are dropped at once.
// Both sides ping, so that a peer that has silently gone is noticed, and pages of
// other origins are refused. Behind a balancer a socket stays with its backend:
// it is clients that are balanced here, and not calls.
package wsedge
