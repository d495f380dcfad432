package scenarios

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// planOf parses and plans a scenario that must be right.
func planOf(t testing.TB, text string, overrides ...Override) *Plan {
	t.Helper()
	s, err := Parse("test.yaml", []byte(text), overrides...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ids(p *Plan) []string {
	var ids []string
	for _, c := range p.Cells {
		ids = append(ids, c.ID)
	}
	return ids
}

const plain = "name: plain\nflows: [direct]\n"

func TestThePlanOfCompareIsWhatItWas(t *testing.T) {
	e, err := Find("compare")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("library:compare", e.Text)
	if err != nil {
		t.Fatal(err)
	}
	// The catalog is the one of the tests, so that a new parameter of a driver
	// does not touch this file.
	p, err := s.Plan(testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	matches(t, "testdata/compare.plan.json", append(text, '\n'))

	var back Plan
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, &back); diff != "" {
		t.Errorf("a plan that is written and read is another (-want +got):\n%s", diff)
	}
}

func TestCompareFinishesInEightySeconds(t *testing.T) {
	e, err := Find("compare")
	if err != nil {
		t.Fatal(err)
	}
	p := planOf(t, string(e.Text))
	var total Duration
	for _, c := range p.Cells {
		total += c.Load.Warmup + c.Load.Duration
	}
	if len(p.Cells) != 7 || total > 70*second {
		t.Errorf("compare has %d cells that take %s; want 7 in at most 70s, which leaves 10s for the rest",
			len(p.Cells), total)
	}
}

func TestCellsAreFlowsTimesBrokersInOrder(t *testing.T) {
	for _, tt := range []struct {
		about, text string
		want        []string
	}{
		{"every flow on every broker", "flows: [proxy-sync, async-reply-to]\nbrokers: [jetstream, nats]", []string{
			"proxy-sync-jetstream", "proxy-sync-nats", "async-reply-to-jetstream", "async-reply-to-nats"}},
		{"a flow without a broker appears once", "flows: [direct, proxy-sync]\nbrokers: [jetstream, nats]", []string{
			"direct", "proxy-sync-jetstream", "proxy-sync-nats"}},
		{"a word tells the same broker apart",
			"flows: [proxy-sync]\nbrokers: [{name: rabbitmq, queue: classic}, rabbitmq, nats]", []string{
				"proxy-sync-rabbitmq-classic", "proxy-sync-rabbitmq-quorum", "proxy-sync-nats"}},
		{"a number tells it apart with its parameter's name",
			"flows: [proxy-sync]\nbrokers: [rabbitmq, {name: rabbitmq, prefetch: 1}]", []string{
				"proxy-sync-rabbitmq-prefetch100", "proxy-sync-rabbitmq-prefetch1"}},
		{"all differences are named", "flows: [proxy-sync]\nbrokers: [rabbitmq, {name: rabbitmq, prefetch: 1}, " +
			"{name: rabbitmq, queue: classic}]", []string{
			"proxy-sync-rabbitmq-quorum-prefetch100", "proxy-sync-rabbitmq-quorum-prefetch1",
			"proxy-sync-rabbitmq-classic-prefetch100"}},
		{"every flow with an edge over every edge",
			"flows: [direct, proxy-sync, async-reply-to]\nbrokers: [jetstream, nats]\nedges: [ws, rest]", []string{
				"direct-ws", "direct", "proxy-sync-jetstream-ws", "proxy-sync-jetstream", "proxy-sync-nats-ws",
				"proxy-sync-nats", "async-reply-to-jetstream", "async-reply-to-nats"}},
		{"the edge stands behind a broker's parameters",
			"flows: [proxy-sync]\nbrokers: [{name: rabbitmq, queue: classic}, rabbitmq]\nedges: [graphql]", []string{
				"proxy-sync-rabbitmq-classic-graphql", "proxy-sync-rabbitmq-quorum-graphql"}},
		{"quoted parameters are as good", `flows: [proxy-sync]` + "\n" + `brokers: [{name: rabbitmq, prefetch: "5"}]`,
			[]string{"proxy-sync-rabbitmq"}},
	} {
		if diff := cmp.Diff(tt.want, ids(planOf(t, "name: x\n"+tt.text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.about, diff)
		}
	}
}

func TestCellsHaveEveryChoiceMade(t *testing.T) {
	p := planOf(t, "name: x\nflows: [direct, proxy-sync, async-reply-to]\nbrokers: [{name: rabbitmq, prefetch: 7}]")
	fit := regexp.MustCompile(`^[a-z0-9-]+$`)
	for _, c := range p.Cells {
		if !fit.MatchString(c.ID) || c.Payload != "inline" || c.Seed == 0 || c.Load.Clients == 0 {
			t.Errorf("cell %+v leaves something open", c)
		}
	}
	want := map[string]string{"queue": "quorum", "prefetch": "7", "mandatory": "true"}
	if diff := cmp.Diff(want, p.Cells[1].BrokerParams); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	var edges []string
	for _, c := range p.Cells {
		edges = append(edges, c.Edge)
	}
	if !slices.Equal(edges, []string{"rest", "rest", ""}) {
		t.Errorf("edges are %q; want rest where a flow uses one", edges)
	}
}

func TestCellsDoNotShareWhatCanChange(t *testing.T) {
	p := planOf(t, "name: x\nflows: [proxy-sync, proxy-async]\nbrokers: [jetstream]\n"+
		"service: {stall: {every: 2s, for: 1s}}")
	p.Cells[0].BrokerParams["storage"] = "changed"
	p.Cells[0].Service.Stall.For = 0
	if c := p.Cells[1]; c.BrokerParams["storage"] != "file" || c.Service.Stall.For != second {
		t.Errorf("a change in one cell shows in another: %+v", c)
	}
}

func TestWhatDoesNotApplyIsLeftOut(t *testing.T) {
	open := planOf(t, plain).Cells[0]
	if open.Load.Users != 0 || open.Load.ThinkTime != 0 || open.Load.RatePerS != 300 || open.Service.Stall != nil {
		t.Errorf("an open load by default is %+v; want no users, and a rate of 300/s", open.Load)
	}
	closed := planOf(t, plain+"load: {arrivals: closed, users: 4}").Cells[0]
	if l := closed.Load; l.RatePerS != 0 || l.MaxInFlight != 4 || l.Clients != 4 {
		t.Errorf("a closed load of 4 users is %+v; want no rate, 4 in flight and no more than 4 clients", l)
	}
	steady := planOf(t, plain+"service: {time: {distribution: constant}}").Cells[0].Service.Time
	if steady.Sigma != 0 || steady.Mean != millisecond {
		t.Errorf("a constant service time is %+v; want no sigma and a mean of 1ms", steady)
	}
	patient := planOf(t, plain+"load: {timeout: 30s}").Cells[0].Load
	if patient.Drain != 30*second {
		t.Errorf("with a timeout of 30s the drain is %s by default; want as long", patient.Drain)
	}
}

func TestOverridesActAsIfTheFileSaidSo(t *testing.T) {
	const text = "name: x\nflows: [direct]\nbrokers: [nats]\nload:\n  rate_per_s: 100\n" +
		"service:\n  stall: {every: 2s, for: 1s}\n"
	for _, tt := range []struct {
		about string
		set   []Override
		got   func(p *Plan) any
		want  any
	}{
		{"a number", []Override{SetRate(500)}, func(p *Plan) any { return p.Cells[0].Load.RatePerS }, 500.0},
		{"the later wins", []Override{SetRate(500), {Path: "load.rate_per_s", Value: "7"}},
			func(p *Plan) any { return p.Cells[0].Load.RatePerS }, 7.0},
		{"a setting in a section that is not there", []Override{{Path: "polling.backoff", Value: "2"}},
			func(p *Plan) any { return p.Cells[0].Polling.Backoff }, 2.0},
		{"a deep setting", []Override{{Path: "service.time.mean", Value: "2ms"}},
			func(p *Plan) any { return p.Cells[0].Service.Time.Mean }, 2 * millisecond},
		{"a list with commas", []Override{SetFlows("proxy-sync", "direct"), SetBrokers("nats", "jetstream")},
			func(p *Plan) any { return fmt.Sprint(ids(p)) }, "[proxy-sync-nats proxy-sync-jetstream direct]"},
		{"edges", []Override{SetEdges("graphql", "rest")},
			func(p *Plan) any { return fmt.Sprint(ids(p)) }, "[direct-graphql direct]"},
		{"a list as YAML", []Override{{Path: "flows", Value: "[proxy-sync]"},
			{Path: "brokers", Value: "[{name: rabbitmq, queue: classic}]"}},
			func(p *Plan) any { return p.Cells[0].BrokerParams["queue"] }, "classic"},
		{"a chosen broker keeps what the scenario says of it", []Override{
			{Path: "flows", Value: "[proxy-sync]"},
			{Path: "brokers", Value: "[nats, {name: rabbitmq, queue: classic}]"}, SetBrokers("jetstream", "rabbitmq"),
		}, func(p *Plan) any { return fmt.Sprint(ids(p), p.Cells[1].BrokerParams["queue"]) },
			"[proxy-sync-jetstream proxy-sync-rabbitmq]classic"},
		{"nothing takes the setting out", []Override{{Path: "service.stall"}},
			func(p *Plan) any { return p.Cells[0].Service.Stall == nil }, true},
		{"nothing takes out what is not there", []Override{{Path: "polling.max"}},
			func(p *Plan) any { return p.Cells[0].Polling.Max }, 200 * millisecond},
		{"a change of arrivals", []Override{{Path: "load.rate_per_s"}, {Path: "load.arrivals", Value: "closed"}},
			func(p *Plan) any { return p.Cells[0].Load.Users }, 32},
		{"times and seed", []Override{SetDuration(90 * time.Minute), SetWarmup(0), SetSeed(9)},
			func(p *Plan) any {
				return fmt.Sprint(p.Cells[0].Load.Duration, p.Cells[0].Load.Warmup, p.Seed)
			}, "1h30m 0s 9"},
		{"quick shortens faults as well", append([]Override{
			{Path: "duration", Value: "20s"}, {Path: "faults", Value: "[{what: stall, on: broker, at: 5s, for: 10s}]"},
		}, Quick()...), func(p *Plan) any {
			return fmt.Sprint(p.Cells[0].Faults[0].At, p.Cells[0].Faults[0].For)
		}, "500ms 1s"},
		{"quick", Quick(), func(p *Plan) any {
			return fmt.Sprint(p.Cells[0].Load.Warmup, p.Cells[0].Load.Duration)
		}, "500ms 2s"},
	} {
		if got := tt.got(planOf(t, text, tt.set...)); got != tt.want {
			t.Errorf("%s: got %v; want %v", tt.about, got, tt.want)
		}
	}
}

func TestErrorsOfOverridesNameTheFlag(t *testing.T) {
	const text = "name: x\nflows: [direct]\nload:\n  arrivals: closed\n  users: 8\n  timeout: 5s\nseed: 1.5\n"
	for _, tt := range []struct {
		about string
		set   []Override
		want  string
	}{
		{"what is wrong in the file shows unless it is replaced", nil,
			"x.yaml:7:1: seed is 1.5; want a whole number from 0 to 9007199254740991"},
		{"out of bounds", []Override{SetSeed(1), {Path: "load.users", Value: "0"}},
			"--set load.users: load.users is 0; want a whole number from 1 to 10000"},
		{"unknown setting", []Override{SetSeed(1), {Path: "load.user", Value: "1"}},
			`--set load.user: load has no setting "user"; want arrivals, rate_per_s, shape, trace, sweep, users, ` +
				`think_time, clients, ` +
				`connections_per_client, command_share, urgent_share, subscribers, payload_bytes, ` +
				`keys, max_in_flight or timeout (did you mean users?)`},
		{"unknown section", []Override{SetSeed(1), {Path: "laod.users", Value: "1"}},
			`--set laod.users: the scenario has no setting "laod"; want name, question, seed, repeat, flows, ` +
				`brokers, edges, load, warmup, duration, drain, payloads, service, polling, front_ends, model, ` +
				`history, faults or expect (did you mean load?)`},
		{"a path through a value", []Override{SetSeed(1), {Path: "name.first", Value: "1"}},
			"--set name.first: name is x; want a path through sections"},
		{"what does not fit the file", []Override{SetSeed(1), SetRate(100)},
			"--rate: load.rate_per_s does not go with load.arrivals closed; want constant or poisson there, " +
				"or rate_per_s taken out"},
		{"what contradicts the file", []Override{SetSeed(1), {Path: "drain", Value: "2s"}},
			"--set drain: load.timeout 5s is longer than drain 2s, which the last operations need to end in; " +
				"want at most as long"},
		{"a duration without unit", []Override{SetSeed(1), {Path: "warmup", Value: "3"}},
			"--set warmup: warmup is 3, without a unit; want 3s, or another duration from 0s to 1h"},
		{"no YAML", []Override{SetSeed(1), {Path: "warmup", Value: "[3"}},
			`--set warmup: "[3" is not YAML; want a value such as 5 or [a, b]`},
		{"an alias", []Override{SetSeed(1), {Path: "warmup", Value: "*a"}},
			`--set warmup: "*a" is not YAML; want a value such as 5 or [a, b]`},
		{"an unknown flow", []Override{SetSeed(1), SetFlows("direkt")},
			`--flows: there is no flow "direkt"; want async-reply-to, proxy-sync, proxy-async, direct, ` +
				`keeps or tells ` +
				`(did you mean direct?)`},
		{"an unknown edge", []Override{SetSeed(1), SetEdges("rest", "websocket")},
			`--edges: there is no edge "websocket"; want rest, graphql or ws`},
		{"a list with a gap", []Override{SetSeed(1), SetFlows("direct", "")},
			`--flows: flows[1] is ""; want a name of at most 64 lower-case letters, digits and hyphens`},
		{"not a number at all", []Override{SetSeed(1), {Path: "load.command_share", Value: "NaN"}},
			"--set load.command_share: load.command_share is NaN; want a number from 0 to 1"},
	} {
		err := parseAndPlan("x.yaml", []byte(text), tt.set...)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\n got %v\nwant %s", tt.about, err, tt.want)
			continue
		}
		all(t, err)
	}
	if _, err := ParseSet("load.rate_per_s"); err == nil {
		t.Error("a --set without = is accepted")
	}
}

func TestDurationsAreWrittenWithUnits(t *testing.T) {
	for text, want := range map[string]string{
		"250ms": "250ms", "1h0m0s": "1h", "60s": "1m", "90s": "1m30s", "0s": "0s", "1h30m": "1h30m", "10m": "10m",
		".5s": "500ms", "100us": "100µs", "3600.5s": "1h0m0.5s",
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s reads as %s, %v; want %s", text, d, err, want)
		}
		if back, ok := parseDuration(d.String()); !ok || back != d {
			t.Errorf("%s is written %s and that reads as %s", text, d, back)
		}
	}
	var d Duration
	const want = `"5" is not a duration; want a number and its unit, such as 250ms`
	if err := json.Unmarshal([]byte(`"5"`), &d); err == nil || err.Error() != want {
		t.Errorf("a duration without unit is read from JSON with %v; want %s", err, want)
	}
	pattern := regexp.MustCompile(durationPattern)
	for _, text := range []string{
		"", "0", "5", "-1s", "+1s", "1 s", "1d", "s", "1.2.3s", "1s2", "300h", "1.s", "ms", ".s",
	} {
		if _, ok := parseDuration(text); ok != pattern.MatchString(text) {
			t.Errorf("%q is accepted: %v; the schema's pattern disagrees", text, ok)
		}
	}
}

func TestHistoriesAreKeptWhereFaultsAreOrWhereOneSaysSo(t *testing.T) {
	const faults = "\nfaults: [{what: stall, on: service, at: 0s, for: 100ms}]"
	for text, want := range map[string]bool{
		"":                         false,
		"\nhistory: auto":          false,
		"\nhistory: on":            true,
		faults:                     true,
		"\nhistory: auto" + faults: true,
		"\nhistory: off" + faults:  false,
	} {
		s, err := Parse("my.yaml", []byte("name: my\nflows: [direct]"+text))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := s.Plan(testCatalog())
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Cells[0].History; got != want {
			t.Errorf("with %q the history is kept: %v; want %v", text, got, want)
		}
	}
}
