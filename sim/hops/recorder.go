package hops

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flowbench/flows"
	"flowbench/results"
	"flowbench/sim/edge"
)

const (
	// maxOperations is how many operations of a cell are followed at most, and
	// maxStamps how many stamps one of them may have: together some 25 MB at worst.
	maxOperations = 4096
	maxStamps     = 256
	numShards     = 64
)

// A Config describes a recorder.
type Config struct {
	Runtime  flows.Runtime
	Seed     uint64 // of the identities of traces
	Sample   uint64 // seed of which operations are followed
	Expected int    // operations in the measured time; 0 if nobody knows
}

// A Recorder follows operations of one cell. Its methods may be called
// concurrently; [Recorder.Records] comes after all others.
type Recorder struct {
	config Config
	limit  atomic.Uint64 // operations whose hash is below are followed
	shards [numShards]shard
	count  atomic.Int64
	shrink sync.Mutex // held while the sample gets smaller

	mu      sync.Mutex // guards parties
	parties []party
	numbers map[string]uint16
}

// A shard is a part of the operations that are followed.
type shard struct {
	mu sync.RWMutex
	of map[uint64]*record
}

// A party is one of those who speak to each other: client-3 in the role of client.
type party struct{ name, role string }

// New returns a recorder that follows nothing yet.
func New(c Config) *Recorder {
	r := &Recorder{config: c, numbers: make(map[string]uint16)}
	limit := uint64(math.MaxUint64)
	for n := c.Expected; n > maxOperations; n /= 2 {
		limit /= 2
	}
	r.limit.Store(limit)
	for i := range r.shards {
		r.shards[i].of = make(map[uint64]*record)
	}
	return r
}

// A record is one operation that is followed.
type record struct {
	op     uint64
	client uint16 // its party

	mu      sync.Mutex
	stamps  []stamp
	partial bool // there were more stamps than are kept
	ended   bool
	end     results.Outcome
}

// Begin follows an operation of a client from now on, if it is in the sample.
func (r *Recorder) Begin(op uint64, client int) {
	if r == nil || r.hash(op) >= r.limit.Load() {
		return
	}
	rec := &record{op: op, client: r.partyOf(clientRole, client), stamps: make([]stamp, 0, 16)}
	s := r.shard(op)
	s.mu.Lock()
	s.of[op] = rec
	s.mu.Unlock()
	if r.count.Add(1) > maxOperations {
		r.halve()
	}
}

// halve leaves operations out until the others fit.
func (r *Recorder) halve() {
	r.shrink.Lock()
	defer r.shrink.Unlock()
	for r.count.Load() > maxOperations {
		limit := r.limit.Load() / 2
		r.limit.Store(limit)
		for i := range r.shards {
			s := &r.shards[i]
			s.mu.Lock()
			for op := range s.of {
				if r.hash(op) >= limit {
					delete(s.of, op)
					r.count.Add(-1)
				}
			}
			s.mu.Unlock()
		}
	}
}

// End says how an operation ended for its client.
func (r *Recorder) End(o results.Outcome) {
	if rec := r.find(o.Op); rec != nil {
		rec.mu.Lock()
		rec.ended, rec.end = true, o
		rec.mu.Unlock()
	}
}

// find returns the record of an operation, or nil if it is not followed.
func (r *Recorder) find(op uint64) *record {
	if r == nil || r.hash(op) >= r.limit.Load() {
		return nil
	}
	s := r.shard(op)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.of[op]
}

func (r *Recorder) shard(op uint64) *shard { return &r.shards[op%numShards] }

func (r *Recorder) hash(op uint64) uint64 { return mix(r.config.Sample ^ mix(op)) }

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014) after one step of its
// sequence: it maps different numbers to different numbers that look random.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// The role of clients, and that of services, which are named by their numbers.
const (
	clientRole  = "client"
	serviceRole = "service"
)

// partyOf returns the number of a party by its role and its number in that.
func (r *Recorder) partyOf(role string, n int) uint16 { return r.named(partyName(role, n)) }

// named returns the number of a party by its name, such as front-end-0.
func (r *Recorder) named(name string) uint16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, known := r.numbers[name]
	if !known && len(r.parties) < math.MaxUint16 {
		role := name
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			role = name[:i]
		}
		n = uint16(len(r.parties))
		r.parties = append(r.parties, party{name, role})
		r.numbers[name] = n
	}
	return n
}

// A stamp says that an operation passed a point.
type stamp struct {
	at    time.Duration
	seq   uint64 // of a message: tells it from the others of the operation
	party uint16
	point point
	class class
	poll  bool // on the way of a question about the operation, not of the operation
	no    bool // the service has refused the request
}

// A point is what a stamp is of.
type point uint8

const (
	called    point = iota // a call is made over an edge
	served                 // an endpoint gets it
	replied                // an endpoint gives an answer
	returned               // the caller has it
	published              // a message is handed to a broker
	confirmed              // the broker has said that it has it
	received               // a message comes from a broker
	begun                  // a worker has taken up a request
	worked                 // the service is done with it
)

// A class says what a message is.
type class uint8

const (
	request class = iota
	answer
	event
)

// add adds a stamp with the time of now. Under the lock, so that the order of stamps
// is that of their times.
func (r *Recorder) add(rec *record, s stamp) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.stamps) >= maxStamps {
		rec.partial = true
		return
	}
	s.at = r.config.Runtime.Now()
	rec.stamps = append(rec.stamps, s)
}

// Records is what has become of the operations that were followed.
type Records struct {
	results.Hops
	Kept []results.HopRecord // for the file, in the order of their operations
}

// maxKept is how many operations of a cell are written down one by one.
const maxKept = 1000

// Records returns what has become of the operations that were followed and have
// ended. The load began at origin, on the runtime's clock.
func (r *Recorder) Records(origin time.Duration) Records {
	var all []results.HopRecord
	var out Records
	for _, rec := range r.followed() {
		switch {
		case rec.partial:
			out.Partial++
		case rec.ended:
			all = append(all, r.recordOf(rec, origin))
		}
	}
	slices.SortFunc(all, func(a, b results.HopRecord) int { return cmp.Compare(a.Op, b.Op) })
	out.Sampled, out.OneIn = int64(len(all)), int64(math.Round(math.MaxUint64/float64(r.limit.Load())))
	out.Kinds = results.SumHops(all)
	// Those with the smallest hashes are a sample of the sample.
	slices.SortFunc(all, func(a, b results.HopRecord) int { return cmp.Compare(r.hash(a.Op), r.hash(b.Op)) })
	out.Kept = all[:min(len(all), maxKept)]
	slices.SortFunc(out.Kept, func(a, b results.HopRecord) int { return cmp.Compare(a.Op, b.Op) })
	out.Records = int64(len(out.Kept))
	return out
}

// followed returns what is known now of all operations that are followed. A run that
// was cut short may still be at work on some of them.
func (r *Recorder) followed() []*record {
	var all []*record
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.RLock()
		for _, rec := range s.of {
			rec.mu.Lock()
			all = append(all, &record{
				op: rec.op, client: rec.client, stamps: slices.Clone(rec.stamps), partial: rec.partial,
				ended: rec.ended, end: rec.end,
			})
			rec.mu.Unlock()
		}
		s.mu.RUnlock()
	}
	return all
}

// recordOf makes the record of an operation that has ended.
func (r *Recorder) recordOf(rec *record, origin time.Duration) results.HopRecord {
	hi, lo, span := r.identity(rec.op)
	h := results.HopRecord{
		Op: rec.op, Kind: rec.end.Kind, Status: rec.end.Status, Class: rec.end.Class,
		Trace: edge.FormatID(hi) + edge.FormatID(lo), Span: edge.FormatID(span), Due: rec.end.Due - origin,
	}
	r.mu.Lock()
	w := way{record: rec, parties: slices.Clone(r.parties)}
	r.mu.Unlock()
	h.Ends, h.Legs = w.legs()
	for _, l := range h.Legs {
		if !l.Beside {
			h.Took += l.For
		}
	}
	return h
}
