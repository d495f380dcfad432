package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"flowbench/flows"
	"flowbench/report"
	"flowbench/results"
	"flowbench/results/expect"
	"flowbench/scenarios"
	"flowbench/sim"
	"flowbench/sim/broker"
	"flowbench/sim/drivers"
	"flowbench/sim/host"
	"flowbench/sim/wire"
)

// runFlags are the flags of the verb run.
type runFlags struct {
	scenario   scenarioFlags
	brokerURLs []string
	storeURLs  []string

	storeCredentials []string

	brokerSources []string
	allowRemote   bool
	allowExec     bool
	traces        traceTarget
	out           string
	noProgress    bool
	verbose       bool
	live          liveFlags
}

func runVerb() verb {
	return verb{
		name: "run", args: "[SCENARIO|FILE]", maxArgs: 1,
		summary: "run a scenario and write a report",
		long: `
Runs every cell of the scenario (compare, if none is named), writes a run
directory while it goes, and ends with a report: report.html and plots in the
directory, and the same tables here.

The brokers nats and jetstream are embedded unless --broker-url names one.
RabbitMQ is looked for at amqp://guest:guest@127.0.0.1:5672/ unless told
otherwise. The environment variables FLOWBENCH_NATS_URL and
FLOWBENCH_RABBITMQ_URL do the same as --broker-url and keep credentials out of
the process list. Ctrl-C ends a run in order: what was measured stays readable.

--broker-source starts a broker for the run, each node in a process of its own.
nats=embedded:3 is a cluster of three embedded nodes; streams on it have as many
copies as the parameter replicas of jetstream says, as in
--set 'brokers=[{name: jetstream, replicas: 3}]'. rabbitmq=local:3 is a cluster of
the RabbitMQ that is installed here, beside the one that may run here anyway;
every quorum queue on it has three members. A cluster takes some seconds to boot
before the run, and is gone after it, whatever ends it.

The fault exec runs commands that the scenario names, such as those that stop and
start a broker which was not started here. They run with your rights, and only
with --allow-exec. What they write is logged with --verbose.`,
		flags: addRunFlags,
		run:   runRun,
	}
}

// addRunFlags adds the flags of run.
func addRunFlags(f *pflag.FlagSet, c *call) {
	r := &c.run
	r.scenario.add(f)
	r.addOutput(f)
	f.StringArrayVar(&r.brokerURLs, "broker-url", nil,
		"use an external broker: `nats=URL` or rabbitmq=URL; several URLs of a cluster separated by commas")
	f.StringArrayVar(&r.brokerSources, "broker-source", nil,
		"start a broker for the run, `SERVER=SOURCE`: "+strings.Join(sourceForms(), ", "))
	r.addStores(f)
	r.traces.add(f)
	f.BoolVar(&r.allowRemote, "allow-remote", false,
		"allow brokers, stores and collectors beyond this machine; be sure that they are yours")
	f.BoolVar(&r.allowExec, "allow-exec", false,
		"allow faults to run the commands that the scenario names; be sure that you know them")
}

// addOutput adds the flags about what a run writes.
func (r *runFlags) addOutput(f *pflag.FlagSet) {
	f.StringVar(&r.out, "out", "", "write the run to this `DIR` (default results/runs/<UTC>-<scenario>)")
	f.BoolVar(&r.noProgress, "no-progress", false, "show no progress")
	f.BoolVar(&r.verbose, "verbose", false, "log what happens to connections and single operations")
	r.live.add(f)
}

func runRun(ctx context.Context, sh shell, c *call) (exitCode, error) {
	name := defaultScenario
	if len(c.args) > 0 {
		name = c.args[0]
	}
	plan, text, err := c.run.scenario.load(name)
	if err != nil {
		return exitUsage, err
	}
	if what := sim.CommandOf(plan); what != "" && !c.run.allowExec {
		return exitUsage, fmt.Errorf("the scenario has a fault %s, which runs commands on this machine; "+
			"if you know them and want that, say so with --allow-exec", what)
	}
	if err := c.run.traces.parse(c.run.allowRemote); err != nil {
		return exitUsage, err
	}
	sources, err := c.run.sources(sh, plan)
	if err != nil {
		return exitUsage, err
	}
	engine := c.run.engine(sh, sources)
	if engine.StoreSources, err = c.run.storeSources(sh); err != nil {
		return exitUsage, err
	}
	closeStores, err := c.run.keepStores(ctx, engine, plan)
	if err != nil {
		return exitEnvironment, err
	}
	defer closeStores()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := sources.Close(ctx); err != nil {
			engine.Log.Warn("broker not stopped", "error", err)
		}
	}()
	if err := engine.Check(ctx, plan); err != nil {
		if ctx.Err() != nil {
			return exitNoVerdict, errors.New("interrupted before the run began; nothing was written")
		}
		return codeOf(err), err
	}
	defer limitMemory(plan)()
	defer shareProcessors(plan)()
	started := time.Now().UTC()
	return c.run.perform(ctx, sh, engine, plan, text, describeRun(plan, started, c.line), started)
}

// perform runs the plan and writes what comes of it. The run is described with
// all that is known of it before.
func (r *runFlags) perform(
	ctx context.Context, sh shell, engine *sim.Engine, plan *scenarios.Plan, text []byte, run *results.Run,
	now time.Time,
) (exitCode, error) {
	baseline, err := r.scenario.expect.readBaseline(ctx)
	if err != nil {
		return exitUsage, err
	}
	expected, err := asked(plan, baseline)
	if err != nil {
		return exitUsage, err
	}
	dir := r.directory(run, now)
	shown, err := r.live.open(run)
	if err != nil {
		return codeOf(err), err
	}
	defer shown.close()
	w, err := results.Create(dir, run, runFiles(plan, text))
	if err != nil {
		return exitEnvironment, err
	}
	if err := shown.begin(sh, dir, r.live.expose); err != nil {
		return exitEnvironment, err
	}
	progress := newProgress(sh, r.noProgress)
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	guard := newGuard(expected, baseline, plan, w, end)
	engine.Progress = func(p sim.Progress) {
		progress.update(p)
		shown.update(p)
		guard.see(p)
	}
	runErr := engine.Run(running, plan, w)
	progress.close()
	var off *brokenOff
	switch {
	case runErr == nil:
	case ctx.Err() != nil:
		runErr = errInterrupted // whatever else it says, that is why
	case errors.As(context.Cause(running), &off):
		runErr = off
	}
	judge := func(r *results.Run) []results.Expectation { return expect.Judge(r, baseline, expected) }
	return r.finishRun(context.WithoutCancel(ctx), sh, w, dir, runErr, judge)
}

// stopTime is how long brokers that were started here have to stop.
const stopTime = 2 * time.Second

// errInterrupted is how a run ends that was told to.
var errInterrupted = errors.New("interrupted")

// finishRun completes the run directory, writes the reports and decides how the
// program ends.
func (r *runFlags) finishRun(
	ctx context.Context, sh shell, w *results.Writer, dir string, runErr error,
	judge func(*results.Run) []results.Expectation,
) (exitCode, error) {
	reason := ""
	if runErr != nil {
		reason = runErr.Error()
	}
	err := w.Update(func(x *results.Run) {
		x.Finished, x.Reason = runErr == nil, reason
		if !x.Simulated {
			x.Ended = time.Now().UTC()
		}
	})
	if err != nil {
		return exitEnvironment, err
	}
	defer w.Close() // it was only ever written to as whole files
	run, err := results.ReadRoot(w.Root())
	if err != nil {
		return exitEnvironment, err
	}
	run.Expectations = judge(run)
	if err := w.Update(func(x *results.Run) { x.Expectations = run.Expectations }); err != nil {
		return exitEnvironment, err
	}
	if err := report.WriteAll(w.Root(), run); err != nil {
		return exitEnvironment, err
	}
	if err := report.WriteText(sh.stdout, run, sh.width, sh.colour); err != nil {
		return exitEnvironment, err
	}
	fmt.Fprintf(sh.stdout, "\nReport: %s\n", filepath.Join(dir, "report.html"))
	if err := r.traces.export(ctx, sh, w.Root(), run); err != nil {
		return exitEnvironment, errors.Join(runErr, err)
	}
	switch {
	case errors.Is(runErr, errInterrupted):
		return exitNoVerdict, errors.New("interrupted: the run is unfinished; what was measured is in the report")
	case runErr != nil:
		return codeOf(runErr), runErr
	}
	return expectationError(run)
}

// engine returns the engine that runs plans in this process.
func (r *runFlags) engine(sh shell, sources *sim.Sources) *sim.Engine {
	dial := wire.Loopback()
	if r.allowRemote {
		dial = wire.Anywhere()
	}
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	return &sim.Engine{
		RunID: hex.EncodeToString(id[:]), Flows: flows.All(), Drivers: drivers.All(), Edges: drivers.Edges(),
		Stores: drivers.Stores(), Sources: sources, Dial: dial,
		Log: r.logger(sh), AllowExec: r.allowExec,
	}
}

func (r *runFlags) logger(sh shell) *slog.Logger {
	level := slog.LevelError
	if r.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(sh.stderr, &slog.HandlerOptions{Level: level}))
}

// defaultRabbitMQ is where a RabbitMQ is that nobody configured.
const defaultRabbitMQ = "amqp://guest:guest@127.0.0.1:5672/"

// sources says where brokers are: from flags, else from the environment, else
// started here or where they are by default.
func (r *runFlags) sources(sh shell, plan *scenarios.Plan) (*sim.Sources, error) {
	s := &sim.Sources{
		Addresses: make(map[string][]string),
		Default:   map[string]string{"rabbitmq": defaultRabbitMQ},
	}
	servers := make(map[string]string) // what --broker-url may name, to the server that it means
	for _, d := range drivers.All() {
		if d.Server == "" {
			continue
		}
		servers[d.Name], servers[d.Server] = d.Server, d.Server
		if urls := sh.getenv(urlVariable(d.Server)); urls != "" {
			s.Addresses[d.Server] = strings.Split(urls, ",")
		}
	}
	for _, arg := range r.brokerURLs {
		name, urls, ok := strings.Cut(arg, "=")
		server := servers[name]
		if !ok || server == "" {
			return nil, fmt.Errorf("--broker-url names %s; want nats=URL or rabbitmq=URL", shownName(arg))
		}
		s.Addresses[server] = strings.Split(urls, ",")
	}
	for server, addresses := range s.Addresses {
		for _, a := range addresses {
			if err := r.checkAddress(server, a); err != nil {
				return nil, err
			}
		}
	}
	return s, r.start(s, plan, r.logger(sh))
}

// urlVariable is the environment variable that names the broker of a server.
func urlVariable(server string) string { return "FLOWBENCH_" + strings.ToUpper(server) + "_URL" }

// checkAddress refuses what is not a URL, and what is beyond this machine
// unless that was allowed.
func (r *runFlags) checkAddress(server, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("the address of %s is not a URL; want such as %s", server, exampleURL(server))
	}
	if r.allowRemote || onThisMachine(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%s is not on this machine; if it is yours to put load on, say so with --allow-remote",
		broker.Redacted(address))
}

func exampleURL(server string) string {
	if server == "rabbitmq" {
		return "amqp://user:password@127.0.0.1:5672/"
	}
	return server + "://127.0.0.1:4222"
}

// directory returns where the run is written.
func (r *runFlags) directory(run *results.Run, now time.Time) string {
	if r.out != "" {
		return r.out
	}
	name := now.Format("20060102T150405Z") + "-" + run.Scenario
	if run.Simulated {
		name += "-simulated"
	}
	return filepath.Join("results", "runs", name)
}

// describeRun returns the run with everything that is known when it begins.
func describeRun(p *scenarios.Plan, started time.Time, line []string) *results.Run {
	r := &results.Run{
		Schema: results.RunSchema, ID: started.Format("20060102T150405Z") + "-" + p.Scenario,
		Scenario: p.Scenario, Question: p.Question, Seed: p.Seed, Started: started,
		Host: host.Describe(), Versions: host.Versions(), Command: append([]string{"flowbench"}, redactLine(line)...),
		Reason: results.NotEnded,
	}
	for _, c := range p.Cells {
		r.CellIDs = append(r.CellIDs, c.ID)
	}
	r.LeftOut, r.Repeats = p.LeftOut, p.Repeat
	r.Steps = stepsOf(p)
	return r
}

// redactLine takes the credentials out of a command line.
func redactLine(line []string) []string {
	out := make([]string, len(line))
	for i, arg := range line {
		out[i] = arg
		scheme, _, isURL := strings.Cut(arg, "://")
		if !isURL {
			continue
		}
		prefix, urls := "", arg
		if at := strings.LastIndex(scheme, "="); at >= 0 {
			prefix, urls = arg[:at+1], arg[at+1:]
		}
		var shown []string
		for u := range strings.SplitSeq(urls, ",") {
			shown = append(shown, broker.Redacted(u))
		}
		out[i] = prefix + strings.Join(shown, ",")
	}
	return out
}

// runFiles returns what makes a run directory explain itself: the scenario as
// it was written, and the plan that was made of it.
func runFiles(p *scenarios.Plan, text []byte) map[string][]byte {
	plan, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		plan = []byte(fmt.Sprintf("%q", err.Error())) // a plan is plain data and always encodes
	}
	files := map[string][]byte{"scenario.yaml": text, "plan.json": append(plan, '\n')}
	if t := p.Trace(); t != nil {
		files[traceName] = t.Text()
	}
	return files
}
