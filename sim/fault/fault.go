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

// A Fault is a way in which a part of a world can fail. It is data only, and one
// value serves any number of schedules.
type Fault struct {
	Name     string // what scenarios call it
	Summary  string // one sentence
	Params   []Param
	Directed bool    // whether it may be for one direction only
	On       []Place // where it makes sense

	// impair returns what is done to every target, in this order.
	impair func(v values) []Harm

	// order stands in the place of impair for faults with parameters in words.
	order func(v values, words map[string][]string) []Harm

	// check, if there is one, returns what is wrong with parameters together.
	check func(v values) error
}

// A Harm is something that is done to a target, and undone, as data: an impairment
// of a link, a [Trouble] of an instance of the service, an [Act] on a process, or a
// [Command] of the user.
type Harm interface{ fmt.Stringer }

// A Trouble is what is wrong with an instance of the service; package service says
// what its fields mean.
type Trouble struct {
	Down             bool
	CrashAfterEffect bool
	Slow             time.Duration
	Pause            bool
	ErrorShare       float64
	ErrorEvery       int
	ErrorFirst       int
}

// String returns the trouble in words.
func (t Trouble) String() string {
	switch {
	case t.Down:
		return "gone"
	case t.CrashAfterEffect:
		return "gone after the next effect"
	case t.Pause:
		return "paused"
	case t.Slow > 0:
		return fmt.Sprintf("slower by %v", t.Slow)
	default:
		return "refusing"
	}
}

// An Act is something that is done to the processes of a broker that was started
// here. All of them are undone so that the broker serves again with what it has
// stored.
type Act struct {
	Name   ActName
	Leader bool // to the node that leads the queue of requests, and not to all of them
}

// An ActName says what is done.
type ActName string

// The acts.
const (
	Kill    ActName = "kill"    // SIGKILL, and a restart at the end
	Restart ActName = "restart" // a graceful stop, and a start at the end
	Freeze  ActName = "pause"   // SIGSTOP, and SIGCONT at the end
)

// String returns the act in words.
func (a Act) String() string {
	if a.Leader {
		return string(a.Name) + " the leader"
	}
	return string(a.Name)
}

// A Place is what a fault can befall: a kind of link, from whoever opens the
// connections to whoever takes them, or a part of a world with all its links.
type Place string

// The places. Without a front end, what web clients call is the load balancer, or
// the service itself.
const (
	ClientEdge      Place = "client-edge"
	BalancerBackend Place = "balancer-backend"
	ClientBroker    Place = "client-broker"
	FrontEndBroker  Place = "front-end-broker"
	ServiceBroker   Place = "service-broker"
	Broker          Place = "broker"
	BrokerNode      Place = "broker-node"
	ClientStore     Place = "client-store"
	ServiceStore    Place = "service-store"
	Store           Place = "store"
	ServiceInstance Place = "service"
	FrontEnd        Place = "front-end"
)

// A Site is a place in words.
type Site struct {
	Place   Place
	Summary string // one phrase
	Indexed bool   // there are several alike, counted from 0
}

// Sites returns all places, in the order in which lists show them.
func Sites() []Site {
	return []Site{
		{ClientEdge, "the connections of web clients to what they call", false},
		{BalancerBackend, "the connections of a load balancer to what is behind it", true},
		{ClientBroker, "the connections of clients to the broker", false},
		{FrontEndBroker, "the connections of front ends to the broker", true},
		{ServiceBroker, "the connections of the service's instances to the broker", true},
		{Broker, "the broker: all connections to it, or its processes if it was started here", false},
		{BrokerNode, "the connections of a node of the broker with its other nodes, in a cluster that was " +
			"started here", true},
		{ClientStore, "the connections of clients to the store of large payloads", false},
		{ServiceStore, "the connections of the service's instances to the store", true},
		{Store, "the store: all connections to it, or what it answers", false},
		{ServiceInstance, "an instance of the service, and its connections", true},
		{FrontEnd, "a front end: its connections on both sides", true},
	}
}

// everywhere returns all places: TCP is the same between any two parts.
func everywhere() []Place {
	return []Place{
		ClientEdge, BalancerBackend, ClientBroker, FrontEndBroker, ServiceBroker, Broker, BrokerNode,
		ClientStore, ServiceStore, Store, ServiceInstance, FrontEnd,
	}
}

// A Param is a parameter of a fault. Durations are written as Go writes them,
// such as 50ms; other values are whole numbers.
type Param struct {
	Name     string
	Summary  string
	Unit     string // "duration", "bytes", "bytes/s", "percent", "requests" or "words"
	Default  string // empty if it must be given
	Min, Max int64  // of a duration in nanoseconds; words have the bounds of all words
}

// The units of parameters.
const (
	Duration  = "duration"
	Bytes     = "bytes"
	BytesPerS = "bytes/s"
	Percent   = "percent"
	Requests  = "requests"
	Words     = "words" // a command, as [WordsText] writes it
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
		slowClose(), limit(), kill(), restart(), freeze(), killLeader(), freezeLeader(), crash(), crashAfterEffect(),
		pause(), slow(), failing(), errorShare(), errorEvery(), errorFirst(),
		command(),
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

// Harms returns what the fault does with these parameters.
func (f Fault) Harms(params map[string]string) ([]Harm, error) {
	v, words := make(values, len(f.Params)), make(map[string][]string)
	known := make([]string, 0, len(f.Params))
	for _, p := range f.Params {
		known = append(known, p.Name)
		text, given := params[p.Name]
		if !given {
			text = p.Default
		}
		var n int64
		var err error
		if p.Unit == Words {
			words[p.Name], err = parseWords(text)
		} else {
			n, err = p.parse(text)
		}
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
	if f.order != nil {
		return f.order(v, words), nil
	}
	return f.impair(v), nil
}

// Bounds says what the parameter may be.
func (p Param) Bounds() string {
	if p.Unit == Words {
		return fmt.Sprintf("a list of 1 to %d words of at most %d bytes", MaxWords, MaxWordBytes)
	}
	if p.Unit == Duration {
		return fmt.Sprintf("%v to %v", time.Duration(p.Min), time.Duration(p.Max))
	}
	return fmt.Sprintf("%d to %d %s", p.Min, p.Max, p.Unit)
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

// DirectionParam is the parameter of faults that may be for one direction only, in
// the form in which scenarios write it.
const DirectionParam = "direction"

// Directions returns what that parameter may be; the first is what it is where
// nobody says.
func Directions() []string { return []string{"both", "to-target", "from-target"} }

// ParseDirection returns the direction that s stands for, and both for anything
// else.
func ParseDirection(s string) link.Direction {
	switch s {
	case Directions()[1]:
		return link.ToTarget
	case Directions()[2]:
		return link.FromTarget
	default:
		return link.BothWays
	}
}

// Links reports whether the fault does something to links.
func (f Fault) Links(params map[string]string) bool {
	harms, err := f.Harms(params)
	return err == nil && slices.ContainsFunc(harms, func(h Harm) bool {
		trouble, isTrouble := h.(Trouble)
		_, isImpairment := h.(link.Impairment)
		return isImpairment || isTrouble && trouble.CrashAfterEffect
	})
}

// Acts reports whether the fault does something to processes.
func (f Fault) Acts(params map[string]string) bool {
	harms, err := f.Harms(params)
	return err == nil && slices.ContainsFunc(harms, func(h Harm) bool {
		_, is := h.(Act)
		return is
	})
}

// Leads reports whether the fault does something to the node that leads.
func (f Fault) Leads(params map[string]string) bool {
	harms, err := f.Harms(params)
	return err == nil && slices.ContainsFunc(harms, func(h Harm) bool {
		act, is := h.(Act)
		return is && act.Leader
	})
}

// just returns an impair function for faults without parameters.
func just(h ...Harm) func(values) []Harm {
	return func(values) []Harm { return h }
}
