// Package rabbitbroker is the driver of RabbitMQ, over AMQP 0-9-1.
//
// Subjects are routing keys of the built-in exchange amq.direct. A group is a
// durable queue bound there, its consumers acknowledge by hand, and messages to
// it are persistent, confirmed and mandatory: one that no queue takes comes back
// and fails. A subscriber without a group has an exclusive queue of its own.
// Answers are transient and unconfirmed, and go over direct reply-to, or to
// exclusive queues if the parameter reply says so.
//
// The driver reconnects by itself; see [conn] for how. It does not use the
// client library's own recovery, which knows one address only and loses count of
// what was in flight.
//
// With max_priority, the queues of groups have priorities: an urgent message is
// published with the highest and delivered before all that waits with none. What
// has been delivered to a consumer's prefetch cannot be overtaken any more.
//
// Close deletes the queues. All of them expire when nobody has used them for ten
// minutes, so a killed run leaves nothing for long.
package rabbitbroker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"flowbench/flows"
	"flowbench/sim/broker"
)

const (
	exchange      = "amq.direct"
	directAddress = "amq.rabbitmq.reply-to" // the broker makes each request's own address of it
	unusedMax     = 10 * time.Minute        // after which the broker deletes a queue
	dialPatience  = 5 * time.Second         // for one address, handshake and topology included
	closePatience = 2 * time.Second
)

// Driver describes the broker.
func Driver() broker.Driver {
	return broker.Driver{
		Name:       "rabbitmq",
		Summary:    "RabbitMQ over AMQP 0-9-1: queues with confirms and acknowledgements",
		Source:     broker.Local,
		MaxMessage: 128 << 20, // max_message_size by default, since RabbitMQ 3.8
		Server:     "rabbitmq",
		Params: append([]broker.Param{
			{Name: "queue", Summary: "kind of the groups' queues", Default: "quorum",
				Values: []string{"quorum", "classic"}},
			{Name: "prefetch", Summary: "unacknowledged messages that a subscription may hold", Default: "50",
				Min: 1, Max: 2000},
			{Name: "reply", Summary: "how answers travel: over direct reply-to, or to an exclusive queue",
				Default: "direct", Values: []string{"direct", "queue"}},
			{Name: "max_priority", Summary: "x-max-priority of the groups' queues, with which urgent messages are " +
				"published; classic queues only; they overtake what waits, not what is in a prefetch; 0 for none",
				Default: "0", Max: 10},
			{Name: "heartbeat_s", Summary: "time between heartbeats, in seconds; silence of three ends a connection",
				Default: "2", Min: 1, Max: 60},
			{Name: "renew_after_ms", Summary: "how long the broker may refuse (nack) all that is published before " +
				"the connection is made anew, in milliseconds; 0 for ever", Default: "1000", Max: 60000},
		}, broker.ReconnectParams()...),
		Traits: traitsOf,
		Check:  check,
		Open:   open,
	}
}

// check says that quorum queues have no priorities: the broker would refuse to
// declare one with x-max-priority.
func check(p broker.Params) error {
	if p.Int("max_priority") > 0 && p["queue"] != amqp.QueueTypeClassic {
		return fmt.Errorf("max_priority is %s and queue is %s, and only classic queues have priorities; "+
			"want queue: classic, or max_priority: 0", p["max_priority"], p["queue"])
	}
	return nil
}

func traitsOf(p broker.Params) flows.Traits {
	if p.Int("max_priority") > 0 && check(p) == nil {
		return traits | flows.Priorities
	}
	return traits
}

const traits = flows.Confirms | flows.Redelivers | flows.Durable | flows.Ordered | flows.Buffers | flows.Groups

type session struct {
	cfg     broker.Config
	version string
	names   atomic.Uint64 // makes names of exclusive queues unique

	mu      sync.Mutex
	queues  map[string]struct{} // those of groups
	conns   map[*conn]struct{}  // open
	control *amqp.Connection    // for questions; nil until one is asked
	ask     *amqp.Channel       // over control
}

func open(ctx context.Context, cfg broker.Config) (broker.Session, error) {
	if err := broker.CheckAddresses(cfg.Addresses, "amqp", "amqps"); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	if err := check(cfg.Params); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	s := &session{cfg: cfg, queues: make(map[string]struct{}), conns: make(map[*conn]struct{})}
	if err := s.reach(ctx); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	product, _ := s.control.Properties["product"].(string)
	version, _ := s.control.Properties["version"].(string)
	s.version = strings.TrimSpace(product + " " + version)
	return s, nil
}

func (s *session) Traits() flows.Traits { return traitsOf(s.cfg.Params) }

func (s *session) Version() string { return s.version }

func (s *session) Guarantees() broker.Guarantees {
	g := broker.Guarantees{
		AckLevel: "written to a majority of the quorum queue's replicas", Persistence: "quorum queue, on disk",
		Fsync: "before each confirm, in batches", Replicas: "as many as the cluster gives a quorum queue, up to 3",
		Prefetch:   s.cfg.Params["prefetch"],
		Redelivery: "when the consumer's channel or connection closes", Dedup: "none",
		Priority: "none",
	}
	if s.cfg.Params["queue"] == "classic" {
		g.AckLevel, g.Persistence = "written by the queue", "durable classic queue, persistent messages"
		g.Fsync, g.Replicas = "in batches, at most some hundred ms late", "1"
	}
	if s.Traits().Has(flows.Priorities) {
		g.Priority = "by the queue (x-max-priority " + s.cfg.Params["max_priority"] + ")"
	}
	return g
}

// reach makes sure that there is a connection for questions. The caller holds
// the lock, or is alone.
func (s *session) reach(ctx context.Context) error {
	if s.control != nil && !s.control.IsClosed() && !s.ask.IsClosed() {
		return nil
	}
	s.leave()
	quiet := s.cfg
	quiet.Meter = &broker.Meter{} // it is no part of what is measured
	var err error
	for i := range s.cfg.Addresses {
		var link *link
		if link, err = dial(ctx, quiet, i, s.cfg.Prefix+"-control"); err != nil {
			continue
		}
		if s.ask, err = link.conn.Channel(); err != nil {
			link.drop()
			continue
		}
		link.release()
		s.control = link.conn
		return nil
	}
	return err
}

// leave closes the connection for questions.
func (s *session) leave() {
	if s.control != nil {
		_ = s.control.CloseDeadline(time.Now().Add(closePatience)) // nothing depends on it any more
		s.control, s.ask = nil, nil
	}
}

// Queues implements [broker.Queues].
func (s *session) Queues() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.queues))
}

// Backlog implements [broker.Session]. The broker tells what waits in queues;
// what is delivered and not acknowledged is known here, as all consumers are.
func (s *session) Backlog(ctx context.Context) (n int64, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reach(ctx); err != nil {
		return 0, true, fmt.Errorf("ask for backlog: %w", err)
	}
	for queue := range s.queues {
		q, err := s.ask.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			s.leave() // so that the next question begins anew
			return 0, true, fmt.Errorf("ask for backlog of %s: %w", queue, err)
		}
		n += int64(q.Messages)
	}
	for c := range s.conns {
		n += c.held()
	}
	return n, true, nil
}

// Close implements [broker.Session]. It tries until ctx is done.
func (s *session) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.leave()
	for n := 0; len(s.queues) > 0; n++ {
		err := s.reach(ctx)
		if err == nil {
			err = s.deleteQueues()
		}
		if err == nil {
			break
		}
		s.leave() // it may have been cut long ago
		if wait(ctx, broker.ReconnectBackoff().Pause(n)) != nil {
			queues := strings.Join(slices.Sorted(maps.Keys(s.queues)), ", ")
			return fmt.Errorf("delete queues %s: %w", queues, err)
		}
	}
	return nil
}

// deleteQueues deletes queues until one cannot be deleted. One that is not there
// is no error to the broker.
func (s *session) deleteQueues() error {
	for _, q := range slices.Sorted(maps.Keys(s.queues)) {
		if _, err := s.ask.QueueDelete(q, false, false, false); err != nil {
			return err
		}
		delete(s.queues, q)
	}
	return nil
}

// heartbeat returns the time between heartbeats. The library gives a broker up
// that was silent for three of them.
func heartbeat(p broker.Params) time.Duration {
	return time.Duration(cmp.Or(p.Int("heartbeat_s"), 2)) * time.Second
}

// routingKey returns the routing key of a subject.
func (s *session) routingKey(subject string) string { return s.cfg.Prefix + "." + subject }

// groupQueue returns the name of a group's queue.
func (s *session) groupQueue(subject, group string) string {
	return s.cfg.Prefix + ".group." + group + "." + subject
}

// ownQueue returns a fresh name for an exclusive queue.
func (s *session) ownQueue() string { return fmt.Sprint(s.cfg.Prefix, ".own.", s.names.Add(1)) }

// isAnswer reports whether a subject is an address of Inbox.
func (s *session) isAnswer(subject string) bool {
	return strings.HasPrefix(subject, directAddress) || strings.HasPrefix(subject, s.cfg.Prefix+".own.")
}

// wait waits for d or until ctx is done.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
