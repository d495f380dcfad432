package rabbitbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"flowbench/flows"
	"flowbench/sim/broker"
)

var (
	errLost    = errors.New("the connection was lost while the broker's confirm was under way")
	errDown    = errors.New("there is no connection to the broker")
	errNacked  = errors.New("the broker says that it could not take responsibility")
	errNobody  = errors.New("no queue takes messages to the subject")
	errBlocked = errors.New("the broker takes no more from publishers")
)

// An epoch is the time of one AMQP connection, and all that lives no longer:
// its channels and the publishes whose confirms are awaited.
type epoch struct {
	link  *link
	out   *amqp.Channel // confirmed publishes, and direct reply-to, which must share their channel
	plain *amqp.Channel // answers, which are not confirmed
	over  chan struct{} // closed when the connection is lost
	once  sync.Once

	turn   chan struct{} // holds a token while somebody publishes on out
	ledger ledger
	tag    uint64 // of the latest publish on out; the holder of turn owns it

	mu      sync.Mutex
	blocked chan struct{} // closed when the broker takes messages again; nil while it does
}

// begin opens the channels of a connection.
func begin(l *link, renewAfter time.Duration) (*epoch, error) {
	e := &epoch{
		link: l, over: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	e.ledger = ledger{waiting: make(map[uint64]*waiter), refusals: refusals{limit: renewAfter}, renew: e.end}
	var err error
	if e.out, err = l.conn.Channel(); err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	if e.plain, err = l.conn.Channel(); err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	// Both unbuffered: the library's reader hands over one notice and goes on only
	// when it is taken, so a return is noted before the confirm that follows it.
	returns := e.out.NotifyReturn(make(chan amqp.Return))
	confirms := e.out.NotifyPublish(make(chan amqp.Confirmation))
	go e.ledger.run(returns, confirms)
	if err := e.out.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	e.endWith(e.out)
	e.endWith(e.plain)
	return e, nil
}

// endWith ends the epoch when a channel closes that should not: everything
// begins anew then, which is simple and seldom needed.
func (e *epoch) endWith(ch *amqp.Channel) {
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		if err := <-closed; err != nil {
			e.end()
		}
	}()
}

// end gives the connection up. It may be called by anybody, more than once.
func (e *epoch) end() {
	e.once.Do(func() {
		close(e.over)
		go e.link.drop()
	})
}

func (e *epoch) isOver() bool {
	select {
	case <-e.over:
		return true
	default:
		return false
	}
}

// watch follows the connection until it is lost or closed, and returns why.
// blocked is told when the broker stops and starts to take messages.
func (e *epoch) watch(blocked func(amqp.Blocking)) (why string) {
	closed := e.link.conn.NotifyClose(make(chan *amqp.Error, 1))
	blockings := e.link.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	defer e.end()
	for {
		select {
		case err := <-closed:
			go func() { // the library waits for notices to be taken
				for range blockings {
				}
			}()
			if err == nil {
				return "closed"
			}
			return err.Reason
		case b, ok := <-blockings:
			if !ok {
				blockings = nil
				continue
			}
			e.block(b.Active)
			blocked(b)
		}
	}
}

// block notes whether the broker takes messages.
func (e *epoch) block(active bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case active && e.blocked == nil:
		e.blocked = make(chan struct{})
	case !active && e.blocked != nil:
		close(e.blocked)
		e.blocked = nil
	}
}

// admit waits until the broker takes messages. Its errors are certain failures:
// nothing has been sent.
func (e *epoch) admit(ctx context.Context) error {
	e.mu.Lock()
	blocked := e.blocked
	e.mu.Unlock()
	if blocked == nil {
		return nil
	}
	select {
	case <-blocked:
		return nil
	case <-e.over:
		return flows.Fail(flows.Unreachable, errDown)
	case <-ctx.Done():
		return flows.Fail(flows.Overloaded, fmt.Errorf("%w: %w", errBlocked, ctx.Err()))
	}
}

// publish publishes to a routing key and waits for the confirm.
func (e *epoch) publish(ctx context.Context, key string, m amqp.Publishing, meter *broker.Meter) error {
	select {
	case e.turn <- struct{}{}:
	case <-e.over:
		return flows.Fail(flows.Unreachable, errDown)
	case <-ctx.Done():
		return flows.Fail(flows.Overloaded, fmt.Errorf("await a turn to publish: %w", ctx.Err()))
	}
	w := &waiter{id: m.MessageId, key: key, done: make(chan error, 1)}
	if e.isOver() || !e.ledger.add(e.tag+1, w) {
		<-e.turn
		return flows.Fail(flows.Unreachable, errDown)
	}
	e.tag++
	err := e.out.PublishWithContext(ctx, exchange, key, true, false, m)
	<-e.turn
	if err != nil {
		e.end()
		return flows.Unknown(flows.Disconnected, err) // it may have been written all the same
	}
	meter.Published.Add(1)
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("await confirm: %w", ctx.Err()) // undecided
	}
}

// A ledger is the publishes that wait for confirms, by delivery tag. Its lock is
// never held while anything is written or waited for.
type ledger struct {
	mu      sync.Mutex
	waiting map[uint64]*waiter
	closed  bool

	refusals refusals
	renew    func() // gives the connection up, without waiting
}

// refusals watches for a channel that takes nothing any more. A RabbitMQ that lost the
// leader of a quorum queue refuses what is published on a channel that was opened
// before the next one was elected, and goes on doing so for as long as the old leader
// is away (seen with 3.10); on a channel that is opened later all is well.
type refusals struct {
	limit time.Duration // of refusing everything; 0 for none
	since time.Time     // the first refusal with nothing taken after it; zero if the latest was taken
}

// note takes a confirm, and reports whether everything has been refused for too long.
func (r *refusals) note(ack bool, at time.Time) bool {
	switch {
	case ack:
		r.since = time.Time{}
	case r.since.IsZero():
		r.since = at
	}
	return !ack && r.limit > 0 && at.Sub(r.since) >= r.limit
}

// A waiter is one publish that waits.
type waiter struct {
	id, key  string
	returned bool
	done     chan error // takes one, without waiting
}

// add enters a publish that is about to be written, unless it is too late.
func (l *ledger) add(tag uint64, w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.waiting[tag] = w
	return true
}

// run takes the broker's notices in their order until the channel closes. What
// waits then is unknown for ever.
func (l *ledger) run(returns <-chan amqp.Return, confirms <-chan amqp.Confirmation) {
	for returns != nil || confirms != nil {
		select {
		case r, ok := <-returns:
			if !ok {
				returns = nil
				continue
			}
			l.comeBack(r)
		case c, ok := <-confirms:
			if !ok {
				confirms = nil
				continue
			}
			l.settle(c)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, w := range l.waiting {
		w.done <- flows.Unknown(flows.Disconnected, errLost)
	}
	clear(l.waiting)
}

// comeBack notes that a message was returned. A return carries no delivery tag.
// What has the same id and key at the same time goes the same way, and each such
// message is confirmed by itself.
func (l *ledger) comeBack(r amqp.Return) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.waiting {
		if w.id == r.MessageId && w.key == r.RoutingKey {
			w.returned = true
		}
	}
}

func (l *ledger) settle(c amqp.Confirmation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.waiting[c.DeliveryTag]
	if w == nil {
		return
	}
	delete(l.waiting, c.DeliveryTag)
	if l.refusals.note(c.Ack, time.Now()) {
		l.renew()
	}
	switch {
	case !c.Ack:
		w.done <- flows.Unknown(flows.Rejected, errNacked)
	case w.returned:
		w.done <- flows.Fail(flows.NoResponders, errNobody)
	default:
		w.done <- nil
	}
}
