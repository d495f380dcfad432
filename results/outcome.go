package results

import "time"

// A Recorder keeps what happens in a cell. Its methods may be called
// concurrently, and none of them waits for a disk or for another client.
type Recorder interface {
	Outcome(o Outcome)
	Applied(a Applied)
	Event(e Event)
}

// An Outcome is the end of one operation as its client saw it. Times count from
// the beginning of the cell's runtime; zero means that the stage was not reached.
type Outcome struct {
	Op       uint64
	Client   int
	Kind     Kind
	Key      uint32
	Urgent   bool // the client would have it done before what is not
	Bulk     bool // its payload is a large one, where a few are
	Beside   bool // a large one was under way when this one started, which is not
	Instead  bool // it was due to be large, and is not, since another was under way
	Status   Status
	Class    string // why it is not ok, from a short closed list
	Due      time.Duration
	Started  time.Duration
	Accepted time.Duration
	Answered time.Duration
	Ended    time.Duration // when the client let go of it, however it ended
	Read     Freshness     // of a query
}

// Freshness says whether a query saw what its own client had written before. It
// is a set: a client may have been told of one command that it was accepted and
// of another that it was answered.
type Freshness uint8

// The findings. Whether a read was looked at depends on whether its client had
// been told of a command of the same key before the query began.
const (
	AfterAccepted Freshness = 1 << iota // the client had been told that a command was accepted
	StaleAccepted                       // and read what was there before it
	AfterAnswered                       // the client had been told the result of a command
	StaleAnswered                       // and read what was there before it
)

// Applied says that the service did the work of a command, or refused it.
type Applied struct {
	Op       uint64
	Key      uint32
	Version  uint64 // of the key's state, counting applications from 1
	At       time.Duration
	Instance int
	Corrupt  bool // the payload that arrived is not the one that was sent

	// When the first and the last byte of the payload were there; zero where nobody
	// looks at that.
	FirstByte, LastByte time.Duration

	Repeated bool // it had been done before and was not done again; the rest but Op, At and Instance is empty
	Refused  bool // the service said no: nothing was applied, and the rest but At and Instance is empty
}

// Kind is what an operation asks for.
type Kind uint8

// The kinds of operations.
const (
	Command Kind = iota
	Query
	numKinds
)

// String returns the kind as written in result files.
func (k Kind) String() string { return [...]string{"command", "query"}[k] }

// Kinds returns all kinds, in the order in which reports show them.
func Kinds() []Kind { return []Kind{Command, Query} }

// Stage is a point that an operation passes and that a latency ends at.
type Stage uint8

// The stages, in the order in which reports show them.
const (
	AcceptedStage Stage = iota
	AppliedStage
	AnsweredStage
	numStages
)

// String returns the stage as written in result files.
func (s Stage) String() string { return [...]string{"accepted", "applied", "answered"}[s] }

// Stages returns all stages, in the order in which reports show them.
func Stages() []Stage { return []Stage{AcceptedStage, AppliedStage, AnsweredStage} }

// Status says how an operation ended. Unknown is not a kind of failure: the
// operation may have happened.
type Status uint8

// The statuses.
const (
	OK Status = iota
	Failed
	Unknown
	Dropped // due, and never started: too many operations were under way
)

// String returns the status as written in result files.
func (s Status) String() string { return [...]string{"ok", "failed", "unknown", "dropped"}[s] }

// An Event is something other than an operation that a reader of the results
// wants marked on the time axis.
type Event struct {
	At   time.Duration `json:"at_ns"` // since the load of the cell began; negative before it
	Kind string        `json:"kind"`  // such as phase, connected, disconnected
	Name string        `json:"name"`  // what it happened to
	Text string        `json:"text,omitempty"`
}
