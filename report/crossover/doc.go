// Package crossover compares the ways in which payloads travel: in the message
// itself, by reference over a store, and in a stream of chunks.
//
// Which way is fastest depends on the size of the payload, so the cells of a run
// are put into groups that differ in nothing but size and way, and in each group
// two ways are compared size by size. What comes out is no size but a bracket: the
// last measured size at which one way was faster, and the first from which on the
// other one was. Nobody has measured in between.
//
// Medians are compared, because some seconds of large payloads have too few
// operations for anything rarer. Two of them are alike unless they differ by a
// tenth and the ranges in which the medians lie do not overlap; cells that are not
// valid, or with fewer than [Enough] operations, take no part.
package crossover
