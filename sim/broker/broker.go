// Package broker is what the engine and every broker driver agree on.
//
// A driver is a package of its own below this one. It describes itself with a
// [Driver] value, which package drivers lists, and opens a [Session] for each
// cell of a plan. What the engine owns: schedules, timeouts, correlation,
// accounting, faults. What a driver owns: the topology at the broker, the wire
// protocol, staying connected over a list of addresses, the class of every
// error, and telling of what happens to its connections.
//
// Names of everything that a session creates at the broker begin with its
// prefix, which carries the run id, so that two runs never meet; Close deletes
// all of it. Where the broker can expire what nobody uses, the driver asks for
// that as well, so that even a killed run leaves nothing for ever.
package broker

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/sim/wire"
)

// A Driver describes one kind of broker in data and opens sessions on it.
type Driver struct {
	Name    string // as written in scenarios: nats, jetstream, rabbitmq
	Summary string // one phrase for lists
	Params  []Param
	Source  string // how this program starts its server: [Embedded], [Local], or empty if it cannot
	Server  string // which --broker-url serves it ("nats", "rabbitmq"), or empty if it lives in this process
	Traits  func(Params) flows.Traits

	// MaxMessage is how many bytes a message may have, with all that goes with its
	// body, where nobody has set up the broker otherwise; 0 for no bound that matters.
	MaxMessage int

	// Check says what is wrong with parameters that contradict each other, and what
	// would be right: "...; want queue: classic". A nil function takes them all.
	Check func(Params) error

	// Wants says what certain parameters ask of the server itself, as what starts
	// it knows it: "sync-always". Empty, and a nil function, ask for nothing. What
	// somebody else's server is set to cannot be known, so it cannot be asked.
	Wants func(Params) string

	// Open prepares one cell's topology. An address that does not answer is an
	// error, within the context's time.
	Open func(ctx context.Context, cfg Config) (Session, error)
}

// The ways in which this program starts a server itself.
const (
	Embedded = "embedded" // it has the server inside, and runs it in child processes
	Local    = "local"    // from what is installed on this machine
)

// A Param is one parameter of a driver, as scenarios may set it.
type Param struct {
	Name    string
	Summary string   // one phrase, with the unit if it has one
	Default string   // written as in scenarios
	Values  []string // the allowed values; empty for a whole number
	Min     int      // of a whole number
	Max     int
}

// Params are the values of a driver's parameters, each one present and within
// its bounds: the plan saw to that.
type Params map[string]string

// A Session is one broker prepared for one cell.
type Session interface {
	flows.Broker

	// Guarantees names what the numbers were measured under.
	Guarantees() Guarantees

	// Version returns the broker's product and version, as it tells them.
	Version() string

	// Backlog returns how many messages wait at the broker or are delivered and
	// not yet acknowledged. ok is false where the broker cannot tell.
	Backlog(ctx context.Context) (n int64, ok bool, err error)

	// Close deletes everything that the session created at the broker, and
	// returns what could not be deleted as an error. Its connections must have
	// been closed before.
	Close(ctx context.Context) error
}

// Queues is what a session of a broker that may have several nodes can tell
// besides: under which names the broker knows the queues or streams that the
// session has made, sorted. By such a name one finds the node that leads.
type Queues interface {
	Queues() []string
}

// Guarantees are what two results must have in common to be comparable. Values
// are short phrases; "none" says that there is none, and no value is empty.
type Guarantees struct {
	AckLevel    string `json:"ack_level"`   // when a publisher is told that the broker has a message
	Persistence string `json:"persistence"` // where messages are kept
	Fsync       string `json:"fsync"`       // when they are forced to disk
	Replicas    string `json:"replicas"`    // how many copies there are
	Prefetch    string `json:"prefetch"`    // how many unacknowledged messages a consumer holds
	Redelivery  string `json:"redelivery"`  // what happens to unacknowledged messages
	Dedup       string `json:"dedup"`       // whether a repeated message id is stored again
	Priority    string `json:"priority"`    // how urgent messages overtake the others in a queue
}

// Config is what a driver needs to open a session.
type Config struct {
	Addresses []string // URLs, tried in turn; credentials in them never reach messages or results
	Prefix    string   // of every name at the broker: letters, digits and hyphens
	Params    Params
	Dial      Dialer // how connections are made; never nil
	Route     Route  // what the connection of a party goes through; nil for nothing
	Meter     *Meter
	Notify    func(Event) // told of connection events; never nil, called concurrently
	Log       *slog.Logger
}

// A Route returns the dialer that a party's connection is made with, given the one
// that all are made with. Links come in here.
type Route = wire.Route

// DialerOf returns the dialer of the connection of a name, with its bytes counted.
func (c Config) DialerOf(conn string) Dialer { return Metered(c.Route.Of(conn, c.Dial), c.Meter) }

// A Dialer opens network connections.
type Dialer = wire.Dialer

// An Event is something that happened to a connection.
type Event struct {
	Kind   EventKind
	Conn   string // the connection's name
	Detail string // for people; without credentials
}

// An EventKind says what happened to a connection.
type EventKind string

// The kinds of connection events.
const (
	Connected    EventKind = "connected"
	Disconnected EventKind = "disconnected"
	Reconnected  EventKind = "reconnected"
	Blocked      EventKind = "blocked"   // the broker takes no more from publishers
	Unblocked    EventKind = "unblocked" // and does again
	Dropped      EventKind = "dropped"   // the client library threw messages away
)

// A Meter counts what crosses a broker. All counts only grow.
type Meter struct {
	Published atomic.Int64 // messages handed to the broker, answers included
	Delivered atomic.Int64 // messages received from the broker
	BytesOut  atomic.Int64 // written to the broker's connections, protocol included
	BytesIn   atomic.Int64 // read from them
}

// Metered returns a dialer whose connections count their bytes in m.
func Metered(dial Dialer, m *Meter) Dialer { return wire.Counted(dial, &m.BytesIn, &m.BytesOut) }

// Backoff says how long a driver waits between attempts to reconnect.
type Backoff struct{ Min, Max time.Duration }

// ReconnectBackoff is what all drivers use unless a scenario says otherwise, so
// that none looks faster than another after an outage for no reason of its own.
func ReconnectBackoff() Backoff { return Backoff{Min: 50 * time.Millisecond, Max: time.Second} }

// The names of the parameters about reconnecting.
const (
	reconnectMin = "reconnect_min_ms"
	reconnectMax = "reconnect_max_ms"
)

// ReconnectParams returns the parameters about reconnecting, which every driver
// of a broker behind a network has. How soon clients are back decides what an
// outage costs, so scenarios can set it and reports show it.
func ReconnectParams() []Param {
	b := ReconnectBackoff()
	return []Param{
		{Name: reconnectMin, Summary: "wait before the first attempt to reconnect, doubled after each, in milliseconds",
			Default: strconv.FormatInt(b.Min.Milliseconds(), 10), Min: 1, Max: 60000},
		{Name: reconnectMax, Summary: "longest wait between attempts to reconnect, in milliseconds",
			Default: strconv.FormatInt(b.Max.Milliseconds(), 10), Min: 1, Max: 60000},
	}
}

// Reconnect returns how long to wait between attempts to reconnect.
func (p Params) Reconnect() Backoff {
	b := ReconnectBackoff()
	if ms := p.Int(reconnectMin); ms > 0 {
		b.Min = time.Duration(ms) * time.Millisecond
	}
	if ms := p.Int(reconnectMax); ms > 0 {
		b.Max = time.Duration(ms) * time.Millisecond
	}
	return b
}

// Pause returns the wait before attempt n, counting from 0.
func (b Backoff) Pause(n int) time.Duration {
	d := b.Min << min(n, 20)
	return min(d, b.Max)
}
