package modelbroker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/des"
)

const (
	constant    = "constant"
	exponential = "exponential"
	atLeastOnce = "at-least-once"
	atMostOnce  = "at-most-once"
	each        = "each"
	never       = "none"
	arrival     = "arrival"
	urgentFirst = "urgent-first"

	longest = 3_600_000 // milliseconds: an hour
)

// Driver describes the broker. Its sessions live in k, and all that they draw
// follows from the seed. What goes wrong in them is said by the faults.
func Driver(k *des.Kernel, seed uint64, faults ...Fault) broker.Driver {
	whole := func(name, summary, value string, most int) broker.Param {
		return broker.Param{Name: name, Summary: summary, Default: value, Max: most}
	}
	choice := func(name, summary string, values ...string) broker.Param {
		return broker.Param{Name: name, Summary: summary, Default: values[0], Values: values}
	}
	capacity := whole("queue", "messages that one queue holds before publishing to it fails", "65536", 1<<20)
	prefetch := whole("prefetch", "unacknowledged messages that one subscriber holds", "256", 1<<16)
	capacity.Min, prefetch.Min = 1, 1
	return broker.Driver{
		Name:    "model",
		Summary: "a queueing model in virtual time: one server for each subject, a link for each connection",
		Params: []broker.Param{
			whole("link_us", "mean delay of a link, each way, in microseconds", "100", 10_000_000),
			choice("link", "distribution of link delays", constant, exponential),
			whole("service_us", "mean time that the broker works on a message, in microseconds", "10", 10_000_000),
			choice("service", "distribution of that time", exponential, constant),
			choice("delivery", "how often a message is delivered", atLeastOnce, atMostOnce),
			choice("confirm", "which messages are confirmed to their publishers", each, never),
			capacity,
			prefetch,
			choice("order", "in which a group's queue gives out what waits, at least once", arrival, urgentFirst),
			whole("ack_wait_ms", "milliseconds until a message without an ack comes again; 0 for never", "0", longest),
			choice("durable", "whether messages survive an outage of the broker, at least once", "no", "yes"),
			whole("dedup_ms", "milliseconds for which message ids are remembered; 0 for not", "0", longest),
		},
		Traits: traitsOf,
		Open: func(ctx context.Context, cfg broker.Config) (broker.Session, error) {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("open session: %w", err)
			}
			return newSession(k, seed, cfg, faults), nil
		},
	}
}

func traitsOf(p broker.Params) flows.Traits {
	traits := flows.Ordered | flows.Groups
	if p["confirm"] == each {
		traits |= flows.Confirms
	}
	if p["delivery"] == atLeastOnce {
		traits |= flows.Redelivers | flows.Buffers
		if p["order"] == urgentFirst {
			traits |= flows.Priorities
		}
		if p["durable"] == "yes" {
			traits |= flows.Durable
		}
	}
	if p.Int("dedup_ms") > 0 {
		traits |= flows.Dedups
	}
	return traits
}

var (
	errFull   = errors.New("the queue is full")
	errNobody = errors.New("nobody is subscribed to the subject")
)

type session struct {
	kernel      *des.Kernel
	cfg         broker.Config
	seed        uint64
	traits      flows.Traits
	link, work  des.Draw
	capacity    int
	prefetch    int
	ackWait     time.Duration
	dedup       time.Duration
	inboxPrefix string
	inboxes     int
	conns       int
	subjects    map[string]*subject
	flight      inFlight
	faults      faults
}

func newSession(k *des.Kernel, seed uint64, cfg broker.Config, all []Fault) *session {
	p := cfg.Params
	draw := func(distribution, mean string) des.Draw {
		d := time.Duration(p.Int(mean)) * time.Microsecond
		if p[distribution] == constant {
			return des.Constant(d)
		}
		return des.Exponential(d)
	}
	s := &session{
		kernel: k, cfg: cfg, seed: seed, traits: traitsOf(p),
		link: draw("link", "link_us"), work: draw("service", "service_us"),
		capacity: max(1, p.Int("queue")), prefetch: max(1, p.Int("prefetch")),
		ackWait:     time.Duration(p.Int("ack_wait_ms")) * time.Millisecond,
		dedup:       time.Duration(p.Int("dedup_ms")) * time.Millisecond,
		inboxPrefix: cfg.Prefix + ".inbox.", subjects: make(map[string]*subject),
		faults: faults{all: all, stream: des.Stream(seed, "faults")},
	}
	s.flight.arrive, s.flight.serve = k.Handle(s.arrived), k.Handle(s.served)
	s.schedule()
	return s
}

// Traits implements [flows.Broker].
func (s *session) Traits() flows.Traits { return s.traits }

// Version implements [broker.Session].
func (s *session) Version() string { return "model" }

// Guarantees implements [broker.Session].
func (s *session) Guarantees() broker.Guarantees {
	g := broker.Guarantees{
		AckLevel: "none", Persistence: "none", Fsync: "none", Replicas: "1",
		Prefetch: "none: messages are pushed", Redelivery: "none", Dedup: "none",
		Priority: "none",
	}
	if s.traits.Has(flows.Confirms) {
		g.AckLevel = "in the queue"
	}
	if s.traits.Has(flows.Durable) {
		g.Persistence = "survives an outage"
	}
	if s.traits.Has(flows.Redelivers) {
		g.Prefetch = fmt.Sprintf("%d for each subscriber", s.prefetch)
		g.Redelivery = "when the subscription closes"
		if s.ackWait > 0 {
			g.Redelivery += fmt.Sprintf(", or after %v", s.ackWait)
		}
	}
	if s.traits.Has(flows.Priorities) {
		g.Priority = "by the queue (urgent first)"
	}
	if s.dedup > 0 {
		g.Dedup = fmt.Sprintf("by message id, for %v", s.dedup)
	}
	return g
}

// Connect implements [flows.Broker]. It takes a round trip.
func (s *session) Connect(ctx context.Context, name string) (flows.Conn, error) {
	s.conns++
	role := fmt.Sprintf("%s/%d", name, s.conns)
	c := &conn{
		session: s, name: name, unconfirmed: make(map[uint64]flows.Promise),
		toBroker: s.newLink(role + "/up"), fromBroker: s.newLink(role + "/down"),
	}
	if err := c.roundTrip(ctx); err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	if !s.reachable(name) {
		return nil, fmt.Errorf("connect %s: %w", name, flows.Fail(flows.Refused, errDown))
	}
	s.faults.live = append(s.faults.live, c)
	s.cfg.Notify(broker.Event{Kind: broker.Connected, Conn: name})
	return c, nil
}

// Backlog implements [broker.Session]. Asking takes as long as a round trip of a
// link at rest.
func (s *session) Backlog(ctx context.Context) (n int64, ok bool, err error) {
	if !s.traits.Has(flows.Redelivers) {
		return 0, false, ctx.Err()
	}
	l := s.newLink("backlog")
	if err := s.kernel.Sleep(ctx, max(1, 2*l.delay())); err != nil {
		return 0, false, fmt.Errorf("ask for the backlog: %w", err)
	}
	for _, sj := range s.subjects {
		if sj.inbox {
			continue
		}
		n += int64(sj.inWork)
		for _, g := range sj.groups {
			n += int64(g.size())
		}
	}
	return n, true, nil
}

// Close implements [broker.Session]. Connections that are still open are an error.
func (s *session) Close(context.Context) error {
	clear(s.subjects)
	if n := len(s.faults.live); n > 0 {
		return fmt.Errorf("close session: %d connections are open, the first is %s", n, s.faults.live[0].name)
	}
	return nil
}

// A link delays what crosses it and keeps it in order.
type link struct {
	kernel *des.Kernel
	draw   des.Draw
	stream *rand.Rand
	last   time.Duration // when the latest message arrives
}

func (s *session) newLink(role string) *link {
	return &link{kernel: s.kernel, draw: s.link, stream: des.Stream(s.seed, "link/"+role)}
}

// delay returns how long a message that is sent now takes to arrive.
func (l *link) delay() time.Duration { return l.delayed(0) }

// delayed is delay for a message that is held up on the way.
func (l *link) delayed(extra time.Duration) time.Duration {
	now := l.kernel.Now()
	l.last = max(l.last, now+l.draw(l.stream)+extra)
	return l.last - now
}

func (s *session) isInbox(name string) bool { return strings.HasPrefix(name, s.inboxPrefix) }

// Worked returns how long the server of each subject has worked until now. It tells
// those who look for what is saturated.
func (s *session) Worked() map[string]time.Duration {
	all := make(map[string]time.Duration, len(s.subjects))
	for name, sj := range s.subjects {
		all[name] = sj.given - max(0, sj.busy-s.kernel.Now())
	}
	return all
}
