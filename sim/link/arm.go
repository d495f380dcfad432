package link

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// A Direction says which way bytes go.
type Direction uint8

// The directions.
const (
	ToTarget   Direction = 1 << iota // from whoever dialled the link to the target
	FromTarget                       // back
	BothWays   = ToTarget | FromTarget
)

// The ways are the directions as indices.
const (
	toTarget = iota
	fromTarget
)

// String returns the direction in words.
func (d Direction) String() string {
	switch d {
	case ToTarget:
		return "to target"
	case FromTarget:
		return "from target"
	case BothWays:
		return "both ways"
	default:
		return fmt.Sprintf("direction %d", uint8(d))
	}
}

// An Impairment is something that can be wrong with a link, as data. Those that
// are about bytes may be armed for one direction; those that are about
// connections only for both.
type Impairment interface {
	fmt.Stringer

	// check returns what is wrong with the parameters.
	check() error

	// impose adds the impairment to the rules that will be in force.
	impose(r *rules, a *Armed)
}

// An Armed is an impairment in force.
type Armed struct {
	link       *Link
	impairment Impairment
	direction  Direction
	number     uint64   // of all that the link has been armed with, from 0
	paces      [2]*pace // of a bandwidth, by way
	healed     bool     // guarded by the link's acting

	bytes, connections atomic.Int64
}

// Effect is what an impairment has done. An impairment without effect met
// nothing that it could have harmed, and what was measured meanwhile was
// measured on a healthy link.
type Effect struct {
	Bytes       int64 // delayed, held, cut into pieces, or thrown away
	Connections int64 // refused, made to wait, or ended
}

// None reports whether nothing has happened.
func (e Effect) None() bool { return e == Effect{} }

// Effect returns what the impairment has done so far. It may be called at any
// time, also after Heal.
func (a *Armed) Effect() Effect {
	return Effect{Bytes: a.bytes.Load(), Connections: a.connections.Load()}
}

// Impairment returns what is armed.
func (a *Armed) Impairment() Impairment { return a.impairment }

// Direction returns for which direction it is armed.
func (a *Armed) Direction() Direction { return a.direction }

// rules are all impairments that are in force, made anew for every change and
// never altered: whoever looks sees one moment's whole truth.
type rules struct {
	refuse, hang, reset []*Armed
	ways                [2]way
	changed             chan struct{} // closed when other rules are in force
}

// way is what is in force for the bytes of one direction.
type way struct {
	latency, bandwidth, stall, drop, slowClose, slice, limit []*Armed
}

// idle reports whether bytes may pass without being looked at. How they end is
// looked at anyway.
func (w *way) idle() bool {
	return len(w.latency)+len(w.bandwidth)+len(w.stall)+len(w.drop)+len(w.slice)+len(w.limit) == 0
}

func newRules(armed []*Armed) *rules {
	r := &rules{changed: make(chan struct{})}
	for _, a := range armed {
		a.impairment.impose(r, a)
	}
	return r
}

// each calls f for every way that a is armed for.
func (r *rules) each(a *Armed, f func(w *way)) {
	for i := range r.ways {
		if a.direction&(1<<i) != 0 {
			f(&r.ways[i])
		}
	}
}

// Arm puts an impairment in force and returns when it is: no byte that is read
// from now on passes without it. What has been handed on stays handed on. The
// error is about the parameters, or says that the link is closed.
func (l *Link) Arm(d Direction, i Impairment) (*Armed, error) {
	if err := admissible(d, i); err != nil {
		return nil, fmt.Errorf("arm %v on link %s: %w", i, l.name, err)
	}
	l.acting.Lock()
	defer l.acting.Unlock()
	if l.isClosed() {
		return nil, fmt.Errorf("arm %v on link %s: the link is closed", i, l.name)
	}
	a := &Armed{link: l, impairment: i, direction: d, number: l.armings}
	l.armings++
	l.armed = append(l.armed, a)
	l.enforce()
	switch i := i.(type) {
	case Stall:
		a.countHeld()
	case Refuse:
		l.port.refuse()
	case Reset:
		a.resetExisting(i)
	}
	return a, nil
}

func admissible(d Direction, i Impairment) error {
	if i == nil {
		return errors.New("there is no impairment")
	}
	if d == 0 || d&^BothWays != 0 {
		return fmt.Errorf("%v is none", d)
	}
	switch i.(type) {
	case Refuse, Reset, Hang:
		if d != BothWays {
			return errors.New("it is about connections, so it can only be armed both ways")
		}
	}
	return i.check()
}

// Heal ends the impairment and returns when it has ended: bytes that it held are
// on their way, connections that it corrupted are reset, the address listens.
// Other impairments stay in force. It never waits for a peer. The only error is
// that the address of a refusing link could not be opened again; the call may
// then be repeated. Healing twice does nothing.
func (a *Armed) Heal() error {
	l := a.link
	l.acting.Lock()
	defer l.acting.Unlock()
	if a.healed {
		return nil
	}
	l.armed = slices.DeleteFunc(l.armed, func(x *Armed) bool { return x == a })
	if _, refuses := a.impairment.(Refuse); refuses && !slices.ContainsFunc(l.armed, isRefuse) {
		listener, err := l.port.reopen(l.ctx)
		if err != nil {
			l.armed = append(l.armed, a)
			return fmt.Errorf("heal %v on link %s: %w", a.impairment, l.name, err)
		}
		l.serve(listener)
	}
	a.healed = true
	l.enforce()
	if _, drops := a.impairment.(Drop); drops {
		l.resetSpoiled(a)
	}
	return nil
}

func isRefuse(a *Armed) bool {
	_, yes := a.impairment.(Refuse)
	return yes
}

// enforce makes rules of what is armed and returns when they are in force
// everywhere. The caller holds acting.
func (l *Link) enforce() {
	r := newRules(l.armed)
	old := l.rules.Swap(r)
	close(old.changed)
	all := l.connections()
	for _, c := range all {
		c.kick()
	}
	for _, c := range all {
		c.settle(r)
	}
}

func (l *Link) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
