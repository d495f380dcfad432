package scenarios

import "time"

// The units that bounds and defaults are written in.
const (
	microsecond = Duration(time.Microsecond)
	millisecond = Duration(time.Millisecond)
	second      = Duration(time.Second)
	minute      = Duration(time.Minute)
	hour        = Duration(time.Hour)
)

// settings returns the table of all settings, bound to s.
func (s *Scenario) settings() []setting {
	l := &s.Load
	return []setting{
		{key: "name", required: true, value: text{to: &s.Name, max: 64, name: true},
			about: "what results and reports call the scenario"},
		{key: "question", value: text{to: &s.Question, max: 200},
			about: "what the scenario finds out, asked in words"},
		{key: "seed", value: big{&s.Seed},
			about: "where all random choices begin; the same seed makes the same choices"},
		{key: "repeat", value: whole{&s.Repeat, 1, maxRepeat},
			about: "how often each cell runs, in turns with the others; results show how far the repeats are apart"},
		{key: "flows", required: true, value: names{&s.Flows, 64, Catalog.flowNames, "direct"},
			about: "the flows to compare"},
		{key: "brokers", value: choices{&s.Brokers},
			about: "the brokers that flows with a broker run on"},
		{key: "edges", value: names{&s.Edges, 8, Catalog.edgeNames, "rest"},
			about: "the protocols between web clients and what serves them, for flows that use one"},
		{key: "load", value: section{s.loadSettings},
			about: "what clients do"},
		{key: "warmup", value: span{&l.Warmup, 0, hour},
			about: "how long the load runs before anything is measured"},
		{key: "duration", value: span{&l.Duration, 10 * millisecond, 24 * hour},
			about: "how long is measured, in each cell"},
		{key: "drain", value: span{&l.Drain, millisecond, 2 * hour},
			about: "how long to wait at most for what is under way when the load ends; not less than the timeout"},
		{key: "payloads", value: section{s.payloadSettings},
			about: "how large payloads are, and how they travel"},
		{key: "service", value: section{s.serviceSettings},
			about: "the service behind every flow"},
		{key: "polling", value: section{s.pollingSettings},
			about: "how often clients ask for a result in flows that poll"},
		{key: "front_ends", value: section{s.frontEndSettings},
			about: "what web clients talk to, in flows that have a front end"},
		{key: "model", value: section{s.modelSettings},
			about: "delays of what stands in for networks and brokers when a scenario is simulated"},
		{key: "history", value: choice[Keeping]{&s.History, []Keeping{KeepAuto, KeepOn, KeepOff}},
			about: "whether cells keep every single event for flowbench check; auto: those with faults do"},
		{key: "faults", value: faultList{&s.Faults},
			about: "what goes wrong, when, and for how long; times count from the beginning of the measured time"},
		{key: "expect", value: expectList{&s.Expect},
			about: "what is expected of the results; see docs/expectations.md"},
	}
}

func (s *Scenario) loadSettings() []setting {
	l := &s.Load
	now := func() string { return string(l.Arrivals) }
	rated := &when{"arrivals", now, []string{string(Constant), string(Poisson)}}
	open := &when{"arrivals", now, []string{string(Constant), string(Poisson), string(Replay)}}
	replayed := &when{"arrivals", now, []string{string(Replay)}}
	closed := &when{"arrivals", now, []string{string(Closed)}}
	return []setting{
		{key: "arrivals", value: choice[Arrivals]{&l.Arrivals, []Arrivals{Constant, Poisson, Replay, Closed}},
			about: "constant: evenly spaced; poisson: independent of each other; replay: as they were recorded; " +
				"closed: each user waits for an answer before asking again"},
		{key: "rate_per_s", when: rated, value: float{&l.RatePerS, 0.1, maxRate},
			about: "operations per second of an open load, all clients together; a sweep begins with it"},
		{key: "shape", when: rated, value: section{s.shapeSettings},
			about: "how the rate changes in the measured time; the warm-up has the rate that it begins with"},
		{key: "trace", when: replayed, required: true, value: section{s.traceSettings},
			about: "the recording that arrivals are replayed from"},
		{key: "sweep", when: rated, value: section{s.sweepSettings},
			about: "find the highest rate that meets an objective, and the latency below it, instead of keeping to " +
				"one rate"},
		{key: "users", when: closed, value: whole{&l.Users, 1, 10_000},
			about: "users of a closed load"},
		{key: "think_time", when: closed, value: span{&l.ThinkTime, 0, hour},
			about: "how long a user of a closed load waits between an answer and the next operation"},
		{key: "clients", value: whole{&l.Clients, 1, 10_000},
			about: "clients that operations are spread over, each with its own connection"},
		{key: "connections_per_client", value: whole{&l.ConnectionsPerClient, 0, 1000},
			about: "HTTP connections that each client opens at most; 0 means as many as it has calls at once; " +
				"over ws a client has one socket, whatever this says"},
		{key: "command_share", value: float{&l.CommandShare, 0, 1},
			about: "share of commands among the operations; the others are queries"},
		{key: "urgent_share", value: float{&l.UrgentShare, 0, 1},
			about: "share of the operations that are urgent: flows with priorities have them done before the others"},
		{key: "subscribers", value: whole{&l.Subscribers, 0, 1000},
			about: "how many want to hear of each command, in flows that tell others than the client"},
		{key: "payload_bytes", value: size{&l.PayloadBytes, 16, maxPayload},
			about: "size of a command's payload and of a query's answer; 16 bytes are an id and a checksum"},
		{key: "keys", value: whole{&l.Keys, 1, 1_000_000},
			about: "pieces of state that operations are spread over"},
		{key: "max_in_flight", when: open, value: whole{&l.MaxInFlight, 1, 100_000},
			about: "operations of an open load that may be under way at once; those due beyond are dropped and " +
				"counted"},
		{key: "timeout", value: span{&l.Timeout, millisecond, hour},
			about: "how long a client waits for an operation"},
	}
}

func (s *Scenario) serviceSettings() []setting {
	v := &s.Service
	return []setting{
		{key: "instances", value: whole{&v.Instances, 1, 64},
			about: "instances of the service"},
		{key: "workers", value: whole{&v.Workers, 1, 1024},
			about: "requests that each instance works on at once"},
		{key: "time", value: section{s.timeSettings},
			about: "how long the service takes for one request"},
		{key: "idempotent", value: yesNo{&v.Idempotent},
			about: "the service remembers the commands that it has done, by their ids, and does none twice"},
		{key: "error_rate", value: float{&v.ErrorRate, 0, 1},
			about: "share of the requests that the service refuses"},
		{key: "stall", value: section{s.stallSettings},
			about: "all work of the service stops at regular times"},
	}
}

func (s *Scenario) timeSettings() []setting {
	t := &s.Service.Time
	now := func() string { return string(t.Distribution) }
	lognormal := &when{"distribution", now, []string{string(Lognormal)}}
	bimodal := &when{"distribution", now, []string{string(Bimodal)}}
	all := []Distribution{ConstantTime, Exponential, Lognormal, Bimodal}
	return []setting{
		{key: "distribution", value: choice[Distribution]{&t.Distribution, all},
			about: "how the time varies from request to request"},
		{key: "mean", value: span{&t.Mean, 0, minute},
			about: "mean time; of a bimodal distribution that of the requests that are not slow"},
		{key: "sigma", when: lognormal, value: float{&t.Sigma, 0, 4},
			about: "standard deviation of the logarithm of a lognormal time"},
		{key: "slow_share", when: bimodal, required: true, value: float{&t.SlowShare, 0, 1},
			about: "share of the slow requests of a bimodal distribution"},
		{key: "slow_mean", when: bimodal, required: true, value: span{&t.SlowMean, 0, hour},
			about: "time of the slow requests of a bimodal distribution"},
	}
}

func (s *Scenario) stallSettings() []setting {
	stall := &Stall{}
	s.Service.Stall = stall
	return []setting{
		{key: "every", required: true, value: span{&stall.Every, 10 * millisecond, 24 * hour},
			about: "from the beginning of one stall to that of the next"},
		{key: "for", required: true, value: span{&stall.For, millisecond, 24 * hour},
			about: "how long each stall lasts; less than every"},
	}
}

func (s *Scenario) frontEndSettings() []setting {
	f := &s.FrontEnds
	return []setting{
		{key: "count", value: whole{&f.Count, 1, 64},
			about: "front ends; before several of them there is a load balancer"},
		{key: "balancer", value: choice[Balancing]{&f.Balancer, []Balancing{RoundRobin, LeastPending}},
			about: "how a load balancer picks who takes a request, before several front ends and before the " +
				"instances of the service"},
	}
}

func (s *Scenario) modelSettings() []setting {
	m := &s.Model
	return []setting{
		{key: "link", value: span{&m.Link, 0, minute},
			about: "mean delay of a connection, one way"},
		{key: "broker", value: span{&m.Broker, 0, minute},
			about: "mean time that a broker works on a message"},
		{key: "distribution", value: choice[Distribution]{&m.Distribution, []Distribution{ConstantTime, Exponential}},
			about: "how both vary from message to message"},
	}
}

func (s *Scenario) pollingSettings() []setting {
	p := &s.Polling
	return []setting{
		{key: "interval", value: span{&p.Interval, 100 * microsecond, minute},
			about: "pause before the first question"},
		{key: "backoff", value: float{&p.Backoff, 1, 10},
			about: "every further pause is this many times longer"},
		{key: "max", value: span{&p.Max, 100 * microsecond, hour},
			about: "no pause is longer; not less than interval"},
	}
}
