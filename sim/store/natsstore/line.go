package natsstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

const (
	handshakeTime = 10 * time.Second
	// A connection that is full of an object answers pings late. It is given up when
	// it has been silent for so long that this cannot be the reason.
	pingInterval = 20 * time.Second
	pingsOut     = 2
	flushTime    = 30 * time.Second // for the server to take something of what is written
	closeTime    = time.Second      // for the same at the end
)

// A line is a connection to the server. When it is lost it is of no use any more.
type line struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	life context.Context // ends when the connection is lost or closed
	end  context.CancelFunc
	cut  func() // closes what is below the library

	mu      sync.Mutex
	objects jetstream.ObjectStore // the bucket, once it has been asked for
}

// dial opens a connection within ctx.
func (s *session) dial(ctx context.Context, name string, dial wire.Dialer) (*line, error) {
	if err := store.Done(ctx); err != nil {
		return nil, err
	}
	d := &dialer{ctx: ctx, dial: dial}
	l := &line{cut: d.cut}
	l.life, l.end = context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, d.cut) // the library's handshake knows no context
	var err error
	l.nc, err = nats.Connect("nats://"+s.host, s.options(name, d, l)...)
	if !stop() && err == nil {
		l.nc.Close()
		err = ctx.Err()
	}
	if err == nil {
		l.js, err = jetstream.New(l.nc)
	}
	if err == nil {
		return l, nil
	}
	l.end()
	if last := d.lastError(); last != nil {
		err = last
	}
	return nil, failure(ctx, fmt.Errorf("connect to %s: %w", s.host, err))
}

func (s *session) options(name string, d *dialer, l *line) []nats.Option {
	report := func(_ *nats.Conn, _ *nats.Subscription, err error) {
		s.cfg.Log.Warn("object store client reports", "connection", name, "error", err)
	}
	all := []nats.Option{
		nats.Name(name), nats.SetCustomDialer(d), nats.Timeout(handshakeTime), nats.NoReconnect(),
		nats.IgnoreDiscoveredServers(), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(pingsOut),
		nats.FlusherTimeout(flushTime), nats.ErrorHandler(report),
		nats.ClosedHandler(func(*nats.Conn) { l.end() }),
	}
	switch c := s.credentials; {
	case c.Name != "":
		all = append(all, nats.UserInfo(c.Name, c.Secret))
	case c.Secret != "":
		all = append(all, nats.Token(c.Secret))
	}
	return all
}

// bucket returns the library's view of the session's bucket.
func (l *line) bucket(ctx context.Context, name string) (jetstream.ObjectStore, error) {
	l.mu.Lock()
	objects := l.objects
	l.mu.Unlock()
	if objects != nil {
		return objects, nil
	}
	objects, err := l.js.ObjectStore(ctx, name)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.objects = objects
	return objects, nil
}

// close disconnects. The library would like to write what is left before.
func (l *line) close() {
	impatient := time.AfterFunc(closeTime, l.cut)
	defer impatient.Stop()
	l.nc.Close()
	l.end() // the library tells later
}

// failure says what an error means that a call over the line has met.
func (l *line) failure(ctx context.Context, err error) error {
	if ctx.Err() == nil && l.life.Err() != nil && !errors.Is(err, flows.ErrNoObject) {
		return flows.Fail(flows.Disconnected, fmt.Errorf("the connection was lost: %w", err))
	}
	return failure(ctx, err)
}

// Codes of errors of JetStream, which say that there is no room.
const (
	insufficientResources = 10023
	storageExceeded       = 10047
	storeFailed           = 10077 // the bound of the bucket
)

// failure says what an error of the library means.
func failure(ctx context.Context, err error) error {
	var api *jetstream.APIError
	switch {
	case ctx.Err() != nil:
		return store.Classify(ctx, errors.Join(ctx.Err(), err))
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired),
		errors.Is(err, nats.ErrPermissionViolation):
		return flows.Fail(flows.Rejected, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return flows.Fail(flows.TooLarge, err)
	case errors.As(err, &api):
		switch api.ErrorCode {
		case insufficientResources, storageExceeded, storeFailed:
			return flows.Fail(flows.Overloaded, err)
		}
		return flows.Fail(flows.Rejected, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrNoStreamResponse):
		return flows.Fail(flows.NoResponders, err)
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrAsyncPublishTimeout):
		return flows.Unknown(flows.Timeout, err)
	}
	return store.Classify(ctx, err)
}

// A dialer gives the client library a party's dialer, with the context of the one
// connection that is made.
type dialer struct {
	ctx  context.Context
	dial wire.Dialer

	mu   sync.Mutex
	conn net.Conn
	last error
}

// SkipHostLookup has the library pass names on, so that links see the addresses
// that people wrote.
func (d *dialer) SkipHostLookup() bool { return true }

// Dial implements the library's dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dial(d.ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn, d.last = conn, err
	if err == nil && d.ctx.Err() != nil {
		_ = conn.Close() // nothing was sent over it
		return nil, d.ctx.Err()
	}
	return conn, err
}

// cut closes the connection, and the library finds out.
func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.Close() // closed by the library as well
	}
}

func (d *dialer) lastError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}
