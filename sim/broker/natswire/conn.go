// Package natswire is what the drivers of core NATS and of JetStream have in
// common: a connection that keeps itself connected, subscriptions without
// acknowledgement, inboxes, and how a message is written in NATS's own terms.
//
// A message of a subject travels under the session's prefix. Its fields travel
// in headers, and only those that differ from what a reader would assume
// anyway: on a request whose return address names its id there may be none.
//
// The address of an inbox is a subject, and the reply subject of a request is
// that address with the request's id as one more token. So the answer carries
// its correlation in its subject, and so does the server's notice that nobody
// is there to take a request.
package natswire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"flowbench/flows"
	"flowbench/sim/broker"
)

// PendingMax is how many messages wait in the client for a subscription. When
// there are more, the client library drops what comes.
const PendingMax = 16384

// inboxPendingMax is the same for an inbox. It is smaller because every client
// has one.
const inboxPendingMax = 8192

const (
	dialPatience  = 2 * time.Second // for one address
	closePatience = time.Second     // for the broker to confirm that interest is gone
)

// The parameters of both drivers. Pings are what a silent broker is noticed by;
// the client library's own settings take some minutes.
const (
	paramPingInterval = "ping_interval_ms"
	paramPingsOut     = "max_pings_out"
)

// Params returns the parameters that the two drivers have in common.
func Params() []broker.Param {
	return append([]broker.Param{
		{Name: paramPingInterval, Summary: "time between pings, by which a silent broker is noticed, in milliseconds",
			Default: "1000", Min: 10, Max: 120000},
		{Name: paramPingsOut, Summary: "unanswered pings after which a connection is given up",
			Default: "2", Min: 1, Max: 10},
	}, broker.ReconnectParams()...)
}

// pings returns the time between pings, and how many may be unanswered.
func pings(p broker.Params) (interval time.Duration, out int) {
	return time.Duration(cmp.Or(p.Int(paramPingInterval), 1000)) * time.Millisecond, cmp.Or(p.Int(paramPingsOut), 2)
}

// A Space is the names of one session. It is shared by its connections.
type Space struct {
	prefix  string
	inboxes atomic.Uint64
}

// NewSpace returns the space under a prefix.
func NewSpace(prefix string) *Space { return &Space{prefix: prefix} }

// Subject returns the full name of a subject.
func (s *Space) Subject(name string) string { return s.prefix + ".s." + name }

// inboxPrefix is what the full names of all inboxes begin with.
func (s *Space) inboxPrefix() string { return s.prefix + ".i." }

// IsInbox reports whether a name is an address of Inbox.
func (s *Space) IsInbox(name string) bool {
	rest, ok := strings.CutPrefix(name, s.prefix)
	return ok && strings.HasPrefix(rest, ".i.")
}

// A Conn is a connection to NATS servers, tried in turn, that redials until it
// is closed.
type Conn struct {
	NC    *nats.Conn
	Name  string
	Space *Space
	cfg   broker.Config

	// Restore is called after each reconnect, before it is announced, with a
	// context that ends with the connection. It may be nil.
	restore func(ctx context.Context) error

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup // restores under way

	mu     sync.Mutex
	closed bool
	subs   map[*Sub]struct{}
	epoch  context.Context // ends when the present connection is lost
	cut    context.CancelFunc
	back   chan struct{} // closed at the next reconnect
}

// errLost is why an epoch ended.
var errLost = errors.New("the connection to the broker was lost")

// Connect opens a connection within ctx.
func Connect(
	ctx context.Context, cfg broker.Config, space *Space, name string, restore func(context.Context) error,
) (*Conn, error) {
	if err := broker.CheckAddresses(cfg.Addresses, "nats", "tls"); err != nil {
		return nil, err
	}
	c := &Conn{Name: name, Space: space, cfg: cfg, restore: restore, subs: make(map[*Sub]struct{})}
	c.life, c.end = context.WithCancel(context.Background())
	c.epoch, c.cut = context.WithCancel(c.life)
	c.back = make(chan struct{})
	d := &dialer{dial: cfg.DialerOf(name), ctx: ctx}
	nc, err := nats.Connect(strings.Join(cfg.Addresses, ","), c.options(d)...)
	if err != nil {
		c.end()
		return nil, connectError(ctx, cfg, d, err)
	}
	if !d.settle(c.life) { // ctx ended while the handshake was still under way
		nc.Close()
		c.end()
		return nil, connectError(ctx, cfg, d, ctx.Err())
	}
	c.NC = nc
	cfg.Notify(broker.Event{Kind: broker.Connected, Conn: name, Detail: broker.Redacted(nc.ConnectedUrl())})
	return c, nil
}

func connectError(ctx context.Context, cfg broker.Config, d *dialer, err error) error {
	if last := d.lastError(); last != nil && errors.Is(err, nats.ErrNoServers) {
		err = last
	}
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	err = fmt.Errorf("connect to %s: %w", broker.RedactedList(cfg.Addresses), err)
	if errors.Is(err, nats.ErrAuthorization) {
		return flows.Fail(flows.Rejected, err)
	}
	return broker.NotDialed(err)
}

func (c *Conn) options(d *dialer) []nats.Option {
	backoff := c.cfg.Params.Reconnect()
	interval, out := pings(c.cfg.Params)
	return []nats.Option{
		nats.Name(c.Name), nats.SetCustomDialer(d), nats.Timeout(dialPatience),
		nats.DontRandomize(), nats.IgnoreDiscoveredServers(),
		nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), // nothing is kept back during an outage to burst out later
		nats.CustomReconnectDelay(func(attempts int) time.Duration { return backoff.Pause(attempts - 1) }),
		nats.PingInterval(interval), nats.MaxPingsOutstanding(out),
		nats.FlusherTimeout(interval * time.Duration(out)),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.lost(err) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.found(nc) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) { c.failed(sub, err) }),
	}
}

// lost ends the present epoch. The client library calls it, one call at a time
// together with found.
func (c *Conn) lost(err error) {
	c.mu.Lock()
	closed := c.closed
	c.cut()
	c.mu.Unlock()
	if closed {
		return
	}
	detail := errLost.Error()
	if err != nil {
		detail = err.Error()
	}
	c.cfg.Notify(broker.Event{Kind: broker.Disconnected, Conn: c.Name, Detail: detail})
}

// found begins an epoch. The client library has subscribed everything again.
func (c *Conn) found(nc *nats.Conn) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.epoch, c.cut = context.WithCancel(c.life)
	epoch := c.epoch
	c.work.Add(1)
	c.mu.Unlock()
	url := nc.ConnectedUrl()
	go func() { // so that news of the next loss is not held up
		defer c.work.Done()
		c.resume(epoch, url)
	}()
}

// resume restores what the broker may have forgotten, trying until it works or
// the epoch ends, and announces the reconnect.
func (c *Conn) resume(epoch context.Context, url string) {
	for n := 0; c.restore != nil; n++ {
		err := c.restore(epoch)
		if err == nil {
			break
		}
		if epoch.Err() != nil {
			return
		}
		c.cfg.Log.Warn("not restored after reconnect", "connection", c.Name, "error", err)
		pause := time.NewTimer(c.cfg.Params.Reconnect().Pause(n))
		select {
		case <-pause.C:
		case <-epoch.Done():
			pause.Stop()
			return
		}
	}
	c.mu.Lock()
	if c.epoch != epoch || epoch.Err() != nil {
		c.mu.Unlock()
		return
	}
	close(c.back)
	c.back = make(chan struct{})
	c.mu.Unlock()
	c.cfg.Notify(broker.Event{Kind: broker.Reconnected, Conn: c.Name, Detail: broker.Redacted(url)})
}

// failed hears of errors that belong to no call.
func (c *Conn) failed(sub *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrSlowConsumer) || sub == nil {
		c.cfg.Log.Warn("broker client reports", "connection", c.Name, "error", err)
		return
	}
	c.mu.Lock()
	var slow *Sub
	for s := range c.subs {
		if s.ns == sub {
			slow = s
		}
	}
	c.mu.Unlock()
	if slow != nil {
		slow.reportDropped()
	}
}

// Epoch returns a context that ends when the present connection is lost or
// closed. It has ended already while there is no connection.
func (c *Conn) Epoch() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// Life returns a context that ends with Close.
func (c *Conn) Life() context.Context { return c.life }

// Closed reports whether Close has been called.
func (c *Conn) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Ready implements [flows.Conn]: a round trip says that the broker has read
// everything that was sent before. It waits through an outage.
func (c *Conn) Ready(ctx context.Context) error {
	for {
		c.mu.Lock()
		back, closed, epoch := c.back, c.closed, c.epoch
		c.mu.Unlock()
		if closed {
			return flows.ErrClosed
		}
		if epoch.Err() == nil {
			limited, cancel := context.WithTimeout(ctx, dialPatience)
			err := c.NC.FlushWithContext(limited)
			cancel()
			if err == nil {
				return nil
			}
			if ctx.Err() == nil && epoch.Err() == nil && !c.NC.IsReconnecting() {
				continue // slow, or the loss has not been announced yet
			}
		}
		select {
		case <-back:
		case <-ctx.Done():
			return fmt.Errorf("await the broker's answer: %w", ctx.Err())
		case <-c.life.Done():
			return flows.ErrClosed
		}
	}
}

// Close unsubscribes, waits until the broker knows, and disconnects. Only its
// first call does anything.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	subs := make([]*Sub, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	for _, s := range subs {
		s.detach()
	}
	var err error
	if c.NC.IsConnected() {
		// Without a connection there is no interest left at the broker, and none comes
		// back with the next one: the wait also ends when one is lost and another node
		// of a cluster has taken over before anybody looks.
		err = c.NC.FlushTimeout(closePatience)
		if errors.Is(err, nats.ErrConnectionClosed) || !c.NC.IsConnected() {
			err = nil
		}
	}
	c.NC.Close()
	c.end()
	c.work.Wait()
	if err != nil {
		return fmt.Errorf("close connection: await the broker's answer: %w", err)
	}
	return nil
}

// A dialer gives the client library the session's dialer and a context.
type dialer struct {
	dial broker.Dialer

	mu   sync.Mutex
	ctx  context.Context // of the dials to come: that of Connect, later the connection's life
	last error
}

// settle has all further dials end with life instead of the first context. It
// reports false if that has ended.
func (d *dialer) settle(life context.Context) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return false
	}
	d.ctx = life
	return true
}

func (d *dialer) lastError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// SkipHostLookup has the library pass names on, so that links see the addresses
// that people wrote.
func (d *dialer) SkipHostLookup() bool { return true }

// Dial implements the library's dialer. The connection is closed if the context
// ends during the handshake, which the library cannot do itself.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := d.ctx
	d.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	conn, err := d.dial(limited, network, address)
	if err != nil {
		d.mu.Lock()
		d.last = err
		d.mu.Unlock()
		return nil, err
	}
	g := &guardedConn{Conn: conn}
	g.stop = context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.ctx == ctx {
			_ = conn.Close() // the reader finds out
		}
	})
	return g, nil
}

// guardedConn forgets its guard when it is closed.
type guardedConn struct {
	net.Conn
	stop func() bool
}

func (g *guardedConn) Close() error {
	g.stop()
	return g.Conn.Close()
}

// hex writes an id as a token of a subject.
func hex(id uint64) string { return strconv.FormatUint(id, 16) }
