package flows

import (
	"time"

	"flowbench/flows/chunks"
)

// A Carriage says how payloads travel.
//
// Brokers are made for many small messages. A payload that is large may travel as
// all others do, or the message may carry only its address in a store while the
// payload itself takes another way (the claim check), or it may be cut into chunks
// that are small messages again. All flows can be carried in every way, as long
// as they tell nobody but the client of a command: see [Carriage.Carries].
type Carriage struct {
	Mode Mode
	Over int // bytes; payloads that are no larger travel inline in any mode

	MaxBytes int           // of a payload, which those who receive one hold it to
	Expiry   time.Duration // by reference: how long after it was put an object is deleted, whoever may still want it

	ChunkBytes int // in a stream: of the body, in each chunk but the last; see ChunkHead
	Window     int // in a stream: chunks that are sent and that the receiver has not asked beyond

	// Buffer bounds what the receivers of one party hold of all its streams, in
	// bytes; a stream that finds no room waits for it.
	Buffer int

	Stall   time.Duration // in a stream: without news for so long, either side asks again
	Abandon time.Duration // in a stream: without news for so long, either side gives the stream up

	Tell func(Carrying) // told of everything that reports count; must not wait; may be nil
}

// ChunkHead is how much smaller than a round size the body in a chunk should be, in
// bytes: the head of the chunk and what a broker writes before a message then fit as
// well. Clients and servers make room for messages in round sizes. A few bytes more
// than 64 KiB took them an eighth more memory at every step, a second buffer, and a
// stream a fifth more time.
const ChunkHead = chunks.Head + 204

// Carried returns a flow whose payloads travel as c says. Its Listen and its Dial
// may be called once for each cell: what they have in common is in the flow.
func Carried(f Flow, c Carriage) Flow {
	switch c.Mode {
	case Reference:
		return byReference(f, c)
	case Stream:
		return streamed(f, c)
	default:
		return f
	}
}

// A Mode is a way for payloads to travel.
type Mode string

// The modes.
const (
	Inline    Mode = "inline"    // the whole payload in one message, or one body
	Reference Mode = "reference" // its address in a store in its place
	Stream    Mode = "stream"    // chunks of it in many messages
)

// Modes returns all modes, in the order in which reports show them.
func Modes() []Mode { return []Mode{Inline, Reference, Stream} }

// A Carrying is something that happened to the payload of an operation on its
// way, that reports count.
type Carrying struct {
	Event CarryingEvent
	Op    uint64
	Bytes int64 // of an object or a chunk
}

// A CarryingEvent says what happened.
type CarryingEvent string

// The events.
const (
	Stored    CarryingEvent = "stored"    // an object was put
	Fetched   CarryingEvent = "fetched"   // an object was got, whole
	Deleted   CarryingEvent = "deleted"   // an object was deleted
	Orphaned  CarryingEvent = "orphaned"  // an object expired, or was left, that nobody had ever got
	Dangled   CarryingEvent = "dangled"   // an address came, and its object was not there
	Foreign   CarryingEvent = "foreign"   // an address came that is none of the store's
	Called    CarryingEvent = "called"    // a call was made over an edge with its body as a stream
	Sent      CarryingEvent = "sent"      // a chunk was sent for the first time
	Resent    CarryingEvent = "resent"    // a chunk was sent again
	Repeated  CarryingEvent = "repeated"  // a chunk came that had come before
	Abandoned CarryingEvent = "abandoned" // a stream was given up
)

// tell reports an event, if anybody wants to know.
func (c Carriage) tell(e CarryingEvent, op uint64, bytes int64) {
	if c.Tell != nil {
		c.Tell(Carrying{Event: e, Op: op, Bytes: bytes})
	}
}

// Carries reports whether payloads of a flow can travel this way. What others
// than the client hear of a command is the payload itself, and it would have to
// stay for as long as there are any of them.
func (c Carriage) Carries(s Spec) bool { return c.Mode == Inline || s.Tells == Nobody }
