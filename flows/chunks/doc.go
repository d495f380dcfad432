// Package chunks cuts a large body into small messages and puts it together
// again, over a way that may lose them, deliver them twice, and deliver them in
// another order.
//
// It is data and rules, and nothing else: no clock, no connection, no lock. Times
// are passed in, frames are passed in, and what is to be sent is handed out. So
// the same rules run on the wall clock and in virtual time, and a test can put
// any network between the two ends.
//
// There are two machines. The [Sender] has the body. It announces it with an
// opening, which says how large it is and where the sender can be reached, and
// then says nothing until somebody asks. The [Receiver] asks: a want says which
// chunk is the first that it has not, how far the sender may go, and which chunks
// in between are missing. Every want says all of that, so that one that is lost
// costs time and nothing else, and the first want of a receiver is no different
// from the others. The number of chunks under way follows from it: never more than
// the receiver's window beyond what its reader has taken.
//
// One that takes a message from a queue may die, and the broker then gives the
// opening to another. That is a new attempt, with a number and an address of its
// own, and the sender serves it from the start. Two attempts may be alive at once,
// where a broker delivers twice; both are served, and the first that has dealt
// with the message ends the stream. A sender whose body is a reader holds no more
// of it than a window, and cannot begin again once the beginning is gone.
//
// Each frame carries a checksum of itself, and each chunk one over all bytes of the
// body up to its own end: what comes out is the body from its first byte on, or the
// receiver fails. Both sides give up when they hear nothing for long, and say so.
package chunks
