// Package ftpstore keeps objects on an FTP server: one of somebody else's, or a
// small one of this program's own.
//
// An FTP client speaks to its server over one connection and sends every file over
// another, which is made for it, and until that has ended the first can do nothing
// else. So a party has several connections for commands, a bounded number, and
// each transfer has one to itself. Both kinds are dialled in the party's name. A
// server says to which address to connect for data; only the port is taken from
// that, because a host that the server may choose is one that it may have us
// attack.
//
// A file can be read while it is being written. So an object is uploaded under
// another name, which no address can name, and gets its own when all of its bytes
// are there. The end of a transfer says nothing: a connection that broke down in a
// tidy way ends as one does that has sent everything. So the server is asked for
// the size of what it has got, and for what it thinks of what it has sent.
//
// A call that ends before its time closes its connections, since FTP has no other
// way of stopping a transfer that works everywhere. One that was kept from earlier
// and turns out to be dead is replaced, once nobody has been asked for anything.
package ftpstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/ftpstore/ftpserver"
)

const (
	scheme = "ftp"
	port   = "21"
)

// New describes the store.
func New() store.Driver {
	return store.Driver{
		Name:     "ftp",
		Summary:  "files on an FTP server, in passive mode: two connections for each transfer",
		Scheme:   scheme,
		Embedded: "an FTP server in this process, with files in a directory of the run",
		External: true,
		Wired:    true,
		Open:     open,
	}
}

// A session is the objects of one cell.
type session struct {
	place    store.Place
	endpoint string
	target   target
	cfg      store.Config
	server   *ftpserver.Server // of our own, or nil
	put      store.Inventory   // names of files

}

// A target is a server as a client sees it.
type target struct {
	host, port  string
	dir         string // where files are, seen from where one is after logging in; empty for there
	credentials store.Credentials
}

func (t target) address() string { return net.JoinHostPort(t.host, t.port) }

func open(ctx context.Context, cfg store.Config) (store.Session, error) {
	s, err := prepare(cfg)
	if err != nil {
		return nil, fmt.Errorf("open ftp store: %w", err)
	}
	if err := s.check(ctx); err != nil {
		return nil, fmt.Errorf("open ftp store at %s: %w", s.endpoint, errors.Join(err, s.stop()))
	}
	return s, nil
}

// prepare finds out where the store is, and starts one if nobody says.
func prepare(cfg store.Config) (*session, error) {
	s := &session{cfg: cfg}
	if cfg.URL != "" {
		named, err := cfg.Server(scheme, port)
		if err != nil {
			return nil, err
		}
		if strings.ContainsAny(named.Credentials.Name+named.Credentials.Secret, "\r\n") {
			return nil, flows.Fail(flows.Rejected, errors.New("the credentials have a line break in them"))
		}
		if s.target.host, s.target.port, err = net.SplitHostPort(named.Host); err != nil {
			return nil, flows.Fail(flows.Unreachable, err)
		}
		s.endpoint, s.target.dir = named.Root(), strings.Trim(named.Path, "/")
		s.target.credentials = named.Credentials
		if named.Credentials.Name == "" {
			s.target.credentials = store.Credentials{Name: "anonymous", Secret: "anonymous"} // as is the custom
		}
	}
	if err := s.name(cfg.Prefix); err != nil || cfg.URL != "" {
		return s, err
	}
	s.target.credentials = store.Credentials{Name: "flowbench", Secret: rand.Text()}
	var err error
	s.server, err = ftpserver.Start(ftpserver.Config{Dir: cfg.Dir, MaxBytes: cfg.MaxBytes,
		Name: s.target.credentials.Name, Secret: s.target.credentials.Secret})
	if err != nil {
		return nil, flows.Fail(flows.Internal, err)
	}
	s.target.host, s.target.port, _ = net.SplitHostPort(s.server.Address()) // which is one
	s.endpoint = scheme + "://" + s.server.Address() + "/"
	return s, s.name(cfg.Prefix)
}

func (s *session) name(prefix string) (err error) {
	s.place, err = store.NewPlace(s.endpoint, prefix)
	return err
}

// check logs in once, and settles which of its addresses a host has that is
// called by a name: the connections for data must come to the same machine.
func (s *session) check(ctx context.Context) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.cut()
	if at, ok := c.commands.RemoteAddr().(*net.TCPAddr); ok && net.ParseIP(s.target.host) == nil {
		s.target.host = at.IP.String()
	}
	return nil
}

// connect opens a connection of the session's own, which is no part of the world.
func (s *session) connect(ctx context.Context) (*control, error) {
	own := s.cfg
	own.Route, own.Meter = nil, &store.Meter{}
	return s.target.connect(ctx, own.DialerOf(""))
}

// Endpoint implements [store.Session].
func (s *session) Endpoint() string { return s.endpoint }

// Connect implements [flows.Store].
func (s *session) Connect(ctx context.Context, name string) (flows.Objects, error) {
	p := newParty(s, name)
	// The first connection is made now, so that one learns of a server that is not there.
	c, _, err := p.take(ctx)
	if err != nil {
		p.end()
		return nil, fmt.Errorf("connect %s to ftp store: %w", name, err)
	}
	p.give(c, true)
	return p, nil
}

// Close implements [store.Session].
func (s *session) Close(ctx context.Context) error {
	var err error
	if s.server == nil { // our own takes everything with it
		err = s.sweep(ctx)
	}
	if err = errors.Join(err, s.stop()); err != nil {
		return fmt.Errorf("close ftp store: %w", err)
	}
	return nil
}

func (s *session) stop() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// sweep deletes what is left.
func (s *session) sweep(ctx context.Context) error {
	left := s.put.Objects()
	if len(left) == 0 {
		return nil
	}
	c, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("delete what is left, %d files: %w", len(left), err)
	}
	defer c.cut()
	for i, name := range left {
		if err := c.remove(name); err != nil {
			return fmt.Errorf("delete what is left, %d files: %w", len(left)-i, failure(ctx, err))
		}
		s.put.Remove(name)
	}
	return nil
}
