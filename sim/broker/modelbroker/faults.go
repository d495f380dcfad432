package modelbroker

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/des"
)

// A Fault is one thing that goes wrong for a while, as data.
type Fault struct {
	Kind  FaultKind
	At    time.Duration // when it begins, on the kernel's clock
	For   time.Duration // how long it lasts
	Conn  string        // the name of the connections that it befalls; empty for all
	Share float64       // of Lose, Repeat and Resend: the probability that it hits a message
	Delay time.Duration // of Slow: the mean of what a message is delayed by, beyond the link's own delay
}

// A FaultKind says what goes wrong.
type FaultKind string

// The kinds of faults.
const (
	// Slow delays messages. A link keeps its messages in order all the same.
	Slow FaultKind = "slow"

	// Lose loses messages, confirms and acknowledgements, each way. Where the
	// broker confirms or wants acknowledgements, the connection is cut when the
	// fault ends: a stream that loses something is found to be broken sooner or
	// later. Where it does neither, what is lost is gone, and nobody hears of it.
	Lose FaultKind = "lose"

	// Repeat delivers messages twice, where the broker may do that: to groups that
	// acknowledge.
	Repeat FaultKind = "repeat"

	// Resend has publishers send messages twice, as one does that has heard no
	// confirm, where brokers that confirm deliver at least once. It is up to the
	// broker whether it notices.
	Resend FaultKind = "resend"

	// Cut ends connections at once and lets no new ones be made while it lasts.
	Cut FaultKind = "cut"

	// Outage has the whole broker go away, and come back with the messages that it
	// has confirmed if it is durable, and with none if it is not.
	Outage FaultKind = "outage"
)

// String tells the fault in words.
func (f Fault) String() string {
	who := "every connection"
	if f.Conn != "" {
		who = f.Conn
	}
	when := fmt.Sprintf("at %v for %v", f.At, f.For)
	switch f.Kind {
	case Slow:
		return fmt.Sprintf("%s delay messages of %s to and from the broker by %v on average", when, who, f.Delay)
	case Lose:
		return fmt.Sprintf("%s lose %.0f %% of the messages of %s to and from the broker", when, 100*f.Share, who)
	case Repeat:
		return fmt.Sprintf("%s have the broker deliver %.0f %% of messages twice", when, 100*f.Share)
	case Resend:
		return fmt.Sprintf("%s have %s publish %.0f %% of messages twice", when, who, 100*f.Share)
	case Cut:
		return fmt.Sprintf("%s cut %s from the broker", when, who)
	default:
		return fmt.Sprintf("%s take the broker away", when)
	}
}

var (
	errDown = errors.New("there is no connection to the broker")
	errCut  = errors.New("the connection to the broker was cut")
)

// faults are the faults of a session and what is in force of those that are not
// looked up but set.
type faults struct {
	all    []Fault
	stream *rand.Rand // drawn from while a fault is in force, and only then
	away   int        // outages in force
	boots  uint64     // how often the broker has come up again
	live   []*conn    // in the order of connecting, closed ones left out

	swallowing bool // everything is lost
	swallowed  int  // bytes of the bodies that were lost meanwhile
}

// schedule has the session's faults happen.
func (s *session) schedule() {
	k := s.kernel
	for _, f := range s.faults.all {
		at := func(t time.Duration, do func()) { k.AfterFunc(t-k.Now(), do) }
		switch {
		case f.Kind == Cut:
			at(f.At, func() { s.cut(f.Conn) })
		case f.Kind == Outage:
			at(f.At, s.goAway)
			at(f.At+f.For, s.comeBack)
		case f.Kind == Lose && s.traits&(flows.Confirms|flows.Redelivers) != 0:
			at(f.At+f.For, func() { s.cut(f.Conn) })
		}
	}
}

// A Network is the network of a session, to be broken by hand where a plan made
// beforehand does not do.
type Network struct{ session *session }

// NetworkOf returns the network of a session of this driver.
func NetworkOf(s broker.Session) Network { return Network{s.(*session)} }

// Swallow has the network take everything and lose it until the next Down.
func (n Network) Swallow() error {
	n.session.faults.swallowing = true
	return nil
}

// Swallowed returns how many bytes of bodies were lost to Swallow.
func (n Network) Swallowed() int64 { return int64(n.session.faults.swallowed) }

// Down ends all connections, and lets no others be made until as many calls of
// Up as of Down.
func (n Network) Down() error {
	n.session.faults.swallowing = false
	n.session.faults.away++
	n.session.cut("")
	return nil
}

// Up ends a Down; without one, it does nothing.
func (n Network) Up() error {
	n.session.faults.away = max(0, n.session.faults.away-1)
	return nil
}

// cut ends the present connections of a name.
func (s *session) cut(name string) {
	for _, c := range slices.Clone(s.faults.live) {
		if name == "" || c.name == name {
			c.lose()
		}
	}
}

// goAway ends all connections. What the broker was working on is forgotten: it
// was not confirmed.
func (s *session) goAway() {
	s.faults.away++
	s.faults.boots++
	s.cut("")
	if !s.traits.Has(flows.Durable) {
		clear(s.subjects)
	}
	for _, sj := range s.subjects {
		sj.busy, sj.inWork = 0, 0
	}
}

func (s *session) comeBack() { s.faults.away-- }

// inForce calls f for every fault of a kind that befalls a connection now.
func (s *session) inForce(kind FaultKind, name string, f func(Fault)) {
	now := s.kernel.Now()
	for _, fault := range s.faults.all {
		its := fault.Kind == kind && (fault.Conn == "" || fault.Conn == name)
		if its && fault.At <= now && now < fault.At+fault.For {
			f(fault)
		}
	}
}

// hit draws whether a message is hit by a fault of a kind.
func (s *session) hit(kind FaultKind, name string) (hit bool) {
	s.inForce(kind, name, func(f Fault) { hit = s.faults.stream.Float64() < f.Share || hit })
	return hit
}

// extra draws by what a message is delayed beyond what its link does.
func (s *session) extra(name string) (d time.Duration) {
	s.inForce(Slow, name, func(f Fault) { d += des.Exponential(f.Delay)(s.faults.stream) })
	return d
}

// reachable reports whether a connection of a name can be made now.
func (s *session) reachable(name string) bool {
	ok := s.faults.away == 0
	s.inForce(Cut, name, func(Fault) { ok = false })
	return ok
}

// resend sends what was published once more, if a fault says so.
func (c *conn) resend(m flows.Message) {
	if c.session.traits.Has(flows.Confirms|flows.Redelivers) && c.session.hit(Resend, c.name) {
		c.message(c.toBroker, parcel{what: aMessage, m: m, confirm: c.session.kernel.Promise()})
	}
}

// lose ends the connection's present epoch: what is in flight is settled, and
// what its subscribers hold goes to others.
func (c *conn) lose() {
	if c.closed || c.down {
		return
	}
	s := c.session
	c.down = true
	c.epoch++
	c.toBroker.last, c.fromBroker.last = 0, 0
	c.back = s.kernel.Promise()
	for _, number := range slices.Sorted(maps.Keys(c.unconfirmed)) {
		c.unconfirmed[number].Keep(flows.Message{}, flows.Unknown(flows.Disconnected, errCut))
	}
	for _, sub := range c.subs {
		sub.forget()
	}
	s.cfg.Notify(broker.Event{Kind: broker.Disconnected, Conn: c.name, Detail: errCut.Error()})
	c.redial(0)
}

// redial makes attempt number n to connect again, after its pause, and those
// that follow.
func (c *conn) redial(n int) {
	s := c.session
	pause := broker.ReconnectBackoff().Pause(n) + c.toBroker.delay() + c.fromBroker.delay()
	c.redialling = s.kernel.AfterFunc(pause, func() {
		if !s.reachable(c.name) {
			c.redial(n + 1)
			return
		}
		c.down = false
		for _, sub := range c.subs {
			sub.announce()
		}
		s.cfg.Notify(broker.Event{Kind: broker.Reconnected, Conn: c.name})
		c.back.Keep(flows.Message{}, nil)
	})
}

// giveUp ends the attempts to connect again.
func (c *conn) giveUp() {
	s := c.session
	s.faults.live = slices.DeleteFunc(s.faults.live, func(other *conn) bool { return other == c })
	if c.down {
		c.redialling.Stop()
		c.back.Keep(flows.Message{}, flows.ErrClosed)
	}
}

// forget is the broker's end of a subscription whose connection was cut. What
// the subscriber has not received yet and would have to acknowledge, it will not
// receive any more.
func (s *subscription) forget() {
	for _, d := range s.held {
		d.back = true
	}
	s.leave()
}
