// Package membroker is a broker in this process: the floor below which no real
// broker can go, and the one that needs nothing.
//
// Every subject has a queue for each group and one for each subscriber without
// a group. Queues are bounded: a message that would overfill one is refused,
// with the class overloaded, and is given to none of them. What a group has
// received and not acknowledged counts as waiting, and goes back to the front
// of its queue when the subscription closes.
//
// There is no connection and so no outage: nothing is ever unknown here.
package membroker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"flowbench/flows"
	"flowbench/sim/broker"
)

// Driver describes the broker.
func Driver() broker.Driver {
	return broker.Driver{
		Name:    "mem",
		Summary: "queues in this process, without a network: the floor for every other broker",
		Params: []broker.Param{{
			Name: "queue", Summary: "messages that one queue holds before publishing to it fails",
			Default: "65536", Min: 1, Max: 1 << 20,
		}},
		Traits: func(broker.Params) flows.Traits { return traits },
		Open:   open,
	}
}

const traits = flows.Confirms | flows.Redelivers | flows.Ordered | flows.Buffers | flows.Groups

var (
	errFull   = errors.New("the queue is full")
	errNobody = errors.New("nobody ever subscribed to the subject")
)

func open(ctx context.Context, cfg broker.Config) (broker.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return &session{
		cfg: cfg, queueMax: max(1, cfg.Params.Int("queue")), inboxPrefix: cfg.Prefix + ".inbox.",
		subjects: make(map[string]*subject),
	}, nil
}

type session struct {
	cfg         broker.Config
	queueMax    int
	inboxPrefix string
	inboxes     atomic.Uint64

	mu       sync.RWMutex
	subjects map[string]*subject
}

func (s *session) Traits() flows.Traits { return traits }

func (s *session) Version() string { return "mem, " + runtime.Version() }

func (s *session) Guarantees() broker.Guarantees {
	return broker.Guarantees{
		AckLevel: "in the queue", Persistence: "this process's memory", Fsync: "none", Replicas: "1",
		Prefetch: "none: each receive takes one", Redelivery: "when the subscription closes", Dedup: "none",
		Priority: "none",
	}
}

func (s *session) Connect(ctx context.Context, name string) (flows.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	s.cfg.Notify(broker.Event{Kind: broker.Connected, Conn: name})
	return &conn{session: s, subs: make(map[*subscription]struct{})}, nil
}

func (s *session) Backlog(context.Context) (n int64, ok bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, sj := range s.subjects {
		sj.mu.Lock()
		for _, q := range sj.groups {
			n += int64(q.size())
		}
		sj.mu.Unlock()
	}
	return n, true, nil
}

func (s *session) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.subjects)
	return nil
}

// subject returns the subject of a name, made if create is set.
func (s *session) subject(name string, create bool) *subject {
	s.mu.RLock()
	sj := s.subjects[name]
	s.mu.RUnlock()
	if sj != nil || !create {
		return sj
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sj = s.subjects[name]; sj == nil {
		sj = &subject{groups: make(map[string]*queue)}
		s.subjects[name] = sj
	}
	return sj
}

// A subject leads to the queues of those who subscribed.
type subject struct {
	mu      sync.Mutex // of everything below, queues included
	groups  map[string]*queue
	singles []*queue
}

// A queue is messages that wait, and those handed out and not acknowledged. The
// lock of its subject guards it.
type queue struct {
	waiting fifo
	held    int           // handed out and not acknowledged
	last    uint64        // the number of the youngest message
	ready   chan struct{} // holds a token while messages wait
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) size() int { return q.waiting.len() + q.held }

// wake leaves a token for one receiver if there is anything to receive. Whoever
// takes the token and leaves messages behind wakes the next.
func (q *queue) wake() {
	if q.waiting.len() == 0 {
		return
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

type conn struct {
	session *session

	mu     sync.Mutex
	closed bool
	subs   map[*subscription]struct{}
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Publish implements [flows.Conn]. The body is copied, so that neither end sees
// the other's changes.
func (c *conn) Publish(ctx context.Context, m flows.Message) error {
	s := c.session
	if err := ctx.Err(); err != nil {
		return flows.Fail(flows.Canceled, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	if c.isClosed() {
		return fmt.Errorf("publish to %s: %w", m.Subject, flows.ErrClosed)
	}
	m.Body, m.Redelivered, m.Token, m.Acker = bytes.Clone(m.Body), false, 0, nil
	if err := s.route(m); err != nil {
		return fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	s.cfg.Meter.Published.Add(1)
	return nil
}

// route puts m into all queues of its subject or into none.
func (s *session) route(m flows.Message) error {
	sj := s.subject(m.Subject, false)
	if sj == nil {
		if strings.HasPrefix(m.Subject, s.inboxPrefix) {
			return nil // an answer to nobody is lost, here as on other brokers
		}
		return flows.Fail(flows.NoResponders, errNobody)
	}
	sj.mu.Lock()
	defer sj.mu.Unlock()
	if len(sj.groups)+len(sj.singles) == 0 && !strings.HasPrefix(m.Subject, s.inboxPrefix) {
		return flows.Fail(flows.NoResponders, errNobody)
	}
	full := func(q *queue) bool { return q.size() >= s.queueMax }
	for _, q := range sj.groups {
		if full(q) {
			return flows.Fail(flows.Overloaded, errFull)
		}
	}
	if slices.ContainsFunc(sj.singles, full) {
		return flows.Fail(flows.Overloaded, errFull)
	}
	for _, q := range sj.groups {
		q.put(m)
	}
	for _, q := range sj.singles {
		q.put(m)
	}
	return nil
}

func (q *queue) put(m flows.Message) {
	q.last++
	m.Token = q.last
	q.waiting.push(m)
	q.wake()
}

func (c *conn) Subscribe(ctx context.Context, name, group string) (flows.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", name, err)
	}
	sub, err := c.subscribe(name, group)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", name, err)
	}
	return sub, nil
}

func (c *conn) subscribe(name, group string) (*subscription, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, flows.ErrClosed
	}
	sub := &subscription{
		conn: c, name: name, subject: c.session.subject(name, true), shared: group != "", closed: make(chan struct{}),
	}
	sub.subject.mu.Lock()
	defer sub.subject.mu.Unlock()
	if sub.shared {
		if sub.queue = sub.subject.groups[group]; sub.queue == nil {
			sub.queue = newQueue()
			sub.subject.groups[group] = sub.queue
		}
		sub.held = make(map[uint64]flows.Message)
	} else {
		sub.queue = newQueue()
		sub.subject.singles = append(sub.subject.singles, sub.queue)
	}
	c.subs[sub] = struct{}{}
	return sub, nil
}

func (c *conn) Inbox(ctx context.Context) (string, flows.Subscription, error) {
	address := fmt.Sprint(c.session.inboxPrefix, c.session.inboxes.Add(1))
	sub, err := c.Subscribe(ctx, address, "")
	if err != nil {
		return "", nil, fmt.Errorf("open inbox: %w", err)
	}
	return address, sub, nil
}

func (c *conn) Ready(ctx context.Context) error { return ctx.Err() }

func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	subs := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	for _, s := range subs {
		_ = s.Close() // always nil
	}
	return nil
}

type subscription struct {
	conn    *conn
	name    string
	subject *subject
	queue   *queue
	shared  bool
	closed  chan struct{}
	once    sync.Once
	held    map[uint64]flows.Message // of a group: received and not acknowledged, by token
}

func (s *subscription) Receive(ctx context.Context) (flows.Message, error) {
	if err := ctx.Err(); err != nil {
		return flows.Message{}, err
	}
	for {
		m, ok, err := s.pop()
		if ok || err != nil {
			return m, err
		}
		select {
		case <-s.queue.ready:
		case <-s.closed:
		case <-ctx.Done():
			return flows.Message{}, ctx.Err()
		}
	}
}

// pop takes the next message if there is one.
func (s *subscription) pop() (m flows.Message, ok bool, err error) {
	s.subject.mu.Lock()
	defer s.subject.mu.Unlock()
	defer s.queue.wake() // for whoever is next, whatever happens here
	select {
	case <-s.closed:
		return flows.Message{}, false, flows.ErrClosed
	default:
	}
	if s.queue.waiting.len() == 0 {
		return flows.Message{}, false, nil
	}
	m = s.queue.waiting.pop()
	if s.shared {
		s.held[m.Token] = m
		s.queue.held++
		m.Acker = s
	}
	s.conn.session.cfg.Meter.Delivered.Add(1)
	return m, true, nil
}

// Ack implements [flows.Acker].
func (s *subscription) Ack(_ context.Context, m flows.Message) error {
	s.subject.mu.Lock()
	defer s.subject.mu.Unlock()
	if _, ok := s.held[m.Token]; !ok {
		return fmt.Errorf("acknowledge message %d: it went back to the queue or was acknowledged before", m.ID)
	}
	delete(s.held, m.Token)
	s.queue.held--
	return nil
}

func (s *subscription) Close() error {
	s.once.Do(s.end)
	return nil
}

func (s *subscription) end() {
	s.conn.mu.Lock()
	delete(s.conn.subs, s)
	s.conn.mu.Unlock()
	s.subject.mu.Lock()
	close(s.closed)
	if s.shared {
		s.giveBack()
	} else {
		s.subject.singles = slices.DeleteFunc(s.subject.singles, func(q *queue) bool { return q == s.queue })
	}
	s.subject.mu.Unlock()
	if strings.HasPrefix(s.name, s.conn.session.inboxPrefix) {
		s.conn.session.mu.Lock()
		delete(s.conn.session.subjects, s.name)
		s.conn.session.mu.Unlock()
	}
}

// giveBack puts what is held in front of what waits, oldest first.
func (s *subscription) giveBack() {
	back := make([]flows.Message, 0, len(s.held))
	for _, m := range s.held {
		back = append(back, m)
	}
	slices.SortFunc(back, func(a, b flows.Message) int { return -cmp.Compare(a.Token, b.Token) })
	for _, m := range back {
		m.Redelivered, m.Acker = true, nil
		s.queue.waiting.unpop(m)
	}
	s.queue.held -= len(back)
	clear(s.held)
	s.queue.wake()
}
