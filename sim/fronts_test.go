package sim_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"flowbench/sim/wire"
)

// TestFrontEndsShareTheCalls runs flows over several front ends, so that a
// command's polls come to others than its submission did.
func TestFrontEndsShareTheCalls(t *testing.T) {
	for _, way := range []string{"round-robin", "least-pending"} {
		p := plan(t, `
name: test
flows: [async-reply-to, proxy-sync, proxy-async, hybrid-async, direct]
brokers: [mem]
load: {arrivals: poisson, rate_per_s: 300, clients: 3, keys: 20}
warmup: 0s
duration: 500ms
service: {instances: 2, workers: 4, time: {distribution: constant, mean: 200us}}
polling: {interval: 2ms}
front_ends: {count: 3, balancer: `+way+`}
`)
		run, err := runPlan(t.Context(), t, engine(t), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range run.Cells {
			if a := c.Accounting; c.Counts.OK != c.Counts.Due || a.Lost+a.Duplicated+a.Unexpected != 0 {
				t.Errorf("%s, %s: counts are %+v, the account %+v; want all ok and none amiss", way, c.ID, c.Counts, a)
			}
			wantFronts, wantBalancer := 3, true
			switch c.Flow {
			case "direct":
				wantFronts = 0
			case "async-reply-to":
				wantFronts, wantBalancer = 0, false
			}
			if len(c.FrontEnds) != wantFronts {
				t.Errorf("%s, %s: front ends had %v calls; want %d of them", way, c.ID, c.FrontEnds, wantFronts)
			}
			for _, n := range c.FrontEnds {
				if n == 0 {
					t.Errorf("%s, %s: front ends had %v calls; want each to have some", way, c.ID, c.FrontEnds)
				}
			}
			if got := c.Settings["balancer"]; strings.HasPrefix(got, way+", checks every") != wantBalancer {
				t.Errorf("%s, %s: the balancer is set to %q", way, c.ID, got)
			}
		}
	}
}

// TestOneFrontEndHasNoBalancer looks at flows in which nothing is to be shared.
func TestOneFrontEndHasNoBalancer(t *testing.T) {
	p := plan(t, `
name: test
flows: [proxy-sync, direct]
brokers: [mem]
load: {arrivals: poisson, rate_per_s: 100, clients: 1}
warmup: 0s
duration: 200ms
service: {instances: 1, workers: 4, time: {distribution: constant, mean: 0s}}
`)
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		if c.FrontEnds != nil || c.Settings["balancer"] != "" {
			t.Errorf("%s: front ends had %v calls and the balancer is %q; want none of either", c.ID, c.FrontEnds,
				c.Settings["balancer"])
		}
	}
}

// TestEjectionsAreEventsOfTheRun has one of two instances refuse its first
// connections. It harms nobody, and the run tells of it.
func TestEjectionsAreEventsOfTheRun(t *testing.T) {
	var mu sync.Mutex
	var dialled []string
	const refusals = 4
	refused := 0
	e := engine(t)
	e.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(dialled, address) {
			dialled = append(dialled, address)
		}
		// The client comes first, and dials the balancer.
		if len(dialled) > 1 && address == dialled[1] && refused < refusals {
			refused++
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return wire.Loopback()(ctx, network, address)
	}
	run, err := runPlan(t.Context(), t, e, plan(t, `
name: test
flows: [direct]
load: {arrivals: poisson, rate_per_s: 200, clients: 1}
warmup: 0s
duration: 2s
service: {instances: 2, workers: 4, time: {distribution: constant, mean: 0s}}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := run.Cells[0]
	if c.Counts.OK != c.Counts.Due {
		t.Errorf("counts are %+v; want all ok", c.Counts)
	}
	var got []string
	for _, ev := range c.Events {
		if ev.Kind != "phase" {
			got = append(got, ev.Kind+" "+strings.TrimRight(ev.Name, "01"))
			if ev.Text == "" {
				t.Errorf("%+v does not say why", ev)
			}
		}
	}
	if !slices.Equal(got, []string{"ejected service-", "returned service-"}) {
		t.Errorf("the events are %q; want an ejection and a return", got)
	}
}
