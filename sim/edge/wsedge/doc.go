// Package wsedge is the WebSocket edge: each client has one socket, over which
// it makes many calls at once.
//
// Every message is a JSON object. A client sends calls, and takes them back:
//
//	{"n":1,"verb":"submit","id":ID,"key":K,"body":BASE64}   take this command
//	{"n":2,"verb":"status","id":ID}                         what became of a command
//	{"n":3,"verb":"query","id":ID,"key":K}                  the value of a key
//	{"n":4,"verb":"command","id":ID,"key":K,"body":BASE64}  take this command, and tell how it goes on
//	{"n":5,"verb":"changes","id":ID,"key":K}                the value of a key, now and after every change
//	{"n":3,"verb":"cancel"}                                 nobody waits for call 3 any more
//
// A call may have a member more, "traceparent", which is the header of that name
// (W3C Trace Context): messages of a socket have no headers.
//
// The number n tells the calls of a socket apart. The server answers each that
// has not been taken back, in whatever order the answers come:
//
//	{"n":1,"status":"done","body":BASE64}
//	{"n":2,"status":"pending","retry_after_ms":10}
//	{"n":3,"status":"error","outcome":"failed","class":"rejected","detail":"…"}
//	{"n":5,"status":"end"}
//
// A body that its client has as a stream is announced by its size and sent in
// binary messages as the server asks for it, of at most 64 KiB each: 8 bytes with
// the number of the call, the most significant first, and then data. The server
// says how many bytes more may come:
//
//	{"n":6,"verb":"submit","id":ID,"key":K,"stream":8388608}
//	{"n":6,"status":"credit","bytes":262144}
//
// The endpoint has the bytes as they come, and credit is given as it reads. A call
// that is taken back breaks its body off, and one that has been answered needs no
// more of it; package socket has the bounds.
//
// The last two verbs are a Watch of package flows. They are answered as often as
// there is something to tell, in order, until an error or the end, of which the
// others need no word: they have one answer.
//
// Sockets, their bounds, and what becomes of calls when one is lost are those of
// package socket. Behind a balancer a socket stays with its backend: it is
// clients that are balanced here, and not calls.
package wsedge
