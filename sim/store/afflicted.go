package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
)

// A Trouble is what goes wrong with a store, whatever its connections do. Its
// fields are set before [Session.Afflict] and only read from then on.
type Trouble struct {
	Slow       time.Duration // so much longer takes every request
	ErrorShare float64       // of the requests that fail, 0 to 1
	ErrorEvery int           // every so many requests one fails; 0 for none
	ErrorFirst int           // so many requests fail at first

	seen    atomic.Int64 // requests since it began
	touched atomic.Int64 // of these, the ones that it did something to
}

// Touched returns how many requests the trouble has done something to.
func (t *Trouble) Touched() int64 { return t.touched.Load() }

// An Afflicted is a session that troubles can be put on.
type Afflicted struct {
	Session
	runtime flows.Runtime

	mu       sync.Mutex
	rng      *rand.Rand
	troubles []*Trouble
}

// Afflictable returns a session that troubles can be put on. What is drawn for
// them follows from the seed.
func Afflictable(s Session, rt flows.Runtime, seed uint64) *Afflicted {
	return &Afflicted{Session: s, runtime: rt, rng: rand.New(rand.NewPCG(seed, troubleRole))}
}

// troubleRole tells what troubles draw from what anything else draws.
const troubleRole = 0x73746f7265 // "store"

// Afflict puts a trouble on the store until the function that it returns is
// called.
func (a *Afflicted) Afflict(t *Trouble) (heal func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.troubles = append(a.troubles, t)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		var others []*Trouble
		for _, o := range a.troubles {
			if o != t {
				others = append(others, o)
			}
		}
		a.troubles = others
	}
}

// errTrouble is what a store in trouble says.
var errTrouble = errors.New("the store refuses: it is in trouble")

// suffer has a request go through what is wrong with the store.
func (a *Afflicted) suffer(ctx context.Context) error {
	var slow time.Duration
	failed := false
	a.mu.Lock()
	for _, t := range a.troubles {
		n := t.seen.Add(1)
		hit := t.ErrorEvery > 0 && n%int64(t.ErrorEvery) == 0 || n <= int64(t.ErrorFirst) ||
			t.ErrorShare > 0 && a.rng.Float64() < t.ErrorShare
		if hit || t.Slow > 0 {
			t.touched.Add(1)
		}
		slow, failed = slow+t.Slow, failed || hit
	}
	a.mu.Unlock()
	if slow > 0 {
		if err := a.runtime.Sleep(ctx, slow); err != nil {
			return err
		}
	}
	if failed {
		return flows.Fail(flows.Rejected, errTrouble)
	}
	return nil
}

// Connect implements [flows.Store].
func (a *Afflicted) Connect(ctx context.Context, name string) (flows.Objects, error) {
	o, err := a.Session.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	return afflictedObjects{o, a}, nil
}

// afflictedObjects goes through what is wrong with the store before every request.
type afflictedObjects struct {
	flows.Objects
	store *Afflicted
}

// Put implements [flows.Objects].
func (o afflictedObjects) Put(ctx context.Context, name string, size int64, body io.Reader) (string, error) {
	if err := o.store.suffer(ctx); err != nil {
		return "", fmt.Errorf("put %s: %w", name, err)
	}
	return o.Objects.Put(ctx, name, size, body)
}

// Get implements [flows.Objects].
func (o afflictedObjects) Get(ctx context.Context, uri string, part flows.Span) (io.ReadCloser, error) {
	if err := o.store.suffer(ctx); err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	return o.Objects.Get(ctx, uri, part)
}

// Delete implements [flows.Objects].
func (o afflictedObjects) Delete(ctx context.Context, uri string) error {
	if err := o.store.suffer(ctx); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	return o.Objects.Delete(ctx, uri)
}
