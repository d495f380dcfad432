package scenarios

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Fault is something that goes wrong in a cell, and for how long. It begins At
// after the measured time began, and is healed For later, or when the load ends.
type Fault struct {
	What   string            `json:"what"` // as the catalog names it
	On     string            `json:"on"`   // a target of the catalog, and which one of several, as service[1]
	At     Duration          `json:"at"`
	For    Duration          `json:"for"`
	Params map[string]string `json:"params,omitempty"`
	// Commands are the parameters that are lists of words: programs with their
	// arguments, as the scenario has them.
	Commands map[string][]string `json:"commands,omitempty"`
}

// A FaultKind is one kind of fault that scenarios may name.
type FaultKind struct {
	Name    string
	Summary string   // one phrase
	On      []string // the targets that it can befall
	Params  []Param
}

// A Target is something that faults can befall.
type Target struct {
	Name    string
	Summary string // one phrase
	Indexed bool   // there may be several, and name[n] is one of them, counting from 0
}

// faultNames returns the names of all kinds of faults in the catalog's order.
func (c Catalog) faultNames() []string {
	names := make([]string, len(c.Faults))
	for i, f := range c.Faults {
		names[i] = f.Name
	}
	return names
}

// Target returns the name of what the fault befalls without its number, and the
// number, or -1 for all of them.
func (f Fault) Target() (name string, index int) {
	name, rest, numbered := strings.Cut(f.On, "[")
	if !numbered {
		return name, -1
	}
	index, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil {
		return name, -1
	}
	return name, index
}

// faultList is a list of faults, each a section with what, on, at, for and the
// parameters of its kind.
type faultList struct{ to *[]Fault }

const maxFaults = 64

func (faultList) want() string {
	return "a list of at most " + strconv.Itoa(maxFaults) +
		" faults, such as [{what: stall, on: service-broker, at: 2s, for: 3s}]"
}

func (v faultList) read(r *reader, path string, n *node) bool {
	n = n.split()
	if n.kind != list || len(n.items) > maxFaults {
		return false
	}
	*v.to = nil
	for i, item := range n.items {
		at := path + "[" + strconv.Itoa(i) + "]"
		r.places[at] = item.at
		if item.kind != mapping {
			r.add(item.at, "%s is %s; want a section with what, on, at and for", at, item.describe())
			continue
		}
		*v.to = append(*v.to, v.item(r, at, item))
	}
	return true
}

// faultTarget is how the target of a fault is written.
const faultTarget = `^[a-z0-9-]{1,64}(\[[0-9]{1,3}\])?$`

func (v faultList) item(r *reader, path string, n *node) Fault {
	var f Fault
	own := map[string]value{
		"what": text{to: &f.What, max: 64, name: true},
		"on":   text{to: &f.On, max: 70},
		"at":   span{&f.At, 0, 24 * hour},
		"for":  span{&f.For, millisecond, 24 * hour},
	}
	for _, key := range []string{"what", "on", "at", "for"} {
		if n.find(key) < 0 {
			r.add(n.at, "%s has no %s; want what, on, at and for", path, key)
		}
	}
	for _, e := range n.entries {
		full := under(path, e.key)
		r.places[full] = e.at
		known, isOwn := own[e.key]
		switch {
		case isOwn:
			if !known.read(r, full, e.value) {
				_, want := wanted(known, e.value)
				r.add(e.at, "%s is %s; want %s", full, e.value.describe(), want)
			}
		case e.value.kind == list:
			var words []string
			if command := (commandWords{&words}); !command.read(r, full, e.value) {
				r.add(e.at, "parameter %s is %s; want %s", quote(e.key), e.value.describe(), command.want())
			}
			if f.Commands == nil {
				f.Commands = map[string][]string{}
			}
			f.Commands[e.key] = words
		case e.value.kind != scalar || len(e.value.text) > 256:
			r.add(e.at, "parameter %s is %s; want a single value", quote(e.key), e.value.describe())
		default:
			if f.Params == nil {
				f.Params = map[string]string{}
			}
			f.Params[e.key] = e.value.text
		}
	}
	return f
}

// agreeFaults reports faults that do not fit the measured time.
func (s *Scenario) agreeFaults(r *reader) {
	for i, f := range s.Faults {
		path := item("faults", i)
		if f.At >= s.Load.Duration && r.sound(under(path, "at"), "duration") && f.For > 0 {
			r.add(r.where(under(path, "at"), "duration"), "%s.at %s is not within the duration %s; want less",
				path, f.At, s.Load.Duration)
		}
	}
}

// faults looks up the scenario's faults and decides all their parameters.
func (b *planner) faults() {
	b.decided = nil
	for i, f := range b.s.Faults {
		path := item("faults", i)
		at := func(key string) place { return b.place(under(path, key)) }
		j := slices.IndexFunc(b.cat.Faults, func(k FaultKind) bool { return k.Name == f.What })
		if j < 0 {
			b.add(at("what"), "there is no fault %s; want %s", quote(f.What), oneOf(f.What, b.cat.faultNames()))
			continue
		}
		kind := b.cat.Faults[j]
		b.target(at("on"), kind, f)
		b.decided = append(b.decided, b.faultParams(path, kind, f))
	}
}

// faultParams checks the parameters of one fault and returns it with all of them.
func (b *planner) faultParams(path string, kind FaultKind, f Fault) Fault {
	at := func(key string) place { return b.place(under(path, key)) }
	decided := f
	decided.Params = map[string]string{}
	for _, p := range kind.Params {
		if !p.Words {
			decided.Params[p.Name] = p.Default
		}
	}
	keys := slices.AppendSeq(slices.Collect(maps.Keys(f.Params)), maps.Keys(f.Commands))
	slices.Sort(keys)
	for _, key := range keys {
		value, single := f.Params[key]
		k := slices.IndexFunc(kind.Params, func(p Param) bool { return p.Name == key })
		switch {
		case !single && k >= 0 && !kind.Params[k].Words:
			b.add(at(key), "parameter %s is a list of %d; want a single value", quote(key), len(f.Commands[key]))
		case !single && k >= 0: // a list of words was checked when it was read
		case b.allowed("fault "+kind.Name, kind.Params, at(key), key, value):
			decided.Params[key] = value
		}
	}
	for _, p := range kind.Params {
		if decided.Params[p.Name] == "" && f.Params[p.Name] == "" && f.Commands[p.Name] == nil {
			b.add(b.place(path), "fault %s has no %s; want %s", kind.Name, p.Name, p.want(""))
		}
	}
	return decided
}

// A commandWords is a program and its arguments, as a list of words.
type commandWords struct{ to *[]string }

const (
	maxWords     = 32
	maxWordBytes = 256
)

func (commandWords) want() string {
	return "a command of at most " + strconv.Itoa(maxWords) + " words of at most " + strconv.Itoa(maxWordBytes) +
		" bytes, such as [docker, kill, rabbit]"
}

func (v commandWords) read(r *reader, path string, n *node) bool {
	if len(n.items) == 0 || len(n.items) > maxWords {
		return false
	}
	for i, word := range n.items {
		at := item(path, i)
		r.places[at] = word.at
		switch {
		case word.kind != scalar || len(word.text) > maxWordBytes || strings.ContainsFunc(word.text, unprintable):
			r.add(word.at, "%s is %s; want a word of at most %d bytes", at, word.describe(), maxWordBytes)
		case i == 0 && word.text == "":
			r.add(word.at, "%s is %s; want the name of a program", at, word.describe())
		}
		*v.to = append(*v.to, word.text)
	}
	return true
}

// target checks what a fault is to befall.
func (b *planner) target(at place, kind FaultKind, f Fault) {
	name, index := f.Target()
	switch j := slices.IndexFunc(b.cat.Targets, func(t Target) bool { return t.Name == name }); {
	case !regexp.MustCompile(faultTarget).MatchString(f.On) || j < 0 || !slices.Contains(kind.On, name):
		b.add(at, "fault %s cannot befall %s; want %s", kind.Name, quote(f.On), oneOf(name, kind.On))
	case index >= 0 && !b.cat.Targets[j].Indexed:
		b.add(at, "there is only one %s; want %s without a number", name, name)
	case name == "service" && index >= b.s.Service.Instances:
		b.add(at, "there are %d instances of the service and no %s; want service[0] to service[%d]",
			b.s.Service.Instances, f.On, b.s.Service.Instances-1)
	}
}
