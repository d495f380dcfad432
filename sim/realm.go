package sim

import (
	"context"
	"time"

	"flowbench/flows"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/des"
	"flowbench/sim/edge"
	"flowbench/sim/pace"
	"flowbench/sim/store"
)

// A realm is what worlds are made of: a time to live in, and the brokers and
// edges that there are in it. There are two. In the real one, time is the wall
// clock's and brokers are processes; in the virtual one, time is an event
// kernel's and brokers are models. Everything else, the flows and the engine
// itself, is the same in both and cannot tell them apart.
type realm struct {
	runtime runtime
	drivers []broker.Driver
	edges   []edge.Driver
	stores  []store.Driver

	// simulated is for what has no meaning in virtual time: how busy the machine
	// is, and whether it wakes those who sleep when it should.
	simulated bool
}

// A runtime is a [flows.Runtime] that can carry a whole world.
type runtime interface {
	flows.Runtime

	// WithCancel is context.WithCancel for contexts that activities wait with.
	WithCancel(ctx context.Context) (context.Context, context.CancelFunc)

	// Pace calls emit at each due time of s, counted from origin, until s ends or
	// ctx is done, and returns ctx's error. emit does not wait.
	Pace(ctx context.Context, s pace.Schedule, origin time.Duration, emit func(due time.Duration)) error

	// Join waits for all activities to end, which have been told to, or for ctx.
	Join(ctx context.Context) error
}

// Models makes the brokers, edges and stores that stand in for real ones in virtual
// time. They live in k, all that they draw follows from the seed, and their
// names are those of what they stand for.
type Models func(k *des.Kernel, m scenarios.Model, seed uint64) Registry

// A Registry is all that cells can be made of.
type Registry struct {
	Brokers []broker.Driver
	Edges   []edge.Driver
	Stores  []store.Driver
}

// enter runs f in the realm of this engine.
func (e *Engine) enter(ctx context.Context, c scenarios.Cell, f func(context.Context, realm) error) error {
	if e.Models == nil {
		return f(ctx, realm{runtime: NewWall(), drivers: e.Drivers, edges: e.Edges, stores: e.Stores})
	}
	k := des.New()
	models := e.Models(k, c.Model, c.SeedFor("model"))
	var err error
	over := k.Run(ctx, func(ctx context.Context) {
		err = f(ctx, realm{
			runtime: virtual{k}, drivers: models.Brokers, edges: models.Edges, stores: models.Stores, simulated: true,
		})
	})
	if err == nil {
		err = over
	}
	return err
}

// virtual is an event kernel as a runtime.
type virtual struct{ *des.Kernel }

// Pace implements [runtime]. Nobody is late in virtual time.
func (v virtual) Pace(ctx context.Context, s pace.Schedule, origin time.Duration, emit func(time.Duration)) error {
	for {
		at, more := s.Next()
		if !more {
			return ctx.Err()
		}
		if err := v.Sleep(ctx, origin+at-v.Now()); err != nil {
			return err
		}
		emit(origin + at)
	}
}

// Join implements [runtime]. The kernel waits for its activities itself, and
// tells of those that never end.
func (virtual) Join(context.Context) error { return nil }
