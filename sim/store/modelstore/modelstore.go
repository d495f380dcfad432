// Package modelstore is a store for virtual time: a map, with a link before it
// that takes time and carries so many bytes a second.
//
// It stands in for every store in a simulation and tells about none of them. What
// it shows is what a second way for payloads does to a flow: that it takes two more
// trips, that objects outlive messages and messages objects.
package modelstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/store"
)

// Config is what a model is made with.
type Config struct {
	Link      des.Draw // how long a request takes one way
	BytesPerS float64  // that the link carries for each transfer
	Seed      uint64
}

// Open returns a store in the virtual time of k.
func Open(k *des.Kernel, c Config, session store.Config) (store.Session, error) {
	place, err := store.NewPlace(scheme, session.Prefix)
	if err != nil {
		return nil, fmt.Errorf("open model of a store: %w", err)
	}
	return &model{
		kernel: k, config: c, place: place, room: store.NewRoom(session.MaxBytes), meter: session.Meter,
		objects: make(map[string][]byte), rng: des.Stream(c.Seed, "store"),
	}, nil
}

// model is the session and everybody's access to it.
type model struct {
	kernel *des.Kernel
	config Config
	place  store.Place
	room   *store.Room
	meter  *store.Meter
	rng    *rand.Rand

	mu      sync.Mutex // never held while waiting
	objects map[string][]byte
}

const scheme = "model:"

// Connect implements [flows.Store].
func (m *model) Connect(context.Context, string) (flows.Objects, error) {
	return &objects{model: m}, nil
}

// Endpoint implements [store.Session].
func (m *model) Endpoint() string { return "a model" }

// Close implements [store.Session].
func (m *model) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.objects {
		m.room.Give(int64(len(b)))
	}
	clear(m.objects)
	return nil
}

// trip waits as long as a request with so many bytes takes.
func (m *model) trip(ctx context.Context, n int64) error {
	m.mu.Lock()
	d := m.config.Link(m.rng)
	m.mu.Unlock()
	if m.config.BytesPerS > 0 {
		d += time.Duration(float64(n) / m.config.BytesPerS * float64(time.Second))
	}
	if err := m.kernel.Sleep(ctx, d); err != nil {
		_, class := flows.OutcomeOf(err)
		return flows.Unknown(class, err)
	}
	return nil
}

// remove forgets an object.
func (m *model) remove(object string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room.Give(int64(len(m.objects[object])))
	delete(m.objects, object)
}

// objects is one party's access.
type objects struct {
	*model
	closed atomic.Bool
}

// find returns what the object at an address is called, if it may be asked for.
func (o *objects) find(ctx context.Context, uri string) (object string, err error) {
	if object, err = o.place.Find(uri); err != nil {
		return "", err
	}
	return object, o.ready(ctx)
}

// ready returns why nothing can be asked, if that is so.
func (o *objects) ready(ctx context.Context) error {
	if o.closed.Load() {
		return flows.ErrClosed
	}
	return store.Done(ctx)
}

// Put implements [flows.Objects].
func (o *objects) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	object, err := o.place.Object(name)
	if err == nil {
		err = o.ready(ctx)
	}
	if err == nil {
		err = o.room.Take(size)
	}
	if err != nil {
		return "", fmt.Errorf("put %s: %w", name, err)
	}
	b := make([]byte, size)
	if _, err = io.ReadFull(store.NewBody(ctx, body, size), b); err == nil {
		err = o.trip(ctx, size)
	}
	if err != nil {
		o.room.Give(size)
		return "", fmt.Errorf("put %s: %w", name, err)
	}
	o.mu.Lock()
	o.objects[object] = b
	o.mu.Unlock()
	if err := o.trip(ctx, 0); err != nil {
		o.remove(object) // what a failed Put leaves behind cannot be got
		return "", fmt.Errorf("put %s: %w", name, err)
	}
	o.meter.Puts.Add(1)
	return o.place.Address(object), nil
}

// Get implements [flows.Objects].
func (o *objects) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	object, err := o.find(ctx, uri)
	if err == nil {
		err = o.trip(ctx, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	o.mu.Lock()
	b, there := o.objects[object]
	o.mu.Unlock()
	if !there {
		return nil, fmt.Errorf("get object: %w", store.NoObject(object))
	}
	from, n := store.Cut(part, int64(len(b)))
	if err := o.trip(ctx, n); err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	o.meter.Gets.Add(1)
	return store.NewReader(ctx, io.NopCloser(bytes.NewReader(b[from:from+n])), n), nil
}

// Delete implements [flows.Objects].
func (o *objects) Delete(ctx context.Context, uri string) error {
	object, err := o.find(ctx, uri)
	if err == nil {
		err = o.trip(ctx, 0)
	}
	if err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	o.remove(object)
	o.meter.Deletes.Add(1)
	if err := o.trip(ctx, 0); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

// Close implements [flows.Objects].
func (o *objects) Close() error {
	o.closed.Store(true)
	return nil
}
