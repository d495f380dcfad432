// Package graphqledge is the GraphQL edge: one endpoint, /graphql, and a schema
// in place of resources.
//
//	mutation submit(id, key, body)        take this command
//	query status(id)                      what became of a command
//	query query(id, key)                  the value of a key
//	subscription changes(id, key)         that value, now and after every change
//	subscription command(id, key, body)   take this command, and tell how it goes on
//
// Each returns a Result: its status, DONE or PENDING, its body, and after how
// many milliseconds to ask again. GraphQL has no type for bytes, so bodies are
// base64 strings; that third more, and the parsing of the query with each
// request, are what this edge costs and what a comparison with REST shows.
//
// A variable is there whole or not at all, so no body can come bit by bit. One
// that its client has as a stream is read whole first, as far as the limit for
// bodies allows, and travels as any other: the endpoint has it whole. That holds
// over a socket too.
//
// An error has two extensions: "outcome" says whether the operation certainly
// failed or whether nobody knows, and "class" says why. An error without them
// comes before any resolver ran: the document was refused. Gateways on the way
// speak no GraphQL, and answer with the problem documents of package edge.
//
// The trace that a call belongs to travels in the header traceparent of a post, and
// over a socket, whose messages have no headers, in the extensions of the request.
//
// The server runs graph-gophers/graphql-go; the client is plain net/http, or a
// plain socket, with constant documents and variables, which is how generated
// clients work too.
//
// Queries and mutations are posted. Whoever subscribes opens a WebSocket at the
// same place and speaks graphql-transport-ws over it, as the client graphql-ws
// does; queries and mutations may then go over it as well, and do where a client
// has one socket for everything. An error in the middle of a subscription ends it
// with the message "error", with the extensions that any other has. The protocol
// has its own codes for the ways to break it, 4400 and above. All else about
// sockets, and about clients that do not take what they are told, is said in
// package socket.
//
// What a document may ask is bounded in length, depth and number of fields, and
// there is no introspection. Requests must be application/json, which a page of
// another origin cannot send without asking first.
package graphqledge
