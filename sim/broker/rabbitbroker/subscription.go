package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"flowbench/flows"
)

// A kind is a way in which a subscription gets its messages.
type kind uint8

const (
	shared kind = iota // from a group's durable queue, acknowledged by the receiver
	single             // from an exclusive queue bound to the subject, acknowledged here
	own                // an inbox: an exclusive queue, not acknowledged
	direct             // an inbox: direct reply-to, not acknowledged
)

var errStale = errors.New("the connection that delivered it is gone, and the message comes again")

// A subscription outlives connections: each epoch gives it another feed.
type subscription struct {
	conn           *conn
	kind           kind
	subject, queue string
	closed         chan struct{}
	once           sync.Once

	mu      sync.Mutex // of changing the feed
	current atomic.Pointer[feed]
}

// A feed is a subscription's consumer in one epoch. It takes acknowledgements of
// what it delivered, and of nothing else: delivery tags mean nothing to the next.
type feed struct {
	epoch      *epoch
	ch         *amqp.Channel
	tag        string // the consumer's
	deliveries <-chan amqp.Delivery
	replaced   chan struct{} // closed when there is a newer feed

	mu      sync.Mutex
	unacked map[uint64]struct{} // delivered here, of a shared subscription
}

// attach declares the subscription's queue in an epoch and consumes from it.
func (s *subscription) attach(e *epoch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return nil
	default:
	}
	f := &feed{epoch: e, replaced: make(chan struct{}), tag: s.queue, unacked: make(map[uint64]struct{})}
	if err := s.consume(f); err != nil {
		return fmt.Errorf("consume from %s: %w", s.queue, err)
	}
	if old := s.current.Swap(f); old != nil {
		close(old.replaced)
	}
	return nil
}

func (s *subscription) consume(f *feed) error {
	f.ch = f.epoch.out
	if s.kind != direct {
		var err error
		if f.ch, err = f.epoch.link.conn.Channel(); err != nil {
			return err
		}
		f.epoch.endWith(f.ch)
		if err := s.declare(f.ch); err != nil {
			return err
		}
	}
	automatic := s.kind == own || s.kind == direct
	deliveries, err := f.ch.Consume(s.queue, f.tag, automatic, false, false, false, nil)
	if err != nil {
		return err
	}
	f.deliveries = deliveries
	if s.kind == shared {
		f.deliveries = f.note(deliveries, s.prefetch())
	}
	return nil
}

func (s *subscription) prefetch() int { return max(1, s.conn.session.cfg.Params.Int("prefetch")) }

// declare makes the subscription's queue unless it is there, and binds it.
func (s *subscription) declare(ch *amqp.Channel) error {
	session := s.conn.session
	args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic, amqp.QueueTTLArg: unusedMax.Milliseconds()}
	group := s.kind == shared
	if group {
		args[amqp.QueueTypeArg] = session.cfg.Params["queue"]
		if n := session.cfg.Params.Int("max_priority"); n > 0 {
			args["x-max-priority"] = n
		}
		session.mu.Lock()
		session.queues[s.queue] = struct{}{}
		session.mu.Unlock()
	}
	if _, err := ch.QueueDeclare(s.queue, group, !group, !group, false, args); err != nil {
		return err
	}
	if s.kind != own {
		if err := ch.QueueBind(s.queue, session.routingKey(s.subject), exchange, false, nil); err != nil {
			return err
		}
		return ch.Qos(s.prefetch(), 0, false)
	}
	return nil
}

// note enters each delivery as not acknowledged as soon as it arrives, so that
// those who ask for the backlog miss none. There are never more than prefetch.
func (f *feed) note(in <-chan amqp.Delivery, prefetch int) <-chan amqp.Delivery {
	out := make(chan amqp.Delivery, prefetch)
	go func() {
		defer close(out)
		for d := range in {
			f.mu.Lock()
			f.unacked[d.DeliveryTag] = struct{}{}
			f.mu.Unlock()
			select {
			case out <- d:
			case <-f.epoch.over:
			}
		}
	}()
	return out
}

func (f *feed) size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.unacked))
}

// Receive implements [flows.Subscription].
func (s *subscription) Receive(ctx context.Context) (flows.Message, error) {
	if err := ctx.Err(); err != nil {
		return flows.Message{}, err
	}
	for {
		f := s.current.Load()
		deliveries := f.deliveries
		if f.epoch.isOver() {
			deliveries = nil // what is left of it could not be acknowledged
		}
		select {
		case <-s.closed:
			return flows.Message{}, flows.ErrClosed
		default:
		}
		select {
		case d, ok := <-deliveries:
			if ok {
				return s.accept(f, &d)
			}
			// The broker has ended the consumer, as when its queue is deleted, or the
			// whole connection. Everything is declared anew.
			if !s.isClosed() {
				f.epoch.end()
			}
		case <-f.replaced:
		case <-f.epoch.over:
			if err := s.outlast(ctx, f); err != nil {
				return flows.Message{}, err
			}
		case <-ctx.Done():
			return flows.Message{}, ctx.Err()
		case <-s.closed:
			return flows.Message{}, flows.ErrClosed
		}
	}
}

// outlast waits for the feed that follows f.
func (s *subscription) outlast(ctx context.Context, f *feed) error {
	select {
	case <-f.replaced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return flows.ErrClosed
	}
}

func (s *subscription) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// accept makes a message of a delivery.
func (s *subscription) accept(f *feed, d *amqp.Delivery) (flows.Message, error) {
	if s.isClosed() {
		return flows.Message{}, flows.ErrClosed // it goes back with the channel
	}
	m := decode(s.subject, d)
	switch s.kind {
	case shared:
		m.Token, m.Acker = d.DeliveryTag, f
	case single:
		_ = f.ch.Ack(d.DeliveryTag, false) // only makes room; the queue goes with the connection
	case own, direct:
	}
	s.conn.session.cfg.Meter.Delivered.Add(1)
	return m, nil
}

// Ack implements [flows.Acker].
func (f *feed) Ack(_ context.Context, m flows.Message) error {
	f.mu.Lock()
	_, ok := f.unacked[m.Token]
	delete(f.unacked, m.Token)
	f.mu.Unlock()
	switch {
	case f.epoch.isOver():
		return fmt.Errorf("acknowledge message %d: %w", m.ID, flows.Unknown(flows.Disconnected, errStale))
	case !ok:
		return fmt.Errorf("acknowledge message %d: it was acknowledged before", m.ID)
	}
	if err := f.ch.Ack(m.Token, false); err != nil {
		return fmt.Errorf("acknowledge message %d: %w", m.ID, flows.Unknown(flows.Disconnected, err))
	}
	return nil
}

// Close implements [flows.Subscription]. The broker has stopped to deliver when
// it returns, and has taken back what was not acknowledged.
func (s *subscription) Close() error {
	var err error
	s.once.Do(func() { err = s.end() })
	return err
}

func (s *subscription) end() error {
	s.conn.mu.Lock()
	delete(s.conn.subs, s)
	s.conn.mu.Unlock()
	s.mu.Lock()
	close(s.closed)
	f := s.current.Load()
	s.mu.Unlock()
	if f == nil || f.epoch.isOver() {
		return nil
	}
	err := f.ch.Cancel(f.tag, false)
	if s.kind == direct {
		s.conn.mu.Lock()
		s.conn.direct = false
		s.conn.mu.Unlock()
	} else if err == nil {
		err = f.ch.Close()
	}
	if err != nil && !f.epoch.isOver() && !isEnd(err) {
		return fmt.Errorf("close subscription to %s: %w", s.subject, err)
	}
	return nil
}
