// Package graphqledge is the GraphQL edge: one endpoint, POST /graphql, and a
// schema in place of resources.
//
//	mutation submit(id, key, body)   take this command
//	query status(id)                 what became of a command
//	query query(id, key)             the value of a key
//
// Each returns a Result: its status, DONE or PENDING, its body, and after how
// many milliseconds to ask again. GraphQL has no type for bytes, so bodies are
// base64 strings; that third more, and the parsing of the query with each
// request, are what this edge costs and what a comparison with REST shows.
//
// An error has two extensions: "outcome" says whether the operation certainly
// failed or whether nobody knows, and "class" says why. An error without them
// comes before any resolver ran: the document was refused. Gateways on the way
// speak no GraphQL, and answer with the problem documents of package edge.
//
// The server runs graph-gophers/graphql-go; the client is plain net/http with
// constant documents and variables, which is how generated clients work too.
// What a document may ask is bounded in length, depth and number of fields, and
// there is no introspection. Requests must be application/json, which a page of
// another origin cannot send without asking first.
package graphqledge
