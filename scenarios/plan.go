package scenarios

// A Plan is a scenario with nothing left to decide: names resolved, defaults
// written out, every combination a cell of its own. It is pure data; printed
// twice from one scenario it reads the same.
type Plan struct {
	Scenario string `json:"scenario"`
	Question string `json:"question"`
	Source   string `json:"source"` // the name that the scenario was parsed under
	Seed     uint64 `json:"seed"`
	Repeat   int    `json:"repeat"` // how often each combination runs
	Cells    []Cell `json:"cells"`

	Expect []Expectation `json:"expect,omitempty"` // what the results are judged by

	// LeftOut are cells that the scenario would have and that cannot be, each by its
	// id and with the reason.
	LeftOut []string `json:"left_out,omitempty"`
}

// A Cell is one line of the experiment: one flow on one broker and over one edge
// under one load.
//
// Its seed comes from the scenario's seed and the role of the load, and not from
// the cell's id: cells that differ in flow, broker or edge are asked to do
// the same operations at the same instants. Chance then falls out of their
// difference, which so shows in shorter runs. Draws that should differ from cell
// to cell take their seed from [Cell.SeedFor], with the id in the role.
type Cell struct {
	ID           string            `json:"id"` // unique in the plan, fit for file names: [a-z0-9-]
	Flow         string            `json:"flow"`
	Broker       string            `json:"broker,omitempty"` // empty for flows without a broker
	BrokerParams map[string]string `json:"broker_params,omitempty"`
	Edge         string            `json:"edge,omitempty"`   // empty for flows without a front end
	Payload      string            `json:"payload"`          // the mode in which payloads travel
	Store        string            `json:"store,omitempty"`  // over which they do by reference
	Carriage     Carriage          `json:"carriage"`         // how payloads travel, in detail
	Bulk         *Bulk             `json:"bulk,omitempty"`   // nil if all payloads are alike
	PayloadTimes bool              `json:"payload_times"`    // note when payloads arrive at the service
	Of           string            `json:"of,omitempty"`     // the id that all repeats of this cell have in common
	Repeat       int               `json:"repeat,omitempty"` // which of them this is, from 1; 0 if there is but one
	Seed         uint64            `json:"seed"`
	Load         Load              `json:"load"`
	Service      Service           `json:"service"`
	Polling      Polling           `json:"polling"`
	FrontEnds    FrontEnds         `json:"front_ends"`
	Model        Model             `json:"model"`
	Faults       []Fault           `json:"faults,omitempty"`
	History      bool              `json:"history"` // keep every single event, to be checked again
}

// Keeping says whether something is kept.
type Keeping string

// The ways of keeping.
const (
	KeepAuto Keeping = "auto" // where it is wanted most
	KeepOn   Keeping = "on"
	KeepOff  Keeping = "off"
)

// Load is what a cell's clients do.
type Load struct {
	Arrivals  Arrivals `json:"arrivals"`
	RatePerS  float64  `json:"rate_per_s,omitempty"` // of an open load, all clients together
	Users     int      `json:"users,omitempty"`      // of a closed load
	ThinkTime Duration `json:"think_time,omitempty"` // of a closed load, between an answer and the next operation

	Shape *Shape `json:"shape,omitempty"` // nil if the rate is steady; else RatePerS is its mean over the measured time
	Trace *Trace `json:"trace,omitempty"` // nil unless arrivals are replayed; then likewise
	Sweep *Sweep `json:"sweep,omitempty"` // nil if the load keeps to its rate, which is else that of the first trial

	Clients int `json:"clients"` // that operations are spread over, each with its own connection

	// ConnectionsPerClient bounds the HTTP connections of each client; zero
	// means as many as it has calls at once.
	ConnectionsPerClient int `json:"connections_per_client,omitempty"`

	CommandShare float64  `json:"command_share"` // of the operations, 0 to 1; the others are queries
	UrgentShare  float64  `json:"urgent_share"`  // of the operations, 0 to 1, that ask to be done before the others
	Subscribers  int      `json:"subscribers"`   // how many want to hear of each command; see flows.Settings
	PayloadBytes int      `json:"payload_bytes"` // of a command, and of a query's answer
	Keys         int      `json:"keys"`          // pieces of state that operations are spread over
	MaxInFlight  int      `json:"max_in_flight"` // at once; what is due beyond is dropped. In a closed load, its users
	Timeout      Duration `json:"timeout"`       // how long a client waits for an operation
	Warmup       Duration `json:"warmup"`        // operations due in it are not measured
	Duration     Duration `json:"duration"`      // of the measured part
	Drain        Duration `json:"drain"`         // at most, for what is under way when the load ends
}

// Arrivals names the process by which operations become due.
type Arrivals string

// The arrival processes.
const (
	Constant Arrivals = "constant" // open: evenly spaced
	Poisson  Arrivals = "poisson"  // open: independent of each other
	Replay   Arrivals = "replay"   // open: as recorded
	Closed   Arrivals = "closed"   // each user waits for an answer, thinks, and asks again
)

// Service describes the service behind the flow.
type Service struct {
	Instances int         `json:"instances"`
	Workers   int         `json:"workers"` // of each instance
	Time      ServiceTime `json:"time"`
	// Idempotent services remember the commands that they have done and do none twice.
	Idempotent bool    `json:"idempotent"`
	ErrorRate  float64 `json:"error_rate"` // share of the requests that the service refuses, 0 to 1
	Stall      *Stall  `json:"stall,omitempty"`
}

// ServiceTime is the distribution of the time that one request takes.
type ServiceTime struct {
	Distribution Distribution `json:"distribution"`
	Mean         Duration     `json:"mean"`
	Sigma        float64      `json:"sigma,omitempty"`      // lognormal: standard deviation of the logarithm
	SlowShare    float64      `json:"slow_share,omitempty"` // bimodal: share of the slow requests, 0 to 1
	// Bimodal: time of the slow ones; Mean is that of the others.
	SlowMean Duration `json:"slow_mean,omitempty"`
}

// Distribution names a distribution of service times.
type Distribution string

// The distributions.
const (
	ConstantTime Distribution = "constant"
	Exponential  Distribution = "exponential"
	Lognormal    Distribution = "lognormal"
	Bimodal      Distribution = "bimodal"
)

// A Stall is a service that stops all work at regular times: every For of each
// Every, counted from the beginning of the cell's load.
type Stall struct {
	Every Duration `json:"every"`
	For   Duration `json:"for"`
}

// FrontEnds are what web clients of flows with a front end talk to.
type FrontEnds struct {
	Count    int       `json:"count"`
	Balancer Balancing `json:"balancer"` // before several of them, and before the instances of a service
}

// Balancing names the way in which a load balancer picks who takes a request.
type Balancing string

// The ways.
const (
	RoundRobin   Balancing = "round-robin"   // each in turn
	LeastPending Balancing = "least-pending" // the one with the fewest requests under way
)

// Model holds the delays of what stands in for networks and brokers in a
// simulation. Runs on real brokers take no notice of it.
type Model struct {
	Link         Duration     `json:"link"`         // mean, one way
	Broker       Duration     `json:"broker"`       // mean that a broker works on a message
	Distribution Distribution `json:"distribution"` // of both: constant or exponential
}

// Polling says how often a polling client asks for a result.
type Polling struct {
	Interval Duration `json:"interval"`
	Backoff  float64  `json:"backoff"`
	Max      Duration `json:"max"`
}
