// Package filestore keeps objects as files in a directory that all parties share:
// the network drive, as far as one machine can have it. There is no server and no
// connection; what comes between the parties is the file system.
//
// Its addresses are relative to the session's directory. Which directory that is
// does not concern those who get objects, and does not get into results.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"flowbench/flows"
	"flowbench/sim/store"
	"flowbench/sim/store/folder"
)

const scheme = "file"

// New describes the store.
func New() store.Driver {
	return store.Driver{
		Name:     "file",
		Summary:  "files in a directory that all parties share: no connections, nothing forced to disk",
		Scheme:   scheme,
		Embedded: "a directory of the run",
		Open:     open,
	}
}

// A session is the objects of one cell.
type session struct {
	place  store.Place
	folder *folder.Folder
	meter  *store.Meter
}

func open(ctx context.Context, cfg store.Config) (store.Session, error) {
	if err := store.Done(ctx); err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	place, err := store.NewPlace(scheme+":", cfg.Prefix)
	if err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	f, err := folder.Open(cfg.Dir, place, cfg.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("open file store: %w", err)
	}
	return &session{place: place, folder: f, meter: cfg.Meter}, nil
}

// Endpoint implements [store.Session].
func (s *session) Endpoint() string { return scheme + ":" }

// Connect implements [flows.Store].
func (s *session) Connect(ctx context.Context, _ string) (flows.Objects, error) {
	if err := store.Done(ctx); err != nil {
		return nil, fmt.Errorf("connect to file store: %w", err)
	}
	return &party{session: s}, nil
}

// Close implements [store.Session].
func (s *session) Close(context.Context) error {
	if err := s.folder.Close(); err != nil {
		return fmt.Errorf("close file store: %w", err)
	}
	return nil
}

// A party is one party's access.
type party struct {
	store.Door
	session *session
}

// Put implements [flows.Objects].
func (p *party) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	s := p.session
	object, err := s.place.Object(name)
	if err != nil {
		return "", err
	}
	err = p.Ready(ctx)
	if err == nil {
		err = s.folder.Write(object, size, store.NewBody(ctx, body, size))
	}
	if err != nil {
		return "", fmt.Errorf("put as a file: %w", err)
	}
	s.meter.Puts.Add(1)
	return s.place.Address(object), nil
}

// Get implements [flows.Objects].
func (p *party) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	s := p.session
	object, err := s.place.Find(uri)
	if err == nil {
		err = p.Ready(ctx)
	}
	var file *os.File
	var size int64
	if err == nil {
		file, size, err = s.folder.Open(object)
	}
	if err != nil {
		return nil, fmt.Errorf("get a file: %w", err)
	}
	s.meter.Gets.Add(1)
	from, n := store.Cut(part, size)
	return store.NewReader(ctx, &content{io.NewSectionReader(file, from, n), file}, n), nil
}

// A content is a part of a file.
type content struct {
	io.Reader
	file *os.File
}

// Close implements [io.Closer]. A file that was closed before is no error.
func (c *content) Close() error {
	if err := c.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Delete implements [flows.Objects].
func (p *party) Delete(ctx context.Context, uri string) error {
	s := p.session
	object, err := s.place.Find(uri)
	if err == nil {
		err = p.Ready(ctx)
	}
	if err == nil {
		err = s.folder.Delete(object)
	}
	if err != nil {
		return fmt.Errorf("delete a file: %w", err)
	}
	s.meter.Deletes.Add(1)
	return nil
}
