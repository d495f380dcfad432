package schedules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"flowbench/flows"
	"flowbench/sim/broker"
	"flowbench/sim/broker/modelbroker"
	"flowbench/sim/des"
	"flowbench/sim/edge/modeledge"
)

const ms = time.Millisecond

// A Plan is one run of a flow, with all that goes wrong in it.
type Plan struct {
	Flow     flows.Flow
	Seed     uint64
	Params   broker.Params // of the broker, all of them
	Settings flows.Settings
	Clients  int
	Ops      int
	Gap      time.Duration // mean time between operations
	Work     time.Duration // mean time that the service takes for a request
	Refusals float64       // share of requests that the service refuses
	UnderWay int           // operations that may be under way at once; further ones are dropped
	Faults   []Fault
	Mode     flows.Mode // in which payloads travel; empty for inline
	Calm     bool       // nothing goes wrong, and there is room and time for everything: all must end well
}

// A Fault is one thing that goes wrong: a [modelbroker.Fault], a
// [modeledge.Fault] or a [Crash]. Its words say what, when and where.
type Fault interface{ String() string }

// A Crash is an instance of the service that goes away in the midst of what it
// does, and comes back.
type Crash struct {
	Instance int
	At       time.Duration
	For      time.Duration

	// Late says that its connections do not notice at first: it takes requests and
	// fails them all until it is restarted in the end.
	Late bool
}

// String tells the crash in words.
func (c Crash) String() string {
	if c.Late {
		return fmt.Sprintf("at %v for %v have service instance %d fail, and then restart it", c.At, c.For, c.Instance)
	}
	return fmt.Sprintf("at %v for %v crash service instance %d", c.At, c.For, c.Instance)
}

const (
	faultsBegin = 400 * ms // at the latest
	faultsLast  = 250 * ms // at most
)

// Draw returns the plan of a flow and a seed. The error says that the model's
// broker cannot offer what the flow needs.
func Draw(flow flows.Flow, seed uint64) (Plan, error) {
	r := des.Stream(seed, "plan")
	p := Plan{
		Flow: flow, Seed: seed, Clients: 1 + r.IntN(4), Ops: 30, Gap: 8 * ms,
		Work: oneOf(r, 200*time.Microsecond, ms, 3*ms), Refusals: oneOf(r, 0, 0, 0.1), UnderWay: oneOf(r, 64, 64, 6),
		Settings: flows.Settings{
			Instances: 1 + r.IntN(3), Workers: 1 + r.IntN(4), Timeout: oneOf(r, 150*ms, 500*ms, 2*time.Second),
			Polling:   flows.Polling{Interval: oneOf(r, 5*ms, 20*ms), Backoff: oneOf(r, 1, 1.5), Max: 100 * ms},
			FrontEnds: 1 + r.IntN(3), Subscribers: 1 + r.IntN(3),
		},
	}
	if err := p.drawBroker(des.Stream(seed, "plan/broker")); err != nil {
		return p, err
	}
	n := oneOf(r, 0, 1, 2, 3, 4, 5, 6)
	if n == 0 {
		p.calm()
		return p, nil
	}
	places, err := p.survey()
	if err != nil {
		return p, err
	}
	for i := range n {
		p.Faults = append(p.Faults, places.fault(des.Stream(seed, fmt.Sprint("plan/fault/", i)), p.Settings.Instances))
	}
	return p, nil
}

// calm makes p a plan in which nothing can go wrong.
func (p *Plan) calm() {
	p.Calm = true
	p.Work, p.UnderWay, p.Settings.Timeout = 200*time.Microsecond, p.Ops, 10*time.Second
	p.Params["queue"], p.Params["ack_wait_ms"] = "65536", "0"
}

// drawBroker draws the parameters of the broker. Those that this package does
// not know are drawn as well where they are a choice.
func (p *Plan) drawBroker(r *rand.Rand) error {
	d := modelbroker.Driver(des.New(), p.Seed)
	const attempts = 200
	for range attempts {
		p.Params = d.Defaults()
		for _, param := range d.Params {
			if len(param.Values) > 0 {
				p.Params[param.Name] = oneOf(r, param.Values...)
			}
		}
		p.Params["delivery"] = oneOf(r, "at-least-once", "at-least-once", "at-most-once")
		p.Params["link_us"] = oneOf(r, "0", "100", "1000")
		p.Params["dedup_ms"] = oneOf(r, "0", "60000")
		// Longer than any work takes: with less, a broker delivers the same request
		// for ever, to a service that can never acknowledge it in time.
		p.Params["ack_wait_ms"] = oneOf(r, "0", "0", "0", "200")
		p.Params["queue"] = oneOf(r, "65536", "65536", "8")
		p.Params["prefetch"] = oneOf(r, "1", "4", "256")
		if d.Traits(p.Params).Has(p.Flow.Spec().Needs) {
			return nil
		}
	}
	return fmt.Errorf("the model does not offer what %s needs: %v", p.Flow.Spec().Name, p.Flow.Spec().Needs)
}

// traits returns what the broker of the plan offers.
func (p Plan) traits() flows.Traits {
	if !p.Flow.Spec().Uses.Has(flows.UsesBroker) {
		return 0
	}
	return modelbroker.Driver(des.New(), p.Seed).Traits(p.Params)
}

// places are where faults can strike.
type places struct {
	conns []string          // to the broker
	spots []modeledge.Fault // of the edge, without what happens there
}

// fault draws one fault.
func (l places) fault(r *rand.Rand, instances int) Fault {
	upTo := func(d time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(d))).Truncate(10 * time.Microsecond)
	}
	at, length := upTo(faultsBegin), ms+upTo(faultsLast-ms)
	share, delay := oneOf(r, 0.1, 0.5, 1), oneOf(r, ms, 5*ms, 40*ms)
	kinds := []func() Fault{func() Fault { return Crash{r.IntN(instances), at, length, r.IntN(3) == 0} }}
	if len(l.conns) > 0 {
		kinds = append(kinds, func() Fault {
			f := modelbroker.Fault{At: at, For: length, Conn: oneOf(r, l.conns...)}
			f.Kind = oneOf(r, modelbroker.Slow, modelbroker.Lose, modelbroker.Repeat, modelbroker.Resend,
				modelbroker.Cut, modelbroker.Cut, modelbroker.Outage)
			switch f.Kind {
			case modelbroker.Slow:
				f.Delay = delay
			case modelbroker.Lose, modelbroker.Resend:
				f.Share = share
			case modelbroker.Repeat:
				f.Conn, f.Share = "", share
			case modelbroker.Outage:
				f.Conn = ""
			}
			return f
		})
	}
	if len(l.spots) > 0 {
		kinds = append(kinds, func() Fault {
			f := oneOf(r, l.spots...)
			f.At, f.For, f.Kind = at, length, modeledge.Cut
			if f.Backend == 0 {
				f.Kind = oneOf(r, modeledge.Slow, modeledge.Lose, modeledge.Cut)
			}
			switch f.Kind {
			case modeledge.Slow:
				f.Delay = delay
			case modeledge.Lose:
				f.Share = share
			}
			return f
		})
	}
	return oneOf(r, kinds...)()
}

// Shrink leaves out the faults without which the plan still fails, one by one,
// and returns what is left with what is wrong with it.
func (p Plan) Shrink() (Plan, Report) {
	report := p.Run()
	for i := 0; i < len(p.Faults); {
		smaller := p
		smaller.Faults = slices.Delete(slices.Clone(p.Faults), i, i+1)
		if r := smaller.Run(); len(r.Wrong) > 0 {
			p, report = smaller, r
		} else {
			i++
		}
	}
	return p, report
}

// String tells the plan in words, one line for each fault.
func (p Plan) String() string {
	var b strings.Builder
	s := p.Settings
	fmt.Fprintf(&b, "%s, seed %d: %d clients, %d instances with %d workers, %d operations, patience %v\n",
		p.Flow.Spec().Name, p.Seed, p.Clients, s.Instances, s.Workers, p.Ops, s.Timeout)
	if p.Flow.Spec().Uses.Has(flows.UsesBroker) {
		fmt.Fprintf(&b, "broker: %v; parameters %v\n", p.traits(), p.Params)
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %v\n", f)
	}
	return b.String()
}

func oneOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }
