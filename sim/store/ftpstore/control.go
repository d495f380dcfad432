package ftpstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"sync"
	"time"

	"github.com/jlaffaye/ftp"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

// A control is a connection for commands, logged in, and at most one for data
// beside it. One call at a time uses it, between begin and end.
type control struct {
	target   target
	dial     wire.Dialer
	client   *ftp.ServerConn
	commands net.Conn

	ctx  context.Context // of the call that uses it
	stop func() bool

	mu   sync.Mutex
	data net.Conn
	dead bool
}

// connect opens a connection, logs in and goes to the directory.
func (t target) connect(ctx context.Context, dial wire.Dialer) (*control, error) {
	c := &control{target: t, dial: dial}
	c.begin(ctx)
	err := c.open()
	if !c.end() || err != nil {
		c.cut()
		return nil, failure(ctx, errors.Join(err, ctx.Err()))
	}
	return c, nil
}

func (c *control) open() (err error) {
	// The library dials with the function what it needs, the connection for commands first.
	c.client, err = ftp.Dial(c.target.address(), ftp.DialWithDialFunc(c.dialOne),
		ftp.DialWithDisabledUTF8(true)) // names are ASCII
	if err != nil {
		return err
	}
	if err := c.client.Login(c.target.credentials.Name, c.target.credentials.Secret); err != nil {
		return refused(err)
	}
	if c.target.dir == "" {
		return nil
	}
	if err := c.client.ChangeDir(c.target.dir); err != nil {
		return fmt.Errorf("go to the directory: %w", err)
	}
	return nil
}

// dialOne makes the connection for commands, or later one for data: to the port
// that the server has said, and to no other host than its own.
func (c *control) dialOne(network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	conn, err := c.dial(c.ctx, network, net.JoinHostPort(c.target.host, port))
	if err != nil {
		return nil, err
	}
	if _, ok := conn.RemoteAddr().(*net.TCPAddr); !ok { // the library insists
		_ = conn.Close() // nothing was sent over it
		return nil, fmt.Errorf("dial %s: it is no TCP connection", address)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		_ = conn.Close() // nothing was sent over it
		return nil, net.ErrClosed
	}
	if c.commands == nil {
		c.commands = conn
	} else {
		c.data = conn
	}
	return conn, nil
}

// begin has the connections closed when a call's context ends.
func (c *control) begin(ctx context.Context) {
	c.ctx = ctx
	c.stop = context.AfterFunc(ctx, c.cut)
}

// end ends what begin has begun. It reports whether the connection can be used
// again.
func (c *control) end() bool {
	in := c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = nil
	return in && !c.dead
}

// cut closes both connections, so that whoever waits for them does so no longer.
func (c *control) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	for _, conn := range []net.Conn{c.commands, c.data} {
		if conn != nil {
			_ = conn.Close() // closed by the library as well
		}
	}
}

// limit bounds how long the server may take for its next replies; 0 lifts that.
func (c *control) limit(d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = c.commands.SetDeadline(at) // a connection that is closed has no need of one
}

// size returns the size of a file.
func (c *control) size(name string) (int64, error) {
	n, err := c.client.FileSize(name)
	if reply(err) == ftp.StatusFileActionIgnored { // some say so of files that are not there
		return 0, &textproto.Error{Code: ftp.StatusFileUnavailable}
	}
	return n, err
}

// remove deletes a file that may be there. Servers have one code for files that
// are not there and for those that may not be deleted, so it asks.
func (c *control) remove(name string) error {
	err := c.client.Delete(name)
	if err == nil || reply(err) != ftp.StatusFileUnavailable && reply(err) != ftp.StatusFileActionIgnored {
		return err
	}
	if _, asked := c.size(name); reply(asked) != ftp.StatusFileUnavailable {
		return errors.Join(err, asked)
	}
	return nil
}

// reply returns the code of the reply that an error is, or 0 if it is none.
func reply(err error) int {
	var r *textproto.Error
	if errors.As(err, &r) {
		return r.Code
	}
	return 0
}

// lost reports whether an error leaves the connection for commands of no use.
func lost(err error) bool {
	code := reply(err)
	return code == 0 && !errors.Is(err, flows.ErrNoObject) || code == ftp.StatusNotAvailable
}

// failure says what an error means that the library has returned. What servers
// say beside the code of a reply is left out: some repeat what they were sent.
func failure(ctx context.Context, err error) error {
	var garbled textproto.ProtocolError
	switch code := reply(err); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return store.Classify(ctx, errors.Join(ctx.Err(), errCut))
	case code != 0:
		return flows.Fail(classOf(code), fmt.Errorf("the server replies %d, %s", code, ftp.StatusText(code)))
	case errors.As(err, &garbled):
		return flows.Fail(flows.Corrupt, errors.New("the server does not reply as FTP servers do"))
	}
	return store.Classify(ctx, err)
}

var errCut = errors.New("the connections were closed")

func classOf(code int) flows.Class {
	switch code {
	case ftp.StatusNotAvailable, ftp.StatusCanNotOpenDataConnection, ftp.StatusTransfertAborted:
		return flows.Disconnected
	case ftp.StatusFileActionIgnored + 2, ftp.StatusExceededStorage: // 452 and 552: no room
		return flows.Overloaded
	}
	return flows.Rejected
}

// refused returns the error of a login. The library makes plain errors of some
// replies, which may repeat the name.
func refused(err error) error {
	var network net.Error
	if reply(err) != 0 || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return flows.Fail(flows.Rejected, errors.New("the server does not let one log in"))
}
