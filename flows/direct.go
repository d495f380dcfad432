package flows

import (
	"context"
	"fmt"
	"iter"
)

// Direct is the flow without a broker: a load balancer before the instances of
// the service, and a client that waits.
type Direct struct{}

const directPart = "service"

// Spec implements [Flow].
func (Direct) Spec() Spec {
	return Spec{
		Name:    "direct",
		Summary: "clients call the service through a load balancer; there is no broker",
		Axes:    []Axis{{"path", "direct"}, {"command", "call"}, {"query", "call"}},
		Uses:    UsesEdge,
		Promise: AtMostOnce,
	}
}

// Listen implements [Flow].
func (Direct) Listen(ctx context.Context, env Env) (Server, error) {
	instances := make([]Endpoint, env.Settings.Instances)
	for i := range instances {
		instances[i] = func(ctx context.Context, c Call) iter.Seq2[Answer, error] {
			return Single(func() (Answer, error) { return handleCall(ctx, env, i, c) })
		}
	}
	server, err := env.Edge.Listen(ctx, directPart, instances...)
	if err != nil {
		return nil, fmt.Errorf("listen as %s: %w", directPart, err)
	}
	return server, nil
}

// handleCall has one instance do what c asks for.
func handleCall(ctx context.Context, env Env, instance int, c Call) (Answer, error) {
	kind := c.Kind
	if c.Verb == Submit {
		kind = Command
	}
	resp, err := env.Service.Handle(ctx, instance, Request{
		Kind: kind, ID: c.ID, Key: c.Key, Body: c.Body, Stream: c.Stream,
	})
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("handle %v: %w", kind, err)
	case resp.Status == Denied:
		return Answer{}, Fail(Rejected, errDenied)
	}
	return Answer{Status: resp.Status, Body: resp.Body}, nil
}

// Dial implements [Flow].
func (Direct) Dial(ctx context.Context, env Env, id int) (Client, error) {
	caller, err := env.Edge.Dial(ctx, directPart, id)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", directPart, err)
	}
	return callingClient{caller}, nil
}

// callingClient waits on the call for the result of either kind of operation.
type callingClient struct{ caller Caller }

func (c callingClient) Do(ctx context.Context, op *Op) error {
	call := Call{Verb: Submit, Kind: op.Kind, ID: op.ID, Key: op.Key, Body: op.Body}
	if op.Kind == Query {
		call.Verb = Fetch
	}
	answer, err := First(ctx, c.caller, call)
	if err != nil {
		return fmt.Errorf("call: %w", err)
	}
	if answer.Status != Done {
		return Unknown(Corrupt, fmt.Errorf("call: got an answer that is %v; want one that is done", answer.Status))
	}
	op.Answer = answer.Body
	op.Settle(false)
	return nil
}

func (c callingClient) Close() error { return c.caller.Close() }
