package results

import "time"

// A Fault is something that was made to go wrong in a cell. Times count from when
// the load began. Both acts are stamped before and after, since neither happens
// in an instant: what was seen to go wrong counts from Begin, and what was seen
// to go right again from Heal.
type Fault struct {
	What   string            `json:"what"`
	On     string            `json:"on"`
	Params map[string]string `json:"params,omitempty"`

	Begin  time.Duration `json:"begin_ns"`  // before it was brought about
	Begun  time.Duration `json:"begun_ns"`  // and after
	Heal   time.Duration `json:"heal_ns"`   // before it was undone
	Healed time.Duration `json:"healed_ns"` // and after

	// Absent says that the flow has nothing for the fault to befall: it was not
	// brought about, and the cell shows what the flow does without it.
	Absent bool `json:"absent,omitempty"`
	// Effect says in words what the fault did: connections cut, bytes held. A fault
	// that did nothing has none, and the cell says nothing about it.
	Effect string `json:"effect,omitempty"`

	Recovery *Recovery `json:"recovery,omitempty"` // nil where there is too little to tell
}

// A Recovery is what a fault did to the clients, and how long it took until all
// was well again. All times of it are as precise as its bins: [BinWidth] for
// what is counted, [TailWidth] for what needs a quantile.
type Recovery struct {
	// The steady time before the fault is what all else is compared with.
	BaseP99  time.Duration `json:"base_p99_ns"`
	BasePerS float64       `json:"base_per_s"`         // operations that ended ok
	Worst    time.Duration `json:"base_worst_ns"`      // p99 of a tail in it
	Unsteady string        `json:"unsteady,omitempty"` // why it is no good base, if it is none

	Detect Moment        `json:"detect"`  // from Begin to the first operation that failed or was slow, by DetectFactor
	Cut    Moment        `json:"cut"`     // from Begin to the first connection that was told to be gone
	Down   time.Duration `json:"down_ns"` // bins in which less than DownShare of the base ended ok
	Gap    time.Duration `json:"gap_ns"`  // the longest time in which no operation ended ok

	Recover Moment `json:"recover"` // from Heal until WellInARow tails in a row were well
	// Within is how long after Heal there was something to see, for a recovery that
	// was not seen.
	Within time.Duration `json:"within_ns,omitempty"`

	Backlog   int64   `json:"backlog"`     // the most commands that were acknowledged and not applied
	Drain     Moment  `json:"drain"`       // from Heal until that was as before
	DrainPerS float64 `json:"drain_per_s"` // commands applied per second meanwhile

	// Offered is operations due from Begin to the recovery, and those under way at
	// Begin that did not end ok; Bad is all of these that did not.
	Offered int64 `json:"offered"`
	Bad     int64 `json:"bad"`

	// Measured is how many operations were due in the measured time of the cell,
	// which its error budget is a share of; see [Recovery.BudgetUsed].
	Measured int64 `json:"measured"`

	Traffic *Traffic `json:"traffic,omitempty"` // what was sent meanwhile; nil where nobody counted it
}

// A Moment is when something happened, if it did.
type Moment struct {
	After time.Duration `json:"after_ns"`
	Seen  bool          `json:"seen"`
}

// The widths of bins in time.
const (
	BinWidth  = 50 * time.Millisecond
	TailWidth = 5 * BinWidth
)

// A Timeline is what happened in a cell in bins of [BinWidth], from when its load
// began. Only cells with faults have one.
type Timeline struct {
	Due     []int32 `json:"due"`     // operations due in the bin
	OK      []int32 `json:"ok"`      // of these, those that ended ok
	Done    []int32 `json:"done"`    // operations that ended ok in the bin, whenever they were due
	Bad     []int32 `json:"bad"`     // operations that ended otherwise in the bin
	Told    []int32 `json:"told"`    // commands that were acknowledged in the bin
	Applied []int32 `json:"applied"` // commands that were applied for the first time in the bin

	// What was sent in the bin, see [Sent]; absent where nobody counted it.
	Messages    []int32 `json:"messages,omitempty"`
	Redelivered []int32 `json:"redelivered,omitempty"`
	Requests    []int32 `json:"requests,omitempty"`

	// Slowest is the longest that an operation had taken that ended ok in the bin.
	Slowest []time.Duration `json:"slowest_ns"`
	// P99 is the 99th percentile of the operations due in a tail of [TailWidth] that
	// ended ok, -1 where there are none.
	P99 []time.Duration `json:"p99_ns"`
}
