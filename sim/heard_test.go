package sim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
	"flowbench/results"
)

// TestOthersHearOfEveryCommand runs the flows that tell others than the client,
// and one that does not.
func TestOthersHearOfEveryCommand(t *testing.T) {
	p := plan(t, `
name: test
flows: [fan-out, websocket, proxy-sync]
brokers: [mem]
load: {arrivals: poisson, rate_per_s: 300, clients: 4, subscribers: 3, keys: 10, command_share: 0.7}
warmup: 200ms
duration: 800ms
service: {instances: 3, workers: 4, time: {distribution: exponential, mean: 1ms}}
front_ends: {count: 2}
`)
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range run.Cells {
		h := c.Heard
		if c.Flow == "proxy-sync" {
			if h != nil {
				t.Errorf("proxy-sync: %+v; want nobody to have heard", h)
			}
			continue
		}
		if h == nil {
			t.Errorf("%s says nothing of those who hear", c.Flow)
			continue
		}
		if h.Subscribers != 3 || h.Commands == 0 || h.Commands != c.Accounting.Applied || h.ByAll != h.Commands ||
			h.Missing+h.Repeated+h.Unresolved+c.Accounting.Unexpected != 0 {
			t.Errorf("%s: %+v; want each of %d commands heard once by all three", c.Flow, h, c.Accounting.Applied)
		}
		for from, times := range map[string]results.HeardTimes{"due": h.FromDue, "applied": h.FromApplied} {
			first, median, last := times.Of("first"), times.Of("median"), times.Of("last")
			if first == nil || median == nil || last == nil || first.N() != last.N() ||
				first.Quantile(0.5) > median.Quantile(0.5) || median.Quantile(0.5) > last.Quantile(0.5) {
				t.Errorf("%s from %s: first %v, median %v, last %v; want as many of each, and in this order",
					c.Flow, from, first, median, last)
			}
		}
		if due, applied := h.FromDue.Of("last"), h.FromApplied.Of("last"); due.Max() < applied.Max() {
			t.Errorf("%s: longest from due %v, from applied %v; want no less", c.Flow, due.Max(), applied.Max())
		}
	}
}

// TestWhereNobodyWatchesNobodyPaysForEvents compares the messages that a command
// over a socket costs with and without live queries.
func TestWhereNobodyWatchesNobodyPaysForEvents(t *testing.T) {
	p := plan(t, `
name: test
flows: [websocket]
brokers: [mem]
load: {arrivals: constant, rate_per_s: 200, clients: 2, subscribers: 1, keys: 5, command_share: 1}
warmup: 0s
duration: 300ms
`)
	p.Cells = append(p.Cells, p.Cells[0])
	p.Cells[1].ID, p.Cells[1].Load.Subscribers = "unwatched", 0
	run, err := runPlan(t.Context(), t, engine(t), p)
	if err != nil {
		t.Fatal(err)
	}
	watched, unwatched := *run.Cells[0].Cost.BrokerMsgs, *run.Cells[1].Cost.BrokerMsgs
	if run.Cells[1].Heard != nil || watched < 2.5 || unwatched > 2.5 {
		t.Errorf("%.2f messages with live queries and %.2f without; want about 3 and 2", watched, unwatched)
	}
	for _, c := range run.Cells {
		if a := c.Accounting; a.Lost+a.Duplicated+a.Unexpected != 0 || c.Counts.OK != c.Counts.Due {
			t.Errorf("%s: %+v, %+v; want all ok", c.ID, c.Counts, a)
		}
	}
}

// lateNews is a flow whose news comes long after the answer, and not to everybody.
type lateNews struct {
	flows.Direct
	late  time.Duration
	tells int // subscribers, the first of those that there are
}

func (f lateNews) Spec() flows.Spec {
	s := f.Direct.Spec()
	s.Name, s.Tells = "late-news", flows.Everyone
	return s
}

func (f lateNews) Dial(ctx context.Context, env flows.Env, id int) (flows.Client, error) {
	c, err := f.Direct.Dial(ctx, env, id)
	return lateClient{c, f, env}, err
}

type lateClient struct {
	flows.Client
	flow lateNews
	env  flows.Env
}

func (c lateClient) Do(ctx context.Context, op *flows.Op) error {
	err := c.Client.Do(ctx, op)
	if err == nil && op.Kind == flows.Command {
		c.env.Runtime.Go(context.WithoutCancel(ctx), func(ctx context.Context) {
			_ = c.env.Runtime.Sleep(ctx, c.flow.late) // nothing cancels it
			for s := range c.flow.tells {
				c.env.Heard(op.ID, s)
			}
		})
	}
	return err
}

// TestTheDrainWaitsForNews ends the load long before the last news comes, and
// lets some of it never come: that must neither be cut short nor be waited for
// without end.
func TestTheDrainWaitsForNews(t *testing.T) {
	for _, tells := range []int{2, 1} {
		p := plan(t, `
name: test
flows: [direct]
load: {arrivals: constant, rate_per_s: 100, clients: 2, subscribers: 2, command_share: 1}
warmup: 0s
duration: 100ms
service: {instances: 1, workers: 4, time: {distribution: constant, mean: 1ms}}
`)
		p.Cells[0].Flow = "late-news"
		e := engine(t)
		e.Flows = append(slices.Clone(e.Flows), lateNews{late: 400 * time.Millisecond, tells: tells})
		run, err := runPlan(t.Context(), t, e, p)
		if err != nil {
			t.Fatal(err)
		}
		c := run.Cells[0]
		commands := c.Accounting.Applied
		missing := commands * int64(2-tells)
		if h := c.Heard; h.Commands != commands || h.Missing != missing || !c.Drained {
			t.Errorf("%+v after %d commands, drained %v; want %d notices missing and the drain to end",
				h, commands, c.Drained, missing)
		}
		warned := slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "never came") })
		if warned != (missing > 0) {
			t.Errorf("warnings are %q; want one of notices only where some are missing", c.Warnings)
		}
	}
}
