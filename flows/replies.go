package flows

import (
	"context"
	"fmt"
	"sync"
)

// replies is one party's end of request-reply over a broker: a connection, an
// inbox as the return address, and the requests that wait for their answers, by
// correlation id.
type replies struct {
	env      Env
	conn     Conn
	address  string
	inbox    Subscription
	confirms bool

	mu      sync.Mutex // never held while waiting
	waiting map[uint64]Promise
}

// openReplies connects under name and opens an inbox.
func openReplies(ctx context.Context, env Env, name string) (*replies, error) {
	conn, err := env.Broker.Connect(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	address, inbox, err := conn.Inbox(ctx)
	if err == nil {
		err = conn.Ready(ctx)
	}
	if err != nil {
		_ = conn.Close() // the error that counts is the one at hand
		return nil, fmt.Errorf("open inbox of %s: %w", name, err)
	}
	return &replies{
		env: env, conn: conn, address: address, inbox: inbox,
		confirms: env.Broker.Traits().Has(Confirms), waiting: make(map[uint64]Promise),
	}, nil
}

// receive hands answers to those who wait for them until ctx is done or the
// inbox closes.
func (r *replies) receive(ctx context.Context) {
	for {
		m, err := r.inbox.Receive(ctx)
		if err != nil {
			return
		}
		r.mu.Lock()
		p := r.waiting[m.Correlation]
		delete(r.waiting, m.Correlation)
		r.mu.Unlock()
		switch {
		case p != nil:
			p.Keep(m, m.Err)
		case m.Err == nil:
			r.env.Stray(m.Op)
		}
	}
}

// request publishes m with the return address and waits for the answer. It
// calls accepted when the broker confirms m, on brokers that do.
func (r *replies) request(ctx context.Context, m Message, accepted func()) (Message, error) {
	p := r.env.Runtime.Promise()
	r.mu.Lock()
	r.waiting[m.ID] = p
	r.mu.Unlock()
	m.ReplyTo = r.address
	if err := r.send(ctx, m, p, accepted); err != nil {
		r.forget(m.ID)
		return Message{}, err
	}
	answer, err := p.Wait(ctx)
	if err != nil {
		r.forget(m.ID)
		if ctx.Err() != nil {
			return Message{}, awaiting("answer", ctx.Err())
		}
		return Message{}, err
	}
	if answer.Status == Denied {
		return Message{}, Fail(Rejected, errDenied)
	}
	return answer, nil
}

// send publishes m. Where the broker confirms, it does not wait for that: the
// answer may overtake the confirm, and a client that has its answer is done.
func (r *replies) send(ctx context.Context, m Message, p Promise, accepted func()) error {
	if !r.confirms {
		return wrapPublish(m, r.conn.Publish(ctx, m))
	}
	r.env.Runtime.Go(ctx, func(ctx context.Context) {
		if err := r.conn.Publish(ctx, m); err != nil {
			p.Keep(Message{}, wrapPublish(m, err))
			return
		}
		accepted()
	})
	return nil
}

func (r *replies) forget(id uint64) {
	r.mu.Lock()
	delete(r.waiting, id)
	r.mu.Unlock()
}

func wrapPublish(m Message, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("publish %v: %w", m.Kind, err)
}
