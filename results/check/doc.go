// Package check judges a run again, from the histories that it kept.
//
// While a cell runs, its account is kept as a stream, in memory that does not
// grow with the length of the run: it forgets what it can and trusts its own
// care. This package does the same a second time with nothing to be careful
// about. It reads the whole history of a cell, gathers by operation everything
// that was ever seen of it, and then looks at each operation once, by rules that
// stand there as they stand in the docs. It shares the definitions with the
// recorder, which are what a promise is and where a window begins, and none of
// the counting. Where the two differ, one of them is wrong.
//
// Memory grows with the history, at about half a kilobyte for each operation.
package check
