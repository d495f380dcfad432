// Package memstore keeps objects in the memory of this process. It is the store
// with nothing between its parties: what a flow costs with it is the flow, and
// what it costs more with another store is that store.
//
// An object's bytes are written once and shared by all who get them, so getting
// one copies nothing that the reader does not ask for.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"flowbench/flows"
	"flowbench/sim/store"
)

const scheme = "mem"

// New describes the store.
func New() store.Driver {
	return store.Driver{
		Name:     "mem",
		Summary:  "the memory of this process: no connections, no disk",
		Scheme:   scheme,
		Embedded: "a map in this process",
		Open:     open,
	}
}

// A session is the objects of one cell.
type session struct {
	place store.Place
	room  *store.Room
	meter *store.Meter

	mu      sync.RWMutex
	objects map[string][]byte // nothing in them changes
}

func open(ctx context.Context, cfg store.Config) (store.Session, error) {
	if err := store.Done(ctx); err != nil {
		return nil, fmt.Errorf("open memory store: %w", err)
	}
	place, err := store.NewPlace(scheme+":", cfg.Prefix)
	if err != nil {
		return nil, fmt.Errorf("open memory store: %w", err)
	}
	return &session{
		place: place, room: store.NewRoom(cfg.MaxBytes), meter: cfg.Meter, objects: make(map[string][]byte),
	}, nil
}

// Endpoint implements [store.Session].
func (s *session) Endpoint() string { return scheme + ":" }

// Connect implements [flows.Store].
func (s *session) Connect(ctx context.Context, _ string) (flows.Objects, error) {
	if err := store.Done(ctx); err != nil {
		return nil, fmt.Errorf("connect to memory store: %w", err)
	}
	return &party{session: s}, nil
}

// Close implements [store.Session].
func (s *session) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, content := range s.objects {
		s.room.Give(int64(len(content)))
	}
	clear(s.objects)
	return nil
}

// A party is one party's access.
type party struct {
	store.Door
	session *session
}

// Put implements [flows.Objects].
func (p *party) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	if err := p.Ready(ctx); err != nil {
		return "", fmt.Errorf("put into memory: %w", err)
	}
	s := p.session
	object, err := s.place.Object(name)
	if err != nil {
		return "", err
	}
	if err := s.room.Take(size); err != nil {
		return "", fmt.Errorf("put into memory: %w", err)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(store.NewBody(ctx, body, size), content); err != nil {
		s.room.Give(size)
		return "", fmt.Errorf("put into memory: %w", err)
	}
	if !s.add(object, content) {
		s.room.Give(size)
		return "", flows.Fail(flows.Internal, fmt.Errorf("put into memory: %s is there already", object))
	}
	s.meter.Puts.Add(1)
	return s.place.Address(object), nil
}

// add makes an object known, if its name is unique.
func (s *session) add(object string, content []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.objects[object]; there {
		return false
	}
	s.objects[object] = content
	return true
}

// Get implements [flows.Objects].
func (p *party) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	s := p.session
	object, err := s.place.Find(uri)
	if err != nil {
		return nil, fmt.Errorf("get from memory: %w", err)
	}
	if err := p.Ready(ctx); err != nil {
		return nil, fmt.Errorf("get from memory: %w", err)
	}
	s.mu.RLock()
	content, there := s.objects[object]
	s.mu.RUnlock()
	if !there {
		return nil, fmt.Errorf("get from memory: %w", store.NoObject(object))
	}
	s.meter.Gets.Add(1)
	from, n := store.Cut(part, int64(len(content)))
	return store.NewReader(ctx, io.NopCloser(bytes.NewReader(content[from:from+n])), n), nil
}

// Delete implements [flows.Objects].
func (p *party) Delete(ctx context.Context, uri string) error {
	s := p.session
	object, err := s.place.Find(uri)
	if err != nil {
		return fmt.Errorf("delete from memory: %w", err)
	}
	if err := p.Ready(ctx); err != nil {
		return fmt.Errorf("delete from memory: %w", err)
	}
	s.mu.Lock()
	s.room.Give(int64(len(s.objects[object])))
	delete(s.objects, object)
	s.mu.Unlock()
	s.meter.Deletes.Add(1)
	return nil
}
