package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/spf13/pflag"

	"flowbench/results"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/drivers"
	"flowbench/sim/host"
)

func simulateVerb() verb {
	return verb{
		name: "simulate", args: "[SCENARIO|FILE]", maxArgs: 1,
		summary: "run a scenario in virtual time, on models",
		long: `
Runs every cell of the scenario (compare, if none is named) in virtual time: the
flows and the engine are those of run, the brokers, edges and networks are models
with the delays of the scenario's section model. It needs no broker and no quiet
machine, hours pass in seconds, and one seed always gives the same results, to
the last byte. Models promise what the brokers of those names promise, and are no
measurement of them: everything that comes of it is marked as simulated.`,
		flags: func(f *pflag.FlagSet, c *call) {
			c.run.scenario.add(f)
			c.run.addOutput(f)
		},
		run: runSimulate,
	}
}

// simulationGC is how much more than what is in use a simulation may have allocated
// before the collector runs, in percent.
const simulationGC = 400

func runSimulate(ctx context.Context, sh shell, c *call) (exitCode, error) {
	name := defaultScenario
	if len(c.args) > 0 {
		name = c.args[0]
	}
	plan, text, err := c.run.scenario.load(name)
	if err != nil {
		return exitUsage, err
	}
	// A simulation allocates for every message and keeps little of it: collecting
	// less often is a fifth of its time, for a few megabytes.
	defer debug.SetGCPercent(debug.SetGCPercent(simulationGC))
	engine := c.run.engine(sh, &sim.Sources{})
	engine.RunID, engine.Models = "simulated", drivers.Models
	if err := engine.Check(ctx, plan); err != nil {
		return exitUsage, err
	}
	return c.run.perform(ctx, sh, engine, plan, text, describeSimulation(plan, c.line), time.Now().UTC())
}

// describeSimulation returns a simulation with everything that is known when it
// begins. It says nothing of when and where, on which nothing depends.
func describeSimulation(p *scenarios.Plan, line []string) *results.Run {
	r := describeRun(p, time.Time{}, line)
	r.ID = fmt.Sprintf("simulated-%s-seed-%d", p.Scenario, p.Seed)
	r.Simulated, r.Host, r.Versions = true, results.Host{}, host.Versions()
	return r
}
