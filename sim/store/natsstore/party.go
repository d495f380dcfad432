package natsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/store"
)

const (
	pieceBytes = 128 << 10 // of a message of an object, if the server takes so much
	frameBytes = 1 << 10   // of what is in a message beside that

	// A call whose time has ended is waited for, since then nothing of it is left;
	// but not for long.
	grace         = 250 * time.Millisecond
	cleanPatience = 2 * time.Second
	longTime      = 24 * time.Hour // in place of bounds that the library has for those who have none
)

// A party is one party's access.
type party struct {
	session *session
	name    string
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup // calls, also those that were given up

	dialing chan struct{} // held while a connection is made

	mu   sync.Mutex
	line *line // nil before the first
}

func newParty(s *session, name string) *party {
	p := &party{session: s, name: name, dialing: make(chan struct{}, 1)}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// Close implements [flows.Objects].
func (p *party) Close() error {
	p.mu.Lock()
	p.end()
	l := p.line
	p.mu.Unlock()
	if l != nil {
		l.close()
	}
	p.work.Wait()
	return nil
}

// current returns the connection if there is one that has not been lost.
func (p *party) current() (*line, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.life.Err() != nil:
		return nil, flows.ErrClosed
	case p.line != nil && p.line.life.Err() == nil:
		return p.line, nil
	}
	return nil, nil
}

// connected returns a connection, if need be a new one.
func (p *party) connected(ctx context.Context) (*line, error) {
	if l, err := p.current(); l != nil || err != nil {
		return l, errors.Join(err, store.Done(ctx))
	}
	if err := store.Done(ctx); err != nil {
		return nil, err
	}
	select {
	case p.dialing <- struct{}{}:
		defer func() { <-p.dialing }()
	case <-ctx.Done():
		return nil, store.Done(ctx)
	case <-p.life.Done():
		return nil, flows.ErrClosed
	}
	if l, err := p.current(); l != nil || err != nil { // somebody else was faster
		return l, err
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	l, err := p.session.dial(limited, p.name, p.session.cfg.DialerOf(p.name))
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && p.life.Err() != nil:
		l.close()
		return nil, flows.ErrClosed
	case p.life.Err() != nil:
		return nil, flows.ErrClosed
	case err != nil:
		return nil, err
	}
	p.line = l
	return l, nil
}

// failed returns what an error means, also if the party was closed meanwhile.
func (p *party) failed(ctx context.Context, l *line, err error) error {
	if p.life.Err() != nil && ctx.Err() == nil {
		return flows.ErrClosed
	}
	return l.failure(ctx, err)
}

// during returns a context that ends with ctx, and with the connection. It always
// has a deadline, since the library thinks of one of its own where there is none.
func during(ctx context.Context, l *line) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, longTime)
	stop := context.AfterFunc(l.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Put implements [flows.Objects].
func (p *party) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	object, err := p.session.place.Object(name)
	if err != nil {
		return "", err
	}
	if size < 0 {
		return "", flows.Fail(flows.Internal, fmt.Errorf("put into bucket: an object of %d bytes", size))
	}
	l, err := p.connected(ctx)
	if err != nil {
		return "", fmt.Errorf("put into bucket: %w", err)
	}
	content := store.NewBody(ctx, body, size)
	defer content.Close()
	if err := p.put(ctx, l, object, content); err != nil {
		if why := content.Err(); why != nil {
			err = why
		}
		return "", fmt.Errorf("put into bucket: %w", err)
	}
	p.session.cfg.Meter.Puts.Add(1)
	return p.session.place.Address(object), nil
}

// put puts an object. A Put whose time has ended goes on for a
// while after its caller: the pieces that were published have to go, and so has an
// object that has come to be there after all.
func (p *party) put(ctx context.Context, l *line, object string, content *store.Body) error {
	own, cancel := during(context.WithoutCancel(ctx), l)
	return p.run(ctx, l, cancel, func() error {
		err := put(own, l, p.session.bucket(), object, content)
		if ctx.Err() != nil && (err == nil || content.Err() == nil) {
			_ = remove(own, l, p.session.bucket(), object) // it goes with the bucket in any case
			err = errors.Join(err, ctx.Err())
		}
		return err
	})
}

// run does something over a connection and returns at the end of ctx at the
// latest. The library may take longer: whoever writes to a connection that takes
// nothing holds up all others, and no context reaches them. So one that still does
// when it has been told to stop, with cancel, loses its connection.
func (p *party) run(ctx context.Context, l *line, cancel func(), f func() error) error {
	result, done := make(chan error, 1), make(chan struct{})
	if !p.begin(func() {
		defer close(done)
		defer cancel()
		result <- f()
	}) {
		cancel()
		return flows.ErrClosed
	}
	select {
	case err := <-result:
		if err != nil {
			return p.failed(ctx, l, err)
		}
		return nil
	case <-ctx.Done():
	}
	time.AfterFunc(cleanPatience, cancel)
	time.AfterFunc(2*cleanPatience, func() {
		select {
		case <-done:
		default:
			l.cut()
		}
	})
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	return store.Done(ctx)
}

// begin does something beside the caller, unless the party has been closed.
func (p *party) begin(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Err() != nil {
		return false
	}
	p.work.Go(f)
	return true
}

// remove deletes an object that may be there.
func remove(ctx context.Context, l *line, bucket, object string) error {
	objects, err := l.bucket(ctx, bucket)
	if err != nil {
		return err
	}
	if err = objects.Delete(ctx, object); errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	return err
}

// Delete implements [flows.Objects].
func (p *party) Delete(ctx context.Context, uri string) error {
	object, err := p.session.place.Find(uri)
	if err != nil {
		return fmt.Errorf("delete from bucket: %w", err)
	}
	l, err := p.connected(ctx)
	if err != nil {
		return fmt.Errorf("delete from bucket: %w", err)
	}
	limited, cancel := during(ctx, l)
	err = p.run(ctx, l, cancel, func() error { return remove(limited, l, p.session.bucket(), object) })
	if err != nil {
		return fmt.Errorf("delete from bucket: %w", err)
	}
	p.session.cfg.Meter.Deletes.Add(1)
	return nil
}
