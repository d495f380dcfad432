// Package link puts a wire between two parts of a world that can be hurt.
//
// A [Link] listens on an address of this machine and forwards every TCP
// connection to its target. Whoever is given the link's address in place of the
// target's notices nothing, until an [Impairment] is armed: latency, narrow
// bandwidth, a stall, lost bytes, resets, refused connections and others, for
// one direction or both, several at once, each healed on its own. The fault
// happens to the bytes and the connections below the client library, because
// the client library's way of noticing and recovering is what is under test; a
// faulty wrapper around the library would leave that out.
//
// # What is promised
//
// Bytes arrive exactly and in order, or the connection ends. There are
// impairments that lose bytes ([Drop], [Reset], [Limit]); a connection that has
// lost one hands on no other.
//
// [Link.Arm] and [Armed.Heal] return when they are in force, so that moments
// that are noted before and after the call enclose the truth. Neither waits for
// a peer. That is the lesson of forwarders that hung for ever while a fault was
// healed under load, because healing waited for a receiver that did not read.
//
// Ends are kept. A half-closed connection stays half-closed. An orderly end is
// an orderly end on the other side, and a reset is a reset, after whatever bytes
// came before. A stall holds ends like bytes: a peer that vanishes behind a
// partition is not known to have vanished until it is over.
//
// Everything is bounded: what a direction of a connection holds, by bytes
// (counted by the piece, small reads would pin megabytes each, or large ones
// gigabytes); the time for reaching the target; the goodbye of a connection that
// the link ends. A healed link has no goroutine beyond its own two and those of its
// connections, which are two each, and a closed one has none.
//
// # The idle link
//
// A link costs something even when nothing is wrong with it, so a run with a
// fault is compared with a run over the same idle link. It is made as cheap as
// user space permits: on Linux, bytes go through splice(2) and never leave the
// kernel. What makes this difficult is that an impairment must take hold of a
// connection in the middle of that. Deadlines in the past, one for reading and
// one for writing, throw the copy out wherever it waits. With io.Copy that is
// not enough: bytes that were read and could not be written are in a pipe that
// only io.Copy knows, and are lost. So the link splices by itself, reads what is
// left out of its own pipe, and goes on with these bytes at the front of the
// queue. Nothing is passed straight again before the queue is empty.
//
// # The armed link
//
// A reader fills the queue of a direction and a writer empties it. What is in
// force is one immutable set of rules; a change swaps it, wakes everybody, and
// waits until no write that was begun under the old rules is under way. A write
// that is stuck in its receiver is broken off, and what it did not write stays
// at the front.
//
// Bytes carry the moment at which they were read, and are due a fixed time after
// it. Sleeping for the latency of each piece instead would turn latency into a
// loss of bandwidth. A queue that is bounded does so too, at [Config] QueueBytes
// for each latency: 80 MB/s at 100 ms with the default.
//
// Bandwidth is a debt: each piece moves the moment at which the next may go, and
// whoever wakes up late sends the next one at once, up to 20 ms of lateness.
// Thus late wake-ups do not make the link narrower than asked. They do make
// latency longer, whatever its length, so that the link sleeps by package alarm and
// not by the Go runtime's timers, which are late by half a millisecond on the
// median. It is never shorter.
//
// # The address
//
// A refusing link must be refused by the kernel: a connection that is accepted
// and closed is not what clients back off from. So the listener is closed, and
// the address must come back later. On Linux a socket that is bound and does not
// listen keeps the port from others meanwhile, including from the ports of
// outgoing connections, one of which could otherwise connect to itself. On other
// systems the port is merely taken again, which fails if somebody else took it.
//
// # Effect
//
// A fault that met nobody proves nothing. Each [Armed] impairment counts the
// bytes and connections that it had an effect on, as [Effect], and a run whose
// fault had none must say so. For refusals that takes [Link.Dialer]: the kernel
// does not tell who knocked at a closed port.
//
// # Limits
//
// The kernel accepts connections before the link knows of them, so connecting
// succeeds and takes no time under latency, stall and drop; arm [Hang] too where
// a partition is meant to swallow connection attempts as well. A target that
// cannot be reached shows as a connection that is reset; arm [Refuse] while the
// target is down. What happens below TCP, such as loss, duplication or
// reordering of packets, cannot be expressed: TCP turns all of it into latency
// and resets. Clients that are told further addresses by their broker, as those
// of a NATS cluster are, may leave the link for them.
package link
