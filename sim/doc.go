// Package sim runs plans.
//
// An [Engine] takes the cells of a plan one after the other and does with each
// the same things in the same order: open its world, serve, warm up, load,
// drain, close. A world is a broker session, an edge, a service and clients, all
// on one runtime; on the wall clock in a live run.
//
// The engine owns what must be equal for all flows and brokers: when operations
// are due, how long clients wait, how many operations may be under way, which
// bytes are sent and whether the right ones came back, and the account. The
// packages below it own the parts: pace starts operations on time, service does
// the work, broker and edge hold one driver for each product or protocol, wire
// makes their connections, embedded runs a broker as a child process, and host
// tells how hard the machine had it.
//
// Whatever the end of a run is, its worlds are closed in order and nothing that
// they created is left at a broker.
package sim
