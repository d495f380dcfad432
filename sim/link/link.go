package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flowbench/sim/alarm"
	"flowbench/sim/wire"
)

// Config is what a link may be told. The zero value is usable.
type Config struct {
	Name string // for the log and for people
	Seed uint64 // of what is random: the jitter

	// QueueBytes is how much each direction of each connection holds at most, 8 MiB
	// if zero, beside what was being read or passed when it was full. A sender whose
	// bytes find no room waits, as it would for a slow receiver. It also caps what a
	// connection can carry under latency: QueueBytes for each latency.
	QueueBytes int

	Dial wire.Dialer  // how the target is reached; this machine only if nil
	Log  *slog.Logger // nothing is logged if nil
}

const (
	defaultQueue = 8 << 20
	dialTime     = 5 * time.Second        // how long reaching the target may take
	acceptPause  = 5 * time.Millisecond   // after an accept that failed for want of descriptors
	lingerTime   = 500 * time.Millisecond // how long a connection that was ended may take to say goodbye
)

// A Link is one TCP path between two parts of a world. Its methods may be called
// by many goroutines at once.
type Link struct {
	name, target string
	seed         uint64
	queueBytes   int
	dial         wire.Dialer
	log          *slog.Logger
	ctx          context.Context // of everything that the link does
	cancel       context.CancelFunc
	unhook       func() bool
	port         *port
	pipes        pipes
	alarms       *alarm.Clock
	buffers      sync.Pool // of []byte, for reading
	rules        atomic.Pointer[rules]
	wg           sync.WaitGroup // of all goroutines

	acting  sync.Mutex // held while impairments are armed or healed
	armed   []*Armed   // guarded by acting
	armings uint64     // how many there have been; guarded by acting

	mu       sync.Mutex
	closed   bool
	conns    map[*conn]struct{}
	accepted uint64

	refused, unreached, cut atomic.Int64
	traffic                 [2]traffic
}

// traffic counts the bytes of one direction.
type traffic struct{ forwarded, held, discarded atomic.Int64 }

// New opens a link to target, a TCP address. It lasts until Close, or until ctx
// is done.
func New(ctx context.Context, target string, c Config) (*Link, error) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("open link to %s: %w", target, err)
	}
	p, err := openPort(ctx)
	if err != nil {
		return nil, fmt.Errorf("open link to %s: %w", target, err)
	}
	l := &Link{
		name: c.Name, target: target, seed: c.Seed, queueBytes: c.QueueBytes, dial: c.Dial, log: c.Log, port: p,
		conns: make(map[*conn]struct{}), buffers: sync.Pool{New: func() any { return new([readSize]byte) }},
	}
	if l.queueBytes <= 0 {
		l.queueBytes = defaultQueue
	}
	if l.dial == nil {
		l.dial = wire.Loopback()
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.log = l.log.With("link", c.Name)
	l.alarms = alarm.New()
	l.rules.Store(newRules(nil))
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.acting.Lock() // if ctx is done already, Close runs at once
	defer l.acting.Unlock()
	l.serve(p.listener)
	l.unhook = context.AfterFunc(ctx, func() { _ = l.Close() }) // there is nobody to tell
	return l, nil
}

// Name returns what the link was called.
func (l *Link) Name() string { return l.name }

// Target returns the address that the link leads to.
func (l *Link) Target() string { return l.target }

// Address returns the address to dial in place of the target. It stays the same
// for the life of the link, also while connections are refused.
func (l *Link) Address() string { return l.port.address }

// Dialer returns a dialer that goes through the link for the link's target and
// its own address, and through next for every other. Only refusals that such a
// dialer meets can be counted: a port that is closed tells nobody who knocked.
func (l *Link) Dialer(next wire.Dialer) wire.Dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != l.target && address != l.Address() {
			return next(ctx, network, address)
		}
		c, err := next(ctx, network, l.Address())
		if errors.Is(err, syscall.ECONNREFUSED) {
			l.refused.Add(1)
			for _, a := range l.rules.Load().refuse {
				a.connections.Add(1)
			}
		}
		return c, err
	}
}

// serve accepts connections until the listener is closed.
func (l *Link) serve(listener *net.TCPListener) {
	l.port.serving.Add(1)
	go func() {
		defer l.port.serving.Done()
		for {
			c, err := listener.AcceptTCP()
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				l.log.Warn("accept", "error", err)
				select {
				case <-time.After(acceptPause):
				case <-l.ctx.Done():
				}
				continue
			}
			l.admit(c)
		}
	}()
}

// admit makes a connection known and carries it in a goroutine of its own: one
// slow dial must not hold up the others.
func (l *Link) admit(client *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = client.Close() // nothing was read from it
		return
	}
	c := newConn(l, l.accepted, client)
	l.accepted++
	l.conns[c] = struct{}{}
	l.wg.Go(c.carry)
}

// connections returns those that are alive now.
func (l *Link) connections() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		all = append(all, c)
	}
	return all
}

// forget takes a connection off the list and reports whether it was on it.
func (l *Link) forget(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.conns[c]
	delete(l.conns, c)
	return known
}

// Close resets every connection, frees the address and waits for all goroutines
// of the link. Close the clients first: what is on its way is lost, whether or
// not an impairment held it. A second call waits like the first and returns nil.
func (l *Link) Close() error {
	l.acting.Lock()
	l.unhook()
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	var err error
	if !again {
		l.cancel()
		err = l.port.close()
		for _, c := range l.connections() {
			c.reset()
		}
		for _, a := range l.armed {
			a.healed = true
		}
		l.armed = nil
	}
	l.acting.Unlock()
	l.wg.Wait()
	if !again {
		l.alarms.Close()
	}
	l.pipes.close()
	if err != nil {
		return fmt.Errorf("close link %s: %w", l.name, err)
	}
	return nil
}

// Stats is what a link has counted.
type Stats struct {
	Accepted  int64 // connections that reached the link
	Refused   int64 // dials of [Link.Dialer] that found the address closed
	Unreached int64 // connections that were reset because the target could not be reached
	Cut       int64 // connections that the link ended, whoever wanted to keep them
	Alive     int64 // connections that exist now

	ToTarget, FromTarget Traffic
}

// Traffic is what a link has counted in one direction, in bytes.
type Traffic struct {
	Forwarded int64 // handed on
	Held      int64 // in the link now
	Discarded int64 // thrown away
}

// Stats returns the counters of the moment. Each of them is right; together they
// may be a few bytes apart while bytes flow.
func (l *Link) Stats() Stats {
	l.mu.Lock()
	accepted, alive := int64(l.accepted), int64(len(l.conns))
	l.mu.Unlock()
	return Stats{
		Accepted: accepted, Alive: alive,
		Refused: l.refused.Load(), Unreached: l.unreached.Load(), Cut: l.cut.Load(),
		ToTarget: l.traffic[toTarget].read(), FromTarget: l.traffic[fromTarget].read(),
	}
}

func (t *traffic) read() Traffic {
	return Traffic{Forwarded: t.forwarded.Load(), Held: t.held.Load(), Discarded: t.discarded.Load()}
}
