package service

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/scenarios"
)

// A Config describes a service.
type Config struct {
	Service      scenarios.Service
	Keys         int  // pieces of state, named by [KeyName]
	PayloadBytes int  // of the values before the first command
	Arrivals     bool // tell the ledger when payloads arrived
	Seed         uint64
	Applied      func(results.Applied) // the ledger; called concurrently

	// Begun is told when a worker of an instance takes up a request; called
	// concurrently, and may be nil.
	Begun func(instance int, r flows.Request)
}

// A Service implements [flows.Service].
type Service struct {
	runtime flows.Runtime
	config  Config
	origin  atomic.Int64 // when the load began, ns on the runtime's clock
	workers []*slots
	state   []value
	known   *outcomes
	busy    atomic.Int64
	handled atomic.Int64
	dice    sync.Pool // of *dice
	pieces  sync.Pool // of *[pieceBytes]byte

	troubleMu sync.Mutex // held by those who change troubles
	troubles  []atomic.Pointer[[]*Trouble]
}

// A value is one piece of the service's state.
type value struct {
	mu      sync.Mutex
	version uint64
	body    content
	writers []uint64 // the operations of the latest versions, by version; nil where nobody asks
}

// content is the value of a key: its bytes, or where all values together would be
// too many bytes, what they can be made from again, since every payload follows from
// its operation.
type content struct {
	bytes func() []byte // replaced and never changed, so that it can be handed out; nil if it is not kept
	op    uint64
	size  int
}

// keptBytes is how many bytes all values together may have for them to be kept.
const keptBytes = 64 << 20

// contentOf returns the content that a payload makes. The body may be changed
// afterwards.
func (s *Service) contentOf(op uint64, size int, body []byte) content {
	if body == nil || size*len(s.state) > keptBytes {
		return content{op: op, size: size}
	}
	kept := append([]byte(nil), body...)
	return content{bytes: func() []byte { return kept }}
}

// payload returns the bytes of the value.
func (c content) payload() []byte {
	if c.bytes != nil {
		return c.bytes()
	}
	return NewPayload(c.op, c.size)
}

const (
	rememberedWriters = 64     // of each key
	rememberedKeys    = 10_000 // with more keys, writers are not remembered: it would cost too much memory
)

// New returns a service with its initial state: every key has a payload of no
// operation.
func New(rt flows.Runtime, config Config) *Service {
	s := &Service{runtime: rt, config: config, state: make([]value, config.Keys), known: newOutcomes(knownCommands),
		dice: sync.Pool{New: newDice}, pieces: sync.Pool{New: func() any { return new([pieceBytes]byte) }}}
	s.troubles = make([]atomic.Pointer[[]*Trouble], config.Service.Instances)
	for range config.Service.Instances {
		s.workers = append(s.workers, &slots{runtime: rt, free: config.Service.Workers})
	}
	initial := content{bytes: sync.OnceValue(func() []byte { return NewPayload(0, config.PayloadBytes) })}
	for i := range s.state {
		s.state[i].body = initial
		if config.Keys <= rememberedKeys {
			s.state[i].writers = make([]uint64, rememberedWriters)
		}
	}
	return s
}

// Settled reports whether the service has applied or refused a command, as far
// back as it remembers.
func (s *Service) Settled(op uint64) bool {
	_, ok := s.known.get(op)
	return ok
}

// Version returns which version of a key an operation made. ok is false if it
// made none, has not done so yet, or did so long ago.
func (s *Service) Version(key int, op uint64) (version uint64, ok bool) {
	v := &s.state[key]
	v.mu.Lock()
	defer v.mu.Unlock()
	for back := range min(v.version, uint64(len(v.writers))) {
		if n := v.version - back; v.writers[n%rememberedWriters] == op {
			return n, true
		}
	}
	return 0, false
}

// Begin tells the service when the load begins; stalls count from there.
func (s *Service) Begin(origin time.Duration) { s.origin.Store(int64(origin)) }

// Busy returns how many requests are being worked on or wait for a worker.
func (s *Service) Busy() int64 { return s.busy.Load() }

// Handled returns how many requests have been dealt with since the beginning.
func (s *Service) Handled() int64 { return s.handled.Load() }

// Worked returns how long all workers together have had requests, since the
// beginning and to this moment.
func (s *Service) Worked() time.Duration {
	var sum time.Duration
	for _, w := range s.workers {
		sum += w.total()
	}
	return sum
}

// keyPrefix begins the name of every key.
const keyPrefix = "k"

// KeyName returns the name of key number i.
func KeyName(i int) string { return keyPrefix + strconv.Itoa(i) }

// Handle implements [flows.Service].
func (s *Service) Handle(ctx context.Context, instance int, r flows.Request) (flows.Response, error) {
	s.busy.Add(1)
	defer s.busy.Add(-1)
	defer s.handled.Add(1)
	if s.gone(instance) {
		return flows.Response{}, fmt.Errorf("take up %v: %w", r.Kind, errGone)
	}
	w := s.workers[instance]
	if err := w.acquire(ctx); err != nil {
		return flows.Response{}, fmt.Errorf("wait for a worker: %w", err)
	}
	defer w.release()
	if s.config.Begun != nil {
		s.config.Begun(instance, r)
	}
	payload, err := s.receive(ctx, r)
	if err != nil && r.Kind == flows.Command {
		return s.missed(instance, r, err)
	} else if err != nil {
		return flows.Response{}, err
	}
	cost, refused := s.draw(r)
	if err := s.runtime.Sleep(ctx, cost); err != nil {
		return flows.Response{}, fmt.Errorf("work on %v: %w", r.Kind, err)
	}
	if err := s.sitOutStall(ctx); err != nil {
		return flows.Response{}, fmt.Errorf("work on %v: %w", r.Kind, err)
	}
	hit, err := s.suffer(ctx, instance, r.ID)
	if err != nil {
		return flows.Response{}, fmt.Errorf("work on %v: %w", r.Kind, err)
	}
	if refused = refused || hit && r.Kind != flows.StatusOf; refused {
		return s.refuse(instance, r), nil
	}
	switch r.Kind {
	case flows.Command:
		resp := s.apply(instance, r, payload)
		if s.crashes(instance) {
			return flows.Response{}, fmt.Errorf("tell of %v: %w", r.Kind, errGone)
		}
		return resp, nil
	case flows.Query:
		return s.read(r.Key), nil
	default:
		return s.tell(r.ID), nil
	}
}

// refuse denies a request, and tells the ledger of a command.
func (s *Service) refuse(instance int, r flows.Request) flows.Response {
	if r.Kind == flows.Command {
		s.known.set(r.ID, flows.Denied)
		s.config.Applied(results.Applied{Op: r.ID, At: s.runtime.Now(), Instance: instance, Refused: true})
	}
	return flows.Response{Status: flows.Denied}
}

// repeated is what the ledger is told of a command that had been done before.
func (s *Service) repeated(instance int, op uint64) results.Applied {
	return results.Applied{Op: op, At: s.runtime.Now(), Instance: instance, Repeated: true}
}

// draw returns how long r takes and whether it is refused. Both follow from the
// seed and the operation alone. Asking for a status is never refused, and takes
// as long as the operation did that it asks for.
func (s *Service) draw(r flows.Request) (cost time.Duration, refused bool) {
	d := s.dice.Get().(*dice)
	defer s.dice.Put(d)
	d.source.Seed(s.config.Seed, r.ID)
	cost = sample(s.config.Service.Time, d.Rand)
	return cost, r.Kind != flows.StatusOf && d.Float64() < s.config.Service.ErrorRate
}

// dice is a generator that is seeded anew for each request, so that what it says
// depends on the request alone.
type dice struct {
	*rand.Rand
	source *rand.PCG
}

func newDice() any {
	source := rand.NewPCG(0, 0)
	return &dice{rand.New(source), source}
}

// sample draws from a distribution of service times.
func sample(t scenarios.ServiceTime, rng *rand.Rand) time.Duration {
	mean := float64(t.Mean)
	switch t.Distribution {
	case scenarios.Exponential:
		mean *= rng.ExpFloat64()
	case scenarios.Lognormal:
		// exp(N(µ,σ²)) has the mean exp(µ+σ²/2); µ is chosen to give the one asked for.
		mean *= math.Exp(t.Sigma*rng.NormFloat64() - t.Sigma*t.Sigma/2)
	case scenarios.Bimodal:
		if rng.Float64() < t.SlowShare {
			mean = float64(t.SlowMean)
		}
	}
	return time.Duration(min(mean, float64(longestService)))
}

// longestService cuts off what unbounded distributions may draw.
const longestService = time.Hour

// sitOutStall waits while the service stalls.
func (s *Service) sitOutStall(ctx context.Context) error {
	st := s.config.Service.Stall
	if st == nil {
		return nil
	}
	since := s.runtime.Now() - time.Duration(s.origin.Load())
	if into := since % time.Duration(st.Every); since >= 0 && into < time.Duration(st.For) {
		return s.runtime.Sleep(ctx, time.Duration(st.For)-into)
	}
	return nil
}

// apply changes the state and tells the ledger, both under the key's lock, so
// that versions are in the order of the changes.
func (s *Service) apply(instance int, r flows.Request, p arrival) flows.Response {
	key, known := s.key(r.Key)
	applied := results.Applied{
		Op: r.ID, Key: uint32(key), Instance: instance, Corrupt: !p.intact || !known || p.op != r.ID,
	}
	if s.config.Arrivals {
		applied.FirstByte, applied.LastByte = p.first, p.last
	}
	v := &s.state[key]
	body := s.contentOf(p.op, int(p.bytes), p.body)
	v.mu.Lock()
	if s.config.Service.Idempotent && s.done(r.ID) {
		v.mu.Unlock()
		s.config.Applied(s.repeated(instance, r.ID))
		return receipt(r.ID)
	}
	if r.Stream != nil && s.denied(r.ID) { // another delivery had to give the payload up
		v.mu.Unlock()
		return s.refuse(instance, r)
	}
	v.version++
	v.body = body
	if v.writers != nil {
		v.writers[v.version%rememberedWriters] = r.ID
	}
	applied.Version, applied.At = v.version, s.runtime.Now()
	s.config.Applied(applied)
	s.known.set(r.ID, flows.Done) // under the lock as well, so that what comes again finds it
	v.mu.Unlock()
	answer := receipt(r.ID)
	answer.Version = applied.Version
	return answer
}

// done reports whether a command has been done, as far back as the service
// remembers.
func (s *Service) done(op uint64) bool {
	status, ok := s.known.get(op)
	return ok && status == flows.Done
}

// read returns the value of a key.
func (s *Service) read(name string) flows.Response {
	key, known := s.key(name)
	if !known {
		return flows.Response{Status: flows.Denied}
	}
	v := &s.state[key]
	v.mu.Lock()
	version, body := v.version, v.body
	v.mu.Unlock()
	return flows.Response{Status: flows.Done, Version: version, Body: body.payload()}
}

// tell returns what became of a command.
func (s *Service) tell(op uint64) flows.Response {
	switch status, ok := s.known.get(op); {
	case !ok:
		return flows.Response{Status: flows.Pending}
	case status == flows.Denied:
		return flows.Response{Status: flows.Denied}
	}
	return receipt(op)
}

// receipt is the answer to a command that was applied.
func receipt(op uint64) flows.Response {
	return flows.Response{Status: flows.Done, Body: NewPayload(op, MinPayload)}
}

// key returns the number of a key, and 0 and false for one that does not exist.
func (s *Service) key(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, keyPrefix)
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 || i >= len(s.state) {
		return 0, false
	}
	return i, true
}

// knownCommands is how many of the latest commands the service can tell the
// status of.
const knownCommands = 1 << 18

// outcomes remembers what became of the latest commands.
type outcomes struct {
	mu   sync.Mutex
	of   map[uint64]flows.Status
	ring []uint64 // grows up to size
	size int
	next int
}

func newOutcomes(size int) *outcomes { return &outcomes{of: make(map[uint64]flows.Status), size: size} }

func (o *outcomes) set(op uint64, s flows.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch _, known := o.of[op]; {
	case known:
	case len(o.ring) < o.size:
		o.ring = append(o.ring, op)
	default:
		delete(o.of, o.ring[o.next])
		o.ring[o.next] = op
		o.next = (o.next + 1) % o.size
	}
	o.of[op] = s
}

func (o *outcomes) get(op uint64) (flows.Status, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.of[op]
	return s, ok
}
