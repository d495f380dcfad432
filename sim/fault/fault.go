package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowbench/sim/link"
)

// A Fault is a way in which a link can fail. It is data only, and one value
// serves any number of schedules.
type Fault struct {
	Name     string // what scenarios call it
	Summary  string // one sentence
	Params   []Param
	Directed bool    // whether it may be for one direction only
	On       []Place // where it makes sense

	// impair returns what is armed, in this order.
	impair func(v values) []link.Impairment

	// check, if there is one, returns what is wrong with parameters together.
	check func(v values) error
}

// A Place is a kind of link: who speaks to whom. The first opens the connections.
type Place string

// The places.
const (
	ClientFrontEnd  Place = "client-front-end"
	ClientBroker    Place = "client-broker"
	FrontEndBroker  Place = "front-end-broker"
	ServiceBroker   Place = "service-broker"
	BalancerService Place = "balancer-service"
	BrokerBroker    Place = "broker-broker"
)

// everywhere returns all places: TCP is the same between any two parts.
func everywhere() []Place {
	return []Place{ClientFrontEnd, ClientBroker, FrontEndBroker, ServiceBroker, BalancerService, BrokerBroker}
}

// A Param is a parameter of a fault. Durations are written as Go writes them,
// such as 50ms; other values are whole numbers.
type Param struct {
	Name     string
	Summary  string
	Unit     string // "duration", "bytes" or "bytes/s"
	Default  string // empty if it must be given
	Min, Max int64  // of a duration in nanoseconds
}

// The units of parameters.
const (
	Duration  = "duration"
	Bytes     = "bytes"
	BytesPerS = "bytes/s"
)

// longest is the longest duration that a parameter may have: beyond it a fault
// is a way of writing another.
const longest = int64(10 * time.Minute)

// values are the parsed parameters of one use of a fault.
type values map[string]int64

func (v values) duration(name string) time.Duration { return time.Duration(v[name]) }

// All returns every fault, in the order in which lists and documents show them.
// Adding a fault means adding its file and its line here.
func All() []Fault {
	return []Fault{
		latency(), bandwidth(), slice(), stall(), partition(), drop(), reset(), refuse(), outage(), hang(),
		slowClose(), limit(),
	}
}

// Find returns the fault of a name.
func Find(name string) (Fault, error) {
	names := make([]string, 0, len(All()))
	for _, f := range All() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Fault{}, fmt.Errorf("no fault is named %q; want one of %s", name, strings.Join(names, ", "))
}

// Impairments returns what the fault arms with these parameters.
func (f Fault) Impairments(params map[string]string) ([]link.Impairment, error) {
	v := make(values, len(f.Params))
	known := make([]string, 0, len(f.Params))
	for _, p := range f.Params {
		known = append(known, p.Name)
		text, given := params[p.Name]
		if !given {
			text = p.Default
		}
		n, err := p.parse(text)
		if err != nil {
			return nil, fmt.Errorf("fault %s: %s: %w", f.Name, p.Name, err)
		}
		v[p.Name] = n
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("fault %s has no parameter %q; want one of %q", f.Name, name, known)
		}
	}
	if f.check != nil {
		if err := f.check(v); err != nil {
			return nil, fmt.Errorf("fault %s: %w", f.Name, err)
		}
	}
	return f.impair(v), nil
}

func (p Param) parse(text string) (int64, error) {
	if text == "" {
		return 0, errors.New("it must be given")
	}
	if p.Unit == Duration {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration; want one such as 50ms", text)
		}
		if int64(d) < p.Min || int64(d) > p.Max {
			return 0, fmt.Errorf("%v is out of bounds; want %v to %v", d, time.Duration(p.Min), time.Duration(p.Max))
		}
		return int64(d), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number; want %s", text, p.Unit)
	}
	if n < p.Min || n > p.Max {
		return 0, fmt.Errorf("%d is out of bounds; want %d to %d %s", n, p.Min, p.Max, p.Unit)
	}
	return n, nil
}

// just returns an impair function for faults without parameters.
func just(i ...link.Impairment) func(values) []link.Impairment {
	return func(values) []link.Impairment { return i }
}
