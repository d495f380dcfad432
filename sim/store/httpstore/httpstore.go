// Package httpstore keeps objects on a file server that is spoken to over HTTP: PUT,
// GET, DELETE and Range, as every WebDAV server and many others understand them.
//
// The server is somebody else's, by URL, or one of this package's own on loopback,
// which does as little as such a server can: see [server]. What a party does is
// the same either way. It keeps its connections, as many as it ever used at once.
// It follows no redirect, since that would be asking whoever the server names. It
// takes no answer for an object that may be less than one: an answer must say how
// long it is, or end in a way that a break cannot be taken for.
//
// A larger body is announced first and sent when the server wants it, so that a
// refusal does not cost the transfer.
package httpstore

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/wire"
)

const scheme = "http"

// New describes the store.
func New() store.Driver {
	return store.Driver{
		Name:     "http",
		Summary:  "a file server over plain HTTP: PUT, GET with ranges, DELETE; WebDAV servers are such",
		Scheme:   scheme,
		Embedded: "a file server in this process, on loopback, with its files in a directory of the run",
		External: true,
		Wired:    true,
		Open:     open,
	}
}

// A session is one folder of a server.
type session struct {
	config    store.Config
	at        store.Server
	place     store.Place
	server    *server // nil where it is somebody else's
	inventory store.Inventory
}

func open(ctx context.Context, cfg store.Config) (store.Session, error) {
	if cfg.URL == "" {
		s, err := embed(cfg)
		if err != nil {
			return nil, fmt.Errorf("open http store: %w", err)
		}
		return s, nil
	}
	at, err := cfg.Server(scheme, "80")
	if err != nil {
		return nil, fmt.Errorf("open http store: %w", err)
	}
	place, err := store.NewPlace(at.Root(), cfg.Prefix)
	if err != nil {
		return nil, fmt.Errorf("open http store: %w", err)
	}
	s := &session{config: cfg, at: at, place: place}
	if err := s.probe(ctx); err != nil {
		return nil, fmt.Errorf("open http store at %s: %w", at.Root(), err)
	}
	return s, nil
}

// embed starts a server of this package's own.
func embed(cfg store.Config) (*session, error) {
	srv, err := listen(cfg)
	if err != nil {
		return nil, err
	}
	at := store.Server{Scheme: scheme, Host: srv.address(), Path: "/"}
	place, err := store.NewPlace(at.Root(), cfg.Prefix)
	if err == nil {
		err = srv.serve(place)
	}
	if err != nil {
		_ = srv.listener.Close() // nobody has used it
		return nil, err
	}
	return &session{config: cfg, at: at, place: place, server: srv}, nil
}

// probe puts an object and deletes it: whether the folder is there, takes objects
// and takes the credentials can be known in no other way that all servers have.
func (s *session) probe(ctx context.Context) error {
	p := s.dial(s.config.OwnDialer())
	defer p.close()
	const name = "is-anybody-there"
	object, err := s.place.Object(name)
	if err != nil {
		return err
	}
	if _, err := p.Put(ctx, name, int64(len(name)), strings.NewReader(name)); err != nil {
		return err
	}
	if err := p.remove(ctx, object); err != nil {
		return err
	}
	s.inventory.Remove(object)
	return nil
}

// Endpoint implements [store.Session].
func (s *session) Endpoint() string { return s.at.Root() }

// Connect implements [flows.Store]. Connections are made when there is something
// to say over them.
func (s *session) Connect(ctx context.Context, name string) (flows.Objects, error) {
	if err := store.Done(ctx); err != nil {
		return nil, fmt.Errorf("connect to http store: %w", err)
	}
	p := s.dial(s.config.DialerOf(name))
	p.meter = s.config.Meter
	return p, nil
}

// dial returns a party whose connections are made with dial. It counts nothing.
func (s *session) dial(dial wire.Dialer) *party {
	ctx, cancel := context.WithCancel(context.Background())
	return &party{
		session: s, meter: &store.Meter{}, undoing: ctx, cancel: cancel,
		transport: &http.Transport{
			DialContext:            func(ctx context.Context, n, a string) (net.Conn, error) { return dial(ctx, n, a) },
			MaxIdleConns:           0,
			MaxIdleConnsPerHost:    1 << 16, // the default of 2 would make every burst dial anew
			IdleConnTimeout:        90 * time.Second,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
			WriteBufferSize:        bufferBytes,
			ReadBufferSize:         bufferBytes,
		},
	}
}

const (
	maxHeader   = 64 << 10
	bufferBytes = 64 << 10
)

// Close implements [store.Session].
func (s *session) Close(ctx context.Context) error {
	if s.server != nil {
		if err := s.server.close(ctx); err != nil { // with all of its files
			return fmt.Errorf("close http store: %w", err)
		}
		return nil
	}
	p := s.dial(s.config.OwnDialer())
	defer p.close()
	if err := s.inventory.DeleteAll(ctx, p.remove); err != nil {
		return fmt.Errorf("close http store at %s: %w", s.at.Root(), err)
	}
	return nil
}
