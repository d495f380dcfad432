package scenarios

import (
	"slices"

	"flowbench/flows"
)

// A Scenario is a question that an experiment answers, as a person wrote it
// down, with defaults for all that was left out. [Parse] makes scenarios, and
// [Scenario.Plan] turns them into something that can be run.
//
// In its YAML form warmup, duration and drain stand at the top, since they are
// about the experiment; here they are parts of the load.
type Scenario struct {
	Name      string // lower-case letters, digits and hyphens
	Question  string // in words; may be empty
	Seed      uint64
	Repeat    int // how often each cell runs
	Flows     []string
	Brokers   []BrokerChoice
	Edges     []string
	Load      Load
	Service   Service
	Polling   Polling
	FrontEnds FrontEnds
	Model     Model
	Payloads  Payloads
	Faults    []Fault
	History   Keeping
	Expect    []Expectation

	source string           // the name that Parse was given
	places map[string]place // of the settings that were written, by path
}

// A BrokerChoice names a broker and sets some of its parameters. Neither has
// been checked against a [Catalog].
type BrokerChoice struct {
	Name   string
	Params map[string]string
}

// defaults returns a scenario with the default of every setting, whether or not
// it applies. What does not apply, settle takes out.
func defaults() *Scenario {
	return &Scenario{
		Seed:    1,
		Repeat:  1,
		History: KeepAuto,
		Edges:   []string{edgeREST},
		Load: Load{
			Arrivals:     Poisson,
			RatePerS:     300,
			Users:        32,
			Clients:      8,
			CommandShare: 0.5,
			PayloadBytes: 256,
			Keys:         1000,
			MaxInFlight:  512,
			Timeout:      2 * second,
			Warmup:       2 * second,
			Duration:     8 * second,
			Drain:        5 * second,
		},
		Service: Service{
			Instances: 2,
			Workers:   8,
			Time:      ServiceTime{Distribution: Lognormal, Mean: millisecond, Sigma: 0.5},
		},
		Payloads: Payloads{
			Modes: []string{string(flows.Inline)},
			Carriage: Carriage{
				InlineUpTo: 256, Expiry: 30 * second, ChunkBytes: 64 * kibibyte, Window: 16,
				BufferBytes: 16 * mebibyte, Stall: 500 * millisecond, Abandon: 10 * second,
			},
		},
		Polling:   Polling{Interval: 10 * millisecond, Backoff: 1.5, Max: 200 * millisecond},
		FrontEnds: FrontEnds{Count: 1, Balancer: RoundRobin},
		Model:     Model{Link: 100 * microsecond, Broker: 20 * microsecond, Distribution: Exponential},
	}
}

// settle takes out defaults that do not apply, fits those that depend on other
// settings, and reports settings that contradict each other.
func (s *Scenario) settle(r *reader) {
	l, t := &s.Load, &s.Service.Time
	if l.Arrivals == Closed {
		l.RatePerS, l.MaxInFlight = 0, l.Users
		if !r.wrote("load.clients") {
			l.Clients = min(l.Clients, l.Users)
		}
	} else {
		l.Users, l.ThinkTime = 0, 0
	}
	if t.Distribution != Lognormal {
		t.Sigma = 0
	}
	if !r.wrote("drain") {
		l.Drain = max(l.Drain, l.Timeout)
		if b := s.Payloads.Bulk; b != nil {
			l.Drain = max(l.Drain, b.Timeout)
		}
	}
	if !r.wrote("polling.max") {
		s.Polling.Max = max(s.Polling.Max, s.Polling.Interval)
	}
	s.settleShape(r)
	s.settleTrace(r)
	s.settleSweep(r)
	s.agreeLoad(r)
	s.agreeService(r)
	s.agreeFaults(r)
	s.agreePayloads(r)
}

// The bounds on what several settings amount to.
const (
	maxOperations    = 1_000_000_000 // in one cell
	maxInFlightBytes = 4 << 30       // payloads of what is under way at once
)

// rated reports whether the load is told by one rate.
func (l *Load) rated() bool {
	return l.Shape == nil && (l.Arrivals == Constant || l.Arrivals == Poisson)
}

// agreeLoad reports settings of the load that contradict each other.
func (s *Scenario) agreeLoad(r *reader) {
	l := &s.Load
	const rate, inFlight, payload = "load.rate_per_s", "load.max_in_flight", "load.payload_bytes"
	if r.sound(rate, "warmup", "duration") && l.rated() {
		if n := l.RatePerS * (l.Warmup + l.Duration).seconds(); n > maxOperations {
			r.add(r.where(rate, "duration", "warmup"), "%s/s for %s are %.3g operations in each cell; want at most %d",
				formatFloat(l.RatePerS), l.Warmup+l.Duration, n, maxOperations)
		}
		if n := l.RatePerS * l.Duration.seconds(); n < 1 {
			r.add(r.where("duration", rate), "%s/s for %s are less than one operation; want more",
				formatFloat(l.RatePerS), l.Duration)
		}
	}
	largest := max(l.PayloadBytes, slices.Max(append([]int{0}, s.Payloads.Bytes...)))
	if n := int64(largest) * int64(l.MaxInFlight); n > maxInFlightBytes &&
		r.sound(inFlight, payload, "load.users") {
		r.add(r.where(payload, inFlight, "load.users"),
			"%d operations in flight of %d bytes each may fill %d MiB; want at most %d MiB",
			l.MaxInFlight, largest, n>>20, maxInFlightBytes>>20)
	}
	if l.Arrivals == Closed && l.Clients > l.Users && r.sound("load.clients", "load.users") {
		r.add(
			r.where("load.clients", "load.users"),
			"load.clients %d are more than load.users %d; want at most as many",
			l.Clients,
			l.Users,
		)
	}
	if l.Timeout > l.Drain && r.sound("load.timeout", "drain") {
		r.add(r.where("load.timeout", "drain"), "load.timeout %s is longer than drain %s, which the last operations "+
			"need to end in; want at most as long", l.Timeout, l.Drain)
	}
}

// agreeService reports settings of the service and of those who ask it that
// contradict each other.
func (s *Scenario) agreeService(r *reader) {
	const stall, time = "service.stall", "service.time"
	if v := s.Service.Stall; v != nil && v.Every > 0 && v.For >= v.Every && r.sound(stall+".every", stall+".for") {
		r.add(
			r.where(stall+".for", stall+".every"),
			"%s.for %s does not end before the next stall, every %s; want less",
			stall,
			v.For,
			v.Every,
		)
	}
	t := &s.Service.Time
	if slow := time + ".slow_mean"; t.Distribution == Bimodal && r.wrote(slow) && t.SlowMean < t.Mean &&
		r.sound(slow, time+".mean", time+".distribution") {
		r.add(r.where(slow, time+".mean"), "%s %s is shorter than the mean of the others, %s; want at least that",
			slow, t.SlowMean, t.Mean)
	}
	p := &s.Polling
	if p.Max < p.Interval && r.sound("polling.max", "polling.interval") {
		r.add(r.where("polling.max", "polling.interval"), "polling.max %s is shorter than polling.interval %s; "+
			"want at least as long", p.Max, p.Interval)
	}
}
