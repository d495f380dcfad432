// Package s3store keeps objects in a bucket of an S3 server: of one that somebody
// else runs, or of one inside this process.
//
// The client is minio-go, which signs and writes requests, and no more of it:
// nothing is tried again behind a flow's back, bodies stream, and every answer that
// is an error is taken apart here. Objects beyond the size of a part go as a
// multipart upload, part after part out of the body: an upload holds buffers of
// some 200 KiB, whatever its size.
//
// Without TLS bodies are signed as they go, chunk by chunk and with a signed end.
// It costs the client a hash of all bytes, and it is what others do; but the reason
// is the end. Among the servers that take unsigned bodies is one that keeps what it
// has when the connection is cut, and a half object that can be got is the one
// thing that a store must never have. There are also servers, if not serious ones,
// that store the signatures as part of the object: Open puts and gets one to see.
//
// The server inside is gofakes3 with its signature check, in front of files in the
// session's folder. It speaks S3, and it is nobody's product: numbers that were
// measured against it are about the protocol and not about a store one would run.
package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"flowbench/flows"
	"flowbench/sim/store"
)

const (
	scheme = "s3"
	bucket = "flowbench" // of the server inside
)

// New returns the driver.
func New() store.Driver {
	return store.Driver{
		Name:     "s3",
		Summary:  "objects in a bucket of an S3 server",
		Scheme:   scheme,
		Embedded: "an S3 server inside this process (gofakes3), files on disk",
		External: true,
		Wired:    true,
		Open:     open,
	}
}

// A session is one bucket for one cell.
type session struct {
	cfg    store.Config
	place  place
	names  store.Place
	server *server  // nil on somebody else's
	own    *objects // the session's own way, which no fault lies on

	kept    store.Inventory // keys of objects that may be there
	uploads store.Inventory // keys and ids, with a space between, of uploads that may be under way
}

func open(ctx context.Context, cfg store.Config) (store.Session, error) {
	s := &session{cfg: cfg}
	if err := s.find(); err != nil {
		return nil, fmt.Errorf("open S3 store: %w", err)
	}
	var err error
	if s.names, err = store.NewPlace(scheme+"://"+s.place.bucket+"/", cfg.Prefix); err == nil {
		err = s.check(ctx)
	}
	if err != nil {
		err = fmt.Errorf("open S3 store at %s: %w", s.Endpoint(), err)
		return nil, errors.Join(err, s.stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// check opens the session's own way to the store, and goes it once.
func (s *session) check(ctx context.Context) (err error) {
	if s.own, err = s.connect(s.cfg.OwnDialer(), &store.Meter{}); err != nil {
		return err
	}
	if err = s.probe(ctx); err != nil {
		_ = s.own.Close() // it only ends connections
	}
	return err
}

// find sets where the bucket is, and starts a server if there is none.
func (s *session) find() (err error) {
	if s.cfg.URL != "" {
		s.place, err = placeOf(s.cfg.URL, s.cfg.Credentials)
		return err
	}
	if s.server, err = serve(s.cfg.Dir, s.cfg.MaxBytes); err != nil {
		return fmt.Errorf("start an S3 server: %w", err)
	}
	s.place = place{host: s.server.address(), bucket: bucket, region: region, credentials: s.server.credentials}
	return nil
}

// probe does once what parties will do. An answer to a real request is the only
// one that tells what the credentials permit.
func (s *session) probe(ctx context.Context) (err error) {
	want := []byte("probe")
	uri, err := s.own.Put(ctx, "probe", int64(len(want)), bytes.NewReader(want))
	if err != nil {
		return explained(err, s.place.bucket)
	}
	defer func() {
		if err != nil {
			_ = s.own.Delete(ctx, uri) // it may not be permitted either
		}
	}()
	r, err := s.own.Get(ctx, uri, flows.Span{})
	if err != nil {
		return explained(err, s.place.bucket)
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(len(want))+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return flows.Fail(flows.Corrupt, fmt.Errorf("put %q and got %q: this is not an S3 server", want, got))
	}
	return explained(s.own.Delete(ctx, uri), s.place.bucket)
}

// Connect implements [flows.Store]. Connections are made when requests need them.
func (s *session) Connect(ctx context.Context, name string) (flows.Objects, error) {
	if err := store.Done(ctx); err != nil {
		return nil, fmt.Errorf("connect to S3 store: %w", err)
	}
	return s.connect(s.cfg.DialerOf(name), s.cfg.Meter)
}

// Endpoint implements [store.Session].
func (s *session) Endpoint() string {
	return scheme + "://" + s.place.host + "/" + s.place.bucket
}

// Close implements [store.Session].
func (s *session) Close(ctx context.Context) error {
	if s.server != nil { // whose files go with it
		return errors.Join(s.own.Close(), s.stop(ctx))
	}
	return errors.Join(s.clean(ctx), s.own.Close())
}

func (s *session) stop(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	return s.server.stop(ctx)
}

// clean removes what the session has left at somebody else's server: uploads that
// were not finished, then objects.
func (s *session) clean(ctx context.Context) error {
	err := s.uploads.DeleteAll(ctx, func(ctx context.Context, upload string) error {
		key, id, _ := strings.Cut(upload, " ")
		return s.own.abort(ctx, key, id)
	})
	return errors.Join(err, s.kept.DeleteAll(ctx, s.own.remove))
}
