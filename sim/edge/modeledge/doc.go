// Package modeledge is the edge in virtual time: what web clients speak to a
// front end or to a service, as delays and without a network.
//
// Every client has a link with a delay each way, drawn anew for each call and
// each answer. Calls of one client do not queue behind each other, as requests
// on connections of their own do not. Where a part has several backends, a
// balancer stands before them and hands calls on over a link of its own, to the
// backend that package balance picks, as the one over HTTP does.
//
// A watch is answered more than once. Its answers have delays of their own and
// keep their order, as on a socket: one that would overtake arrives together with
// the one before it. A caller that leaves is heard of later, like one that gives
// up.
//
// A body that comes as a stream is handed on as it is, to be read by the endpoint.
// Its bytes take no time: links have delays and no bandwidth, so a large body
// arrives as soon as a small one, and all of it is there as far as its reader is.
// What is kept is how it ends. Once the caller has left, or word of that has come,
// there is no more of it, and a reader that ends before the size is an error.
//
// What crosses the edge is what would cross HTTP, and no more. A status request
// carries the id of a command and nothing else, a pending answer has no body,
// and an error arrives as its outcome, its class and its words: nobody finds the
// service's own error value in it. A call that has arrived is worked on in an
// activity of the server's. A client that gives up does not hold it up: word of
// that takes as long to arrive as the call did, and only then ends the work.
package modeledge
