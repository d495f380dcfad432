// Package flows holds the ways an operation can travel from a client to a
// service, and the ways its answer can travel back.
//
// An operation is one thing that a client wants done. A command changes state,
// a query reads it, and an event says that state has changed. Between the two
// ends there is nothing, or a load balancer, or a broker, or a front end and a
// broker; and for every such path there is the question who waits for whom:
//
//   - In a request-reply flow the client waits for the service's answer. It
//     learns everything, and it fails when any part on the way fails.
//   - In a flow with acceptance the client waits only until somebody takes
//     responsibility: the broker by its confirm, the front end by "202
//     Accepted". The work happens later. The client learns the result by
//     polling, by an event, or not at all.
//
// Others than the client may want to hear of a command as well: subscribers, to
// whom the service's events go, or clients that watch a piece of its state. For
// them there is the question how far they lag behind, and whether they hear of
// every command, once.
//
// What can get lost follows from that. A request that nobody accepted may have
// vanished or may yet be applied; its outcome is unknown, which is not the same
// as failed. A request that was accepted must be applied, and applied once,
// unless the flow promises less. Answers can get lost as well: then the work is
// done and the client does not know it.
//
// A flow is written once and runs twice: live, against real brokers and real
// sockets, and in virtual time. Hence the runtime rule: a flow takes time,
// waiting, forking and cancellation from [Env] and never uses go, channels,
// select, the wall clock or random numbers of its own. A test of this package
// enforces the rule, as it enforces that the package imports nothing but the
// standard library and its own package chunks.
//
// The file flow.go says what a flow is; env.go, broker.go, edge.go and
// service.go are the world as a flow sees it; then there is one file for each
// flow or family of flows, and all.go lists them.
package flows
