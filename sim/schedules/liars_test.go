package schedules

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"flowbench/flows"
)

// A liar is a flow that does not do what it says.
type liar struct {
	flows.Flow
	do    func(ctx context.Context, c flows.Client, op *flows.Op) error
	close func(c flows.Client) error
}

type lyingClient struct {
	flows.Client
	liar liar
}

// Dial implements [flows.Flow].
func (l liar) Dial(ctx context.Context, env flows.Env, id int) (flows.Client, error) {
	c, err := l.Flow.Dial(ctx, env, id)
	return lyingClient{c, l}, err
}

// Do implements [flows.Client].
func (c lyingClient) Do(ctx context.Context, op *flows.Op) error { return c.liar.do(ctx, c.Client, op) }

// Close implements [flows.Client].
func (c lyingClient) Close() error {
	if c.liar.close != nil {
		return c.liar.close(c.Client)
	}
	return c.Client.Close()
}

func honest(ctx context.Context, c flows.Client, op *flows.Op) error { return c.Do(ctx, op) }

var errLie = errors.New("a lie")

// liars returns flows that break one rule each, and what is said of them.
func liars() map[string]liar {
	panics := func(context.Context, flows.Client, *flows.Op) error { panic(errLie) }
	certain := func(ctx context.Context, c flows.Client, op *flows.Op) error {
		if err := c.Do(ctx, op); err != nil {
			return flows.Fail(flows.Disconnected, errLie)
		}
		return nil
	}
	twice := func(ctx context.Context, c flows.Client, op *flows.Op) error {
		_ = c.Do(ctx, op)
		return c.Do(ctx, op)
	}
	return map[string]liar{
		"failed means certainly not applied": {flows.Direct{}, certain, nil},
		"a timeout is never a failure": {flows.Direct{}, func(ctx context.Context, c flows.Client, op *flows.Op) error {
			err := c.Do(ctx, op)
			if _, class := flows.OutcomeOf(err); class == flows.Timeout {
				return flows.Fail(class, errLie)
			}
			return err
		}, nil},
		"nothing here allows that": {flows.Direct{}, twice, nil},
		"its client's patience is": {flows.Direct{}, func(ctx context.Context, c flows.Client, op *flows.Op) error {
			return c.Do(context.WithoutCancel(ctx), op)
		}, nil},
		"and never applied": {flows.Async{Reply: flows.NoReply}, func(
			ctx context.Context, c flows.Client, op *flows.Op,
		) error {
			op.Reach(flows.Accepted)
			return c.Do(ctx, op)
		}, nil},
		"before anything was applied": {flows.Async{Reply: flows.NoReply}, func(
			ctx context.Context, c flows.Client, op *flows.Op,
		) error {
			op.Reach(flows.Answered)
			op.Answer = op.Body
			return c.Do(ctx, op)
		}, nil},
		"has an answer": {flows.Direct{}, func(ctx context.Context, c flows.Client, op *flows.Op) error {
			if op.Kind == flows.Query {
				return nil
			}
			return c.Do(ctx, op)
		}, nil},
		"is not a payload": {flows.Direct{}, func(ctx context.Context, c flows.Client, op *flows.Op) error {
			err := c.Do(ctx, op)
			if len(op.Answer) > 0 {
				op.Answer[0]++
			}
			return err
		}, nil},
		"it did not end ok": {flows.Direct{}, func(context.Context, flows.Client, *flows.Op) error {
			return flows.Fail(flows.Unreachable, errLie)
		}, nil},
		"nothing here gives a reason": {flows.Direct{}, func(context.Context, flows.Client, *flows.Op) error {
			return errLie
		}, nil},
		"connections are open": {flows.Async{Reply: flows.ReplyTo}, honest, func(flows.Client) error { return nil }},
		"panicked: a lie":      {flows.Direct{}, panics, nil},
		"close: a lie":         {flows.Direct{}, honest, func(flows.Client) error { return errLie }},
	}
}

// TestLiesAreFound checks that what the schedules look for is found where it is,
// within 200 seeds, and still after the plan has been made smaller.
func TestLiesAreFound(t *testing.T) {
	for want, flow := range liars() {
		t.Run(want, func(t *testing.T) {
			for seed := range uint64(200) {
				p, err := Draw(flow.Flow, seed)
				if err != nil {
					t.Fatal(err)
				}
				if r := p.Run(); len(r.Wrong) > 0 {
					t.Fatalf("seed %d finds fault with an honest flow: %q", seed, r.Wrong)
				}
				p.Flow = flow
				if !strings.Contains(strings.Join(p.Run().Wrong, "\n"), want) {
					continue
				}
				wantMinimal(t, p)
				return
			}
			t.Error("nobody noticed")
		})
	}
}

// wantMinimal checks that a plan fails as long as it has its faults, made smaller.
func wantMinimal(t *testing.T, p Plan) {
	t.Helper()
	small, r := p.Shrink()
	if len(r.Wrong) == 0 {
		t.Errorf("made smaller, the plan does not fail any more: %v", small)
	}
	if len(small.Faults) == 0 {
		return
	}
	all := small.Faults
	for i := range all {
		small.Faults = append(append([]Fault(nil), all[:i]...), all[i+1:]...)
		if len(small.Run().Wrong) > 0 {
			t.Errorf("without %v, the plan still fails", all[i])
		}
	}
}

// TestWhatIsWaitedForIsSeen opens a flow and leaves a request unanswered.
func TestWhatIsWaitedForIsSeen(t *testing.T) {
	for _, reply := range []flows.AsyncReply{flows.ReplyTo, flows.EventsReply} {
		p, err := Draw(flows.Async{Reply: reply}, 1)
		if err != nil {
			t.Fatal(err)
		}
		p.Faults = nil
		w := newWorld(p)
		seen := 0
		err = w.kernel.Run(t.Context(), func(ctx context.Context) {
			if err := w.open(ctx); err != nil {
				t.Fatal(err)
			}
			op := flows.NewOp(w.kernel, 1, flows.Command, "k1", nil)
			done := w.kernel.Go(ctx, func(ctx context.Context) { _ = w.clients[0].Do(ctx, op) })
			_ = w.kernel.Sleep(ctx, time.Microsecond)
			for _, n := range waiting(w.server, w.clients) {
				seen += n
			}
			_ = done(ctx)
			if err := w.close(ctx, func(context.Context) {}); err != nil {
				t.Error(err)
			}
		})
		if err != nil || seen != 1 {
			t.Errorf("with %s, %d answers are seen to be waited for, %v; want 1", reply, seen, err)
		}
	}
}
