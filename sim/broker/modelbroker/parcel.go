package modelbroker

import (
	"slices"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
)

// A parcel is something on its way over a link, or being worked on by the broker.
// Parcels are records in a list of the session, and their events carry their
// numbers: functions for each of them would be most of what a simulation
// allocates.
type parcel struct {
	what    content
	conn    *conn  // over whose connection it goes
	epoch   uint64 // of the connection, or of the broker where it is worked on
	m       flows.Message
	confirm flows.Promise
	err     error
	subject *subject
	to      *delivery
	sub     *subscription
	call    func()
}

// content says what a parcel is.
type content uint8

const (
	aMessage  content = iota // m, which wants confirm kept unless that is nil
	aConfirm                 // confirm is to be kept, with err
	aDelivery                // to, for sub
	anAck                    // of to, by sub
	aControl                 // call is to be called
)

// inFlight are the parcels of a session.
type inFlight struct {
	list          []parcel
	free          []uint32
	arrive, serve des.Handler
}

// put keeps p and returns its number.
func (f *inFlight) put(p parcel) uint32 {
	if n := len(f.free); n > 0 {
		i := f.free[n-1]
		f.free = f.free[:n-1]
		f.list[i] = p
		return i
	}
	f.list = append(f.list, p)
	return uint32(len(f.list) - 1)
}

// take returns the parcel of a number and forgets it.
func (f *inFlight) take(i uint32) parcel {
	p := f.list[i]
	f.list[i] = parcel{}
	f.free = append(f.free, i)
	return p
}

// message sends what may be slowed down, and lost.
func (c *conn) message(l *link, p parcel) {
	if c.session.hit(Lose, c.name) || c.session.faults.swallowing {
		l.delayed(0) // it would have been on its way as long as any
		return
	}
	c.send(l, c.session.extra(c.name), p)
}

// control sends what belongs to the connection itself.
func (c *conn) control(l *link, arrive func()) { c.send(l, 0, parcel{what: aControl, call: arrive}) }

// send has p arrive at the far end, unless the connection is cut before.
func (c *conn) send(l *link, extra time.Duration, p parcel) {
	if c.down {
		return
	}
	p.conn, p.epoch = c, c.epoch
	c.session.kernel.After(l.delayed(extra), c.session.flight.arrive, c.session.flight.put(p))
}

// arrived is the event of a parcel that has come to the end of its link.
func (s *session) arrived(i uint32) {
	p := s.flight.take(i)
	if p.conn.epoch != p.epoch {
		return // the connection was cut while it was under way
	}
	switch p.what {
	case aMessage:
		p.conn.arrived(p.m, p.confirm)
	case aConfirm:
		p.confirm.Keep(flows.Message{}, p.err)
	case aDelivery:
		p.sub.arrived.Put(p.to)
	case anAck:
		p.sub.acked(p.to)
	default:
		p.call()
	}
}

// acked is what the broker does about an ack.
func (s *subscription) acked(d *delivery) {
	if i := slices.Index(s.held, d); i >= 0 {
		s.held = slices.Delete(s.held, i, i+1)
		d.wait.Stop()
		s.group.held--
		s.group.dispatch()
	}
}

// serve has the server of a subject work on a message. It takes messages in the
// order of their arrival, so it is enough to know until when it is busy (Lindley
// 1952).
func (sj *subject) serve(p parcel) {
	s := sj.session
	work := s.work(sj.stream)
	sj.busy = max(sj.busy, s.kernel.Now()) + work
	sj.given += work
	sj.inWork++
	p.subject, p.epoch = sj, s.faults.boots
	s.kernel.After(sj.busy-s.kernel.Now(), s.flight.serve, s.flight.put(p))
}

// served is the event of a message that has been worked on.
func (s *session) served(i uint32) {
	p := s.flight.take(i)
	if p.epoch != s.faults.boots {
		return // it was forgotten in an outage
	}
	p.subject.inWork--
	p.subject.store(p.m)
	if p.confirm != nil {
		p.conn.message(p.conn.fromBroker, parcel{what: aConfirm, confirm: p.confirm})
	}
}
