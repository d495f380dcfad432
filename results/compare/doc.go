// Package compare says whether one set of runs is faster or slower than another,
// and says that it cannot tell where it cannot.
//
// The unit of replication is the run. Two latencies of one run are not independent:
// they met the same machine, the same queue and the same neighbours. A test on them
// takes every run for a discovery; on identical systems such tests called a
// difference in 40 to 100 % of the cases. So each repeat of a cell, or each run
// where there is a directory of them, is one observation of each metric: its median,
// its 99th percentile, its rate, what an operation cost.
//
// Two sets of observations are compared by their ranks: Mann and Whitney's test for
// whether they differ, which assumes nothing of how they are distributed, and Hodges
// and Lehmann's estimate of the ratio with the interval that belongs to that test.
// There are many metrics, and one of twenty would be called by chance; Holm's
// procedure holds the chance that any call is wrong to 5 %. What differs is then held
// against the noise floor: how far apart two sets of runs of the same program were on
// the same machine. Only what is certain and larger than that is a change.
//
// With one run on a side there is nothing to replicate. The seconds of a run, drawn
// in blocks, then say how steady it was in itself, which is less than how far runs
// are apart; such an interval is shown, widened, and nothing is called by it.
//
// Sources: Mann and Whitney (1947), Hodges and Lehmann (1963), Holm (1979); Tarone
// (1990) for leaving out comparisons that could not come out whatever happened;
// Künsch (1989) for blocks.
package compare
