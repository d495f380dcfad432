// Package store is what the engine and every store driver agree on.
//
// A store keeps what is too large for messages. A driver is a package of its own
// below this one. It describes itself with a [Driver] value, which package drivers
// lists, and opens a [Session] for each cell of a plan that needs it: on a server
// of somebody else's, by URL, or on one that it starts itself, inside this process
// and on loopback.
//
// Names of all objects begin with the session's prefix, which carries the run id.
// Close deletes every object that the session has put and that is still there.
//
// Whoever gets an object names it by an address that came over the wire, out of a
// message that anybody could have written. So every driver takes addresses apart
// and puts them together again, and gets nothing but objects of its own endpoint
// and below its own prefix: a receiver that fetched whatever it was told to would
// let clients reach everything that the service can reach. [Place] is where that
// is decided, for all drivers.
//
// An error of a store says what became of the call and nothing of the operation
// that it was made for. A call has failed for certain whatever went wrong with it,
// unless its time ended first: that is left open, as everywhere. For the operation
// a Put that did not succeed means the same either way: the message that was to
// carry the address was never sent, so the operation certainly did not happen. A
// Get changes nothing, so its error is about what was to be done with the object.
// Flows know which it was; [Classify] finds the class.
package store

import (
	"context"
	"log/slog"
	"sync/atomic"

	"flowbench/flows"
	"flowbench/sim/wire"
)

// A Driver describes one kind of store in data and opens sessions on it.
type Driver struct {
	Name    string // as written in scenarios: mem, file, http, s3, ftp, nats-object
	Summary string // one phrase for lists
	Scheme  string // with which its addresses begin, and URLs of servers of its kind

	// Embedded says what stands behind the store where nobody names a server by URL,
	// in one phrase. There is always something.
	Embedded string

	// External says that a server of somebody else's can be named by URL.
	External bool

	// Wired says that parties reach the store over TCP, so that there are connections
	// that a fault can befall.
	Wired bool

	// Open prepares the store for one cell. A server that does not answer, a bucket
	// that is not there and credentials that are not taken are errors, within the
	// context's time. No error and no name repeats a credential.
	Open func(ctx context.Context, cfg Config) (Session, error)
}

// A Session is one store prepared for one cell.
type Session interface {
	flows.Store

	// Endpoint says where the store is, for people and for results: without
	// credentials.
	Endpoint() string

	// Close deletes what the session has put and what is still there, stops what it
	// has started, and returns what could not be done. Everybody's [flows.Objects]
	// must have been closed before.
	Close(ctx context.Context) error
}

// Config is what a driver needs to open a session.
type Config struct {
	URL    string // of the server, or empty to start one; credentials in it never reach messages or results
	Prefix string // of every name of an object: letters, digits and hyphens
	Dir    string // for what is kept on disk, shared with no other store; it exists, and goes away after Close

	Credentials Credentials // beside or in place of those in URL; empty for none

	MaxBytes int64 // of all objects together, in stores that this program runs itself

	Dial  wire.Dialer // how connections are made; never nil
	Route wire.Route  // what the connections of a party go through; nil for nothing
	Meter *Meter
	Log   *slog.Logger
}

// Credentials are a name and a secret, from the environment or a file and never
// from a scenario.
type Credentials struct{ Name, Secret string }

// DialerOf returns the dialer of a party's connections, with their bytes counted
// and its errors known to [Classify].
func (c Config) DialerOf(party string) wire.Dialer {
	return wire.Counted(marked(c.Route.Of(party, c.Dial)), &c.Meter.BytesIn, &c.Meter.BytesOut)
}

// OwnDialer returns the dialer of what a session does for itself, such as looking
// whether the server is there and deleting what is left. It goes through no route
// and is not counted. [Classify] knows its errors.
func (c Config) OwnDialer() wire.Dialer { return marked(c.Dial) }

// A Meter counts what a session's parties do. All counts only grow.
type Meter struct {
	Puts     atomic.Int64 // that succeeded
	Gets     atomic.Int64 // that were opened
	Deletes  atomic.Int64
	BytesIn  atomic.Int64 // read from connections
	BytesOut atomic.Int64 // written to them
}
