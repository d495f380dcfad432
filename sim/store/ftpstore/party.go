package ftpstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jlaffaye/ftp"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

const (
	controlsMax   = 16              // connections for commands of one party
	cleanPatience = 2 * time.Second // for deleting what a failed Put has left
	hangUpTime    = time.Second     // for the server to say what it makes of a reader that has left early

	partSuffix = ".part" // of the name of a file whose bytes are still coming; no object is called so
)

// A party is one party's access.
type party struct {
	session *session
	dial    wire.Dialer
	places  chan struct{} // one for each connection
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup // what is done after calls

	mu   sync.Mutex
	all  map[*control]struct{}
	idle []*control
}

func newParty(s *session, name string) *party {
	p := &party{session: s, dial: s.cfg.DialerOf(name), places: make(chan struct{}, controlsMax),
		all: make(map[*control]struct{})}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// Close implements [flows.Objects].
func (p *party) Close() error {
	p.end()
	p.mu.Lock()
	p.idle = nil
	for c := range p.all {
		c.cut()
	}
	p.mu.Unlock()
	p.work.Wait()
	return nil
}

// take returns a connection that nobody uses, if need be a new one.
func (p *party) take(ctx context.Context) (c *control, fresh bool, err error) {
	if p.life.Err() != nil {
		return nil, false, flows.ErrClosed
	}
	if err := store.Done(ctx); err != nil {
		return nil, false, err
	}
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, false, store.Done(ctx)
	case <-p.life.Done():
		return nil, false, flows.ErrClosed
	}
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		c, p.idle = p.idle[last], p.idle[:last]
		c.begin(ctx)
	}
	p.mu.Unlock()
	if c != nil {
		return c, false, nil
	}
	if c, err = p.connect(ctx); err != nil {
		<-p.places
		return nil, false, err
	}
	return c, true, nil
}

// connect makes a connection and begins a call on it.
func (p *party) connect(ctx context.Context) (*control, error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	c, err := p.session.target.connect(limited, p.dial)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && p.life.Err() == nil:
		return nil, err
	case err != nil:
		return nil, flows.ErrClosed
	case p.life.Err() != nil:
		c.cut()
		return nil, flows.ErrClosed
	}
	p.all[c] = struct{}{}
	c.begin(ctx)
	return c, nil
}

// give gives a connection back. One that is of no use any more is closed.
func (p *party) give(c *control, usable bool) {
	usable = c.end() && usable
	p.mu.Lock()
	if usable && p.life.Err() == nil {
		p.idle = append(p.idle, c)
	} else {
		c.cut()
		delete(p.all, c)
	}
	p.mu.Unlock()
	<-p.places
}

// do does something over a connection, which the caller gives back if there is no
// error. One that was kept and is dead by now is replaced, as long as nothing has
// begun that cannot be done again.
func (p *party) do(ctx context.Context, again func() bool, f func(*control) error) (*control, error) {
	for {
		c, fresh, err := p.take(ctx)
		if err != nil {
			return nil, err
		}
		if err = f(c); err == nil {
			return c, nil
		}
		p.give(c, !lost(err))
		if p.life.Err() != nil {
			return nil, flows.ErrClosed
		}
		if fresh || !lost(err) || ctx.Err() != nil || !again() {
			return nil, failure(ctx, err)
		}
	}
}

func always() bool { return true }

// Put implements [flows.Objects].
func (p *party) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	object, err := p.session.place.Object(name)
	if err != nil {
		return "", err
	}
	if size < 0 {
		return "", flows.Fail(flows.Internal, fmt.Errorf("put over ftp: an object of %d bytes", size))
	}
	content := store.NewBody(ctx, body, size)
	defer content.Close()
	put := &p.session.put
	put.Add(object)
	put.Add(object + partSuffix)
	if named, err := p.upload(ctx, object, size, content); err != nil {
		p.clean(object, named)
		if why := content.Err(); why != nil {
			err = why
		}
		return "", fmt.Errorf("put over ftp: %w", err)
	}
	put.Remove(object + partSuffix)
	p.session.cfg.Meter.Puts.Add(1)
	return p.session.place.Address(object), nil
}

// upload sends a file, asks whether all of it has arrived, and gives it its name.
// With an error, named says that it may have got it all the same.
func (p *party) upload(ctx context.Context, object string, size int64, content *store.Body) (named bool, err error) {
	begun := false
	part := object + partSuffix
	c, err := p.do(ctx, func() bool { return !begun }, func(c *control) error {
		if err := c.client.Stor(part, &watched{content, &begun}); err != nil {
			return err
		}
		switch n, err := c.size(part); {
		case err != nil:
			return err
		case n != size:
			return flows.Fail(flows.Corrupt, fmt.Errorf("the server has %d bytes of %d", n, size))
		}
		err := c.client.Rename(part, object)
		named = err != nil && reply(err) == 0
		return err
	})
	if err != nil {
		return named, err
	}
	p.give(c, true)
	return false, nil
}

// watched notes whether a body has been read from.
type watched struct {
	io.Reader
	begun *bool
}

func (w *watched) Read(p []byte) (int, error) {
	*w.begun = true
	return w.Reader.Read(p)
}

// clean deletes what a failed Put may have left, without anybody waiting for it.
// What it does not manage is deleted with the session.
func (p *party) clean(object string, named bool) {
	names := []string{object + partSuffix}
	if named {
		names = append(names, object)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Err() != nil {
		return
	}
	p.work.Go(func() {
		ctx, cancel := context.WithTimeout(p.life, cleanPatience)
		defer cancel()
		for _, name := range names {
			c, err := p.do(ctx, always, func(c *control) error { return c.remove(name) })
			if err != nil {
				return
			}
			p.give(c, true)
			p.session.put.Remove(name)
		}
	})
}

// Get implements [flows.Objects].
func (p *party) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	object, err := p.session.place.Find(uri)
	if err != nil {
		return nil, fmt.Errorf("get over ftp: %w", err)
	}
	var file *ftp.Response
	c, err := p.do(ctx, always, func(c *control) (err error) {
		file, err = p.session.retrieve(c, object, max(part.From, 0))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get over ftp: %w", err)
	}
	p.session.cfg.Meter.Gets.Add(1)
	if file == nil {
		p.give(c, true)
		return store.NewReader(ctx, io.NopCloser(eof{}), 0), nil
	}
	r := &reader{ctx: ctx, party: p, control: c, file: file, left: -1}
	if part.Bytes > 0 {
		r.left = part.Bytes
	}
	return store.NewReader(ctx, r, -1), nil
}

// retrieve opens a file from an offset on. It returns nil if there is nothing to
// be read from there on, which some servers call an error.
func (s *session) retrieve(c *control, object string, from int64) (*ftp.Response, error) {
	file, err := c.client.RetrFrom(object, uint64(from))
	if err == nil || lost(err) {
		return file, err
	}
	size, asked := c.size(object)
	switch {
	case reply(asked) == ftp.StatusFileUnavailable:
		return nil, store.NoObject(object)
	case asked == nil && from > 0 && from >= size:
		return nil, nil
	}
	return nil, err
}

// eof is a file without bytes.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Delete implements [flows.Objects].
func (p *party) Delete(ctx context.Context, uri string) error {
	object, err := p.session.place.Find(uri)
	if err != nil {
		return fmt.Errorf("delete over ftp: %w", err)
	}
	c, err := p.do(ctx, always, func(c *control) error { return c.remove(object) })
	if err != nil {
		return fmt.Errorf("delete over ftp: %w", err)
	}
	p.give(c, true)
	p.session.put.Remove(object)
	p.session.cfg.Meter.Deletes.Add(1)
	return nil
}

// A reader is a transfer that is under way.
type reader struct {
	ctx     context.Context
	party   *party
	control *control
	file    *ftp.Response
	left    int64 // bytes that are still wanted, or -1 for all

	mu    sync.Mutex // held while the transfer is ended
	ended bool
	end   error // io.EOF if it has come to a good end
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if r.left > 0 {
		p = p[:min(int64(len(p)), r.left)]
	}
	n, err := r.file.Read(p)
	if r.left > 0 {
		r.left -= int64(n)
	}
	if errors.Is(err, io.EOF) {
		err = r.finish()
	}
	return n, err
}

// finish hears what the server says after the last byte. Only then it is known
// that it was the last one.
func (r *reader) finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return r.end
	}
	r.ended, r.end = true, io.EOF
	err := r.file.Close()
	if err != nil && reply(err)/100 != 2 {
		r.end = failure(r.ctx, err)
	}
	r.party.give(r.control, err == nil || !lost(err))
	return r.end
}

// Close implements [io.Closer]. The server may still be sending; it says so, or
// that it was done already, and then the connection is of use again.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	r.ended, r.end = true, flows.ErrClosed
	r.control.limit(hangUpTime)
	err := r.file.Close()
	r.control.limit(0)
	r.party.give(r.control, err == nil || !lost(err))
	return nil
}
