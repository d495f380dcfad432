package jetstreambroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/broker/natswire"
)

var (
	errCut  = errors.New("the connection was lost while the broker's confirm was under way")
	errDown = errors.New("there is no connection to the broker")
)

// A conn is a connection of core NATS that can also confirm and acknowledge.
type conn struct {
	*natswire.Conn
	session *session
	js      jetstream.JetStream

	mu   sync.Mutex
	subs map[*subscription]struct{}
}

// Publish implements [flows.Conn]. A publish that is under way when the
// connection is lost ends then, as unknown.
func (c *conn) Publish(ctx context.Context, m flows.Message) error {
	if c.Space.IsInbox(m.Subject) {
		return c.Core(ctx, m)
	}
	if err := ctx.Err(); err != nil {
		return flows.Fail(flows.Canceled, fmt.Errorf("publish to %s: %w", m.Subject, err))
	}
	err := c.confirmed(ctx, c.Space.Encode(m, false))
	if outcome, _ := flows.OutcomeOf(err); outcome != flows.Failed {
		c.session.cfg.Meter.Published.Add(1)
	}
	if err != nil {
		return fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return nil
}

// confirmed publishes a message and waits for the stream's confirm.
func (c *conn) confirmed(ctx context.Context, m *nats.Msg) error {
	epoch := c.Epoch()
	switch {
	case c.Closed():
		return flows.ErrClosed
	case epoch.Err() != nil:
		return flows.Fail(flows.Unreachable, errDown)
	}
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(epoch, cancel)
	defer stop()
	_, err := c.js.PublishMsg(both, m, jetstream.WithRetryAttempts(0))
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) && ctx.Err() == nil:
		return flows.Unknown(flows.Disconnected, errCut)
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return flows.Fail(flows.NoResponders, err)
	case errors.As(err, &api) && api.Code == http.StatusServiceUnavailable:
		return flows.Fail(flows.Overloaded, err) // a limit of the stream or of the server
	case errors.As(err, &api):
		return flows.Fail(flows.Rejected, err)
	}
	return c.PublishError(err)
}

// Subscribe implements [flows.Conn].
func (c *conn) Subscribe(ctx context.Context, subject, group string) (flows.Subscription, error) {
	if c.Closed() {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, flows.ErrClosed)
	}
	if err := c.session.makeStream(ctx, c.js, subject, group); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	if group == "" {
		s, err := c.Conn.Subscribe(subject, c.Space.Subject(subject), "")
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s := &subscription{
		conn: c, subject: subject, group: group,
		ch: make(chan delivery), closed: make(chan struct{}), held: make(map[uint64]jetstream.Msg),
	}
	if err := s.begin(ctx); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	c.mu.Lock()
	c.subs[s] = struct{}{}
	c.mu.Unlock()
	return s, nil
}

// restore makes sure, after a reconnect, that streams and consumers are still
// there: a broker that kept them in memory and was restarted has forgotten.
func (c *conn) restore(ctx context.Context) error {
	c.mu.Lock()
	subs := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	for _, s := range subs {
		limited, cancel := context.WithTimeout(ctx, apiPatience)
		err := s.restore(limited)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// Close implements [flows.Conn]. What its subscriptions hold goes back to the
// broker first.
func (c *conn) Close() error {
	c.mu.Lock()
	subs := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	var all sync.WaitGroup
	errs := make([]error, len(subs))
	for i, s := range subs {
		all.Go(func() { errs[i] = s.Close() })
	}
	all.Wait()
	return errors.Join(append(errs, c.Conn.Close())...)
}

// A subscription is one member of a group.
type subscription struct {
	conn           *conn
	subject, group string
	ch             chan delivery
	closed         chan struct{}

	mu         sync.Mutex
	ended      bool
	returned   bool // what was held has been given back
	consuming  jetstream.ConsumeContext
	generation int // of the consumer: acknowledgements of an older one mean nothing to it
	held       map[uint64]jetstream.Msg
	last       uint64 // token
}

// A delivery is a message on its way from the library to a receiver.
type delivery struct {
	msg        jetstream.Msg
	generation int
}

// begin makes the consumer and starts to pull from it. Pulls end after a while
// and are repeated, so that a broker that forgot one is asked again.
func (s *subscription) begin(ctx context.Context) error {
	consumer, err := s.conn.session.makeConsumer(ctx, s.conn.js, s.subject, s.group)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return flows.ErrClosed
	}
	s.generation++
	generation := s.generation
	clear(s.held)
	prefetch := max(1, s.conn.session.cfg.Params.Int("prefetch"))
	consuming, err := consumer.Consume(
		func(m jetstream.Msg) { s.deliver(delivery{m, generation}) },
		jetstream.PullMaxMessages(prefetch), jetstream.PullThresholdMessages((prefetch+1)/2),
		jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(time.Second),
		jetstream.ConsumeErrHandler(s.failed),
	)
	if err != nil {
		return fmt.Errorf("pull from %s for %s: %w", s.subject, s.group, err)
	}
	s.consuming = consuming
	return nil
}

func (s *subscription) failed(_ jetstream.ConsumeContext, err error) {
	select {
	case <-s.closed:
	default:
		s.conn.session.cfg.Log.Debug("pull reports", "subject", s.subject, "group", s.group, "error", err)
	}
}

// restore begins anew if the broker has lost the consumer. A consumer that is
// there is pulled from by the library, as before.
func (s *subscription) restore(ctx context.Context) error {
	_, err := s.conn.js.Consumer(ctx, s.conn.session.streamName(s.subject), s.group)
	lost := errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
	switch {
	case err == nil:
		return nil
	case !lost:
		return fmt.Errorf("look for consumer of %s: %w", s.subject, err)
	}
	if err := s.conn.session.makeStream(ctx, s.conn.js, s.subject, s.group); err != nil {
		return err
	}
	s.mu.Lock()
	old := s.consuming
	s.mu.Unlock()
	old.Stop()
	if err := s.begin(ctx); err != nil && !errors.Is(err, flows.ErrClosed) {
		return err
	}
	return nil
}

// deliver hands a message to a receiver, waiting for one: that is what makes
// the library pull no more than it should.
func (s *subscription) deliver(d delivery) {
	select {
	case <-s.closed:
		s.keep(d)
		return
	default:
	}
	select {
	case s.ch <- d:
	case <-s.closed:
		s.keep(d)
	}
}

// keep holds a message that came when the subscription was already closing.
func (s *subscription) keep(d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.generation == s.generation {
		s.last++
		s.held[s.last] = d.msg
	}
}

// Receive implements [flows.Subscription].
func (s *subscription) Receive(ctx context.Context) (flows.Message, error) {
	if err := ctx.Err(); err != nil {
		return flows.Message{}, err
	}
	for {
		select {
		case d := <-s.ch:
			m, ok, err := s.accept(d)
			if ok || err != nil {
				return m, err
			}
		case <-ctx.Done():
			return flows.Message{}, ctx.Err()
		case <-s.closed:
			return flows.Message{}, flows.ErrClosed
		}
	}
}

// accept notes that a message is held until it is acknowledged. Those of a
// consumer that is gone are dropped: nobody could acknowledge them.
func (s *subscription) accept(d delivery) (m flows.Message, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.returned:
		giveBack(d.msg)
		return flows.Message{}, false, flows.ErrClosed
	case s.ended:
		s.last++
		s.held[s.last] = d.msg
		return flows.Message{}, false, flows.ErrClosed
	case d.generation != s.generation:
		return flows.Message{}, false, nil
	}
	m = s.conn.Space.Decode(s.subject, d.msg.Subject(), "", d.msg.Headers(), d.msg.Data())
	if meta, err := d.msg.Metadata(); err == nil {
		m.Redelivered = meta.NumDelivered > 1
	}
	s.last++
	m.Token, m.Acker = s.last, s
	s.held[m.Token] = d.msg
	s.conn.session.cfg.Meter.Delivered.Add(1)
	return m, true, nil
}

// Ack implements [flows.Acker].
func (s *subscription) Ack(_ context.Context, m flows.Message) error {
	s.mu.Lock()
	msg, ok := s.held[m.Token]
	delete(s.held, m.Token)
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("acknowledge message %d: it went back to the broker or was acknowledged before", m.ID)
	}
	if err := msg.Ack(); err != nil {
		return fmt.Errorf("acknowledge message %d: %w", m.ID, s.conn.PublishError(err))
	}
	return nil
}

// Close implements [flows.Subscription]. It returns when the broker has dropped
// the interest and taken back what was not acknowledged.
func (s *subscription) Close() error {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.ended = true
	close(s.closed)
	consuming := s.consuming
	s.mu.Unlock()
	s.conn.mu.Lock()
	delete(s.conn.subs, s)
	s.conn.mu.Unlock()
	nc := s.conn.NC
	if !nc.IsConnected() {
		consuming.Stop() // there is nobody to give anything back to
		return nil
	}
	consuming.Drain() // what the library has is given to deliver, which sends it back
	drained := time.NewTimer(apiPatience)
	defer drained.Stop()
	select {
	case <-consuming.Closed():
	case <-drained.C:
	case <-s.conn.Epoch().Done():
	}
	s.giveBackHeld()
	if err := nc.FlushTimeout(apiPatience); err != nil && nc.IsConnected() {
		return fmt.Errorf("close subscription to %s: %w", s.subject, err)
	}
	return nil
}

// giveBackHeld has the broker deliver to other members what was not
// acknowledged. It asks about the consumer first, which makes the broker forget
// pulls that nobody waits for any more: nats-server 2.9 miscounts when it is to
// redeliver and finds only such pulls, and then one message comes twice and
// another only when its time is over.
func (s *subscription) giveBackHeld() {
	ctx, cancel := context.WithTimeout(s.conn.Epoch(), apiPatience)
	defer cancel()
	_, _ = s.conn.js.Consumer(ctx, s.conn.session.streamName(s.subject), s.group) // only asking counts
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned = true
	for _, token := range slices.Sorted(maps.Keys(s.held)) {
		giveBack(s.held[token])
	}
	clear(s.held)
}

// giveBackDelay is short and not zero: messages that are given back with a delay
// come again in their order, others in the order in which they were given back.
const giveBackDelay = 10 * time.Millisecond

// giveBack has the broker deliver m again soon, which it would do in any case,
// but later.
func giveBack(m jetstream.Msg) { _ = m.NakWithDelay(giveBackDelay) }
