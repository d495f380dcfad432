package service

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A Trouble is what goes wrong with an instance of the service. Its fields are
// set before [Service.Afflict] and only read from then on; several troubles may
// be on one instance.
type Trouble struct {
	// Down: the process is gone. What it works on ends without effect, or with an
	// effect that nobody is told of, and what still reaches it is lost on it.
	Down bool

	// CrashAfterEffect: the next request that has taken effect is the last one
	// before the process is gone. Nobody is told of it, and it is not acknowledged.
	CrashAfterEffect bool
	Crashed          func() // called once, when that has happened; it must not wait

	Slow  time.Duration // so much longer takes every request
	Pause bool          // nothing goes on until the trouble is over

	ErrorShare float64 // of the requests that are refused, 0 to 1, drawn by request
	ErrorEvery int     // every so many requests one is refused; 0 for none
	ErrorFirst int     // so many requests are refused at first

	seen    atomic.Int64 // requests since it began
	touched atomic.Int64 // of these, the ones that it did something to
	crashed atomic.Bool
	over    atomic.Bool
}

// Touched returns how many requests the trouble has done something to.
func (t *Trouble) Touched() int64 { return t.touched.Load() }

// errGone is how requests end on an instance that is not there.
var errGone = errors.New("the instance has crashed")

// Afflict puts a trouble on an instance until the function that it returns is
// called.
func (s *Service) Afflict(instance int, t *Trouble) (heal func()) {
	s.troubleMu.Lock()
	defer s.troubleMu.Unlock()
	s.replace(instance, func(all []*Trouble) []*Trouble { return append(all, t) })
	return func() {
		s.troubleMu.Lock()
		defer s.troubleMu.Unlock()
		t.over.Store(true)
		s.replace(instance, func(all []*Trouble) []*Trouble {
			var others []*Trouble
			for _, o := range all {
				if o != t {
					others = append(others, o)
				}
			}
			return others
		})
	}
}

// replace changes the troubles of an instance. Those who read them keep the list
// that they have.
func (s *Service) replace(instance int, change func([]*Trouble) []*Trouble) {
	at := &s.troubles[instance]
	var now []*Trouble
	if p := at.Load(); p != nil {
		now = append(now, *p...)
	}
	now = change(now)
	at.Store(&now)
}

// troublesOf returns what is wrong with an instance at the moment.
func (s *Service) troublesOf(instance int) []*Trouble {
	if p := s.troubles[instance].Load(); p != nil {
		return *p
	}
	return nil
}

// gone reports whether an instance is not there.
func (s *Service) gone(instance int) bool {
	for _, t := range s.troublesOf(instance) {
		if t.Down || t.crashed.Load() {
			t.touched.Add(1)
			return true
		}
	}
	return false
}

// lookEvery is how often a paused request looks whether it may go on.
const lookEvery = 2 * time.Millisecond

// suffer has a request go through what is wrong with its instance, and reports
// whether it is refused for that.
func (s *Service) suffer(ctx context.Context, instance int, op uint64) (refused bool, err error) {
	for _, t := range s.troublesOf(instance) {
		n := t.seen.Add(1)
		hit := t.ErrorEvery > 0 && n%int64(t.ErrorEvery) == 0 || n <= int64(t.ErrorFirst)
		if t.ErrorShare > 0 {
			rng := rand.New(rand.NewPCG(s.config.Seed^troubleRole, op))
			hit = hit || rng.Float64() < t.ErrorShare
		}
		if hit || t.Slow > 0 || t.Pause {
			t.touched.Add(1)
		}
		refused = refused || hit
		if err := s.runtime.Sleep(ctx, t.Slow); err != nil {
			return false, err
		}
		for t.Pause && !t.over.Load() {
			if err := s.runtime.Sleep(ctx, lookEvery); err != nil {
				return false, err
			}
		}
	}
	if s.gone(instance) {
		return false, errGone
	}
	return refused, nil
}

// troubleRole tells what troubles draw from what service times draw.
const troubleRole = 0x74726f75_626c6573 // "troubles"

// crashes reports whether the instance crashes now that a request has taken
// effect.
func (s *Service) crashes(instance int) bool {
	for _, t := range s.troublesOf(instance) {
		if t.CrashAfterEffect && t.crashed.CompareAndSwap(false, true) {
			t.touched.Add(1)
			if t.Crashed != nil {
				t.Crashed()
			}
			return true
		}
	}
	return false
}
