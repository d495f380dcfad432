package schedules

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"flowbench/flows"
	"flowbench/sim/des"
	"flowbench/sim/service"
)

var errCrashed = errors.New("the instance crashed")

// crashing is a service whose instances crash. A request that is under way then
// ends with an error, and nobody can tell whether its work was done: it may have
// been waiting, or at work, or done and about to be told.
type crashing struct {
	*service.Service
	kernel *des.Kernel
	stream *rand.Rand
	down   []Crash
	calls  uint64
	under  map[*call]struct{}

	broken int // payloads that crashes broke off after some of them had been read
}

// A call is a request under way.
type call struct {
	number   uint64
	instance int
	end      context.CancelFunc
	crashed  bool
}

// afterEffect is how long it takes on average, after the work was done, until
// the service says so.
const afterEffect = 300 * time.Microsecond

// Handle implements [flows.Service].
func (s *crashing) Handle(ctx context.Context, instance int, r flows.Request) (flows.Response, error) {
	for _, c := range s.down {
		if now := s.kernel.Now(); c.Instance == instance && c.At <= now && now < c.At+c.For {
			return flows.Response{}, flows.Unknown(flows.Disconnected, errCrashed)
		}
	}
	ctx, cancel := s.kernel.WithCancel(ctx)
	defer cancel()
	s.calls++
	c := &call{number: s.calls, instance: instance, end: cancel}
	s.under[c] = struct{}{}
	defer delete(s.under, c)
	if r.Stream != nil {
		r.Stream = &crashingStream{Reader: r.Stream, service: s, call: c}
	}
	resp, err := s.Service.Handle(ctx, instance, r)
	if err == nil {
		err = s.kernel.Sleep(ctx, des.Exponential(afterEffect)(s.stream))
	}
	if c.crashed {
		err = flows.Unknown(flows.Disconnected, errCrashed)
	}
	if err != nil {
		return flows.Response{}, err
	}
	return resp, nil
}

// crash ends what an instance has under way. c counts from when the kernel began.
func (s *crashing) crash(c Crash) {
	s.down = append(s.down, c)
	byNumber := func(a, b *call) int { return int(a.number) - int(b.number) }
	for _, under := range slices.SortedFunc(maps.Keys(s.under), byNumber) {
		if under.instance == c.Instance {
			under.crashed = true
			under.end()
		}
	}
}
