package flows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// By reference, the payload goes to a store and the message carries its address:
// the claim check. It is the ends that do this, the client and the service, so that
// front ends and brokers see small messages and need to know nothing of it.
//
// An object is deleted by whoever put it, once the operation has ended and the
// other side cannot want the object any more: a client deletes the payload of a
// command that it has the result of, and what a query brought. A client that never
// learns the result cannot know, and neither can a service that a query's result
// was taken; their objects go when they expire. An object that expires before it
// was ever got is an orphan: stored, and its message lost. An address whose object
// is not there dangles.
type referenced struct {
	Flow
	carriage Carriage
	shelf    *shelf
}

// The first byte of every body says how the rest is meant.
const (
	inlineMark    = 0 // it is the payload
	referenceMark = 1 // it is the payload's size, 8 bytes, and its address in a store
)

const sizeBytes = 8

// byReference returns a flow whose payloads travel by reference.
func byReference(f Flow, c Carriage) Flow {
	r := &referenced{Flow: f, carriage: c, shelf: &shelf{carriage: c, objects: make(map[string]*object)}}
	if p, ok := f.(Prioritizer); ok {
		return struct {
			*referenced
			Prioritizer
		}{r, p}
	}
	return r
}

// Listen implements [Flow].
func (f *referenced) Listen(ctx context.Context, env Env) (Server, error) {
	s := &fetchingService{env: env, inner: env.Service, carriage: f.carriage, shelf: f.shelf}
	for i := range env.Settings.Instances {
		o, err := env.Store.Connect(ctx, fmt.Sprintf("service-%d", i))
		if err != nil {
			s.close()
			return nil, fmt.Errorf("connect service instance %d to the store: %w", i, err)
		}
		s.objects = append(s.objects, o)
	}
	env.Service = s
	server, err := f.Flow.Listen(ctx, env)
	if err != nil {
		s.close()
		return nil, err
	}
	return fetchingServer{server, s}, nil
}

// Dial implements [Flow].
func (f *referenced) Dial(ctx context.Context, env Env, id int) (Client, error) {
	objects, err := env.Store.Connect(ctx, fmt.Sprintf("client-%d", id))
	if err != nil {
		return nil, fmt.Errorf("connect client %d to the store: %w", id, err)
	}
	client, err := f.Flow.Dial(ctx, env, id)
	if err != nil {
		return nil, errors.Join(err, objects.Close())
	}
	return &storingClient{Client: client, env: env, carriage: f.carriage, shelf: f.shelf, objects: objects}, nil
}

// A storingClient puts what it sends and gets what it is sent.
type storingClient struct {
	Client
	env      Env
	carriage Carriage
	shelf    *shelf
	objects  Objects
}

// Do implements [Client]. The operation that the flow sees is another than the
// driver's: it is answered when the flow has the address of the answer, and the
// driver's only when the answer itself is there.
func (c *storingClient) Do(ctx context.Context, op *Op) error {
	body, uri, err := c.wrap(ctx, op)
	if err != nil {
		return err
	}
	inner := NewOp(c.env.Runtime, op.ID, op.Kind, op.Key, body)
	inner.Urgent = op.Urgent
	inner.Notice = func(s Stage) {
		if s != Answered {
			op.Reach(s)
		}
	}
	err = c.Client.Do(ctx, inner)
	if outcome, _ := OutcomeOf(err); uri != "" && (outcome == Failed || outcome == OK && inner.At(Answered) != 0) {
		// Nobody will want it any more. The client has its answer before it tidies up.
		defer c.shelf.remove(ctx, c.env, c.objects, uri)
	}
	if err != nil || inner.At(Answered) == 0 {
		return err
	}
	body, answered, err := c.unwrap(ctx, inner)
	if err != nil {
		return err
	}
	op.Answer = body
	op.Reach(Answered)
	if answered != "" {
		c.shelf.remove(ctx, c.env, c.objects, answered)
	}
	return nil
}

// wrap returns the body that travels, and the address of what was put for it.
func (c *storingClient) wrap(ctx context.Context, op *Op) (body []byte, uri string, err error) {
	switch {
	case len(op.Body) == 0:
		return nil, "", nil
	case len(op.Body) <= c.carriage.Over:
		return append([]byte{inlineMark}, op.Body...), "", nil
	}
	uri, err = c.shelf.put(ctx, c.env, c.objects, op.ID, op.Body)
	if err != nil {
		// Nobody was told of the operation, so it certainly did not happen: also where
		// nobody knows what became of the Put.
		_, class := OutcomeOf(err)
		return nil, "", Fail(class, fmt.Errorf("store payload: %w", err))
	}
	return address(uri, len(op.Body)), uri, nil
}

// unwrap returns the answer that came, got from the store if need be, and then
// where it was.
func (c *storingClient) unwrap(ctx context.Context, inner *Op) (body []byte, uri string, err error) {
	uri, size, err := parseBody(inner.Answer)
	if err != nil {
		return nil, "", Unknown(Corrupt, fmt.Errorf("read answer: %w", err))
	}
	if uri == "" {
		return inner.Answer[min(1, len(inner.Answer)):], "", nil
	}
	if limit := int64(c.carriage.MaxBytes); size > limit {
		return nil, "", Unknown(TooLarge, fmt.Errorf("fetch answer: it has %d bytes; want at most %d", size, limit))
	}
	body = make([]byte, size)
	f := &fetch{
		ctx: ctx, env: c.env, objects: c.objects, shelf: c.shelf, op: inner.ID, uri: uri, size: size,
		patience: c.env.Settings.Timeout, // the context ends before
	}
	defer f.close()
	if _, err := io.ReadFull(f, body); err != nil {
		_, class := OutcomeOf(err)
		return nil, "", Unknown(class, fmt.Errorf("fetch answer: %w", err))
	}
	return body, uri, nil
}

// Close implements [Client].
func (c *storingClient) Close() error { return errors.Join(c.Client.Close(), c.objects.Close()) }

// address returns a body that carries an address.
func address(uri string, size int) []byte {
	b := make([]byte, 1, 1+sizeBytes+len(uri))
	b[0] = referenceMark
	for i := range sizeBytes {
		b = append(b, byte(uint64(size)>>(8*i)))
	}
	return append(b, uri...)
}

var errBody = errors.New("the body is neither a payload nor an address")

// parseBody returns the address and the size that a body carries, and no address
// for one that is the payload. No body at all is one that is empty.
func parseBody(b []byte) (uri string, size int64, err error) {
	switch {
	case len(b) == 0 || b[0] == inlineMark:
		return "", 0, nil
	case b[0] != referenceMark || len(b) <= 1+sizeBytes:
		return "", 0, errBody
	}
	for i := range sizeBytes {
		size |= int64(b[1+i]) << (8 * i)
	}
	if size < 0 {
		return "", 0, errBody
	}
	return string(b[1+sizeBytes:]), size, nil
}

// A fetchingService gets the payloads of what it is asked to do, and puts the
// large ones of its answers.
type fetchingService struct {
	env      Env
	inner    Service
	carriage Carriage
	shelf    *shelf
	objects  []Objects // of each instance
}

// Handle implements [Service].
func (s *fetchingService) Handle(ctx context.Context, instance int, r Request) (Response, error) {
	body, err := s.payload(ctx, instance, &r)
	if err != nil && r.Kind != Command {
		s.env.Log.Warn("request not readable", "op", r.ID, "error", err)
		return Response{Status: Denied}, nil
	}
	if body != nil {
		defer body.close()
	}
	resp, err := s.inner.Handle(ctx, instance, r)
	if err != nil || len(resp.Body) == 0 {
		return resp, err
	}
	if len(resp.Body) <= s.carriage.Over {
		resp.Body = append([]byte{inlineMark}, resp.Body...)
		return resp, nil
	}
	uri, err := s.keep(ctx, instance, r.ID, resp.Body)
	switch {
	case err == nil:
		resp.Body = address(uri, len(resp.Body))
		return resp, nil
	case r.Kind == Query && ctx.Err() == nil:
		// Nothing was done, and the query is answered with that. Left unacknowledged, it
		// would stay in the way of others on brokers that wait for ever.
		s.env.Log.Warn("query refused", "op", r.ID, "error", err)
		return Response{Status: Denied}, nil
	default:
		return Response{}, fmt.Errorf("store answer: %w", err)
	}
}

// keep stores an answer. A store that does not take it is asked again, for as long
// as patience lasts.
func (s *fetchingService) keep(ctx context.Context, instance int, op uint64, body []byte) (string, error) {
	began := s.env.Runtime.Now()
	for {
		uri, err := s.shelf.put(ctx, s.env, s.objects[instance], op, body)
		if err == nil || ctx.Err() != nil || s.env.Runtime.Now()-began >= s.carriage.Abandon {
			return uri, err
		}
		if err := s.env.Runtime.Sleep(ctx, storePause); err != nil {
			return "", err
		}
	}
}

// payload takes the envelope off a request. A body that is to be fetched is also
// returned, and one that cannot be is a stream of no bytes and an error: whether
// the command is refused for that is for the service to say, which knows whether it
// has been done before.
func (s *fetchingService) payload(ctx context.Context, instance int, r *Request) (*fetch, error) {
	uri, size, err := parseBody(r.Body)
	switch {
	case err != nil:
		err = Fail(Corrupt, err)
	case uri == "":
		r.Body = r.Body[min(1, len(r.Body)):]
		return nil, nil
	case size > int64(s.carriage.MaxBytes):
		err = Fail(TooLarge, fmt.Errorf("the payload has %d bytes; want at most %d", size, s.carriage.MaxBytes))
	}
	if err != nil {
		r.Body, r.Stream = nil, noStream{err}
		return nil, err
	}
	f := &fetch{
		ctx: ctx, env: s.env, objects: s.objects[instance], shelf: s.shelf, op: r.ID, uri: uri, size: size,
		patience: s.carriage.Abandon,
	}
	r.Body, r.Stream = nil, f
	return f, nil
}

func (s *fetchingService) close() {
	for _, o := range s.objects {
		if err := o.Close(); err != nil {
			s.env.Log.Warn("connection to the store not closed", "error", err)
		}
	}
}

// fetchingServer serves, and deletes what has expired meanwhile.
type fetchingServer struct {
	Server
	service *fetchingService
}

// Serve implements [Server].
func (s fetchingServer) Serve(ctx context.Context) error {
	env := s.service.env
	expire := env.Runtime.Go(ctx, func(ctx context.Context) {
		for env.Runtime.Sleep(ctx, s.service.carriage.Expiry/expiryChecks) == nil {
			s.service.shelf.expire(ctx, env, s.service.objects[0])
		}
	})
	err := s.Server.Serve(ctx)
	joinAll(ctx, []func(context.Context) error{expire})
	s.service.shelf.end()
	s.service.close()
	return err
}

// expiryChecks is how often expired objects are looked for in the time that it
// takes one to expire.
const expiryChecks = 8

// A fetch is the payload behind an address, got when it is first read. Transfers
// that break off go on where they were, and a store that does not answer is asked
// again, for as long as patience lasts.
type fetch struct {
	ctx      context.Context
	env      Env
	objects  Objects
	shelf    *shelf
	op       uint64
	uri      string
	size     int64
	patience time.Duration

	body  io.ReadCloser // nil if there is no transfer
	at    int64
	quiet time.Duration // since when nothing came, on the runtime's clock
	tries int
	begun bool
}

var errShort = errors.New("the object is shorter than its address says")

// storePause is how long to wait before a store is asked again.
const storePause = 50 * time.Millisecond

// Read implements [io.Reader]. An error that is certain, by [OutcomeOf], says that
// the payload will not come.
func (f *fetch) Read(p []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !f.begun {
		f.begun, f.quiet = true, f.env.Runtime.Now()
	}
	for {
		n, err := f.read(p[:min(int64(len(p)), f.size-f.at)])
		if n > 0 {
			if f.at += int64(n); f.at == f.size {
				f.shelf.fetched(f.uri, f.op, f.size)
			}
			f.quiet, f.tries = f.env.Runtime.Now(), 0
			return n, nil
		}
		if err == nil {
			continue
		}
		f.close()
		if err = f.judge(err); err != nil {
			return 0, err
		}
	}
}

// read reads from the transfer, beginning one if there is none.
func (f *fetch) read(p []byte) (n int, err error) {
	if f.body == nil {
		if f.body, err = f.objects.Get(f.ctx, f.uri, Span{From: f.at}); err != nil {
			f.body = nil
			return 0, err
		}
	}
	n, err = f.body.Read(p)
	if n == 0 && err == io.EOF { //nolint:errorlint // one that wraps it is a transfer that broke off
		return 0, Fail(Corrupt, fmt.Errorf("%w: %d of %d bytes", errShort, f.at, f.size))
	}
	return n, err
}

// judge waits before the next try, or returns the error that ends the fetch.
func (f *fetch) judge(err error) error {
	switch {
	case f.ctx.Err() != nil:
		return f.ctx.Err()
	case errors.Is(err, ErrNoObject):
		f.shelf.carriage.tell(Dangled, f.op, f.size)
		return Fail(Rejected, fmt.Errorf("fetch payload: %w", err))
	case errors.Is(err, ErrForeign):
		f.shelf.carriage.tell(Foreign, f.op, f.size)
		return Fail(Rejected, fmt.Errorf("fetch payload: %w", err))
	case errors.Is(err, errShort) && f.tries > 0: // asked twice, so that it is no transfer that ended early
		return err
	case f.env.Runtime.Now()-f.quiet >= f.patience:
		_, class := OutcomeOf(err)
		return Fail(class, fmt.Errorf("fetch payload: nothing came for %v: %w", f.patience, err))
	case f.tries == 0:
		f.tries++
		return nil // a connection that was left over from before: at once
	}
	return f.env.Runtime.Sleep(f.ctx, storePause)
}

func (f *fetch) close() {
	if f.body != nil {
		_ = f.body.Close() // whatever it says, what was read was read
		f.body = nil
	}
}

// A shelf knows what one cell has stored.
type shelf struct {
	carriage Carriage
	names    atomic.Uint64

	mu      sync.Mutex // never held while waiting
	objects map[string]*object
}

// An object is in the store.
type object struct {
	op      uint64
	bytes   int64
	put     time.Duration // when, on the runtime's clock
	fetched bool          // whole, by somebody
	expired bool          // it has been told of, whether or not it could be deleted
}

// put stores a payload and returns its address.
func (s *shelf) put(ctx context.Context, env Env, objects Objects, op uint64, body []byte) (string, error) {
	name := strconv.FormatUint(op, 10) + "-" + strconv.FormatUint(s.names.Add(1), 36)
	uri, err := objects.Put(ctx, name, int64(len(body)), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	s.carriage.tell(Stored, op, int64(len(body)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[uri] = &object{op: op, bytes: int64(len(body)), put: env.Runtime.Now()}
	return uri, nil
}

func (s *shelf) fetched(uri string, op uint64, size int64) {
	s.carriage.tell(Fetched, op, size)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[uri]; o != nil {
		o.fetched = true
	}
}

// remove deletes an object. Nobody waits for that: an object that could not be
// deleted goes when it expires.
func (s *shelf) remove(ctx context.Context, env Env, objects Objects, uri string) {
	if err := objects.Delete(ctx, uri); err != nil {
		env.Log.Debug("object not deleted", "uri", uri, "error", err)
		return
	}
	s.mu.Lock()
	o := s.objects[uri]
	delete(s.objects, uri)
	s.mu.Unlock()
	if o != nil {
		s.carriage.tell(Deleted, o.op, o.bytes)
	}
}

// orphan tells of an object that nobody has got, if it is one.
func (s *shelf) orphan(o *object) {
	if !o.fetched {
		s.carriage.tell(Orphaned, o.op, o.bytes)
	}
}

// expire deletes the objects that have been there for too long.
func (s *shelf) expire(ctx context.Context, env Env, objects Objects) {
	before := env.Runtime.Now() - s.carriage.Expiry
	s.mu.Lock()
	var old []string
	for _, uri := range slices.Sorted(maps.Keys(s.objects)) { // the same in every run of a simulation
		o := s.objects[uri]
		if o.put > before {
			continue
		}
		old = append(old, uri) // also what could not be deleted the last time
		if !o.expired {
			o.expired = true
			s.orphan(o)
		}
	}
	s.mu.Unlock()
	for _, uri := range old {
		s.remove(ctx, env, objects, uri)
	}
}

// end tells of what is left when the cell ends. The session of the store deletes
// it.
func (s *shelf) end() {
	s.mu.Lock()
	left := s.objects
	s.objects = make(map[string]*object)
	s.mu.Unlock()
	for _, uri := range slices.Sorted(maps.Keys(left)) { // the same in every run of a simulation
		if o := left[uri]; !o.expired {
			s.orphan(o)
		}
	}
}
