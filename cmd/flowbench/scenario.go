package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"flowbench/flows"
	"flowbench/scenarios"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
)

// defaultScenario is what verbs work on that are given no scenario.
const defaultScenario = "compare"

// scenarioFlags change a scenario from the command line.
type scenarioFlags struct {
	flows, brokers   []string
	edges            []string
	rate             float64
	duration, warmup time.Duration
	seed             uint64
	repeat           int
	quick            bool
	set              []string
	expect           expectFlags
	given            *pflag.FlagSet
}

func (s *scenarioFlags) add(f *pflag.FlagSet) {
	s.given = f
	f.StringSliceVar(&s.flows, "flows", nil, "run these flows only, separated by commas")
	f.StringSliceVar(&s.brokers, "brokers", nil, "run on these brokers, separated by commas")
	f.StringSliceVar(&s.edges, "edges", nil, "have web clients speak these protocols, separated by commas")
	f.Float64Var(&s.rate, "rate", 0, "operations per second, all clients together")
	f.DurationVar(&s.duration, "duration", 0, "measure each cell for so long")
	f.DurationVar(&s.warmup, "warmup", 0, "warm each cell up for so long before")
	f.Uint64Var(&s.seed, "seed", 0, "seed of arrivals, operations and service times")
	f.IntVar(&s.repeat, "repeat", 0, "run each cell so often, in turns with the others")
	f.BoolVar(&s.quick, "quick", false, "short cells, for a first look: too short for numbers to decide from")
	f.StringArrayVar(&s.set, "set", nil, "set anything in the scenario: `path=value`, such as service.workers=4")
	s.expect.add(f)
}

// overrides returns what the flags change. What is more specific comes later
// and wins.
func (s *scenarioFlags) overrides() ([]scenarios.Override, error) {
	var o []scenarios.Override
	if s.quick {
		o = append(o, scenarios.Quick()...)
	}
	for _, f := range []struct {
		flag     string
		override func() scenarios.Override
	}{
		{"flows", func() scenarios.Override { return scenarios.SetFlows(s.flows...) }},
		{"brokers", func() scenarios.Override { return scenarios.SetBrokers(s.brokers...) }},
		{"edges", func() scenarios.Override { return scenarios.SetEdges(s.edges...) }},
		{"rate", func() scenarios.Override { return scenarios.SetRate(s.rate) }},
		{"duration", func() scenarios.Override { return scenarios.SetDuration(s.duration) }},
		{"warmup", func() scenarios.Override { return scenarios.SetWarmup(s.warmup) }},
		{"seed", func() scenarios.Override { return scenarios.SetSeed(s.seed) }},
		{"repeat", func() scenarios.Override { return scenarios.SetRepeat(s.repeat) }},
	} {
		if s.given.Changed(f.flag) {
			o = append(o, f.override())
		}
	}
	for _, arg := range s.set {
		set, err := scenarios.ParseSet(arg)
		if err != nil {
			return nil, err
		}
		o = append(o, set)
	}
	for _, statement := range s.expect.statements {
		o = append(o, scenarios.AddExpectation(statement))
	}
	return o, nil
}

// load finds the scenario that name means, a file or one of the library, and
// makes its plan. Every error is one of usage.
func (s *scenarioFlags) load(name string) (plan *scenarios.Plan, text []byte, err error) {
	fail := func(err error) (*scenarios.Plan, []byte, error) { return nil, nil, &usageError{err} }
	overrides, err := s.overrides()
	if err != nil {
		return fail(err)
	}
	source, text, err := readScenario(name)
	if err != nil {
		return fail(err)
	}
	scenario, err := scenarios.Parse(source, text, overrides...)
	if err != nil {
		return fail(err)
	}
	if err := loadTrace(name, scenario); err != nil {
		return fail(err)
	}
	plan, err = scenario.Plan(catalog())
	if err != nil {
		return fail(err)
	}
	return plan, text, nil
}

// maxScenario is how much of a scenario file is read: more than Parse accepts,
// so that it is Parse that refuses what is too large.
const maxScenario = 2 << 20

// readScenario returns the text of a scenario and what errors should call it.
func readScenario(name string) (source string, text []byte, err error) {
	if !isFile(name) {
		entry, err := scenarios.Find(name)
		if err != nil {
			return "", nil, err
		}
		return "library:" + entry.Name, entry.Text, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", nil, fmt.Errorf("read scenario: %w", err)
	}
	defer f.Close() // nothing was written, so closing has nothing to say
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(f, maxScenario)); err != nil {
		return "", nil, fmt.Errorf("read scenario: %w", err)
	}
	return name, b.Bytes(), nil
}

// isFile reports whether a scenario argument looks like a path.
func isFile(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return strings.ContainsAny(name, `/\`) || ext == ".yaml" || ext == ".yml" || ext == ".json"
}

// catalog tells scenarios what there is to name.
func catalog() scenarios.Catalog {
	c := scenarios.Catalog{Expectation: checkExpectation}
	for _, e := range drivers.Edges() {
		c.Edges = append(c.Edges, scenarios.Edge{Name: e.Name, Sockets: e.Sockets})
	}
	for _, s := range drivers.Stores() {
		c.Stores = append(c.Stores, scenarios.Store{Name: s.Name, Summary: s.Summary, Wired: s.Wired})
	}
	c.Faults, c.Targets = drivers.Faults()
	for _, f := range flows.All() {
		c.Flows = append(c.Flows, f.Spec())
	}
	for _, d := range drivers.All() {
		b := scenarios.Broker{Name: d.Name, Summary: d.Summary, Traits: func(params map[string]string) flows.Traits {
			return d.Traits(broker.Params(params))
		}}
		b.MaxMessage = d.MaxMessage
		if d.Check != nil {
			b.Check = func(params map[string]string) error { return d.Check(broker.Params(params)) }
		}
		for _, p := range d.Params {
			b.Params = append(b.Params, scenarios.Param{
				Name: p.Name, Summary: p.Summary, Default: p.Default, Values: p.Values, Min: p.Min, Max: p.Max,
			})
		}
		c.Brokers = append(c.Brokers, b)
	}
	return c
}
