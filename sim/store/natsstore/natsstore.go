// Package natsstore keeps objects in a NATS object store, on a server of somebody
// else's or on one that the run starts as a process of its own.
//
// NATS has no storage beside its streams. An object is a number of messages of 128
// KiB in the stream of a bucket, and one more, published after them, that says how
// many there are and what their hash is: an object is there when that is. A session
// has a bucket of its own, which is called by its prefix and goes away with it. It
// is bounded, and what a run that was killed has left in it ages away.
//
// Objects are written and read by this package, in the format of the client
// library. What the library does itself is no good for a run: a Put that is over
// quickly may leave a goroutine for ever and publishes thousands of messages ahead;
// a Get cannot read a part, is pushed at without regard to who reads, and one that
// waits for a network that is silent does not hear that its context has ended. Here
// a few messages are under way at a time, in either direction. A part is read from
// the object's first message on, and no further than it goes.
//
// A party has one connection, which all of its calls share. What is under way when
// it breaks has failed; the next call dials again.
package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"flowbench/flows"
	"flowbench/sim/embedded"
	"flowbench/sim/natsstream"
	"flowbench/sim/store"
)

const (
	scheme = "nats-object"
	port   = "4222"

	// bucketTTL is when objects go away that nobody has deleted. It is longer than
	// any run.
	bucketTTL = 24 * time.Hour

	// serverBytes is a soft limit of the memory of our own server. Without one it takes
	// 350 MiB for objects of 4 MiB, a few at a time, and is not faster for it.
	serverBytes = 256 << 20
)

// New describes the store.
func New() store.Driver {
	return store.Driver{
		Name:     "nats-object",
		Summary:  "a NATS object store: pieces of 128 KiB in a stream on disk",
		Scheme:   scheme,
		Embedded: "a NATS server as a process of its own, with files in a directory of the run",
		External: true,
		Wired:    true,
		Open:     open,
	}
}

// A session is the bucket of one cell.
type session struct {
	cfg         store.Config
	place       store.Place
	endpoint    string
	host        string // host:port
	credentials store.Credentials
	server      *embedded.Server // of our own, or nil
}

func open(ctx context.Context, cfg store.Config) (store.Session, error) {
	s, path, err := prepare(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open nats object store: %w", err)
	}
	if err := s.makeBucket(ctx, path); err != nil {
		err = errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		return nil, fmt.Errorf("open nats object store at %s: %w", s.endpoint, err)
	}
	return s, nil
}

// prepare finds out where the server is, and starts one if nobody says.
func prepare(ctx context.Context, cfg store.Config) (s *session, path string, err error) {
	s = &session{cfg: cfg}
	if cfg.URL != "" {
		named, err := cfg.Server(scheme, port)
		if err != nil {
			return nil, "", err
		}
		s.host, s.credentials, path = named.Host, named.Credentials, named.Path
	}
	if _, err = store.NewPlace("", cfg.Prefix); err != nil {
		return nil, "", err // before anything has been started
	}
	if cfg.URL == "" {
		s.server, err = embedded.Start(ctx, embedded.Options{
			JetStream: true, Dir: cfg.Dir, Name: "flowbench-objects",
			StoreMaxBytes: 2 * bound(cfg.MaxBytes), LimitBytes: serverBytes,
		})
		if err != nil {
			return nil, "", flows.Fail(flows.Internal, err)
		}
		_, s.host, _ = strings.Cut(s.server.URL(), "://")
	}
	s.endpoint = scheme + "://" + s.host + "/"
	s.place, err = store.NewPlace(s.endpoint, cfg.Prefix)
	return s, path, err
}

// bound returns how many bytes a bucket may have for so many bytes of objects:
// its messages have names and headers too.
func bound(bytes int64) int64 { return bytes + bytes/32 + 64<<10 }

// makeBucket makes the session's bucket.
func (s *session) makeBucket(ctx context.Context, path string) error {
	l, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	if path != "" && path != "/" {
		return flows.Fail(flows.Rejected, errors.New("the address has a path; a server's buckets are called by run"))
	}
	err = natsstream.Make(ctx, func(ctx context.Context) error {
		_, err := l.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
			Bucket: s.bucket(), Description: "flowbench", TTL: bucketTTL, MaxBytes: bound(s.cfg.MaxBytes),
			Storage: jetstream.FileStorage,
		})
		return err
	})
	if err != nil {
		return l.failure(ctx, fmt.Errorf("make bucket %s: %w", s.bucket(), err))
	}
	return nil
}

func (s *session) bucket() string { return s.cfg.Prefix }

// connect opens a connection of the session's own, which is no part of the world.
func (s *session) connect(ctx context.Context) (*line, error) {
	own := s.cfg
	own.Route, own.Meter = nil, &store.Meter{}
	return s.dial(ctx, "flowbench", own.DialerOf(""))
}

// Endpoint implements [store.Session].
func (s *session) Endpoint() string { return s.endpoint }

// Connect implements [flows.Store].
func (s *session) Connect(ctx context.Context, name string) (flows.Objects, error) {
	p := newParty(s, name)
	// The connection is made now, so that one learns of a server that is not there.
	if _, err := p.connected(ctx); err != nil {
		p.end()
		return nil, fmt.Errorf("connect %s to nats object store: %w", name, err)
	}
	return p, nil
}

// Close implements [store.Session].
func (s *session) Close(ctx context.Context) error {
	var err error
	if s.server == nil { // our own takes everything with it
		err = s.deleteBucket(ctx)
	}
	if err = errors.Join(err, s.stop(ctx)); err != nil {
		return fmt.Errorf("close nats object store: %w", err)
	}
	return nil
}

func (s *session) stop(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop(ctx)
}

func (s *session) deleteBucket(ctx context.Context) error {
	l, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("delete bucket %s: %w", s.bucket(), err)
	}
	defer l.close()
	err = l.js.DeleteObjectStore(ctx, s.bucket())
	if err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
		return fmt.Errorf("delete bucket %s: %w", s.bucket(), l.failure(ctx, err))
	}
	return nil
}
