package schedules

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/store"
	"flowbench/sim/store/modelstore"
)

// carriage returns how payloads travel in a mode: with bounds so tight that each
// takes several chunks and streams wait for room.
func carriage(mode flows.Mode) flows.Carriage {
	return flows.Carriage{
		Mode: mode, Over: map[flows.Mode]int{flows.Stream: 8, flows.Reference: 16}[mode], // receipts have 12
		MaxBytes: payload, Expiry: time.Second, ChunkBytes: 10, Window: 2, Buffer: 200,
		Stall: 20 * ms, Abandon: 200 * ms,
	}
}

// A StoreFault is a store that is in trouble for a while.
type StoreFault struct {
	At, For time.Duration
	Slow    time.Duration // so much longer takes every request
	Share   float64       // of the requests that fail
}

// String tells the fault in words.
func (f StoreFault) String() string {
	return fmt.Sprintf("at %v for %v delay requests to the store by %v and fail %.0f %% of them",
		f.At, f.For, f.Slow, 100*f.Share)
}

// DrawCarried is [Draw] for a flow whose payloads travel in a mode. By reference,
// things go wrong with the store as well.
func DrawCarried(flow flows.Flow, mode flows.Mode, seed uint64) (Plan, error) {
	p, err := Draw(flow, seed)
	p.Mode = mode
	if err != nil || mode != flows.Reference || p.Calm {
		return p, err
	}
	r := des.Stream(seed, "plan/store")
	for range oneOf(r, 0, 1, 2) {
		p.Faults = append(p.Faults, storeFault(r))
	}
	return p, nil
}

func storeFault(r *rand.Rand) StoreFault {
	f := StoreFault{
		At:  time.Duration(r.Int64N(int64(faultsBegin))).Truncate(10 * time.Microsecond),
		For: ms + time.Duration(r.Int64N(int64(faultsLast-ms))).Truncate(10*time.Microsecond),
	}
	if r.IntN(3) == 0 {
		f.Slow = oneOf(r, ms, 5*ms, 40*ms)
	} else {
		f.Share = oneOf(r, 0.1, 0.5, 1)
	}
	return f
}

// carried returns the flow with its payloads on the way that the plan says, and
// the store that they go over.
func (w *world) carried() (flows.Flow, flows.Store, error) {
	if w.plan.Mode == "" {
		return w.plan.Flow, nil, nil
	}
	c := carriage(w.plan.Mode)
	c.Tell = func(e flows.Carrying) {
		w.told[e.Event]++
		w.log.note(w.kernel, string(e.Event), e.Op)
	}
	session, err := modelstore.Open(w.kernel, modelstore.Config{
		Link: des.Exponential(200 * time.Microsecond), Seed: w.plan.Seed,
	}, store.Config{Prefix: "t", MaxBytes: 1 << 20, Meter: &store.Meter{}})
	if err != nil {
		return nil, nil, err
	}
	stored := store.Afflictable(session, w.kernel, w.plan.Seed)
	for _, f := range w.plan.Faults {
		if f, ok := f.(StoreFault); ok {
			w.kernel.AfterFunc(opening+f.At-w.kernel.Now(), func() {
				heal := stored.Afflict(&store.Trouble{Slow: f.Slow, ErrorShare: f.Share})
				w.kernel.AfterFunc(f.For, heal)
			})
		}
	}
	return flows.Carried(w.plan.Flow, c), stored, nil
}

// checkCarried looks for payloads that are left when all should be done.
func (w *world) checkCarried(r *Report) {
	if stored, deleted := w.told[flows.Stored], w.told[flows.Deleted]; stored != deleted {
		r.wrong("%d objects were stored, and %d deleted", stored, deleted)
	}
	if n := w.told[flows.Foreign]; n > 0 {
		r.wrong("%d addresses were foreign", n)
	}
	if w.plan.Calm && w.told[flows.Orphaned]+w.told[flows.Dangled]+w.told[flows.Abandoned] > 0 {
		r.wrong("nothing went wrong, and of payloads was told %v", w.told)
	}
}

// A crashingStream is a body that nobody reads any more when the instance crashes.
type crashingStream struct {
	io.Reader
	service *crashing
	call    *call
	read    int
}

// Read implements [io.Reader].
func (s *crashingStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.call.crashed {
		if s.read > 0 {
			s.service.broken++
		}
		return 0, flows.Unknown(flows.Disconnected, errCrashed)
	}
	s.read += n
	return n, err
}
