// Package hops notes when operations pass from part to part, so that reports can
// say where their time went, and puts the trace that an operation belongs to into
// every message and call.
//
// Stamps are kept by operation beside the operation, and never in what is sent: all
// parts of a cell are in one process and have one clock, the runtime's, in virtual
// time as on the wall. They come from what stands around a flow's ports
// ([Recorder.Around]): around its connections to the broker, its edge and its
// service. So flows know nothing of them, and every flow has them.
//
// Only a sample of the operations is followed, which follows from their numbers
// alone. It begins with all operations, or with as many as are expected to fit, and
// whenever there are more than fit, half of the operations are left out, by a hash
// of their number: the last sample is the same whoever came first. An operation that
// is not in it costs a hash and a comparison at each port.
//
// From the stamps of an operation the way that it took is found backwards
// (way.go): what arrived was caused by what was sent there, and what a part did was
// caused by the latest thing that it had got. That is the happened-before relation
// (Lamport 1978) between stamps of one operation, so the legs of a way follow each
// other without a gap and add up. All other legs, such as the confirm of a broker
// that an answer has overtaken, are beside it.
//
// A broker does not tell when it had a message. A leg through one is from publishing
// to receiving, whatever happened in between.
package hops
