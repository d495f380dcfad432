// Package results is the record of runs: what the engine writes while a run is
// under way, and what every report reads afterwards.
//
// While a cell runs, a [CellRecorder] takes four things: the outcome of every
// operation from its client, the application of every command from the service
// that did the work, notices of commands from those who want to hear of them, and
// events. Clients, services and subscribers only append to buffers of their own; a
// collector joins the sides by operation, keeps the account, fills the histograms
// and writes a line for every second. So recording costs a client no allocation
// and no shared lock, and memory does not grow with the length of a run.
//
// A run lives in one directory that explains itself: the plan, the host, the
// versions and the seed, then for each cell a file of seconds that is appended
// to as the run goes, and a file with its histograms and its account once the
// cell has ended. A run that was cut short is read like any other and says that
// it is unfinished.
//
// All latencies count from when an operation was due, so a stalled system
// cannot hide its stall. Quantiles are only ever taken from merged histograms,
// never averaged. The package knows nothing of brokers, flows or plots; it
// imports the standard library and the histogram.
package results
