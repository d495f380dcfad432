package results

import "time"

// RunSchema names the layout of run directories.
const RunSchema = "flowbench.run/1"

// A Run is one execution of a plan.
type Run struct {
	Schema   string            `json:"schema"`
	ID       string            `json:"id"`
	Scenario string            `json:"scenario"`
	Question string            `json:"question"`
	Seed     uint64            `json:"seed"`
	Started  time.Time         `json:"started,omitzero"` // zero for a simulation, which happens at no time
	Ended    time.Time         `json:"ended,omitzero"`
	Finished bool              `json:"finished"`         // every cell ran to its end
	Reason   string            `json:"reason,omitempty"` // why it is not finished, if it could still be said
	Host     Host              `json:"host"`
	Versions map[string]string `json:"versions"` // of flowbench, Go and what was measured
	Command  []string          `json:"command"`  // to run it again; without credentials
	CellIDs  []string          `json:"cells"`    // of the plan, in its order

	// Repeats says how often each cell was to run; 0 or 1 means once. The ids of
	// cells that run more often end in -r and the number of the repeat.
	Repeats int `json:"repeats,omitempty"`

	// LeftOut are cells that the scenario would have had and that cannot be, each by
	// its id and with the reason.
	LeftOut []string `json:"left_out,omitempty"`

	// Simulated says that the run was in virtual time: its brokers and edges are
	// models, and its numbers tell about the flows and nothing about products.
	Simulated bool `json:"simulated,omitempty"`

	// Expectations are what was stated about the run, and what became of it.
	Expectations []Expectation `json:"expectations,omitempty"`

	// Steps are how a command and a query go in each flow: flow, then kind, then the
	// steps in their order. Runs of older programs have none.
	Steps map[string]map[string][]Step `json:"steps,omitempty"`

	Cells []*Cell `json:"-"` // those that began, in the order of the plan
}

// A Host is the machine that a run ran on.
type Host struct {
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Kernel   string `json:"kernel,omitempty"`
	CPU      string `json:"cpu,omitempty"`
	CPUs     int    `json:"cpus"`
	MemoryMB int64  `json:"memory_mb,omitempty"`
}

// A Cell is what happened in one cell of the plan.
type Cell struct {
	ID      string `json:"id"`
	Of      string `json:"of,omitempty"`     // the id that all repeats of the cell have in common
	Repeat  int    `json:"repeat,omitempty"` // which of them this is, from 1; 0 if there is but one
	Flow    string `json:"flow"`
	Broker  string `json:"broker,omitempty"` // empty for flows without a broker
	Edge    string `json:"edge,omitempty"`
	Payload string `json:"payload"`
	Store   string `json:"store,omitempty"`
	Summary string `json:"summary"` // of the flow, one phrase
	Promise string `json:"promise"` // of the flow: at most once, at least once

	Idempotent bool `json:"idempotent,omitempty"` // the service does no command twice that it remembers

	Load       Load              `json:"load"`
	Guarantees map[string]string `json:"guarantees,omitempty"` // of the broker; see docs/results.md
	Settings   map[string]string `json:"settings,omitempty"`   // of broker, service and clients, for people

	Finished   bool             `json:"finished"` // it ran to the end of its drain
	Drained    bool             `json:"drained"`  // nothing was left under way or waiting when it ended
	Valid      bool             `json:"valid"`
	Why        []string         `json:"why"`      // why it is not valid
	Warnings   []string         `json:"warnings"` // what qualifies its numbers without spoiling them
	Counts     Counts           `json:"counts"`   // operations due in the measured time
	WarmupOps  Counts           `json:"warmup"`   // operations due in the warm-up
	Classes    map[string]int64 `json:"classes"`  // why operations due in the measured time were not ok
	Accounting Accounting       `json:"accounting"`
	Stale      Stale            `json:"stale"`
	Heard      *Heard           `json:"heard,omitempty"`      // nil where nobody but the client hears of commands
	Payloads   *Payloads        `json:"payloads,omitempty"`   // nil where nobody looks at when payloads arrive
	Served     []int64          `json:"served,omitempty"`     // commands applied by each instance
	FrontEnds  []int64          `json:"front_ends,omitempty"` // calls that came to each, where there are several
	Cost       Cost             `json:"cost"`
	Pressure   Pressure         `json:"pressure"`

	// Latency from due, of the operations that were due in the measured time and
	// ended ok: kind, then stage. A stage that no operation reached is absent. Those
	// with a large payload are not among them; see [Bulk].
	Latency map[string]map[string]*Hist `json:"latency"`
	SendLag *Hist                       `json:"send_lag"` // started − due, of those that started in the measured time
	Canary  *Hist                       `json:"canary"`   // how late a goroutine woke from sleeping 1 ms

	// Verdict says whether the promise was kept: kept, broken or unknown. Broken says
	// which promise was broken, by which count.
	Verdict string   `json:"verdict"`
	Broken  []string `json:"broken"`

	// Windows are the parts of a cell with faults, by name; see [WindowAt].
	Windows map[string]*Window `json:"windows,omitempty"`

	// Faults are what was made to go wrong, in the order in which it began.
	Faults   []Fault   `json:"faults,omitempty"`
	Timeline *Timeline `json:"timeline,omitempty"`

	Urgency *Urgency `json:"urgency,omitempty"` // the latency split; nil where no operation is urgent

	Use   *Use   `json:"use,omitempty"`   // nil where it was not measured to its end
	Sweep *Sweep `json:"sweep,omitempty"` // nil where the load kept to its rate; else the figures are of one trial

	Bulk *Bulk `json:"bulk,omitempty"` // small operations beside large ones; nil where all payloads are alike

	// Running says that the cell is under way, so that it is neither valid nor not. Nobody
	// who reads a run knows; whoever shows one that goes on says so.
	Running bool `json:"-"`

	// Observations are the repeats that a merged cell is made of, in their order; see
	// [Run.Merged]. Other cells have none.
	Observations []*Cell `json:"-"`
	Hops         *Hops   `json:"hops,omitempty"` // where the time went; nil in runs of older programs

	Seconds []Second `json:"-"` // by due time; see Second
	Events  []Event  `json:"-"`
}

// Load is the load of a cell, as far as reports speak of it.
type Load struct {
	Arrivals     string        `json:"arrivals"`             // constant, poisson, replay, closed
	RatePerS     float64       `json:"rate_per_s,omitempty"` // its mean over the measured time
	ShapeKind    string        `json:"shape_kind,omitempty"` // ramp, steps, spike, sine
	Shape        string        `json:"shape,omitempty"`      // how the rate changes, in words; empty if it does not
	Rates        []RatePoint   `json:"rates,omitempty"`      // likewise, as a line over time
	Users        int           `json:"users,omitempty"`
	ThinkTime    time.Duration `json:"think_time_ns,omitempty"`
	Clients      int           `json:"clients"`
	CommandShare float64       `json:"command_share"`
	PayloadBytes int           `json:"payload_bytes"`
	MaxInFlight  int           `json:"max_in_flight"`
	Timeout      time.Duration `json:"timeout_ns"`
	Warmup       time.Duration `json:"warmup_ns"`
	Measured     time.Duration `json:"measured_ns"`

	// Repeats says how many repeats Measured is the sum of, in a merged cell.
	Repeats int `json:"repeats,omitempty"`
}

// A RatePoint is a point of the line that a rate takes over time. Between two points
// it changes evenly.
type RatePoint struct {
	AtS  float64 `json:"at_s"` // seconds since the load began
	PerS float64 `json:"per_s"`
}

// Open reports whether operations arrive on a schedule, whatever becomes of the
// earlier ones.
func (l Load) Open() bool { return l.Arrivals != "closed" }

// Counts says how operations ended. Due is the sum of the others.
type Counts struct {
	Due     int64 `json:"due"`
	OK      int64 `json:"ok"`
	Failed  int64 `json:"failed"`
	Unknown int64 `json:"unknown"`
	Dropped int64 `json:"dropped"`
}

// Closes reports whether every operation that was due ended in exactly one way.
func (c Counts) Closes() bool { return c.Due == c.OK+c.Failed+c.Unknown+c.Dropped }

// add counts one operation that ended with s.
func (c *Counts) add(s Status) { c.addN(s, 1) }

func (c *Counts) addN(s Status, n int64) {
	c.Due += n
	switch s {
	case OK:
		c.OK += n
	case Failed:
		c.Failed += n
	case Unknown:
		c.Unknown += n
	case Dropped:
		c.Dropped += n
	}
}

// OfferedPerS returns how many operations per second were due in the measured
// time of c.
func (c *Cell) OfferedPerS() float64 { return perSecond(c.Counts.Due, c.Load.Measured) }

// AchievedPerS returns how many of them per second ended ok.
func (c *Cell) AchievedPerS() float64 { return perSecond(c.Counts.OK, c.Load.Measured) }

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// LatencyOf returns the histogram of a kind and stage, or nil where no
// operation of that kind reached that stage.
func (c *Cell) LatencyOf(k Kind, s Stage) *Hist {
	h := c.Latency[k.String()][s.String()]
	if h == nil || h.N() == 0 {
		return nil
	}
	return h
}

// LatencyOfAll returns the merged histogram of both kinds at a stage, or nil
// where no operation reached it.
func (c *Cell) LatencyOfAll(s Stage) *Hist {
	var all *Hist
	for _, k := range Kinds() {
		h := c.LatencyOf(k, s)
		if h == nil {
			continue
		}
		if all == nil {
			all = NewHist()
		}
		all.Merge(h)
	}
	return all
}

// Accounting compares what clients were told with what the service did, over
// all commands of a cell, the warm-up included. Every command that was attempted
// is exactly one of OK, Failed, Lost, Vanished, Refused, Phantom, UnknownApplied
// and UnknownNever.
type Accounting struct {
	Attempted    int64 `json:"attempted"`    // commands that a client started
	Acknowledged int64 `json:"acknowledged"` // of these, the client was told accepted or answered
	Applied      int64 `json:"applied"`      // commands that the service did at least once

	OK       int64 `json:"ok"`       // applied, and all went well for the client
	Failed   int64 `json:"failed"`   // reported as failed, and never applied
	Lost     int64 `json:"lost"`     // acknowledged, not refused, and never applied by the end of the drain
	Vanished int64 `json:"vanished"` // handed over and never confirmed, and never applied
	Refused  int64 `json:"refused"`  // refused by the service after its client had let go of it
	Phantom  int64 `json:"phantom"`  // reported as failed, yet applied

	UnknownApplied int64 `json:"unknown_applied"` // unknown to the client, and applied
	UnknownNever   int64 `json:"unknown_never"`   // unknown to the client, never acknowledged, and never applied

	// Started before a fault was undone, and applied for the first time after that.
	Recovered  int64 `json:"recovered"`
	Duplicated int64 `json:"duplicated"` // applied more than once
	Extra      int64 `json:"extra"`      // applications beyond the first, all together
	Repeated   int64 `json:"repeated"`   // came again, and an idempotent service did not do them again
	// Requests that reached a service again by the broker's own word, queries included.
	Redelivered int64 `json:"redelivered"`
	// Commands that were applied, or repeated, more often than the broker says that it
	// delivered them again: it had them twice. Always 0 where there is no broker. A
	// redelivery to an instance that crashed before the work hides one copy, so this is
	// a lower bound.
	StoredTwice int64 `json:"stored_twice"`
	// Applied after one of the same key that was started only when this one had been acknowledged.
	Reordered int64 `json:"reordered"`
	// Applied or answered and never attempted, or with other bytes than were sent.
	Unexpected int64 `json:"unexpected"`

	TimedOut        int64 `json:"timed_out"`         // commands whose clients ran out of patience
	TimedOutApplied int64 `json:"timed_out_applied"` // of these, first applied after that
	RepliedLate     int64 `json:"replied_late"`      // of these, answered when nobody waited any more
	ReplyDuplicated int64 `json:"reply_duplicated"`  // operations that were answered, and then again
	// Answers that came when nobody waited any more, to queries as well.
	LateAnswers int64 `json:"late_answers"`

	// Unresolved counts commands that the account had to give up on, because
	// more were undecided at once than it can hold. It is 0 in a sound run.
	Unresolved int64 `json:"unresolved"`
}

// Stale says how long the old state was still there after clients had been told
// of a command, and who saw it.
type Stale struct {
	Accepted StaleAfter `json:"accepted"` // told that it was accepted
	Answered StaleAfter `json:"answered"` // told its result
}

// StaleAfter looks at commands whose clients had been told of them.
type StaleAfter struct {
	Commands int64 `json:"commands"` // told of, and applied; due in the measured time and ok
	Early    int64 `json:"early"`    // told of before they were applied
	Reads    int64 `json:"reads"`    // queries for the key of a command that their own client had been told of before
	Stale    int64 `json:"stale"`    // of these, the ones that saw what was there before the command
	Lag      *Hist `json:"lag"`      // from being told to being applied, of the early ones
}

// Cost is what one operation costs, over all operations that were started in
// the measured time. A nil field is one that the flow has no use of.
type Cost struct {
	BrokerMsgs       *float64 `json:"broker_msgs,omitempty"`       // messages published to the broker, answers included
	BrokerDeliveries *float64 `json:"broker_deliveries,omitempty"` // messages received from it
	BrokerBytes      *float64 `json:"broker_bytes,omitempty"`      // both ways, on all connections, protocol included
	HTTPRequests     *float64 `json:"http_requests,omitempty"`     // calls over the edge; polls and hops included
	HTTPBytes        *float64 `json:"http_bytes,omitempty"`        // both ways, on all connections, headers included
	StoreRequests    *float64 `json:"store_requests,omitempty"`    // objects put, got and deleted
	StoreBytes       *float64 `json:"store_bytes,omitempty"`       // both ways, on all connections to the store
	// CPU time of the flowbench process, generator included.
	CPUus *float64 `json:"cpu_us,omitempty"`
}

// Pressure is how hard the machine had it while a cell was measured. A negative
// number is one that the machine does not tell.
type Pressure struct {
	CPUSome  float64 `json:"cpu_some"`  // share of the time in which some task waited for a CPU (Linux PSI)
	IOSome   float64 `json:"io_some"`   // share of the time in which some task waited for I/O (Linux PSI)
	Steal    float64 `json:"steal"`     // share of CPU time that the hypervisor took away
	Busy     float64 `json:"busy"`      // share of CPU time of the machine that was not idle
	OwnCores float64 `json:"own_cores"` // CPU time of the flowbench process per second
	GCPause  float64 `json:"gc_pause"`  // share of the time in which its garbage collector stopped it
}

// A Second is one second of a cell, by the due time of its operations. Its
// histograms have two significant digits and hold operations that ended ok.
type Second struct {
	At       int              `json:"at_s"`  // seconds since the load began
	Phase    string           `json:"phase"` // warmup, measured
	Counts   Counts           `json:"counts"`
	InFlight int              `json:"in_flight"` // operations under way when the second ended
	Hists    map[string]*Hist `json:"hists"`     // "command/answered" and so on, and "send_lag"
}

// Hist returns the second's histogram of a kind and stage, or nil.
func (s Second) Hist(k Kind, st Stage) *Hist { return s.Hists[k.String()+"/"+st.String()] }

// Merged returns the second's histogram of both kinds at a stage, or nil.
func (s Second) Merged(st Stage) *Hist {
	var all *Hist
	for _, k := range Kinds() {
		if h := s.Hist(k, st); h != nil && h.N() > 0 {
			if all == nil {
				all = NewCoarseHist()
			}
			all.Merge(h)
		}
	}
	return all
}
